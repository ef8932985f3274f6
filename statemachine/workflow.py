"""The class a workflow is written as. It compiles once, when it is made, and is refused then if it is broken."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any, ClassVar, Generic, TypeVar, dataclass_transform

from statemachine.compiling import Compiled, Compiler
from statemachine.definition import Definition
from statemachine.errors import BrokenState
from statemachine.states import Nested, State, WorkflowObject

D = TypeVar("D")


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
        """Compile the class."""
        super().__init_subclass__()
        dataclasses.dataclass(eq=False, repr=False)(cls)
        if not any(isinstance(item, State) or _is_nested(item) for item in vars(cls).values()):
            return
        cls.compiled = Compiler(cls, name=name or cls.__name__, version=version, was=was, data=_data_of(cls)).compiled()
        cls.definition = cls.compiled.definition


def bind(workflow: Workflow[Any]) -> Definition:
    """The definition of a workflow object, with its functions bound to the object."""
    return workflow.compiled.bind(workflow)


def _is_nested(item: Any) -> bool:
    return isinstance(item, type) and issubclass(item, Nested)


def _data_of(cls: type) -> Any:
    for base in cls.__mro__:
        for generic in getattr(base, "__orig_bases__", ()):
            if typing.get_origin(generic) is Workflow and not isinstance(typing.get_args(generic)[0], TypeVar):
                return typing.get_args(generic)[0]
    raise BrokenState(cls.__qualname__, None, "say what its data is: class X(Workflow[YourData])")
