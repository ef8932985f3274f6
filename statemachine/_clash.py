"""Importing this refuses to go on where the package python-statemachine lies in the same folder.

Both install an import package `statemachine`, and installers lay one over the other without a word: what is left is a
mixture in which neither works. This module is imported first wherever our code may still be the one that runs; the
price is one `stat`.
"""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent

# All releases of python-statemachine have this file, and none of ours.
if (_FOLDER / "statemachine.py").exists():
    _MESSAGE = (
        "Two distributions, durable-statemachine and python-statemachine, are installed over each other in "
        f"{_FOLDER}: both own the import name 'statemachine', and neither is whole now. One environment can have only "
        "one of them. Remove both (pip uninstall durable-statemachine python-statemachine), then install one."
    )
    raise ImportError(_MESSAGE)
