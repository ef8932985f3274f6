"""The sections of the evidence, in the order of the document."""

from __future__ import annotations

from tests.reliability import (
    io_errors,
    kill_matrix,
    lost_answers,
    messages,
    other_writers,
    passing_time,
    power_loss,
    random_kills,
    two_owners,
)
from tests.reliability.evidence import Evidence

SECTIONS: tuple[Evidence, ...] = (
    kill_matrix,
    random_kills,
    power_loss,
    io_errors,
    lost_answers,
    two_owners,
    other_writers,
    passing_time,
    messages,
)
