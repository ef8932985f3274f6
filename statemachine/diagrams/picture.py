"""Pictures of workflows, and of runs on their way: Mermaid, DOT and SVG from the definition itself.

diagram(LoanApproval).mermaid
diagram(LoanApproval, run).svg          # a notebook shows it without being asked
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Protocol

from statemachine.definition import Definition
from statemachine.diagrams.dot import dot
from statemachine.diagrams.drawing import Drawing, draw
from statemachine.diagrams.mermaid import mermaid
from statemachine.diagrams.svg import svg
from statemachine.diagrams.trace import trace
from statemachine.runner import Run, RunView, Story


class Defined(Protocol):
    """What has a definition: a workflow's class."""

    @property
    def definition(self) -> Definition:
        """What it compiled to."""
        ...


class Diagram:
    """A drawing in three notations, each made when it is asked for."""

    def __init__(self, drawing: Drawing) -> None:
        self.drawing = drawing

    @cached_property
    def mermaid(self) -> str:
        """As Mermaid, which needs nothing installed."""
        return mermaid(self.drawing)

    @cached_property
    def dot(self) -> str:
        """As DOT, which needs nothing installed."""
        return dot(self.drawing)

    @cached_property
    def svg(self) -> str:
        """As an SVG element. Raises NoGraphvizError without the extra `[diagrams]`."""
        return svg(self.dot)

    def _repr_svg_(self) -> str:
        """What a notebook shows."""
        return self.svg

    def __repr__(self) -> str:
        return f"Diagram({self.drawing.title!r})"


def diagram(workflow: Defined | Definition, run: Run[Any] | tuple[RunView[Any], Story] | None = None) -> Diagram:
    """Draw a workflow; with a run, also where that is, the way it took, what waits and what was undone.

    Args:
        workflow: Its class, or its definition.
        run: A run of it; where the runner is async, `(await run.look(), await run.story())`.
    """
    definition = workflow if isinstance(workflow, Definition) else workflow.definition
    if run is None:
        return Diagram(draw(definition))
    view, story = (run.look(), run.story()) if isinstance(run, Run) else run
    return Diagram(draw(definition, trace(view, story)))
