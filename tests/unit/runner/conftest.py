"""What every test of the runner gets."""

from __future__ import annotations

import pytest

from tests.unit.runner.desk import World


@pytest.fixture
def world() -> World:
    """The world of one test."""
    return World()
