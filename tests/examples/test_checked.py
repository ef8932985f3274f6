"""Every workflow of the examples and the documents is clean under the checks, or says why not."""

from __future__ import annotations

import importlib
import runpy
from pathlib import Path
from typing import Any

import pytest

import examples
from statemachine import Workflow
from statemachine.checking import Report, check
from tests.house.documents import documents, program_of

ROOT = Path(__file__).parents[2]
MODULES = sorted(path.stem for path in Path(examples.__path__[0]).glob("*.py") if path.stem != "__init__")


def workflows(names: dict[str, Any], module: str) -> dict[str, type[Workflow[Any]]]:
    """The workflows that a module defines, by their names there."""
    return {
        name: value
        for name, value in names.items()
        if type(value) is type and issubclass(value, Workflow) and value.__module__ == module
        if hasattr(value, "definition")
    }


EXAMPLES = {
    name: workflow
    for module in MODULES
    for name, workflow in workflows(vars(importlib.import_module(f"examples.{module}")), f"examples.{module}").items()
}


def reports(found: dict[str, type[Workflow[Any]]]) -> list[Report]:
    """What is found in each."""
    return [check(workflow) for workflow in found.values()]


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
def test_a_workflow_of_a_document_is_clean(document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What readers copy has nothing to mend and nothing to waive."""
    monkeypatch.chdir(tmp_path)
    program = tmp_path / "program.py"
    program.write_text(program_of(document.read_text(encoding="utf-8")), encoding="utf-8")
    found = workflows(runpy.run_path(str(program), run_name="document"), "document")
    assert [str(report) for report in reports(found) if report.findings] == []
    assert found or "Workflow[" not in program.read_text(encoding="utf-8")
