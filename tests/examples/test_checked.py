"""Every workflow of the examples and the documents is clean under the checks, or says why not."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import examples
from tests.examples.checked import reports, workflows
from tests.house.documents import documents, program_of

ROOT = Path(__file__).parents[2]
MODULES = sorted(path.stem for path in Path(examples.__path__[0]).glob("*.py") if path.stem != "__init__")


EXAMPLES = {
    name: workflow
    for module in MODULES
    for name, workflow in workflows(vars(importlib.import_module(f"examples.{module}")), f"examples.{module}").items()
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_clean_or_says_why_not(name: str) -> None:
    """Seen whole, and nothing is left that is not waived beside its declaration."""
    (report,) = reports({name: EXAMPLES[name]})
    assert report.clean, str(report)
    assert report.explored.whole


def test_the_examples_are_those_known() -> None:
    """Looking for them finds them; what they waive is told, and is no more than this."""
    assert sorted(EXAMPLES) == [
        "Agent",
        "CreditModel",
        "Leave",
        "LoanCase",
        "LoanDesk",
        "ModeratedChat",
        "Purchasing",
        "Replay",
    ]
    waived = {(report.workflow, one.code, *one.about) for report in reports(EXAMPLES) for one in report.waived}
    assert waived == {("loan-desk", "gives-up", "book", "booking"), ("loan-case", "dead-end")}


@pytest.mark.parametrize("document", documents(ROOT), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_workflow_of_a_document_is_clean(document: Path, tmp_path: Path) -> None:
    """What readers copy has nothing to mend and nothing to waive. In a process of its own: a document may set it up."""
    program = tmp_path / "program.py"
    program.write_text(program_of(document.read_text(encoding="utf-8")), encoding="utf-8")
    found = subprocess.run(
        [sys.executable, "-m", "tests.examples.checked", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert found.stdout or "Workflow[" not in program.read_text(encoding="utf-8")
