"""What is read of a journal, on both faces: runs, their listing, their journal and story, the journal's numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Coroutine, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec

from persistence import EntryRecord, Journal, Query, RunRecord, opened
from statemachine.definition import Definition
from statemachine.errors import NoSuchRun
from statemachine.runner.body import Body
from statemachine.runner.clock import to_micros
from statemachine.runner.fans import ReadItems, reader
from statemachine.runner.holds import Holds
from statemachine.runner.hosted import Hosted
from statemachine.runner.loaded import Loaded, bare
from statemachine.runner.operations import Health, health
from statemachine.runner.statistics import HOUR, Statistics, Waiting, statistics, waiting
from statemachine.runner.story import Story, held_back, tell
from statemachine.runner.verify import Verified, verify
from statemachine.runner.views import Beside, Entry, RunSummary, RunView
from statemachine.snapshot import Snapshot
from statemachine.states import Nested, State
from statemachine.workflow import Workflow

T = TypeVar("T")
Entries = list[Entry]


class AsyncLooking:
    """The reading half of `AsyncRunner`. All of it works beside the owner, too."""

    _body: Body

    async def look(self, run: str, *, plain: bool = False) -> RunView[Any]:
        """A run as it is now.

        Args:
            run: Its id.
            plain: Give its data as JSON values, whether its workflow is known here or not.

        Raises:
            NoSuchRun: There is none.
            RunHeld: Its data does not fit the workflow that this runner was given.
            UnknownWorkflow: The runner was not given its workflow, so its data has no type here.
        """
        self._body.check()
        record = await self.record(run)
        if plain and record.erased:
            return RunView[Any].of(record, bare(record))
        snapshot = self._plain(record) if plain else self._typed(record)
        return RunView[Any].of(record, snapshot, await self._body.io(lambda: Beside.read(self._body.journal, snapshot)))

    def _plain(self, record: RunRecord) -> Snapshot[Any]:
        raw = opened(record.snapshot, f"Run {record.run!r} of journal {self._body.journal.name!r}")
        return msgspec.json.decode(raw, type=Snapshot[Any])

    def _typed(self, record: RunRecord) -> Snapshot[Any]:
        return Loaded.of(record, self._body.workflows.named(record.workflow)).snapshot

    async def record(self, run: str) -> RunRecord:
        """What the journal has of a run. Raises NoSuchRun."""
        record = await self._body.io(lambda: self._body.journal.run(run))
        if record is None:
            raise NoSuchRun(run, self._body.journal.name)
        return record

    async def list(
        self,
        *,
        workflow: type[Workflow[Any]] | str | None = None,
        status: str | None = None,
        state: State | type[Nested] | str | None = None,
        tags: Mapping[str, str] | None = None,
        incident: bool | None = None,
        held: bool | None = None,
        paused: bool | None = None,
        started_before: datetime | None = None,
        started_after: datetime | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> list[RunSummary]:
        """A page of runs, the newest first; every condition given must hold.

        Args:
            workflow: Of this class or name.
            status: running, undoing, completed, failed, cancelled or killed.
            state: Within this state. States have no index of their own: where there are many runs, give `status` or
                `tags` too.
            tags: With all these tags.
            incident: With (or without) an open incident.
            held: Held or not.
            paused: Paused or not.
            started_before: Started before this UTC time.
            started_after: Started after it.
            limit: How many at most, at least 1.
            after: The id of the last run of the page before.
        """
        self._body.check()
        if limit < 1:
            message = f"limit={limit}: a page has at least 1 run"
            raise ValueError(message)
        query = query_of(
            workflow=workflow,
            status=status,
            state=state,
            tags=tags,
            incident=incident,
            held=held,
            paused=paused,
            started_before=started_before,
            started_after=started_after,
            limit=limit,
            after=after,
        )
        records = await self._body.io(lambda: self._body.journal.runs(query))
        return [RunSummary.of(record) for record in records]

    async def count(
        self,
        *,
        workflow: type[Workflow[Any]] | str | None = None,
        status: str | None = None,
        state: State | type[Nested] | str | None = None,
        tags: Mapping[str, str] | None = None,
        incident: bool | None = None,
        held: bool | None = None,
        paused: bool | None = None,
    ) -> int:
        """How many runs there are, of which every condition given holds. See `list` for these."""
        self._body.check()
        query = query_of(
            workflow=workflow, status=status, state=state, tags=tags, incident=incident, held=held, paused=paused
        )
        return await self._body.io(lambda: self._body.journal.count(query))

    async def standing(self) -> tuple[Waiting, ...]:
        """What waits where: the runs that are not over, counted by workflow and state, the most first."""
        self._body.check()
        return await self._body.io(lambda: tuple(waiting(self._body.journal)))

    @property
    def definitions(self) -> tuple[Definition, ...]:
        """The workflows that the runner was given."""
        return tuple(hosted.definition for hosted in self._body.workflows.all)

    async def journal(self, run: str, *, after: int = 0, limit: int = 1000) -> Entries:
        """A run's journal from the line after number `after`, oldest first."""
        self._body.check()
        records = await self._body.io(lambda: self._body.journal.entries(run, after, limit))
        return [Entry.of(record) for record in records]

    async def log(self, *, after: int = -1, limit: int = 1000) -> Entries:
        """The journal of all runs in the order of their commits, from the entry after number `after`.

        Without it, the last `limit` of them.
        """
        self._body.check()
        records = await self._body.io(lambda: self._body.journal.log(after, limit))
        return [Entry.of(record) for record in records]

    async def health(self) -> Health:
        """How the journal is: its owner, what needs a person, what is late, how large it is."""
        self._body.check()
        return await self._body.io(lambda: health(self._body.journal, self._body.clock.now()))

    async def statistics(self, span: timedelta = HOUR) -> Statistics:
        """How much happened lately, how long steps took, how often they failed, what waits where."""
        self._body.check()
        return await self._body.io(lambda: statistics(self._body.journal, self._body.clock.now(), span))

    async def verify(self, run: str) -> Verified:
        """Fold a run's journal again through the core and compare. Raises NoSuchRun, UnknownWorkflow."""
        self._body.check()
        record = await self.record(run)
        hosted = self._body.workflows.named(record.workflow)
        return await self._body.io(lambda: verify(hosted, record, *_written(self._body.journal, record)))

    async def story(self, run: str) -> Story:
        """What each entry of a run's journal left and entered, and each attempt of its work.

        It takes time and memory in proportion to the journal. Raises NoSuchRun, UnknownWorkflow.
        """
        self._body.check()
        record = await self.record(run)
        hosted = self._body.workflows.named(record.workflow)
        return await self._body.io(lambda: _told(self._body.journal, record, hosted))


