"""SQLite and memory, told the same, answer the same: memory's dicts are the oracle of every query."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from persistence import Change, Journal, MemoryJournal, Query, SQLiteJournal
from persistence.contract import LEASE, a_message, a_run, an_entry
from persistence.records import (
    AnswerRecord,
    AttemptRecord,
    CachedRecord,
    HoldRecord,
    LiveGroup,
    NoticeRecord,
    SavedRecord,
    SeenRecord,
)

RUNS = st.sampled_from([f"r{n}" for n in range(6)])
TIMES = st.integers(0, 5)
STATES = st.sampled_from([("a",), ("a.b", "c"), ("ab",), ("c.d.e", "c.f")])
COLUMNS: dict[str, st.SearchStrategy[Any]] = {
    "workflow": st.sampled_from(["loan", "desk"]),
    "definition": st.sampled_from(["d1", "d2"]),
    "status": st.sampled_from(["running", "failed"]),
    "states": STATES,
    "over": st.booleans(),
    "busy": st.booleans(),
    "due": st.none() | TIMES,
    "incidents": st.integers(0, 2),
    "paused": st.booleans(),
    "held": st.sampled_from(["", "why"]),
    "updated": TIMES,
}
TAGS = st.dictionaries(st.sampled_from("kl"), st.sampled_from("12"))
QUERIES = st.builds(
    Query,
    workflow=st.none() | COLUMNS["workflow"],
    status=st.none() | COLUMNS["status"],
    state=st.none() | st.sampled_from(["a", "a.b", "c", "c.d", "x"]),
    tags=TAGS,
    incident=st.none() | st.booleans(),
    held=st.none() | st.booleans(),
    paused=st.none() | st.booleans(),
    started_before=st.none() | TIMES,
    started_after=st.none() | TIMES,
    updated_before=st.none() | TIMES,
    limit=st.integers(1, 4),
    after=st.none() | RUNS,
)


class Agreement(RuleBasedStateMachine):
    @initialize()
    def open_both(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.file = SQLiteJournal(Path(self.folder.name) / "j.db", synchronous="NORMAL")
        self.memory = MemoryJournal()
        self.both: tuple[Journal, Journal] = (self.file, self.memory)
        self.epoch = self.ask(lambda journal: journal.claim("ada", LEASE))
        self.fixed: dict[str, dict[str, Any]] = {}

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.file.close()
            self.folder.cleanup()

    def ask(self, question: Callable[[Journal], Any]) -> Any:
        """What both answer."""
        file, memory = (question(journal) for journal in self.both)
        assert file == memory
        return file

    @rule(data=st.data(), batch=st.lists(st.tuples(RUNS, st.integers(-1, 1)), min_size=1, max_size=4))
    def commit(self, data: st.DataObject, batch: list[tuple[str, int]]) -> None:
        changes: list[Change] = []
        for run, skew in batch:
            known = self.memory.run(run)
            fixed = self.fixed.setdefault(run, {"started": data.draw(TIMES), "tags": data.draw(TAGS)})
            expected = (known.seq if known else -1) + skew
            seq = max(expected, 0) + 1
            columns = {name: data.draw(values) for name, values in COLUMNS.items()}
            changes.append(
                Change(
                    run=a_run(run, seq, **fixed, **columns),
                    expected=max(expected, -1),
                    entries=(an_entry(run, data.draw(st.integers(seq - 1, seq))),),
                    seen=(SeenRecord(run=run, id=data.draw(st.sampled_from("xy")), seq=seq, verdict=str(seq)),),
                    messages=(a_message(data.draw(st.sampled_from("mn")), run),),
                    answers=(
                        AnswerRecord(number=data.draw(st.integers(1, 9)), verdict=data.draw(st.sampled_from("uv"))),
                    ),
                    begun=(AttemptRecord(run=run, visit=data.draw(st.integers(1, 2)), step="s", epoch=seq),),
                    ended=((run, data.draw(st.integers(1, 2))),),
                    saved=(SavedRecord(run=run, visit=data.draw(st.integers(1, 2)), at=seq, value=b"%d" % seq),),
                    dropped=((run, data.draw(st.integers(1, 2))),) if data.draw(st.booleans()) else (),
                )
            )
        self.ask(lambda journal: [type(failure) for failure in journal.commit(self.epoch, changes)])

    @rule(id=st.sampled_from("mnop"), run=RUNS, kind=st.sampled_from(["event", "start", "command"]))
    def put(self, id: str, run: str, kind: Any) -> None:
        self.ask(lambda journal: journal.put(a_message(id, run, kind=kind)))

    @rule(states=STATES, reason=st.sampled_from(["", "why", "other"]))
    def hold(self, states: tuple[str, ...], reason: str) -> None:
        group = LiveGroup(workflow="loan", definition="d1", states=states, runs=0)
        self.ask(lambda journal: journal.hold(self.epoch, group, reason))

    @rule(
        workflow=st.sampled_from(["", "loan", "desk"]), step=st.sampled_from(["", "pay"]), at=TIMES, ends=st.booleans()
    )
    def hold_work(self, workflow: str, step: str, at: int, *, ends: bool) -> None:
        hold = Change(holds=(HoldRecord(workflow=workflow, step=step, at=at),))
        change = Change(released=((workflow, step),)) if ends else hold
        self.ask(lambda journal: journal.commit(self.epoch, [change]))

    @rule(
        shelf=st.sampled_from("pq"),
        key=st.sampled_from("klm"),
        at=TIMES,
        value=st.binary(max_size=4),
        bounds=st.fixed_dictionaries({"most": st.integers(0, 3), "size": st.integers(0, 9)}),
    )
    def keep(self, shelf: str, key: str, at: int, value: bytes, bounds: dict[str, int]) -> None:
        result = CachedRecord(shelf=shelf, key=key, run="r1", visit=1, at=at, until=at + 1, value=value, **bounds)
        self.ask(lambda journal: journal.commit(self.epoch, [Change(cached=(result,))]))

    @rule(before=TIMES)
    def prune(self, before: int) -> None:
        self.ask(lambda journal: journal.prune(self.epoch, before, before + 2, dry=False))

    @rule(run=RUNS, at=TIMES, number=st.integers(1, 6), wanted=st.none() | st.sampled_from([(), ("incident",)]))
    def notice(self, run: str, at: int, number: int, wanted: tuple[str, ...] | None) -> None:
        written = NoticeRecord(run=run, kind="incident", at=at, body=b"{}")
        change = Change(notices=(written,), delivered=(number,), wanted=wanted)
        self.ask(lambda journal: journal.commit(self.epoch, [change]))

    @rule()
    def own_anew(self) -> None:
        self.ask(lambda journal: journal.release(self.epoch))
        self.epoch = self.ask(lambda journal: journal.claim("bob", LEASE))

    @rule(query=QUERIES)
    def list(self, query: Query) -> None:
        self.ask(lambda journal: journal.runs(query))
        self.ask(lambda journal: journal.count(query))

    @rule(after=st.integers(0, 5), limit=st.integers(1, 4), run=RUNS, before=TIMES)
    def read_pages(self, after: int, limit: int, run: str, before: int) -> None:
        self.ask(lambda journal: journal.inbox(after, limit))
        self.ask(lambda journal: journal.message(after))
        self.ask(lambda journal: journal.entries(run, after, limit))
        self.ask(lambda journal: journal.due(before, limit))
        self.ask(lambda journal: journal.busy(run, limit))
        self.ask(lambda journal: journal.seen(run, "x"))

    @invariant()
    def agree_on_all(self) -> None:
        if not hasattr(self, "both"):
            return
        for run in [f"r{n}" for n in range(6)]:
            self.ask(lambda journal, run=run: journal.run(run))  # type: ignore[misc]
            self.ask(lambda journal, run=run: journal.entries(run))  # type: ignore[misc]
        self.ask(lambda journal: journal.live())
        self.ask(lambda journal: journal.attempts())
        for visit in self.ask(lambda journal: journal.saves()):
            self.ask(lambda journal, visit=visit: journal.saved(*visit))  # type: ignore[misc]
        self.ask(lambda journal: journal.next_due())
        self.ask(lambda journal: journal.holds())
        self.ask(lambda journal: (journal.notices(1, 3), journal.wanted()))
        self.ask(lambda journal: journal.shelves())
        for shelf, key in product("pq", "klm"):
            self.ask(lambda journal, shelf=shelf, key=key: journal.cached(shelf, key))  # type: ignore[misc]
        self.ask(lambda journal: journal.owner())


TestAgreement = Agreement.TestCase
TestAgreement.settings = settings(max_examples=max(40, settings().max_examples // 4), stateful_step_count=20)
