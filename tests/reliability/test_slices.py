"""A short slice of every section of the evidence: something was tried, and nothing was lost."""

from __future__ import annotations

import pytest

from tests.reliability.__main__ import name_of
from tests.reliability.evidence import Evidence
from tests.reliability.sections import SECTIONS

SEED = 20_261_124


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a fault of the disk amid a close
@pytest.mark.parametrize("section", SECTIONS, ids=name_of)
def test_a_slice_loses_nothing(section: Evidence) -> None:
    """With a fixed seed, so that what fails once fails again."""
    gathered = section.gather("short", SEED)
    assert gathered.seed == SEED
    assert gathered.rows
    assert [row for row in gathered.rows if row.lost] == []
    assert [row.what for row in gathered.rows if not row.tried] == []
