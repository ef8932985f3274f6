"""The class a workflow is written as. It compiles once, when it is made, and is refused then if it is broken."""

from __future__ import annotations

import dataclasses
import sys
import typing
from typing import Any, ClassVar, Generic, TypeVar, dataclass_transform

from statemachine.compiling import Compiled, Line, compiled
from statemachine.definition import Definition
from statemachine.errors import BrokenState
from statemachine.states import State, WorkflowObject, place
from statemachine.steps import Bindable, Taking
from statemachine.storable import say
from statemachine.transitions import Written
from statemachine.tree import is_nested

D = TypeVar("D")
_DECLARED = (State, Bindable, Taking, Written)


@dataclass_transform(eq_default=False)
class Workflow(WorkflowObject, Generic[D]):
    """Base of workflows over data of type D.

    States, steps and transitions are class attributes without annotation. Annotated attributes are collaborators:
    arguments of the constructor, given by the application, never journaled.

    Class line: `class LoanApproval(Workflow[Loan], name="loan-approval", version=1, was=("loan",))`. The name is what
    the journal stores, the class's own when not given; `was` lists names it had.

    Attributes:
        definition: What it compiles to.

    Raises:
        DefinitionError: On making the class: it is ambiguous or broken. The message names the class, the state and why.
    """

    definition: ClassVar[Definition]
    compiled: ClassVar[Compiled]

    def __init_subclass__(cls, *, name: str | None = None, version: int = 1, was: tuple[str, ...] = ()) -> None:
        """Compile the class; one that declares nothing is a base for others, with their collaborators."""
        super().__init_subclass__()
        dataclasses.dataclass(eq=False, repr=False)(cls)
        whole = next((base for base in cls.__mro__[1:] if "compiled" in vars(base)), None)
        if whole is not None:
            reason = f"{say(whole)} is a whole workflow, which nothing can be added to; derive from Workflow"
            raise BrokenState(say(cls), None, reason, place())
        if not any(isinstance(item, _DECLARED) or is_nested(item) for item in vars(cls).values()):
            return
        data = _data_of(cls)
        if isinstance(data, TypeVar):
            raise BrokenState(say(cls), None, "say what its data is: class X(Workflow[YourData])", place())
        line = Line(
            name=cls.__name__ if name is None else name,
            version=version,
            was=was,
            data=data,
            place=place(),
            names=_around(cls),
        )
        cls.compiled = compiled(cls, line)
        cls.definition = cls.compiled.definition


def bind(workflow: Workflow[Any]) -> Definition:
    """The definition of a workflow object, with its functions bound to the object."""
    return workflow.compiled.bind(workflow)


def _around(cls: type) -> dict[str, Any]:
    """Names that annotations may use where the class is made inside a function, and in its own body."""
    frame = sys._getframe(2)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] -- a function's names are nowhere else
    local = {} if frame.f_locals is frame.f_globals else frame.f_locals
    return {**local, **vars(cls)}


def _data_of(cls: type) -> Any:
    """What stands for `D`, through bases that leave it open; a type variable while it is open."""
    for base in vars(cls).get("__orig_bases__", cls.__bases__):
        origin, arguments = typing.get_origin(base) or base, typing.get_args(base)
        if origin is Workflow and arguments:
            return arguments[0]
        if isinstance(origin, type) and issubclass(origin, Workflow) and origin is not Workflow:
            data = _data_of(origin)  # pyright: ignore[reportUnknownArgumentType] -- a base, of whatever data
            parameters: tuple[Any, ...] = getattr(origin, "__parameters__", ())  # pyright: ignore[reportUnknownArgumentType]
            return dict(zip(parameters, arguments, strict=False)).get(data, data)
    return D
