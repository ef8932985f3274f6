"""Every document of the W3C suite comes to rest in its final state `pass`, also when it is reloaded all the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.figures import PASSED, SUITE, documents, figures, passes, rests
from tests.conformance.host import Host
from tests.conformance.optional import FAILING
from tests.conftest import shared

MANDATORY = documents("mandatory") or [SUITE / "mandatory"]
OPTIONAL = documents("optional") or [SUITE / "optional"]
"""Where the suite is absent, its folder stands for it, and is skipped by its name."""


def there(path: Path) -> Path:
    """The document, or a skip where the suite is absent."""
    return shared(str(Path("scxml", "w3c", *path.relative_to(SUITE).parts)))


def name(path: Path) -> str:
    """What a document's test is called."""
    return path.name


@pytest.mark.parametrize("reload", [False, True], ids=["plain", "reload"])
@pytest.mark.parametrize("path", MANDATORY, ids=name)
def test_a_mandatory_document_passes(path: Path, reload: bool) -> None:
    """One test for each document, and each way of keeping its runs."""
    assert rests(there(path), reload=reload) == PASSED


@pytest.mark.parametrize("path", MANDATORY, ids=name)
def test_reloading_changes_nothing(path: Path) -> None:
    """Snapshots, commands, states left and entered are the same when only bytes are kept between inputs."""
    text = there(path).read_text(encoding="utf-8")
    plain, reloaded = Host(path.parent), Host(path.parent, reload=True)
    plain.run(text)
    reloaded.run(text)
    assert plain.trace == reloaded.trace


@pytest.mark.parametrize("path", OPTIONAL, ids=name)
def test_an_optional_document_passes_or_has_its_reason(path: Path) -> None:
    """The list of those that do not pass is neither too short nor too long."""
    assert passes(there(path)) == (path.name not in FAILING)


def test_the_figures_are_those_of_the_whole_suite_and_of_the_readme() -> None:
    """Nothing is counted that is not there, nothing is left out, and the README says the same."""
    shared("scxml/w3c")
    counted = figures()
    assert (counted.mandatory_passed, counted.mandatory) == (160, 160)
    assert (counted.optional_passed, counted.optional) == (33 - len(FAILING), 33)
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert [row for row in counted.rows() if row not in readme] == []
