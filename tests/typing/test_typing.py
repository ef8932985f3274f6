"""What checkers see: code that must pass, programs as people write them, and code that must not pass.

Each checker runs once over all of it. In `rejected`, every line that says so must have an error of both checkers, and
no other line may have one; elsewhere there is none at all.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
FILES = sorted(path for room in ("accepted", "programs", "rejected") for path in (HERE / room).glob("*.py"))
Line = tuple[str, int]
Found = dict[Line, str]


def mypy(cache: Path) -> Found:
    """What mypy --strict reports, by file and line."""
    options = ["--strict", "--explicit-package-bases", "--config-file=", "--hide-error-context", f"--cache-dir={cache}"]
    told = subprocess.run(
        [sys.executable, "-m", "mypy", *options, *map(str, FILES)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert told.returncode in {0, 1}, told.stderr
    lines = re.findall(r"^(.+?):(\d+): error: (.*)$", told.stdout, re.MULTILINE)
    return {((ROOT / file).name, int(number)): said for file, number, said in lines}


def pyright(_cache: Path) -> Found:
    """What pyright in strict mode reports, by file and line."""
    told = subprocess.run(
        [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, "--project", str(HERE)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert told.returncode in {0, 1}, told.stderr
    return {
        (Path(report["file"]).name, report["range"]["start"]["line"] + 1): report["message"]
        for report in json.loads(told.stdout)["generalDiagnostics"]
        if report["severity"] == "error"
    }


@pytest.fixture(scope="module", params=[mypy, pyright])
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Found:
    """The errors of one checker."""
    checker: Callable[[Path], Found] = request.param
    return checker(tmp_path_factory.getbasetemp().parent / "typing-cache")


def test_what_is_written_as_documented_passes(found: Found) -> None:
    """No error outside of what must be rejected: the documented shapes, their inferred types, and whole programs."""
    kept = {path.name for path in FILES if path.parent.name != "rejected"}
    assert {line: said for line, said in found.items() if line[0] in kept} == {}


def test_every_mistake_is_seen(found: Found) -> None:
    """Each line that must be rejected has an error: a misspelt name, another event, result or data type."""
    unseen = {line: text for line, text in _marked().items() if line not in found}
    assert unseen == {}


def test_nothing_else_is_rejected(found: Found) -> None:
    """No line beside the marked ones has an error, so each error is for the mistake of its line."""
    marked, files = _marked(), {path.name for path in FILES if path.parent.name == "rejected"}
    assert {line: said for line, said in found.items() if line[0] in files and line not in marked} == {}


def _marked() -> dict[Line, str]:
    return {
        (path.name, number): text.strip()
        for path in FILES
        if path.parent.name == "rejected"
        for number, text in enumerate(path.read_text().splitlines(), 1)
        if text.endswith("# rejected")
    }
