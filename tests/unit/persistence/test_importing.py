"""What importing the package costs, and what its modules may know."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def modules_after(code: str) -> set[str]:
    """Modules that a new process has loaded once it has run `code`."""
    told = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport json, sys; print(json.dumps(sorted(sys.modules)))"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(json.loads(told.stdout))


def test_importing_loads_no_schema_tools() -> None:
    """sqlite_utils costs more than everything else together, ctypes is for forks, hypothesis and pytest for tests."""
    loaded = modules_after("import persistence")
    assert not loaded & {"sqlite_utils", "ctypes", "pytest", "hypothesis", "persistence.sqlite.schema"}
    assert not {name for name in loaded if name.startswith("statemachine")}


def test_only_making_a_schema_loads_them(tmp_path: Path) -> None:
    """An existing journal is opened, written and read without."""
    use = f"from persistence import SQLiteJournal; journal = SQLiteJournal({str(tmp_path / 'j.db')!r})"
    assert "sqlite_utils" in modules_after(use)
    assert "sqlite_utils" not in modules_after(f"{use}; journal.claim('ada', 60); journal.live(); journal.close()")


def test_the_contract_can_be_imported_without_pytest() -> None:
    """A third party's tests may be run by something else."""
    assert "pytest" not in modules_after("import persistence.contract")
