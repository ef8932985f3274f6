"""The command line: `statemachine COMMAND FILE`. It needs the extra `[cli]`; every command works beside the owner."""

from __future__ import annotations

import sys

from statemachine import _clash as _clash

MISSING = "The command line needs click and rich: pip install 'durable-statemachine[cli]'"


def main() -> None:
    """Run a command and exit: 0 when all is well, 1 when something is wrong, 2 when it cannot be run."""
    try:
        from statemachine.cli.app import commands  # noqa: PLC0415 -- says what is missing when an extra is
    except ImportError as error:
        if error.name not in {"click", "rich"}:
            raise
        sys.exit(MISSING)
    commands(prog_name="statemachine")


__all__ = ["main"]
