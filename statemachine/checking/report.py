"""What the checks found, and how it reads on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from statemachine.wording import span

Severity = Literal["error", "warning"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is wrong, or may be.

    Attributes:
        severity: An error is wrong whatever the guards say; a warning asks for a look.
        code: What a waiver names.
        about: The states, steps, transitions (as they were declared), events or timers that it is about.
        message: A sentence.
        path: The shortest way there: a line for each event and the states it leads to. Empty when none is needed.
        waived: Why its author wants it so; None when it is not waived.
    """

    severity: Severity
    code: str
    about: tuple[str, ...]
    message: str
    path: tuple[str, ...] = ()
    waived: str | None = None


class Explored(msgspec.Struct, frozen=True):
    """How much was seen: combinations of active states in which a run waits, and moves between them.

    `whole` False: the bound was hit. What a finding then says can be reached was reached; what it says can never be
    follows from the structure alone, so some that are there may not have been found.
    """

    configurations: int
    moves: int
    whole: bool


class StepLine(msgspec.Struct, frozen=True):
    """How a step is attempted, defaults included. Timeouts are seconds; `overall` is over all attempts."""

    step: str
    state: str
    kind: str
    attempts: int
    timeout: float
    overall: float | None
    undo: str
    """"undo", "pivot", "no effect" or nothing."""
    manner: tuple[str, ...] = ()
    """For each of many items, in a process of its own, with a heartbeat or a cache: a phrase for each."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All that was found in a workflow, errors first; `str()` of it is meant for a terminal."""

    workflow: str
    version: int
    findings: tuple[Finding, ...]
    explored: Explored
    steps: tuple[StepLine, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The errors that are not waived."""
        return tuple(one for one in self.findings if one.severity == "error" and one.waived is None)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The warnings that are not waived."""
        return tuple(one for one in self.findings if one.severity == "warning" and one.waived is None)

    @property
    def waived(self) -> tuple[Finding, ...]:
        """What is known and wanted so."""
        return tuple(one for one in self.findings if one.waived is not None)

    @property
    def clean(self) -> bool:
        """Whether nothing was found that is not waived."""
        return not self.errors and not self.warnings

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{self.workflow}, version {self.version}: {self._verdict()}"
        for finding in self.findings:
            yield ""
            yield from _finding_lines(finding)
        yield ""
        yield f"Explored {self._extent()}"
        if self.steps:
            yield ""
            yield from _table(self.steps)

    def _verdict(self) -> str:
        counts = [
            _count(len(self.errors), "error"),
            _count(len(self.warnings), "warning"),
            f"{len(self.waived)} waived" if self.waived else "",
        ]
        return ", ".join(count for count in counts if count) or "nothing found"

    def _extent(self) -> str:
        seen = f"{self.explored.configurations:,} configurations and {self.explored.moves:,} moves"
        if self.explored.whole:
            return f"{seen}: all there are, each guard answering both ways."
        return (
            f"{seen}, then stopped: there are more. What is said to lead somewhere does; what is said never to happen "
            "follows from the structure alone, and more of that kind may be there."
        )


def _count(number: int, word: str) -> str:
    return "" if not number else f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def _finding_lines(finding: Finding) -> Iterator[str]:
    kind = finding.severity if finding.waived is None else "waived"
    yield f"{kind} {finding.code}: {finding.message}"
    for number, line in enumerate(finding.path):
        yield f"    {'by  ' if number == 0 else '    '}{line}"
    if finding.waived is not None:
        yield f"    meant so: {finding.waived}"


def _table(steps: tuple[StepLine, ...]) -> Iterator[str]:
    rows = [("step", "in", "kind", "attempts", "each at most", "in all", "")]
    rows += [
        (
            line.step,
            line.state,
            line.kind,
            str(line.attempts),
            span(line.timeout),
            "" if line.overall is None else span(line.overall),
            ", ".join(said for said in (line.undo, *line.manner) if said),
        )
        for line in steps
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
