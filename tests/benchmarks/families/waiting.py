"""What runs that only wait cost the others."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.rows import Family, Row, Size, at_most, spread
from tests.benchmarks.turns import OURS, Answers, Call, place_of


def family(size: Size) -> Family:
    """Many waiting runs, fewer, and none."""
    many, few = size.of(1_000_000, 10_000), size.of(10_000, 1_000)
    files = {f"{runs:,}": (str(place_of("waiting") / f"{runs}.db"), runs) for runs in (many, few)}
    asked = {"measure": "waiting", "times": size.of(500, 20), "pages": size.of(50, 5)}
    return Family(
        name="waiting",
        title=f"{many:,} waiting runs in one file",
        note=(
            "Each waits with a deadline a week away. Events go to waiting runs spread over the whole file, each to "
            "another one, on the async face. The empty file gets as many runs as it needs to have something to send"
            " to."
        ),
        repeats=size.of(3, 1),
        made={
            name: Call(OURS, {"measure": "make waiting", "made": made, "runs": n}) for name, (made, n) in files.items()
        },
        calls={
            "none": Call(OURS, {**asked, "runs": 0}),
            **{name: Call(OURS, {**asked, "made": made, "runs": n}) for name, (made, n) in files.items()},
        },
        rows=lambda answers: list(_rows(answers, f"{many:,}", f"{few:,}")),
    )


def _rows(answers: Answers, many: str, few: str) -> Iterator[Row]:
    send, alone = answers.of(many, "p50"), answers.of("none", "p50")
    late, alone_late = answers.of(many, "p99"), answers.of("none", "p99")
    memory, little = answers.of(many, "memory"), answers.of("none", "memory")
    page, short = answers.of(many, "page"), answers.of(few, "page")
    yield Row(
        "send → committed, p50",
        spread(send, " µs"),
        "an empty file",
        spread(alone, " µs"),
        **at_most(send.over(alone), 1.25),
    )
    yield Row(
        "send → committed, p99",
        spread(late, " µs"),
        "an empty file",
        spread(alone_late, " µs"),
        spread(late.over(alone_late), " ×"),
    )
    yield Row(
        "resident memory",
        spread(memory, " MB"),
        "an empty file",
        spread(little, " MB"),
        **at_most(memory.less(little), 20, " MB more"),
    )
    yield Row(
        "a page of 50", spread(page, " µs"), f"the same of {few}", spread(short, " µs"), **at_most(page.over(short), 2)
    )
