"""Failures of the shipped suite are told as pytest tells those of a test."""

import pytest

pytest.register_assert_rewrite("persistence.contract")
