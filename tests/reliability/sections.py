"""The sections of the evidence, in the order of the document."""

from __future__ import annotations

from tests.reliability import (
    bad_bytes,
    failing_runner,
    io_errors,
    kill_matrix,
    lost_answers,
    old_files,
    other_writers,
    power_loss,
)
from tests.reliability.evidence import Evidence

SECTIONS: tuple[Evidence, ...] = (
    kill_matrix,
    power_loss,
    io_errors,
    failing_runner,
    lost_answers,
    bad_bytes,
    old_files,
    other_writers,
)
