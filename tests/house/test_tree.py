"""What holds for every file of the tree, whoever wrote it."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PACKAGES = ("statemachine", "persistence")
LONGEST = 400
ROOMS_ON_TOP = {"__main__", "cli", "dashboard", "diagrams", "integrations", "runner", "testing"}
NOT_PURE = {"__init__", "_clash"}
"""The one lets the runner's names through; the other looks once whether another package's file lies beside it."""


def tracked() -> list[Path]:
    """The files under version control that exist, relative to the root."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [Path(name) for name in listed.split("\0") if name and (ROOT / name).is_file()]


def modules() -> list[Path]:
    """The tracked Python files with something in them."""
    return [path for path in tracked() if path.suffix == ".py" and (ROOT / path).stat().st_size]


def text_of(path: Path) -> str:
    """The file's text; empty when it is none."""
    try:
        return (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def lines_with(pattern: str) -> list[str]:
    """`file:line: text` of all lines of tracked files that match."""
    found = re.compile(pattern)
    return [
        f"{path}:{number}: {line.strip()}"
        for path in tracked()
        for number, line in enumerate(text_of(path).splitlines(), 1)
        if found.search(line)
    ]


def project() -> dict[str, Any]:
    """pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def pins(name: str) -> dict[str, Version]:
    """The exact versions in a file of requirements/."""
    lines = (ROOT / "requirements" / name).read_text(encoding="utf-8").splitlines()
    required = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {
        canonicalize_name(one.name): Version(next(iter(one.specifier)).version)
        for one in required
        if next(iter(one.specifier)).operator == "=="
    }


def dependencies(*groups: str) -> list[Requirement]:
    """What pyproject.toml asks for at run time, and in these groups."""
    whole = project()
    texts = list(whole["project"]["dependencies"])
    for group in groups:
        texts += [line for line in whole["dependency-groups"][group] if isinstance(line, str)]
    return [Requirement(text) for text in texts]


def test_no_module_is_longer_than_one_sits_to_read() -> None:
    """A module past 400 lines has two things in it."""
    long = {str(path): lines for path in modules() if (lines := text_of(path).count("\n")) > LONGEST}
    assert long == {}


def test_every_module_says_first_what_it_does() -> None:
    """A module opens with a docstring whose first line is a sentence."""
    wordless = [
        str(path)
        for path in modules()
        if not (ast.get_docstring(ast.parse(text_of(path))) or "").partition("\n")[0].endswith((".", ":", "?"))
    ]
    assert wordless == []


def test_every_test_is_a_sentence() -> None:
    """A test's docstring says what holds."""
    wordless = [
        f"{path}:{node.lineno}: {node.name}"
        for path in modules()
        if path.name.startswith("test_") and path.parts[:2] != ("tests", "typing")
        for node in ast.walk(ast.parse(text_of(path)))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert wordless == []


def test_nothing_is_left_for_later() -> None:
    """What is to be done is an issue, not a comment."""
    assert lines_with(r"\b(?:TO[D]O|FIX[M]E|XX[X]|HA[C]K)\b") == []


def test_no_path_of_one_machine() -> None:
    """A committed file works on every machine, so it names no place of one."""
    assert lines_with(r"(?<![\w.~-])/(?:home|root|work|Users)(?:/\w|\b(?!/))") == []


def test_no_package_host_is_named() -> None:
    """Which package index is used is the machine's matter."""
    assert lines_with(r"python[h]osted|pypi\.org|npmjs\.(?:org|com)|conda\.(?:org|io)") == []


def test_the_packages_are_typed_for_their_users() -> None:
    """Each package carries the marker that makes checkers read its annotations."""
    assert [name for name in PACKAGES if not (ROOT / name / "py.typed").is_file()] == []


def test_run_time_needs_three_packages() -> None:
    """Every dependency is one more thing that can break; these three and no other."""
    assert sorted(one.name for one in dependencies()) == ["attrs", "msgspec", "sqlite-utils"]


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("run.txt", ()),
        ("demo.txt", ()),
        ("dev.txt", ("test", "apps", "extras", "browser", "check", "build")),
        ("lowest.txt", ("test",)),
    ],
)
def test_pinned_versions_fit_what_is_asked_for(name: str, groups: tuple[str, ...]) -> None:
    """Whoever edits pyproject.toml runs `make lock`."""
    pinned = pins(name)
    unfit = [
        str(one)
        for one in dependencies(*groups)
        if canonicalize_name(one.name) not in pinned or pinned[canonicalize_name(one.name)] not in one.specifier
    ]
    assert unfit == []


def test_the_lowest_versions_are_the_ones_promised() -> None:
    """`make lowest` tests exactly the lower bounds that pyproject.toml states."""
    pinned = pins("lowest.txt")
    promised = {one.name: Version(next(iter(one.specifier)).version) for one in dependencies()}
    assert {name: pinned[name] for name in promised} == promised


def test_developers_have_every_extra() -> None:
    """What an extra brings is tested with the newest version, too."""
    extras = project()["project"]["optional-dependencies"]
    assert {line for lines in extras.values() for line in lines} <= set(project()["dependency-groups"]["extras"])


@pytest.mark.parametrize("name", ["run.txt", "demo.txt"])
def test_what_developers_run_is_what_users_run(name: str) -> None:
    """The two pinned sets agree on the versions they share."""
    run, develop = pins(name), pins("dev.txt")
    assert {name: develop.get(name) for name in run} == run


def test_every_module_of_the_core_is_held_to_be_pure() -> None:
    """What is in statemachine/ and no room on top of the core is under the contract that it performs nothing."""
    contracts = project()["tool"]["importlinter"]["contracts"]
    (pure,) = (one for one in contracts if one["name"] == "the pure core performs nothing")
    present = {path.parts[1].removesuffix(".py") for path in modules() if path.parts[0] == "statemachine"}
    assert set(pure["source_modules"]) == {f"statemachine.{name}" for name in present - ROOMS_ON_TOP - NOT_PURE}
