"""Pictures of workflows, and of runs on their way: Mermaid, DOT and SVG from the definition itself.

::

    diagram(LoanApproval).mermaid
    diagram(LoanApproval, run).svg  # a notebook shows it without being asked
"""

from __future__ import annotations

from statemachine import _clash as _clash
from statemachine.diagrams.picture import Diagram, diagram
from statemachine.diagrams.svg import NoGraphvizError

__all__ = ["Diagram", "NoGraphvizError", "diagram"]
