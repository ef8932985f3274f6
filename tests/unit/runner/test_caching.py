"""Results that other runs have recorded: taken for the same key, and only where they may be."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from persistence import Change, Codec, MemoryJournal
from statemachine import AsyncRunner, Cache, Retry, Runner, State, Workflow, evolve, step
from statemachine.inputs import Succeeded, Taken
from statemachine.runner.clock import to_micros
from statemachine.runner.shelves import Shelf
from statemachine.testing import Harness, VirtualClock, crash_at, every_crash
from statemachine.workflow import bind

DAY = timedelta(days=1)


@attrs.frozen
class Page:
    text: str
    owner: str = ""
    vector: tuple[float, ...] = ()


@attrs.frozen
class Embedded:
    vector: tuple[float, ...]


class Model:
    """What it was asked, in order."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers = True

    def embed(self, text: str) -> Embedded:
        """The vector of a text."""
        if not self.answers:
            message = "the model is away"
            raise ConnectionError(message)
        self.asked.append(text)
        return Embedded((float(len(text)),))


def by_text(page: Page) -> str | None:
    """What its vector depends on."""
    if page.text == "unreadable":
        message = "no text"
        raise LookupError(message)
    return page.text or None


def vectored(page: Page, embedded: Embedded) -> Page:
    """With its vector."""
    return evolve(page, vector=embedded.vector)


class Indexing(Workflow[Page], name="indexing"):
    model: Model

    embedding = State(initial=True)
    indexed = State(final=True)

    @step(embedding, to=indexed, into=vectored, cache=Cache(by_text, DAY, most=3), retry=Retry(2, delay=0))
    async def embed(self, page: Page) -> Embedded:
        return self.model.embed(page.text)


async def index(runner: AsyncRunner, run: str, page: Page, workflow: type[Workflow[Page]] = Indexing) -> Page:
    """The page as it was indexed."""
    await runner.start(workflow, page, id=run)
    page = (await runner.result(run, 5)).data
    assert isinstance(page, Page)
    return page


def test_a_result_is_taken_by_another_run_and_said_so() -> None:
    """The second run's own data stays its own; its journal says whose result it is, and folds."""

    async def story() -> None:
        model, clock = Model(), VirtualClock()
        async with Runner(MemoryJournal(), [Indexing(model)], clock=clock) as runner:
            first = await index(runner, "a", Page("ein Brief", "ada"))
            clock.advance(3600)
            second = await index(runner, "b", Page("ein Brief", "bob"))
            assert (first, second) == (
                Page("ein Brief", "ada", (9.0,)),
                Page("ein Brief", "bob", (9.0,)),
            )
            assert model.asked == ["ein Brief"]
            (mine,), (taken,) = (await runner.story("a")).attempts, (await runner.story("b")).attempts
            assert mine.taken is None
            assert taken.outcome == "succeeded"
            assert taken.taken == Taken("a", mine.visit, clock.now() - timedelta(hours=1))
            assert (await runner.verify("b")).ok
            numbers = await runner.statistics(timedelta(days=1))
            (counted,) = numbers.steps
            assert (counted.attempts, counted.taken, counted.failed) == (1, 1, 0)
            (kept,) = numbers.shelves
            assert (kept.step, kept.results) == ("indexing/embed", 1)

    asyncio.run(story())


def test_what_must_not_be_taken_is_not() -> None:
    """Another key, one that is None, one that is too old; what is computed then is the newer result."""

    async def story() -> None:
        model, clock = Model(), VirtualClock()
        async with Runner(MemoryJournal(), [Indexing(model)], clock=clock) as runner:
            for number, text in enumerate(("one", "two", "", "", "one")):
                await index(runner, f"{number}", Page(text))
            assert model.asked == ["one", "two", "", ""]
            clock.advance(DAY)
            await index(runner, "at the last moment", Page("one"))
            assert model.asked == ["one", "two", "", ""]
            clock.advance(0.000_001)
            await index(runner, "too late", Page("one"))
            clock.advance(DAY / 2)
            await index(runner, "again", Page("one"))
            assert model.asked == ["one", "two", "", "", "one"]

    asyncio.run(story())


