"""How long a sender waits for its acknowledgement, in commits of this disk."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.rows import Family, Row, Size, at_most, spread
from tests.benchmarks.turns import OURS, Answers, Call

OWED = {"async": 1.5, "sync": 2.2}


def family(size: Size) -> Family:
    """Both faces, one client and fifty, and another process; each beside bare commits in the same turn."""
    alone, many, times = size.of(500, 20), size.of(40, 2), size.of(200, 10)
    faces = {
        f"{face}, {clients}": Call(OURS, {"measure": "latency", "face": face, "clients": clients, "times": each})
        for face in ("async", "sync")
        for clients, each in ((1, alone), (50, many))
    }
    return Family(
        name="latency",
        title="send → committed → acknowledged",
        note=(
            "Each send is one event to a waiting run, whose handler counts it. The measure is one bare commit: a "
            "row of 400 bytes, WAL, FULL, on a plain connection, in the same turn. Fifty clients are fifty tasks or"
            " threads, each with a run of its own, sending again as soon as it is answered. From another process, "
            "`send` comes back when the event is durable in the inbox, and `verdict` when the owner has decided. One "
            "of fifty waits for the transitions of those before it, which one thread plans one after another: that, "
            "and not the disk, is what it waits for. The async face commits in a thread of its own, so that an "
            "application's loop never waits for the disk: two hops between threads."
        ),
        repeats=size.of(3, 1),
        calls={
            "commit": Call(OURS, {"measure": "commit", "times": alone}),
            **faces,
            "client": Call(OURS, {"measure": "latency of a client", "times": times}),
        },
        where=Call(OURS, {"measure": "where", "work": "latency", "times": size.of(500, 10)}),
        rows=lambda answers: list(_rows(answers)),
    )


def _rows(answers: Answers) -> Iterator[Row]:
    commit, slow = answers.of("commit", "p50"), answers.of("commit", "p99")
    for face, bound in OWED.items():
        for clients in (1, 50):
            name = f"{face}, {clients}"
            fast, late = answers.of(name, "p50"), answers.of(name, "p99")
            what = f"{face} face, {clients} client{'s' if clients > 1 else ''}"
            owed = at_most(fast.over(commit), bound, " commits")
            yield Row(f"{what}: p50", spread(fast, " µs"), "one bare commit, p50", spread(commit, " µs"), **owed)
            yield Row(
                f"{what}: p99",
                spread(late, " µs"),
                "one bare commit, p99",
                spread(slow, " µs"),
                spread(late.over(slow), " ×"),
            )
    for value, what in (
        ("p50", "durable, p50"),
        ("p99", "durable, p99"),
        ("verdict_p50", "verdict, p50"),
        ("verdict_p99", "verdict, p99"),
    ):
        found, against = answers.of("client", value), commit if "50" in value else slow
        said = "p50" if "50" in value else "p99"
        yield Row(
            f"from another process: {what}",
            spread(found, " µs"),
            f"one bare commit, {said}",
            spread(against, " µs"),
            spread(found.over(against), " ×"),
        )
