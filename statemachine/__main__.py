"""Commands: `python -m statemachine check module:Class` checks a workflow before anything runs."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from functools import reduce

from statemachine.checking import check
from statemachine.definition import Definition
from statemachine.errors import DefinitionError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. Gives the exit code: 0 when all is well, 1 when there are errors, 2 when it cannot be run."""
    parser = argparse.ArgumentParser(prog="python -m statemachine", description="Durable statecharts.")
    commands = parser.add_subparsers(required=True, metavar="command")
    command = commands.add_parser("check", help="check workflows before anything runs")
    command.add_argument("workflows", nargs="+", metavar="module:Class", help="where a workflow is, as one imports it")
    command.set_defaults(run=_check)
    options = parser.parse_args(arguments)
    code: int = options.run(options)
    return code


def _check(options: argparse.Namespace) -> int:
    try:
        definitions = [_definition(place) for place in options.workflows]
    except (_NotFound, DefinitionError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    reports = [check(definition) for definition in definitions]
    sys.stdout.write("\n\n".join(str(report) for report in reports) + "\n")
    return 1 if any(report.errors for report in reports) else 0


class _NotFound(Exception):
    """What was named is not there, or is no workflow."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}")


def _definition(place: str) -> Definition:
    module, _, name = place.partition(":")
    if not module or not name:
        raise _NotFound(place, "it names no class; say module:Class, as in examples.loan_desk:LoanDesk")
    try:
        found = reduce(getattr, name.split("."), importlib.import_module(module))
    except (ModuleNotFoundError, AttributeError) as error:
        raise _NotFound(
            place, f"{error}; name a module as one imports it from here, and a class that is in it"
        ) from error
    definition = found if isinstance(found, Definition) else getattr(found, "definition", None)
    if not isinstance(definition, Definition):
        raise _NotFound(place, "it is no workflow; name a class derived from Workflow that has states, or a Definition")
    return definition


if __name__ == "__main__":
    sys.exit(main())
