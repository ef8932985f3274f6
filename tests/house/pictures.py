"""The diagrams of the documents, from the workflows that stand there: `python -m tests.house.pictures` draws anew.

A diagram stands below a line `<!-- diagram: NAME -->`, where NAME is a class of the same document, or `module:class`.
"""

from __future__ import annotations

import importlib
import os
import re
import runpy
import tempfile
from pathlib import Path
from typing import Any

from statemachine import diagram
from tests.house.documents import documents, program_of

ROOT = Path(__file__).parents[2]
PICTURE = re.compile(r"(<!-- diagram: (?P<name>[\w.:]+) -->\n\n```mermaid\n)(?P<drawn>.*?)(```\n)", re.DOTALL)


def drawn_anew(document: str) -> str:
    """The document with its diagrams as the workflows in it give them."""
    if not PICTURE.search(document):
        return document
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "program.py"
        program.write_text(program_of(document), encoding="utf-8")
        os.chdir(folder)
        try:
            names = runpy.run_path(str(program), run_name="document")
        finally:
            os.chdir(before)
    return PICTURE.sub(lambda found: f"{found[1]}{diagram(_named(found['name'], names)).mermaid}{found[4]}", document)


def _named(name: str, names: dict[str, Any]) -> Any:
    module, _, inside = name.rpartition(":")
    return getattr(importlib.import_module(module), inside) if module else names[inside]


def main() -> None:
    """Write what has changed."""
    for path in documents(ROOT):
        text = path.read_text(encoding="utf-8")
        path.write_text(drawn_anew(text), encoding="utf-8")


if __name__ == "__main__":
    main()
