"""What a transition adds to the file."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.rows import Family, Row, Size, at_most, spread
from tests.benchmarks.turns import OURS, Answers, Call, peer

SIZES = (1_000, 100_000)


def family(size: Size) -> Family:
    """Two sizes of data; ours and LangGraph's."""
    times = size.of(200, 100)
    return Family(
        name="growth",
        title="File growth for each transition",
        note=(
            "The data is a text of that size and a number, and each transition changes the number alone: an event "
            "to a run of ours, a node in a loop of LangGraph's. The file is measured with its log copied into it. "
            "Bytes written are all that the process hands to the system, log included."
        ),
        repeats=size.of(2, 1),
        calls={
            f"{who} {data}": Call(command, {"measure": "growth", "size": data, "times": times})
            for data in SIZES
            for who, command in (("ours", OURS), ("LangGraph", peer("langgraph")))
        },
        rows=lambda answers: list(_rows(answers)),
    )


def _rows(answers: Answers) -> Iterator[Row]:
    small = answers.of(f"ours {SIZES[0]}", "bytes")
    for data in SIZES:
        ours, theirs = answers.of(f"ours {data}", "bytes"), answers.of(f"LangGraph {data}", "bytes")
        wrote, written = answers.of(f"ours {data}", "written"), answers.of(f"LangGraph {data}", "written")
        what = f"data of {data // 1000} KB"
        yield Row(
            f"{what}: the file grows by",
            spread(ours, " B"),
            "LangGraph",
            spread(theirs, " B"),
            spread(theirs.over(ours), " ×"),
        )
        yield Row(
            f"{what}: bytes written",
            spread(wrote, " B"),
            "LangGraph",
            spread(written, " B"),
            spread(written.over(wrote), " ×"),
        )
    large = answers.of(f"ours {SIZES[1]}", "bytes")
    yield Row(
        "growth does not copy the data",
        spread(large, " B"),
        "ours, data of 1 KB",
        spread(small, " B"),
        **at_most(large.over(small), 2),
    )
