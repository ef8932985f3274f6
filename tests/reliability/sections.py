"""The sections of the evidence, in the order of the document."""

from __future__ import annotations

from tests.reliability import kill_matrix, lost_answers, messages, passing_time, random_kills, two_owners
from tests.reliability.evidence import Evidence

SECTIONS: tuple[Evidence, ...] = (kill_matrix, random_kills, lost_answers, two_owners, passing_time, messages)
