"""The sync handle on one run: the async one, waited for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Generic, TypeVar

from statemachine.runner.aio import AsyncRun
from statemachine.runner.loops import Wait, followed
from statemachine.runner.output import BUFFER, Emitted
from statemachine.runner.story import Story
from statemachine.runner.views import Entry, Receipt, Result, RunView
from statemachine.snapshot import Incident
from statemachine.states import Nested, State

D = TypeVar("D")


class Run(Generic[D]):
    """A handle on one run. Its properties read the journal each time; `look` reads all of it at one point."""

    def __init__(self, run: AsyncRun[D], wait: Wait) -> None:
        self._wait = wait
        self._run = run
        self.id = run.id

    def __repr__(self) -> str:
        return f"Run({self.id!r})"

    def look(self, *, plain: bool = False) -> RunView[D]:
        """See `AsyncRunner.look`."""
        return self._wait(self._run.look(plain=plain))

    @property
    def state(self) -> tuple[str, ...]:
        """The active leaf states, in document order."""
        return self.look().state

    @property
    def status(self) -> str:
        """running, undoing, completed, failed, cancelled or killed."""
        return self.look().status

    @property
    def data(self) -> D:
        """Its data."""
        return self.look().data

    @property
    def incidents(self) -> tuple[Incident, ...]:
        """What needs a person."""
        return self.look().incidents

    def within(self, state: State | type[Nested] | str) -> bool:
        """Whether a state, or a compound by its class or name, is active."""
        return self._wait(self._run.within(state))

    def send(
        self, event: object, *, id: str | None = None, actor: str | None = None, reason: str | None = None
    ) -> Receipt:
        """See `AsyncRunner.send`."""
        return self._wait(self._run.send(event, id=id, actor=actor, reason=reason))

    def result(self, timeout: float | None = None) -> Result[D]:
        """Wait until the run is over, for at most `timeout` seconds. Raises NotOver."""
        return self._wait(self._run.result(timeout))

    def cancel(self, *, reason: str | None = None, actor: str | None = None) -> None:
        """See `AsyncRun.cancel`."""
        self._wait(self._run.cancel(reason=reason, actor=actor))

    def kill(self, *, reason: str | None = None, actor: str | None = None) -> RunView[D]:
        """See `AsyncRun.kill`."""
        return self._wait(self._run.kill(reason=reason, actor=actor))

    def erase(self, *, reason: str, actor: str | None = None) -> None:
        """See `AsyncRunner.erase`."""
        self._wait(self._run.erase(reason=reason, actor=actor))

    def pause(self, *, reason: str | None = None, actor: str | None = None) -> None:
        """Start nothing new; events wait."""
        self._wait(self._run.pause(reason=reason, actor=actor))

    def resume(self, *, reason: str | None = None, actor: str | None = None) -> None:
        """Go on after `pause`."""
        self._wait(self._run.resume(reason=reason, actor=actor))

    def retry(self, incident: int, *, reason: str | None = None, actor: str | None = None) -> None:
        """Decide an incident: try again, under the same key."""
        self._wait(self._run.retry(incident, reason=reason, actor=actor))

    def skip(self, incident: int, *, reason: str, actor: str | None = None) -> None:
        """Decide an incident: it had no effect (a step), or it stays not undone (an undo)."""
        self._wait(self._run.skip(incident, reason=reason, actor=actor))

    def done(self, incident: int, *, reason: str, actor: str | None = None) -> None:
        """Decide an incident: it took effect (a step), or was undone by hand (an undo)."""
        self._wait(self._run.done(incident, reason=reason, actor=actor))

    def output(self, *, buffer: int = BUFFER) -> AbstractContextManager[Iterator[Emitted]]:
        """See `AsyncRunner.output`: `with run.output() as output: for emitted in output: ...`."""
        return followed(self._wait, self._run.output(buffer=buffer))

    def journal(self, *, after: int = 0, limit: int = 1000) -> list[Entry]:
        """Its journal from the line after number `after`, oldest first."""
        return self._wait(self._run.journal(after=after, limit=limit))

    def story(self) -> Story:
        """See `AsyncRunner.story`."""
        return self._wait(self._run.story())
