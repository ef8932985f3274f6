"""The diagrams in the documents are those of the workflows that stand there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house.documents import documents
from tests.house.pictures import PICTURE, ROOT, drawn_anew

PICTURED = [path for path in documents(ROOT) if PICTURE.search(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("document", PICTURED, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_diagram_is_not_stale(document: Path) -> None:
    """It is what the workflow gives now; `python -m tests.house.pictures` draws it anew."""
    text = document.read_text(encoding="utf-8")
    assert drawn_anew(text) == text


def test_the_readme_has_one() -> None:
    """The workflow of its first page."""
    assert ROOT / "README.md" in PICTURED
