"""The sections of the evidence, in the order of the document."""

from __future__ import annotations

from tests.reliability import kill_matrix
from tests.reliability.evidence import Evidence

SECTIONS: tuple[Evidence, ...] = (kill_matrix,)
