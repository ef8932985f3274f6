"""All Python in the README and the docs runs, in order, as a reader would run it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.documents import UnreasonedError, documents, program_of

ROOT = Path(__file__).parents[2]
DOCUMENTS = documents(ROOT)

SAMPLE = """\
# Title
```python
a = 1
```
<!-- not run: it waits for a person -->

```python
a = 2
```
<!-- run:
b = a
-->
```sh
make test
```
```python
assert b == 1
```
"""


def test_a_document_is_one_program_at_its_own_lines() -> None:
    """Blocks and hidden set-up are kept where they stand; marked blocks and other languages are not."""
    lines = program_of(SAMPLE).splitlines()
    kept = {number: line for number, line in enumerate(lines, 1) if line}
    assert kept == {3: "a = 1", 11: "b = a", 17: "assert b == 1"}


def test_a_block_is_not_skipped_without_a_reason() -> None:
    """A bare mark is refused, with its line."""
    with pytest.raises(UnreasonedError, match="line 2"):
        program_of("<!-- not run -->\n```python\n```\n")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_documents_python_runs(document: Path, tmp_path: Path) -> None:
    """In an empty folder, with warnings as errors; a traceback has the document's line numbers."""
    program = tmp_path / f"{document.stem.lower()}_program.py"
    program.write_text(program_of(document.read_text(encoding="utf-8")), encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-W", "error", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr


def test_every_document_is_found_from_the_readme() -> None:
    """A page that nothing leads to is not read."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    pages = [path.relative_to(ROOT).as_posix() for path in DOCUMENTS if path.name != "README.md"]
    assert [page for page in pages if f"]({page})" not in readme] == []


def test_what_documents_link_to_exists() -> None:
    """No link to a file that was moved or never written, and no picture that is made and shown nowhere."""
    links = {
        (document.parent / link).resolve()
        for document in DOCUMENTS
        for link in re.findall(r"(?:\]\(|src(?:set)?=\")([^)#:\"]+)[)\"]", document.read_text(encoding="utf-8"))
    }
    assert [link for link in links if not link.exists()] == []
    assert [picture for picture in (ROOT / "docs" / "images").iterdir() if picture.resolve() not in links] == []


def test_the_commands_that_documents_name_exist() -> None:
    """Every `make` target in a document is one of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {
        name
        for document in DOCUMENTS
        for name in re.findall(r"(?:^|`)make ([a-z-]+)", document.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert named - targets == set()
