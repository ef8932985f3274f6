"""The sections of the evidence, in the order of the document."""

from __future__ import annotations

from tests.reliability import io_errors, power_loss
from tests.reliability.evidence import Evidence

SECTIONS: tuple[Evidence, ...] = (power_loss, io_errors)
