"""What `import statemachine` costs an application that starts often."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEEDED = "attrs, msgspec, asyncio, sqlite3"
"""What the library cannot do without; the measure of its cost."""
ALLOWED = 1.3
ROUNDS = 9


@pytest.fixture(scope="module", autouse=True)
def _compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Compiled modules are kept, as on any user's machine, whatever the surroundings of these tests say."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        patch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path_factory.mktemp("compiled")))
        in_fresh_python(f"import {NEEDED}, statemachine")
        yield


def in_fresh_python(code: str) -> str:
    """What `code` prints in a new process."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout


def modules_after(statement: str) -> set[str]:
    """The modules that are loaded once `statement` has run."""
    return set(json.loads(in_fresh_python(f"import json, sys; {statement}; print(json.dumps(list(sys.modules)))")))


def seconds_of(names: str) -> float:
    """Processor time of `import names` in a fresh process; other processes on the machine do not count in it."""
    code = f"from time import process_time; begun = process_time(); import {names}; print(process_time() - begun)"
    return float(in_fresh_python(code))


def test_schema_tools_are_not_loaded() -> None:
    """sqlite_utils alone costs more than all else together, so it waits until a schema is made or inspected."""
    heavy = {"sqlite_utils", "click", "dateutil", "tabulate", "pluggy", "hypothesis", "pytest", "statemachine.testing"}
    assert modules_after("import statemachine") & heavy == set()


def test_little_is_loaded_beyond_what_is_needed() -> None:
    """Apart from its own modules, the import loads a handful that attrs, msgspec, asyncio and sqlite3 do not."""
    more = modules_after("import statemachine") - modules_after(f"import {NEEDED}")
    assert len([name for name in more if name.partition(".")[0] not in {"statemachine", "persistence"}]) <= 25, more


def test_it_costs_at_most_a_third_more_than_what_it_needs() -> None:
    """The least of several rounds, taken in turn, so that a busy machine slows both."""
    needed, whole = zip(*((seconds_of(NEEDED), seconds_of("statemachine")) for _ in range(ROUNDS)), strict=True)
    assert min(whole) <= ALLOWED * min(needed), f"{min(whole):.3f} s against {min(needed):.3f} s"
