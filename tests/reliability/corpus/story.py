"""The workflow whose runs the corpus keeps, in every way a run can be under way. Changed only with every dump."""

from __future__ import annotations

from datetime import timedelta

import attrs

from statemachine import Call, Event, Retry, State, Workflow, after, evolve, on, step


@attrs.frozen
class Letter:
    to: str
    stamped: bool = False
    note: str = ""
    posted: bool = False


class Post(Event, frozen=True):
    by: str


class Tear(Event, frozen=True):
    pass


class Note(Event, frozen=True):
    text: str


class Burnt(Exception):
    """The letter is gone, and nobody knows whether it was sent."""


class Office:
    """What the steps ask: whether they may go on, and whether they fail."""

    def __init__(self, *, closed: bool = False) -> None:
        self.closed = closed

    def work(self, letter: Letter) -> None:
        """Fail, where the story says so."""
        if self.closed and letter.to == "nobody":
            msg = "burnt"
            raise Burnt(msg)


class Mailing(Workflow[Letter], name="mailing"):
    office: Office

    stamping = State(initial=True, defer=(Note,))
    waiting = State(waits_for="clerk")
    posting = State()
    posted = State(final=True)
    torn = State(final=True, compensate=True)
    lapsed = State(final=True)

    @step(stamping, to=waiting, retry=Retry(9, delay=5, jitter=0))
    def stamp(self, letter: Letter, call: Call) -> Letter:
        if self.office.closed and letter.to == "later":
            msg = "no stamps today"
            raise OSError(msg)
        return evolve(letter, stamped=True)

    @stamp.undo
    def peel(self, letter: Letter, call: Call) -> None:
        return None

    @on(Note, source=waiting)
    def write(self, letter: Letter, event: Note) -> Letter:
        return evolve(letter, note=event.text)

    post = on(Post, source=waiting, to=posting)
    tear = on(Tear, source=waiting, to=torn)
    lapse = after(timedelta(days=36_500), source=waiting, to=lapsed)

    @step(posting, to=posted, pivot=True)
    def send(self, letter: Letter, call: Call) -> Letter:
        self.office.work(letter)
        return evolve(letter, posted=True)
