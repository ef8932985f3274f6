"""The states a workflow is written with, as references that transitions and steps name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, ClassVar

import attrs

from statemachine.events import Event

Guard = Callable[[Any], bool] | Callable[[Any, Any], bool]


class State:
    """A state in which nothing is nested.

    Args:
        initial: Entered first when its workflow or compound is entered.
        final: Nothing leaves it. At the top level the run is complete; in a compound, that is done.
        compensate: Arriving here undoes what was done. Top-level final states only.
        defer: Events of these types wait, durably, while it is active and nothing takes them.
        waits_for: The role of the person it waits for.
        was: Names it had.
    """

    def __init__(
        self,
        *,
        initial: bool = False,
        final: bool = False,
        compensate: bool = False,
        defer: tuple[type[Event], ...] = (),
        waits_for: str | None = None,
        was: tuple[str, ...] = (),
    ) -> None:
        self.initial = initial
        self.final = final
        self.compensate = compensate
        self.defer = defer
        self.waits_for = waits_for
        self.was = was
        self.name = ""
        self.place = place()

    def __repr__(self) -> str:
        return f"<State {self.name}>"

    def when(self, guard: Guard) -> Arm:
        """This state as a target, if the guard holds."""
        return Arm(self, guard)


class History(State):
    """Where its compound was when it was last left.

    Args:
        default: Where to go when it was never left.
        deep: The leaf states, not only the children.
        was: Names it had.
    """

    def __init__(self, default: Target, *, deep: bool = False, was: tuple[str, ...] = ()) -> None:
        super().__init__(was=was)
        self.default = default
        self.deep = deep


class Nested:
    """What `Compound` and `Parallel` share: options given in the class line."""

    initial: ClassVar[bool] = False
    defer: ClassVar[tuple[type[Event], ...]] = ()
    waits_for: ClassVar[str | None] = None
    was: ClassVar[tuple[str, ...]] = ()
    path: ClassVar[str] = ""
    parallel: ClassVar[bool] = False

    def __init_subclass__(
        cls,
        *,
        initial: bool = False,
        defer: tuple[type[Event], ...] = (),
        waits_for: str | None = None,
        was: tuple[str, ...] = (),
    ) -> None:
        super().__init_subclass__()
        cls.initial = initial
        cls.defer = defer
        cls.waits_for = waits_for
        cls.was = was

    @classmethod
    def when(cls, guard: Guard) -> Arm:
        """This state as a target, if the guard holds."""
        return Arm(cls, guard)


class Compound(Nested):
    """A state of which one nested state is active. Derive it inside the workflow; options stand in the class line."""


class Parallel(Nested):
    """A state of which all nested states are active. Derive it inside the workflow; options stand in the class line."""

    parallel: ClassVar[bool] = True


Target = State | type[Nested]


@attrs.frozen(eq=False)
class Arm:
    """A target with a guard. In a tuple of arms, the first whose guard holds is taken."""

    target: Target
    guard: Guard | None


Arms = Target | Arm | tuple[Target | Arm, ...]
Sources = Target | tuple[Target, ...]


def place(depth: int = 2) -> str:
    """`file:line` of whoever declares something."""
    frame = sys._getframe(depth)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] -- the only way to a line
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
