"""Starting up where many runs are in flight."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.rows import Family, Row, Size, at_most, spread
from tests.benchmarks.turns import OURS, Answers, Call, place_of


def family(size: Size) -> Family:
    """Ours, and a loop that reads and decodes the same rows."""
    runs = size.of(10_000, 200)
    made = {"made": str(place_of("starting") / "flight.db"), "runs": runs}
    return Family(
        name="starting",
        title=f"Start-up with {runs:,} runs in flight",
        note=(
            "Each run has a step that was running when its owner was killed, so each of them is counted, durably, "
            "and begun again. From opening the file to the first run's outcome being committed and seen. The bare "
            "loop reads all columns of the same rows and decodes each snapshot to its type."
        ),
        repeats=size.of(2, 1),
        made={"runs": Call(OURS, {"measure": "make flight", **made})},
        calls={
            "ours": Call(OURS, {"measure": "start", **made}),
            "bare": Call(OURS, {"measure": "bare start", **made}),
        },
        rows=lambda answers: list(_rows(answers)),
    )


def _rows(answers: Answers) -> Iterator[Row]:
    ours, bare = answers.of("ours", "seconds"), answers.of("bare", "seconds")
    opened, whole = answers.of("ours", "opened"), answers.of("ours", "all")
    memory = spread(answers.of("ours", "megabytes"), " MB"), spread(answers.of("bare", "megabytes"), " MB")
    yield Row(
        "to the first transition",
        spread(ours, " s"),
        "read and decode",
        spread(bare, " s"),
        **at_most(ours.over(bare), 3),
    )
    yield Row(
        "until it is open", spread(opened, " s"), "read and decode", spread(bare, " s"), spread(opened.over(bare), " ×")
    )
    yield Row(
        "until the last of them is over",
        spread(whole, " s"),
        "read and decode",
        spread(bare, " s"),
        spread(whole.over(bare), " ×"),
    )
    yield Row("memory until the last of them is over", memory[0], "read and decode", memory[1])
