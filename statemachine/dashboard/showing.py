"""One run as a page and a program see it: with nothing in it that is hidden."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import msgspec
from starlette.exceptions import HTTPException

from statemachine.dashboard.asking import Asking
from statemachine.dashboard.forms import Form, forms
from statemachine.dashboard.ordering import in_order
from statemachine.dashboard.redaction import Redaction, hide
from statemachine.dashboard.rendering import now
from statemachine.dashboard.timeline import Timeline, timeline
from statemachine.definition import Definition
from statemachine.diagrams import NoGraphvizError, diagram
from statemachine.errors import UnknownWorkflow
from statemachine.runner import Attempt, Entry, RunView, Story, to_plain
from statemachine.snapshot import OVER, Failure
from statemachine.wording import Wording

STATUSES = ("running", "undoing", "completed", "failed", "cancelled", "killed")
FLAGS = ("incident", "paused", "held")
JOURNAL = 200
"""Entries of a page of the journal."""
TOLD = 5_000
"""A run with more entries is shown without its story, which takes time in proportion."""


@attrs.frozen
class Line:
    """An entry of the journal, its body as JSON values."""

    entry: Entry
    body: Any


@attrs.frozen
class Shown:
    """A run. Its data, texts and bodies have nothing hidden in them.

    Attributes:
        view: The run as it is.
        definition: Its workflow, where the runner was given it.
        lines: A page of its journal.
        after: The last number of this page, where there are more entries.
        attempts: Attempts of its work.
        timeline: How its time went.
        picture: Its diagram as SVG.
        untold: Why there is no story, or no picture.
        forms: The events it accepts.
        failures: Errors with their tracebacks, each once.
        undone: Attempts to undo its steps.
        words: What the events of its timers are to a reader.
    """

    view: RunView[Any]
    definition: Definition | None
    lines: tuple[Line, ...]
    after: int | None
    attempts: tuple[Attempt, ...]
    timeline: Timeline | None
    picture: str
    untold: str
    forms: tuple[Form, ...]
    failures: tuple[Failure, ...]
    undone: tuple[Attempt, ...]
    words: Mapping[str, str]


def conditions(asked: Mapping[str, str]) -> dict[str, Any]:
    """The arguments of `Runner.list` that the question of an address stands for. Raises HTTPException."""
    given: dict[str, Any] = {name: asked[name] for name in ("workflow", "state") if asked.get(name)}
    status, flag, tag = asked.get("status"), asked.get("flag"), asked.get("tag")
    if status:
        given["status"] = _one_of(status, STATUSES, "status")
    if flag:
        given[_one_of(flag, FLAGS, "flag")] = True
    if tag:
        name, equals, value = tag.partition("=")
        if not equals:
            raise HTTPException(400, f"{tag!r} is no tag; say name=value")
        given["tags"] = {name: value}
    return given


def _one_of(said: str, known: tuple[str, ...], what: str) -> str:
    if said not in known:
        raise HTTPException(400, f"{said!r} is no {what}; it is one of {', '.join(known)}")
    return said


async def show(asking: Asking, redaction: Redaction, run: str, *, after: int | None = None, actor: str = "") -> Shown:
    """Look at a run, with its journal after an entry, or the end of it. Raises NoSuchRun."""
    view = await asking.ask(lambda runner: runner.look(run, plain=True))
    after = max(0, view.seq - JOURNAL) if after is None else after
    entries = await asking.ask(lambda runner: runner.journal(run, after=after, limit=JOURNAL + 1))
    definition = asking.definitions.get(view.workflow)
    story, untold = await _story(asking, view)
    lines = [Line(entry, to_plain(entry.body)) for entry in entries[:JOURNAL]]
    secrets = redaction.secrets(
        view.data,
        to_plain(view.undo),
        to_plain(view.saved),
        to_plain(view.incidents),
        *(line.body for line in lines),
        *_bodies(story),
    )
    if definition is not None:
        view = attrs.evolve(view, data=in_order(view.data, definition.code.data))
    clean = Clean(redaction, secrets)
    attempts = tuple(clean.attempt(one) for one in story.attempts)
    failures = [*(one.failure for one in view.incidents), *(one.failure for one in story.attempts), view.error]
    picture = ""
    if definition is not None:
        picture, untold = _drawn(definition, view, story, untold)
    return Shown(
        view=clean.view(
            attrs.evolve(view, data=in_order(view.data, definition.code.data) if definition else view.data)
        ),
        definition=definition,
        lines=tuple(clean.line(line) for line in lines),
        after=entries[JOURNAL - 1].seq if len(entries) > JOURNAL else None,
        attempts=attempts,
        timeline=_timed(definition, view, attrs.evolve(story, attempts=attempts)),
        picture=picture,
        untold=untold,
        forms=_forms(definition, view, redaction, actor),
        failures=tuple(dict.fromkeys(clean.failure(one) for one in failures if one is not None)),
        undone=tuple(one for one in attempts if one.undo),
        words=_words(definition),
    )


async def _story(asking: Asking, view: RunView[Any]) -> tuple[Story, str]:
    if view.erased:
        return Story((), ()), ""
    if view.seq > TOLD:
        return Story((), ()), f"It has {view.seq:,} entries, too many to tell its story here."
    try:
        story = await asking.ask(lambda runner: runner.story(view.id))
    except UnknownWorkflow as unknown:
        return Story((), ()), str(unknown)
    return story, story.broken


def _bodies(story: Story) -> list[Any]:
    return [to_plain(line.entry.body) for line in story.lines]


def _drawn(definition: Definition, view: RunView[Any], story: Story, untold: str) -> tuple[str, str]:
    try:
        return diagram(definition, (view, story)).svg, untold
    except NoGraphvizError as missing:
        return "", untold or str(missing)


def _timed(definition: Definition | None, view: RunView[Any], story: Story) -> Timeline | None:
    if definition is None or not story.lines:
        return None
    return timeline(definition, story, view.updated if view.status in OVER else max(now(), view.updated))


def _forms(definition: Definition | None, view: RunView[Any], redaction: Redaction, actor: str) -> tuple[Form, ...]:
    if definition is None or view.status != "running" or view.paused or view.held:
        return ()
    return forms(definition, view.within, redaction, actor)


def _words(definition: Definition | None) -> dict[str, str]:
    if definition is None:
        return {}
    words = Wording(definition)
    return {timer.event: words.event(timer.event) for timer in definition.timers}


@attrs.frozen
class Clean:
    """Takes out of what is shown of one run what is hidden."""

    redaction: Redaction
    secrets: frozenset[str]

    def text(self, text: str) -> str:
        """A text."""
        return hide(text, self.secrets)

    def failure(self, failure: Failure) -> Failure:
        """An error, its message and traceback."""
        return Failure(failure.type, self.text(failure.message), self.text(failure.traceback))

    def attempt(self, attempt: Attempt) -> Attempt:
        """An attempt, its error."""
        return attrs.evolve(attempt, failure=self.failure(attempt.failure)) if attempt.failure else attempt

    def values(self, values: Any) -> Any:
        """JSON values."""
        return self.redaction.whole(values, self.secrets)

    def line(self, line: Line) -> Line:
        """An entry of the journal."""
        reason = self.text(line.entry.reason) if line.entry.reason else line.entry.reason
        body = self.values(line.body)
        return Line(attrs.evolve(line.entry, reason=reason, body=msgspec.json.encode(body)), body)

    def view(self, view: RunView[Any]) -> RunView[Any]:
        """A run."""
        replace = msgspec.structs.replace
        return attrs.evolve(
            view,
            data=self.values(view.data),
            incidents=tuple(
                replace(
                    one,
                    message=self.text(one.message),
                    failure=self.failure(one.failure) if one.failure else None,
                    changed=self.values(one.changed),
                    event=replace(one.event, value=self.values(one.event.value)) if one.event else None,
                )
                for one in view.incidents
            ),
            undo=tuple(replace(done, fields=self.values(done.fields)) for done in view.undo),
            timers=tuple(replace(timer, value=self.values(timer.value)) for timer in view.timers),
            error=self.failure(view.error) if view.error else None,
            tags=self.values(view.tags),
            saved=tuple(attrs.evolve(one, value=self.values(one.value)) for one in view.saved),
        )
