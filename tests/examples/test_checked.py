"""The examples keep what they recommend: `check` finds nothing in their workflows that is not waived with a reason."""

from __future__ import annotations

import pytest

from examples.loan_desk import LoanDesk
from examples.loan_log_model import LoanCase
from examples.loan_log_replay import Replay
from examples.web_django import Leave
from examples.web_fastapi import Purchasing
from statemachine import check
from statemachine.checking import Defined


@pytest.mark.parametrize("workflow", [LoanDesk, LoanCase, Replay, Leave, Purchasing], ids=lambda kind: kind.__name__)
def test_nothing_is_found_in_an_example(workflow: Defined) -> None:
    """Neither an error nor a warning."""
    report = check(workflow)
    assert report.clean, str(report)
    assert report.explored.whole
