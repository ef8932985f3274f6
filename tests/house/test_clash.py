"""python-statemachine owns the same import name; where our code still runs, it says so."""

from __future__ import annotations

import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
THEIRS = '"""The other distribution\'s file."""\n'


def tried(site: Path, statement: str) -> subprocess.CompletedProcess[str]:
    """What `statement` does in a process that finds both packages in `site` and not in the checkout."""
    kept = f"[{str(site)!r}, *(path for path in sys.path if path != {str(ROOT)!r})]"
    command = [sys.executable, "-P", "-c", f"import sys; sys.path[:] = {kept}; {statement}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=site, check=False)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with our packages, as an installer leaves them."""
    for package in ("statemachine", "persistence"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_our_package_alone_imports(site: Path) -> None:
    """Without the other distribution the copy works, so the refusals below have their cause in it."""
    run = tried(site, "import statemachine; print(statemachine.__file__)")
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == str(site / "statemachine" / "__init__.py")


def test_ours_installed_last_says_what_happened(site: Path) -> None:
    """Our `__init__` runs beside their files: the error names both distributions and the way out."""
    (site / "statemachine" / "statemachine.py").write_text(THEIRS)
    run = tried(site, "import statemachine")
    assert run.returncode == 1
    last = run.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: ")
    assert "python-statemachine" in last
    assert "pip uninstall durable-statemachine python-statemachine" in last
    assert str(site / "statemachine") in last


@pytest.mark.parametrize("room", ["runner", "testing"])
def test_theirs_installed_last_is_told_by_our_rooms(site: Path, room: str) -> None:
    """Their `__init__` has replaced ours, and a room that only we have still says it."""
    (site / "statemachine" / "__init__.py").write_text(THEIRS)
    (site / "statemachine" / "statemachine.py").write_text(THEIRS)
    (site / "statemachine" / "transition.py").write_text(THEIRS)
    run = tried(site, f"import statemachine.{room}")
    assert run.returncode == 1
    assert "python-statemachine" in run.stderr.strip().splitlines()[-1]


def test_the_check_refuses_in_this_process_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same as above where coverage sees it: with their file in sight, running the module raises."""
    monkeypatch.setattr(Path, "exists", lambda path: path.name == "statemachine.py")
    with pytest.raises(ImportError, match="python-statemachine"):
        runpy.run_path(str(ROOT / "statemachine" / "_clash.py"))
