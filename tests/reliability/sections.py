"""The sections of the evidence, in the order of the document."""

from __future__ import annotations

from tests.reliability import (
    bad_bytes,
    desk_kills,
    failing_runner,
    io_errors,
    kill_matrix,
    lock_errors,
    lost_answers,
    messages,
    old_files,
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
    desk_kills,
    power_loss,
    io_errors,
    failing_runner,
    lock_errors,
    lost_answers,
    two_owners,
    passing_time,
    messages,
    bad_bytes,
    old_files,
    other_writers,
)