def test_only_so_many_results_are_kept() -> None:
    """The oldest go, and are computed again."""

    async def story() -> None:
        model = Model()
        async with Runner(MemoryJournal(), [Indexing(model)]) as runner:
            for text in ("a", "b", "c", "d", "d", "a"):
                await index(runner, f"{text}{len(model.asked)}{len(await runner.list())}", Page(text))
            assert model.asked == ["a", "b", "c", "d", "a"]

    asyncio.run(story())


class Renamed(Workflow[Page], name="indexing"):
    model: Model

    embedding = State(initial=True)
    indexed = State(final=True)

    @step(embedding, to=indexed, into=vectored, cache=Cache(by_text, DAY))
    async def embed(self, page: Page) -> Embedded:
        return self.model.embed(page.text)


@attrs.frozen
class Named:
    vector: tuple[float, ...]
    model: str = "small"


def named(page: Page, embedded: Named) -> Page:
    """With its vector."""
    return evolve(page, vector=embedded.vector)


def reshaped() -> type[Workflow[Page]]:
    """The same workflow by its names, whose step returns something else."""

    class Indexing(Workflow[Page], name="indexing"):
        model: Model

        embedding = State(initial=True)
        indexed = State(final=True)

        @step(embedding, to=indexed, into=named, cache=Cache(by_text, DAY))
        async def embed(self, page: Page) -> Named:
            return Named(self.model.embed(page.text).vector)

    return Indexing


@pytest.mark.parametrize("later", [Renamed, reshaped()], ids=["function", "result"])
def test_another_function_or_result_takes_nothing_of_the_old(later: Any) -> None:
    """What was made by another function, or has another shape, is not what this step would return."""

    async def story() -> None:
        model, journal = Model(), MemoryJournal()
        async with Runner(journal, [Indexing(model)]) as runner:
            await index(runner, "a", Page("text"))
        async with Runner(MemoryJournal(beside=journal), [later(model)]) as runner:
            assert (await index(runner, "b", Page("text"), later)).vector == (4.0,)
        assert model.asked == ["text", "text"]

    asyncio.run(story())


def test_a_key_that_raises_is_a_failed_attempt() -> None:
    """It is visible, has had no effect, and the run ends as its step says."""

    async def story() -> None:
        model = Model()
        async with Runner(MemoryJournal(), [Indexing(model)]) as runner:
            await runner.start(Indexing, Page("unreadable"), id="a")
            result = await runner.result("a", 5)
            assert (result.status, result.error and result.error.type) == ("failed", "LookupError")
            assert [one.outcome for one in (await runner.story("a")).attempts] == ["failed", "failed"]
            assert model.asked == []

    asyncio.run(story())


def test_a_failure_is_not_kept_and_the_next_attempt_looks_again() -> None:
    """What another run has recorded in the meantime is taken by a retry."""

    async def story() -> None:
        model = Model()
        model.answers = False
        async with Runner(MemoryJournal(), [Indexing(model)]) as runner:
            await runner.start(Indexing, Page("text"), id="a")
            assert (await runner.result("a", 5)).status == "failed"
            model.answers = True
            await index(runner, "b", Page("text"))
            assert model.asked == ["text"]

    asyncio.run(story())


def test_a_result_that_cannot_be_read_is_computed_again(caplog: pytest.LogCaptureFixture) -> None:
    """It is told in the log, and replaced."""

    async def story() -> None:
        model, journal = Model(), MemoryJournal()
        async with Runner(journal, [Indexing(model)]) as runner:
            await index(runner, "a", Page("text"))
        definition = bind(Indexing(model))
        shelf = Shelf.of(definition, definition.steps[0])
        assert shelf is not None
        where = shelf.keep(Codec(), Page("text"))
        assert where is not None
        kept = journal.cached(where.shelf, where.key)
        assert kept is not None
        epoch = journal.claim("vandal", 60)
        journal.commit(epoch, [Change(cached=(where.record("a", 1, kept.at, b'{"vector":"none"}'),))])
        journal.release(epoch)
        async with Runner(MemoryJournal(beside=journal), [Indexing(model)]) as runner:
            await index(runner, "b", Page("text"))
            await index(runner, "c", Page("text"))
        assert model.asked == ["text", "text"]

    asyncio.run(story())
    assert "that was kept cannot be read" in caplog.text


