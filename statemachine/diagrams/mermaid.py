"""A drawing in Mermaid, which code hosts and notebooks show: a flowchart, whose arrows may cross any border."""

from __future__ import annotations

from collections.abc import Iterator

from statemachine.diagrams.drawing import Arrow, Box, Drawing

CLASSES = """\
  classDef visited fill:#dbeafe,stroke:#2563eb,color:#1f2937
  classDef active fill:#2563eb,stroke:#1e40af,color:#ffffff
  classDef completed stroke:#15803d,stroke-width:2px
  classDef undone stroke:#b45309,stroke-width:2px
  classDef pivot stroke-width:3px"""
_ESCAPES = str.maketrans({"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "`": "#96;", "\n": " "})


def mermaid(drawing: Drawing) -> str:
    """The drawing as Mermaid."""
    ids = {box.name: f"s{number}" for number, box in enumerate(drawing.boxes)}
    lines = [
        "---",
        f"title: {_text(drawing.title)}",
        "---",
        "flowchart TD",
        *_boxes(drawing, ids, None, 1),
        *(f"  {_arrow(arrow, ids)}" for arrow in drawing.arrows),
        CLASSES,
        *_classes(drawing, ids),
    ]
    return "\n".join(lines) + "\n"


def _boxes(drawing: Drawing, ids: dict[str, str], parent: str | None, depth: int) -> Iterator[str]:
    indent = "  " * depth
    for box in drawing.within(parent):
        name = ids[box.name]
        if drawing.within(box.name):
            yield f'{indent}subgraph {name}["{_words(box)}"]'
            yield from _boxes(drawing, ids, box.name, depth + 1)
            yield f"{indent}end"
        else:
            yield f"{indent}{name}{_shape(box)}"
        if box.initial:
            begin = f"i{name}"
            yield f'{indent}{begin}(("●")) --> {name}'


def _shape(box: Box) -> str:
    words = _words(box)
    if box.kind == "final":
        return f'[["{words}"]]'
    return f'(("{words}"))' if box.kind == "history" else f'("{words}")'


def _words(box: Box) -> str:
    lines = "".join(f"<br/><small>{_text(line)}</small>" for line in box.lines)
    return f"<b>{_text(box.label)}</b>{lines}"


def _arrow(arrow: Arrow, ids: dict[str, str]) -> str:
    line = "-.->" if arrow.kind == "undo" else "==>" if arrow.taken else "-->"
    said = "<br/>".join(map(_text, arrow.lines()))
    return f'{ids[arrow.source]} {line}|"{said}"| {ids[arrow.target]}'


def _classes(drawing: Drawing, ids: dict[str, str]) -> Iterator[str]:
    for box in drawing.boxes:
        for kind in filter(None, (box.end, "pivot" if box.pivot else "", box.mark)):
            yield f"  class {ids[box.name]} {kind}"


def _text(text: str) -> str:
    return text.translate(_ESCAPES)
