"""Checks a program's workflows: `python -m tests.examples.checked PROGRAM` names them, and exits 1 for a finding."""

from __future__ import annotations

import runpy
import sys
from typing import Any

from statemachine import Workflow
from statemachine.checking import Report, check


def workflows(names: dict[str, Any], module: str) -> dict[str, type[Workflow[Any]]]:
    """The workflows that a module defines, by their names there."""
    return {
        name: value
        for name, value in names.items()
        if type(value) is type and issubclass(value, Workflow) and value.__module__ == module
        if hasattr(value, "definition")
    }


def reports(found: dict[str, type[Workflow[Any]]]) -> list[Report]:
    """What is found in each."""
    return [check(workflow) for workflow in found.values()]


def main(program: str) -> int:
    """Gives the exit status."""
    found = reports(workflows(runpy.run_path(program, run_name="document"), "document"))
    for report in found:
        print(report if report.findings else report.workflow)
    return int(any(report.findings for report in found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