def test_a_step_that_takes_a_result_waits_for_no_turn() -> None:
    """A place and a pace are for attempts."""

    async def story() -> None:
        model, clock = Model(), VirtualClock()
        runner = Runner(MemoryJournal(), [Indexing(model)], rate={Indexing.embed: 1}, clock=clock)
        async with runner as owner:
            await owner.start(Indexing, Page("text"), id="a")
            clock.advance(1)
            await owner.result("a", 5)
            for number in range(3):
                await index(owner, f"b{number}", Page("text"))
        assert model.asked == ["text"]

    asyncio.run(story())


def test_pruning_keeps_results_that_are_not_too_old() -> None:
    """A result outlives its run; what says whose it is stays true, though that run is gone."""

    async def story() -> None:
        model, clock = Model(), VirtualClock()
        async with Runner(MemoryJournal(), [Indexing(model)], clock=clock) as runner:
            for run in ("a", "last"):
                await index(runner, run, Page(run))
            clock.advance(3600)
            assert (await runner.prune(clock.now())).runs == 1
            await index(runner, "b", Page("a"))
            assert model.asked == ["a", "last"]
            clock.advance(2 * DAY)
            assert (await runner.prune(clock.now())).cached == 2

    asyncio.run(story())


TEXTS = (("a", "text"), ("b", "text"), ("c", "other"))


def indexed_twice(desk: Harness[Indexing]) -> object:
    """Two runs of one text, one after the other, and one of another."""
    for run, text in TEXTS:
        desk.start(Page(text, run), id=run)
        desk.finish(run)
    return [desk.look(run).data for run in ("a", "b", "c")], sorted(set(desk.workflow.model.asked))


@pytest.mark.parametrize("where", ["memory", "file"])
def test_every_death_leaves_the_same_results(where: str, tmp_path: Path) -> None:
    """Killed at every point: no run has another's data, and each has its result."""
    folder = tmp_path if where == "file" else None
    trial = every_crash(lambda: Indexing(Model()), indexed_twice, folder=folder)
    assert ("before succeeded", 2) in trial.points
    assert trial.end.gave == ([Page(text, run, (float(len(text)),)) for run, text in TEXTS], ["other", "text"])


def test_a_result_is_kept_in_the_commit_of_its_outcome() -> None:
    """Killed before that commit, nothing is kept and the step runs again; after it, it is taken."""
    for point, asked in (("before succeeded", ["text", "text"]), ("after succeeded", ["text"])):
        with Harness(Indexing(Model()), crash=crash_at(point, 1)) as desk:
            for run in ("a", "b"):
                desk.start(Page("text"), id=run)
                desk.finish(run)
            assert desk.deaths == [point]
            assert desk.workflow.model.asked == asked


def test_what_the_journal_says_of_a_taken_result_is_its_own_input() -> None:
    """The entry has the result whole, and whose it was: nothing else is needed to fold it."""

    async def story() -> None:
        clock = VirtualClock()
        async with Runner(MemoryJournal(), [Indexing(Model())], clock=clock) as runner:
            await index(runner, "a", Page("text"))
            await index(runner, "b", Page("text"))
            told = [
                runner._body.workflows.named("indexing").stored.retold(entry.body)[0]
                for run in ("a", "b")
                for entry in await runner.journal(run)
                if entry.kind == "succeeded"
            ]
        first, second = told
        assert isinstance(first, Succeeded)
        assert isinstance(second, Succeeded)
        assert first.taken is None
        assert second.taken is not None
        assert (second.result, second.took) == (first.result, None)
        assert to_micros(second.taken.at) == to_micros(clock.now())

    asyncio.run(story())
