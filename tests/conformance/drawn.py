"""A statechart as plain data, for two interpreters to disagree on: states, transitions, and what they do in tuples.

Its data are a number `n` and a `log` of the last lines. What can be done, and asked:

| action | |
|---|---|
| `("mark", label)` | log the label, with the event that is handled |
| `("whether", state)` | log whether a state is active |
| `("add", k)` | add to `n`, up to 9 |
| `("zero",)` | set `n` to 0 |
| `("take",)` | log the event's value |
| `("raise", event)` | raise an event whose value is `n` |
| `("send", to, event, delay, id)` | send one, with `to` empty to the machine itself |
| `("cancel", id)` | forget delayed sends of that id |
| `("boom",)` | raise an error |

| guard | |
|---|---|
| `("below", k)` | `n < k` |
| `("odd",)` | `n` is odd |
| `("in", state)` | a state is active |
| `("boom",)` | raise an error |
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import attrs

LINES = 40
"""How many lines of the log are kept."""

Action = tuple[Any, ...]
Guard = tuple[Any, ...]
Kind = Literal["atomic", "compound", "parallel", "final", "history"]


@attrs.frozen(kw_only=True)
class Drawn:
    """A transition; without `events` it is eventless, without `targets` targetless."""

    events: tuple[str, ...] = ()
    guard: Guard | None = None
    targets: tuple[str, ...] = ()
    internal: bool = False
    actions: tuple[Action, ...] = ()


@attrs.frozen(kw_only=True)
class DrawnState:
    """A state. `initial` is a compound's, `default` and `deep` a history's, `done` a final's; `after` sets timers."""

    name: str
    kind: Kind
    children: tuple[DrawnState, ...] = ()
    initial: Drawn | None = None
    default: Drawn | None = None
    deep: bool = False
    done: bool = False
    """Whether the final state's done data is `n`."""
    entry: tuple[tuple[Action, ...], ...] = ()
    exit: tuple[tuple[Action, ...], ...] = ()
    transitions: tuple[Drawn, ...] = ()
    after: tuple[tuple[float, str], ...] = ()


@attrs.frozen(kw_only=True)
class DrawnMachine:
    """The whole."""

    children: tuple[DrawnState, ...]
    initial: Drawn


def every(states: Iterable[DrawnState]) -> Iterator[DrawnState]:
    """States and all below them, in document order."""
    for state in states:
        yield state
        yield from every(state.children)
