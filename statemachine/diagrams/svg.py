"""DOT as SVG, by the Graphviz that the pygraphviz wheel carries: none of the system's is needed."""

from __future__ import annotations

import re
from typing import Any


class NoGraphvizError(ImportError):
    """pygraphviz is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "An SVG needs Graphviz, which the pygraphviz wheel carries: pip install 'durable-statemachine[diagrams]'. "
            "`diagram(...).mermaid` and `.dot` need nothing."
        )


def svg(dot: str) -> str:
    """The SVG element, without the prologue of a file, so that it may stand in a page.

    Raises:
        NoGraphvizError: pygraphviz is not installed.
    """
    try:
        import pygraphviz  # type: ignore[import-untyped]  # noqa: PLC0415 -- an extra, loaded where it is used
    except ImportError as error:
        raise NoGraphvizError from error
    graph: Any = pygraphviz.AGraph(string=dot)
    with graph:
        drawn: bytes = graph.draw(format="svg", prog="dot")
    text = drawn.decode()
    return re.sub(r"<!--.*?-->\s*", "", text[text.index("<svg") :], flags=re.DOTALL)
