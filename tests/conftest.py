"""What every test gets: the hypothesis profiles and the real files that are not ours to commit."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"
IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}

# A shared machine stalls now and then; a test that must be quick measures that itself.
settings.register_profile("dev", max_examples=100, deadline=None)
settings.register_profile("ci", parent=settings.get_profile("dev"), derandomize=True, max_examples=300, print_blob=True)
settings.register_profile(
    "deep",
    parent=settings.get_profile("dev"),
    max_examples=2000,
    stateful_step_count=100,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if IN_CI else "dev"))


def shared(name: str) -> Path:
    """The file or folder `name` in the folder of real data beside the checkout.

    Where it is absent the test is skipped and says which file it wanted; in CI it fails, so that nothing is skipped
    unseen.
    """
    path = SHARED / name
    if path.exists():
        return path
    if IN_CI:
        pytest.fail(f"{path} is absent; CI must have it", pytrace=False)
    pytest.skip(f"needs {path}, which is not part of this repository")


@pytest.fixture(name="shared", scope="session")
def _shared() -> Callable[[str], Path]:
    """`shared(name)` for tests that would rather not import it."""
    return shared
