"""The states a workflow is written with, as references that transitions and steps name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar, overload

import attrs

from statemachine.events import Event, Moment, Place


class WorkflowObject:
    """What `self` is in a workflow's methods; by it checkers tell a method used as a guard from a plain function."""


D = TypeVar("D")
"""The run's data."""
E = TypeVar("E", bound=Event)
W = TypeVar("W", bound=WorkflowObject)
D_contra = TypeVar("D_contra", contravariant=True)
E_contra = TypeVar("E_contra", contravariant=True)

Quiet: TypeAlias = Callable[[D], bool] | Callable[[D, Moment], bool]
"""A guard that looks at no event."""
QuietMethod: TypeAlias = Callable[[W, D], bool] | Callable[[W, D, Moment], bool]
Guard: TypeAlias = Quiet[D] | Callable[[D, E], bool] | Callable[[D, E, Moment], bool]
GuardMethod: TypeAlias = QuietMethod[W, D] | Callable[[W, D, E], bool] | Callable[[W, D, E, Moment], bool]


@attrs.frozen(eq=False)
class Arm(Generic[D_contra, E_contra]):
    """A target with a guard. In a tuple of arms, the first whose guard holds is taken."""

    target: Target
    guard: Callable[..., bool]


class Arming:
    """`state.when`: called with a guard, it gives the state as a target that is taken if the guard holds."""

    __slots__ = ("_target",)

    def __init__(self, target: Any) -> None:
        self._target = target

    @overload
    def __call__(self, guard: Callable[[D], bool]) -> Arm[D, object]: ...
    @overload
    def __call__(self, guard: Callable[[D, Moment], bool]) -> Arm[D, object]: ...
    @overload
    def __call__(self, guard: Callable[[D, E], bool]) -> Arm[D, E]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, guard: Callable[[D, E, Moment], bool]) -> Arm[D, E]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, guard: Callable[[W, D], bool]) -> Arm[D, object]: ...
    @overload
    def __call__(self, guard: Callable[[W, D, Moment], bool]) -> Arm[D, object]: ...
    @overload
    def __call__(self, guard: Callable[[W, D, E], bool]) -> Arm[D, E]: ...
    @overload
    def __call__(self, guard: Callable[[W, D, E, Moment], bool]) -> Arm[D, E]: ...
    def __call__(self, guard: Callable[..., bool]) -> Arm[Any, Any]:
        """See the class. The guard is pure: a function or method of the data, or of data and event."""
        return Arm(self._target, guard)


class _When:
    def __get__(self, state: object, owner: type) -> Arming:
        return Arming(owner if state is None else state)


class State(Place):
    """A state in which nothing is nested.

    Args:
        initial: Entered first when its workflow or compound is entered.
        final: Nothing leaves it. At the top level the run is complete; in a compound, that is done.
        compensate: Arriving here undoes what was done. Top-level final states only.
        defer: Events of these types wait, durably, while it is active and nothing takes them.
        waits_for: The role of the person it waits for.
        was: Names it had.
    """

    when = _When()

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
        self.place = place()

    def __repr__(self) -> str:
        return f"<State {self.path or 'written at ' + self.place}>"

    @property
    def name(self) -> str:
        """Its dotted name; set when the workflow is compiled."""
        return self.path


class History(State):
    """Where its compound was when it was last left.

    Args:
        default: Where to go when it was never left; the compound's initial state when not given.
        deep: The leaf states, not only the children.
        was: Names it had.
    """

    def __init__(self, default: Target | None = None, *, deep: bool = False, was: tuple[str, ...] = ()) -> None:
        super().__init__(was=was)
        self.default = default
        self.deep = deep


@attrs.frozen
class Options:
    """What a nested class's line says."""

    initial: bool = False
    defer: tuple[type[Event], ...] = ()
    waits_for: str | None = None
    was: tuple[str, ...] = ()


class Nested(Place):
    """What `Compound` and `Parallel` share: options given in the class line. Its other attributes are states."""

    __options__: ClassVar[Options] = Options()
    when: ClassVar[_When] = _When()

    def __init_subclass__(
        cls,
        *,
        initial: bool = False,
        defer: tuple[type[Event], ...] = (),
        waits_for: str | None = None,
        was: tuple[str, ...] = (),
    ) -> None:
        super().__init_subclass__()
        cls.__options__ = Options(initial, defer, waits_for, was)


class Compound(Nested):
    """A state of which one nested state is active. Derive it inside the workflow; options stand in the class line."""


class Parallel(Nested):
    """A state of which all nested states are active. Derive it inside the workflow; options stand in the class line."""


Target: TypeAlias = State | type[Nested]
Sources: TypeAlias = Target | tuple[Target, ...]
Targets: TypeAlias = Target | tuple[Target, ...]
Arms: TypeAlias = Target | Arm[D, E] | tuple[Target | Arm[D, E], ...]
"""Targets in order of priority, the first whose guard holds being taken; the guards may look at an event."""
QuietArms: TypeAlias = Target | Arm[D, object] | tuple[Target | Arm[D, object], ...]
"""The same where there is no event to look at."""


DECLARED = "__declared__"
"""Under this name a class body keeps the transitions that were written in it, whether or not they were given a name."""


def place(depth: int = 2) -> str:
    """`file:line` of whoever declares something."""
    frame = sys._getframe(depth)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] -- the only way to a line
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def note(declared: object, depth: int = 3) -> None:
    """Remember what was written in a class body, so that one which is given no name is not lost unseen."""
    frame = sys._getframe(depth)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] -- the only way to the body
    if "__qualname__" in frame.f_locals:
        frame.f_locals.setdefault(DECLARED, []).append(declared)