class Looking(ABC):
    """The reading half of `Runner`: the async one, waited for."""

    @abstractmethod
    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Hand a coroutine over to the runner's loop and wait for it."""

    @property
    @abstractmethod
    def face(self) -> AsyncLooking:
        """The async face, whose coroutines `wait` takes."""

    def list(
        self,
        *,
        workflow: type[Workflow[Any]] | str | None = None,
        status: str | None = None,
        state: State | type[Nested] | str | None = None,
        tags: Mapping[str, str] | None = None,
        incident: bool | None = None,
        held: bool | None = None,
        paused: bool | None = None,
        started_before: datetime | None = None,
        started_after: datetime | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> list[RunSummary]:
        """See `AsyncRunner.list`."""
        return self.wait(
            self.face.list(
                workflow=workflow,
                status=status,
                state=state,
                tags=tags,
                incident=incident,
                held=held,
                paused=paused,
                started_before=started_before,
                started_after=started_after,
                limit=limit,
                after=after,
            )
        )

    def count(
        self,
        *,
        workflow: type[Workflow[Any]] | str | None = None,
        status: str | None = None,
        state: State | type[Nested] | str | None = None,
        tags: Mapping[str, str] | None = None,
        incident: bool | None = None,
        held: bool | None = None,
        paused: bool | None = None,
    ) -> int:
        """See `AsyncRunner.count`."""
        return self.wait(
            self.face.count(
                workflow=workflow, status=status, state=state, tags=tags, incident=incident, held=held, paused=paused
            )
        )

    def standing(self) -> tuple[Waiting, ...]:
        """See `AsyncRunner.standing`."""
        return self.wait(self.face.standing())

    @property
    def definitions(self) -> tuple[Definition, ...]:
        """The workflows that the runner was given."""
        return self.face.definitions

    def log(self, *, after: int = -1, limit: int = 1000) -> Entries:
        """See `AsyncRunner.log`."""
        return self.wait(self.face.log(after=after, limit=limit))

    def health(self) -> Health:
        """See `AsyncRunner.health`."""
        return self.wait(self.face.health())

    def statistics(self, span: timedelta = HOUR) -> Statistics:
        """See `AsyncRunner.statistics`."""
        return self.wait(self.face.statistics(span))

    def verify(self, run: str) -> Verified:
        """See `AsyncRunner.verify`."""
        return self.wait(self.face.verify(run))


def query_of(
    *,
    workflow: type[Workflow[Any]] | str | None,
    state: State | type[Nested] | str | None,
    tags: Mapping[str, str] | None,
    started_before: datetime | None = None,
    started_after: datetime | None = None,
    **more: Any,
) -> Query:
    """The question that a caller's conditions are."""
    return Query(
        workflow=workflow.definition.name if isinstance(workflow, type) else workflow,
        state=None if state is None else state_name(state),
        tags=dict(tags or {}),
        started_before=None if started_before is None else to_micros(started_before),
        started_after=None if started_after is None else to_micros(started_after),
        **more,
    )


def _told(journal: Journal, record: RunRecord, hosted: Hosted) -> Story:
    holds = Holds()
    holds.load(journal)
    return held_back(tell(hosted, record, *_written(journal, record)), hosted.definition, holds)


def _written(journal: Journal, record: RunRecord) -> tuple[Iterator[EntryRecord], ReadItems]:
    """All entries of a run up to where it is, and how what came of items is read."""
    return _entries(journal, record.run, record.seq), reader(journal, record.run)


def _entries(journal: Journal, run: str, last: int) -> Iterator[EntryRecord]:
    """All entries of a run up to number `last`, in pages."""
    after = 0
    while page := journal.entries(run, after):
        for entry in page:
            if entry.seq > last:
                return
            yield entry
        after = page[-1].seq


def state_name(state: State | type[Nested] | str) -> str:
    """The stored name of a state given by reference."""
    if isinstance(state, str):
        return state
    return state.name if isinstance(state, State) else state.path
