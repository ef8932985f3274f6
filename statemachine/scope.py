"""What a guard, an action or a fold may ask of the transition it runs in, and the requests it may leave there.

Requests are only noted; they take effect when the transition commits, or never.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

import msgspec

from statemachine.snapshot import Occurrence


class SendRequest(msgspec.Struct, frozen=True):
    """An event to another run (or, with `to` empty, to this one's own external queue), `delay` seconds from now."""

    to: str
    name: str
    value: Any
    id: str | None
    delay: float | datetime
    send_id: str | None


class EndBlock(Exception):
    """Raised by an action to end its block of actions here, with `data` as the run's data.

    For actions that are made of several (SCXML `if`, `foreach`): what they did before an error stays. The action says
    what went wrong itself (see `Scope.fail`).
    """

    def __init__(self, data: Any) -> None:
        super().__init__("the block ends here")
        self.data = data


class Transition(Protocol):
    """The transition under way, as its scope sees it."""

    run: str
    now: datetime
    visits: dict[str, int]
    occurrence: Occurrence | None

    def note_raise(self, occurrence: Occurrence) -> None:
        """Take an event into the internal queue."""
        ...

    def note_send(self, request: SendRequest) -> None:
        """Note an event to send, now or by a timer."""
        ...

    def note_unsend(self, send_id: str) -> None:
        """Forget a delayed send."""
        ...


class Scope:
    """Handed to every function of a definition as its third argument."""

    __slots__ = ("_transition",)

    def __init__(self, transition: Transition) -> None:
        self._transition = transition

    @property
    def run(self) -> str:
        """The run's id."""
        return self._transition.run

    @property
    def now(self) -> datetime:
        """The time of this transition, UTC; a fold of the journal sees the same."""
        return self._transition.now

    @property
    def occurrence(self) -> Occurrence | None:
        """What is being handled; None while the run starts."""
        return self._transition.occurrence

    @property
    def visits(self) -> Mapping[str, int]:
        """The active states, compounds included, with their visit numbers."""
        return self._transition.visits

    def active(self, state: str) -> bool:
        """SCXML's `In(state)`."""
        return state in self._transition.visits

    def raise_event(self, name: str, value: Any = None) -> None:
        """Put an event into the internal queue: it is handled before any from outside (SCXML `raise`)."""
        self._transition.note_raise(Occurrence(name=name, value=value, kind="internal"))

    def fail(self, name: str, value: Any = None, send_id: str | None = None) -> None:
        """Put an error of the platform into the internal queue (SCXML `error.communication`, `error.execution`)."""
        self._transition.note_raise(Occurrence(name=name, value=value, kind="platform", send_id=send_id))

    def send(
        self,
        to: str,
        name: str,
        value: Any = None,
        *,
        id: str | None = None,
        delay: float | datetime = 0.0,
        send_id: str | None = None,
    ) -> None:
        """Send an event to another run, or with `to` empty to this run's own external queue (SCXML `send`).

        Args:
            to: The other run's id.
            name: The event's name.
            value: Its typed value.
            id: The id by which the receiver knows a resend; made from run and transition when not given.
            delay: Seconds from now, or the UTC time.
            send_id: What `cancel` calls it.
        """
        self._transition.note_send(SendRequest(to, name, value, id, delay, send_id))

    def cancel(self, send_id: str) -> None:
        """Forget a delayed send that has not gone out (SCXML `cancel`)."""
        self._transition.note_unsend(send_id)
