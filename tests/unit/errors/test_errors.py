"""Every error of both trees, with its whole message, provoked as a user provokes it; one without a story fails here."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

import persistence.errors
import statemachine.errors
from persistence import MemoryJournal
from statemachine import Runner
from statemachine.snapshot import Failure
from tests.unit.errors import journal_stories, package_stories, step_stories
from tests.unit.errors.telling import STORIES, Desk
from tests.unit.runner.desk import Shop, World

TOLD_IN = (journal_stories, package_stories, step_stories)
"""Importing these notes their stories."""

FAMILIES = {
    statemachine.errors.StateMachineError,
    statemachine.errors.DefinitionError,
    statemachine.errors.DataError,
    statemachine.errors.RunError,
    persistence.errors.JournalError,
}
"""Never raised themselves: what is raised is one of those below them."""


@pytest.fixture(name="desk")
def _desk(tmp_path: Path) -> Iterator[Desk]:
    world = World()
    with Runner(MemoryJournal(), [Shop(world)], limit=10_000, grace=1.0) as runner:
        yield Desk(tmp_path, world, runner)
        world.gate.set()


@pytest.mark.parametrize("kind", STORIES, ids=lambda kind: f"{kind.__module__.partition('.')[0]}-{kind.__name__}")
def test_an_error_says_what_happened_and_the_way_out(kind: type[Exception], desk: Desk) -> None:
    """Its class and its whole message, as whoever provokes it meets them."""
    name, message = told(STORIES[kind].story, desk)
    assert name == kind.__name__
    assert STORIES[kind].message.fullmatch(message), message


def told(story: object, desk: Desk) -> tuple[str, str]:
    """The name and message of the error in which a story ends."""
    assert callable(story)
    try:
        given = story(desk)
    except Exception as error:  # noqa: BLE001 -- whatever it is, it is judged
        given = error
    if isinstance(given, Failure):
        return given.type, given.message
    return type(given).__name__, str(given)


def test_every_error_of_the_trees_has_its_story() -> None:
    """None is forgotten, and none is declared that nobody can meet."""
    declared = {
        kind
        for module in (statemachine.errors, persistence.errors)
        for kind in vars(module).values()
        if inspect.isclass(kind) and issubclass(kind, Exception) and kind.__module__ == module.__name__
    }
    assert declared == FAMILIES | set(STORIES)
    assert all(any(issubclass(kind, family) for kind in STORIES) for family in FAMILIES)


def test_the_picture_of_the_tree_is_the_tree() -> None:
    """The docstring of `statemachine.errors` draws every class below the one it derives from."""
    drawn: list[tuple[int, str]] = []
    for line in (statemachine.errors.__doc__ or "").splitlines():
        name = line.lstrip("│├└─ ").partition(" ")[0]
        if name.isidentifier() and hasattr(statemachine.errors, name):
            drawn.append((line.index(name) // 4, name))
    above: dict[int, str] = {}
    for depth, name in drawn:
        above[depth] = name
        if depth:
            parent = getattr(statemachine.errors, above[depth - 1])
            assert parent in getattr(statemachine.errors, name).__bases__, f"{name} is drawn below {above[depth - 1]}"
    here = {kind.__name__ for kind in FAMILIES | set(STORIES) if kind.__module__ == statemachine.errors.__name__}
    assert {name for _, name in drawn} == here
