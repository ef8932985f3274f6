"""Keeps the stories in which errors are provoked: one for each class, with the message that is expected."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import attrs

from statemachine import Run, Runner
from statemachine.snapshot import Failure
from tests.unit.runner.desk import Order, Shop, World, until


@attrs.frozen
class Desk:
    """What a story may use: a folder, a world, and a runner that keeps its journal in memory."""

    folder: Path
    world: World
    runner: Runner

    @property
    def path(self) -> Path:
        """Where a journal may be made."""
        return self.folder / "app.db"

    def waiting(self) -> Run[Order]:
        """An order that waits for its clerk."""
        run = self.runner.start(Shop, Order("book"), id="o-1")
        until(run, "waiting")
        return run

    def left(self) -> Path:
        """A journal in a file, with such an order, that nobody has open."""
        with Runner(self.path, [Shop(self.world)]) as runner:
            until(runner.start(Shop, Order("book"), id="o-1"), "waiting")
        return self.path


Story = Callable[[Desk], Exception | Failure | None]
"""Raises the error; or gives it, where it is told otherwise than by being raised."""


@attrs.frozen
class Telling:
    """A story, and the whole message that it ends with."""

    story: Story
    message: re.Pattern[str]


STORIES: dict[type[Exception], Telling] = {}


def tells(kind: type[Exception], *message: str) -> Callable[[Story], Story]:
    """Note the story of an error. In the message `*` stands for what is another at each run."""

    def noted(story: Story) -> Story:
        assert kind not in STORIES, f"{kind.__name__} has its story already"
        pattern = ".*".join(re.escape(part) for part in "".join(message).split("*"))
        STORIES[kind] = Telling(story, re.compile(pattern, re.DOTALL))
        return story

    return noted
