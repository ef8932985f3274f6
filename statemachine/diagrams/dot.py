"""A drawing in DOT, the language of Graphviz: states as boxes, compounds and regions as clusters."""

from __future__ import annotations

import html
from collections.abc import Iterator

from statemachine.diagrams.drawing import Arrow, Box, Drawing

INK, QUIET, PAPER = "#1f2937", "#64748b", "#ffffff"
FILLS = {"": "#f1f5f9", "visited": "#dbeafe", "active": "#2563eb"}
ENDS = {"completed": "#15803d", "undone": "#b45309"}
ARROWS = {
    "event": (INK, "solid"),
    "work": (INK, "solid"),
    "error": ("#b91c1c", "solid"),
    "timer": ("#7c3aed", "solid"),
    "eventless": (QUIET, "solid"),
    "undo": ("#b45309", "dashed"),
}
TAKEN = "#2563eb"


def dot(drawing: Drawing) -> str:
    """The drawing as DOT."""
    lines = [
        "digraph workflow {",
        f"  label={_quoted(drawing.title)}; labelloc=t; labeljust=l; compound=true; rankdir=TB;",
        f'  fontname="Helvetica"; fontsize=13; fontcolor="{INK}"; bgcolor="transparent"; nodesep=0.35; ranksep=0.5;',
        '  node [shape=box, style="rounded,filled", fontname="Helvetica", fontsize=11, margin="0.16,0.09"];',
        '  edge [fontname="Helvetica", fontsize=9, arrowsize=0.7];',
        *_boxes(drawing, None, 1),
        *(f"  {_arrow(drawing, arrow)}" for arrow in drawing.arrows),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _boxes(drawing: Drawing, parent: str | None, depth: int) -> Iterator[str]:
    indent = "  " * depth
    for box in drawing.within(parent):
        if drawing.within(box.name):
            style = "rounded,dashed" if box.parent is not None and _is_region(drawing, box) else "rounded"
            colour, wide = (TAKEN, 2) if box.mark == "active" else (QUIET, 1)
            yield f"{indent}subgraph {_quoted('cluster_' + box.name)} {{"
            yield f"{indent}  label={_label(box)}; style={_quoted(style)}; color={_quoted(colour)}; penwidth={wide};"
            yield f'{indent}  class="{box.kind} {box.mark}"; fontsize=11; fontcolor="{INK}";'
            yield from _boxes(drawing, box.name, depth + 1)
            yield f"{indent}}}"
        else:
            yield f"{indent}{_node(box)}"
        if box.initial:
            yield from _start(drawing, box, indent)


def _is_region(drawing: Drawing, box: Box) -> bool:
    return any(other.name == box.parent and other.kind == "parallel" for other in drawing.boxes)


def _node(box: Box) -> str:
    fill = ENDS[box.end] if box.end and box.mark == "active" else FILLS[box.mark]
    colour = ENDS.get(box.end, QUIET)
    ink = PAPER if box.mark == "active" else INK
    shape = "circle" if box.kind == "history" else "box"
    more = ", peripheries=2" if box.kind == "final" else ""
    more += ", penwidth=2.5" if box.pivot else ""
    return (
        f'{_quoted(box.name)} [label={_label(box)}, shape={shape}, fillcolor="{fill}", color="{colour}", '
        f'fontcolor="{ink}", class="{box.kind} {box.mark}"{more}];'
    )


def _start(drawing: Drawing, box: Box, indent: str) -> Iterator[str]:
    """The dot from which the surroundings of a box begin."""
    name = f"initial {box.parent or ''}"
    yield f'{indent}{_quoted(name)} [shape=point, width=0.11, label="", color="{INK}", class="initial"];'
    border = _border(drawing, box.name, "lhead")
    yield f'{indent}{_quoted(name)} -> {_quoted(_head(drawing, box.name))} [color="{INK}"{border}];'


def _arrow(drawing: Drawing, arrow: Arrow) -> str:
    colour, style = ARROWS[arrow.kind]
    colour = TAKEN if arrow.taken and arrow.kind != "undo" else colour
    more = ", penwidth=2.2" if arrow.taken else ""
    more += ", constraint=false" if arrow.kind == "undo" else ""
    more += _border(drawing, arrow.target, "lhead") + _border(drawing, arrow.source, "ltail")
    ends = f"{_quoted(_tail(drawing, arrow.source))} -> {_quoted(_head(drawing, arrow.target))}"
    taken = " taken" if arrow.taken else ""
    return (
        f'{ends} [label={_quoted(chr(10).join(arrow.lines()))}, color="{colour}", fontcolor="{colour}", style={style}, '
        f'class="{arrow.kind}{taken}"{more}];'
    )


def _border(drawing: Drawing, name: str, side: str) -> str:
    """An arrow from or to a cluster ends at its border."""
    return f", {side}={_quoted('cluster_' + name)}" if drawing.within(name) else ""


def _head(drawing: Drawing, name: str) -> str:
    """The node that stands for a box as a target: of a cluster the topmost, so that the label is outside."""
    inside = drawing.within(name)
    if not inside:
        return name
    return f"initial {name}" if any(box.initial for box in inside) else _head(drawing, inside[0].name)


def _tail(drawing: Drawing, name: str) -> str:
    """The node that stands for a box as a source: of a cluster one of the lowest."""
    inside = drawing.within(name)
    if not inside:
        return name
    return _tail(drawing, next((box.name for box in inside if box.kind == "final"), inside[-1].name))


def _label(box: Box) -> str:
    lines = "".join(f'<BR/><FONT POINT-SIZE="9">{html.escape(line)}</FONT>' for line in box.lines)
    return f"<<B>{html.escape(box.label)}</B>{lines}>"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
