"""What a step gives out is heard by whoever listens, waits for nobody, and is kept nowhere."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime

import attrs
import pytest

from persistence import MemoryJournal
from statemachine import Call, Client, RefusedVerb, Retry, Runner, RunnerClosed, State, Workflow, evolve, step
from statemachine.runner import Emitted
from tests.unit.runner.desk import becomes


@attrs.frozen
class Answer:
    text: str = ""


class Talking(Workflow[Answer], name="talking"):
    """Its step gives out words once the gate is open; the first attempt fails after two."""

    gate: threading.Event
    words: tuple[object, ...]

    thinking = State(initial=True)
    told = State(final=True)

    @step(thinking, to=told, retry=Retry(2, delay=0), effect=False)
    def think(self, answer: Answer, call: Call) -> Answer:
        self.gate.wait(10)
        for number, word in enumerate(self.words):
            if call.attempt == 1 and number == 2:
                raise OSError
            call.emit(word)
        return evolve(answer, text="told")


class TalkingLater(Workflow[Answer], name="talking-later"):
    thinking = State(initial=True)
    told = State(final=True)

    @step(thinking, to=told, effect=False)
    async def think(self, answer: Answer, call: Call) -> Answer:
        for word in ("ein", "Wort"):
            call.emit(word)
            await asyncio.sleep(0)
        return answer


def test_a_listener_hears_each_attempt_until_the_run_is_over() -> None:
    """With its step and attempt; a new attempt begins anew. Nothing of it is in the journal."""
    gate = threading.Event()
    with Runner(MemoryJournal(), [Talking(gate, ("a", "b", "c"))]) as runner:
        run = runner.start(Talking, Answer(), id="r")
        with run.output() as output:
            gate.set()
            heard = list(output)
        assert [(one.attempt, one.value) for one in heard] == [(1, "a"), (1, "b"), (2, "a"), (2, "b"), (2, "c")]
        assert {(one.run, one.step, one.lost) for one in heard} == {("r", "think", 0)}
        assert all(b'"a"' not in entry.body for entry in run.journal())
        with run.output() as output:
            assert list(output) == []


def test_the_async_face_hears_the_same() -> None:
    """From before the run is there, on the application's own loop."""

    async def story() -> list[object]:
        async with Runner(MemoryJournal(), [TalkingLater()]) as runner, runner.get("r").output() as output:
            await runner.start(TalkingLater, Answer(), id="r")
            return [emitted.value async for emitted in output]

    assert asyncio.run(story()) == ["ein", "Wort"]


def test_a_slow_listener_loses_the_oldest_and_is_told_how_many() -> None:
    """The step never waits for it, and another listener has them all."""
    gate = threading.Event()
    with Runner(MemoryJournal(), [Talking(gate, tuple(range(100)))]) as runner:
        run = runner.start(Talking, Answer(), id="r")
        with run.output(buffer=3) as slow, run.output() as quick:
            gate.set()
            run.result(10)
            assert [(one.value, one.lost) for one in slow] == [(97, 99), (98, 0), (99, 0)]
            assert [one.lost for one in quick] == [0] * 102


def test_what_is_given_out_arrives_as_json_values() -> None:
    """What has fields as a dict; what has no JSON fails the step, and a test of the step sees both, too."""
    gate = threading.Event()
    gate.set()
    call = Call()
    when = datetime(2026, 1, 2, tzinfo=UTC)
    Talking(gate, (Answer("x"), when)).think(Answer(), evolve(call, attempt=2))
    assert call.emitted == [{"text": "x"}, "2026-01-02T00:00:00Z"]
    with Runner(MemoryJournal(), [Talking(gate, (object(),))]) as runner:
        error = runner.start(Talking, Answer()).result(10).error
    assert error is not None
    assert error.type == "TypeError"


def test_who_does_not_move_the_run_hears_nothing_of_it() -> None:
    """A client is told so."""
    journal = MemoryJournal()
    with (
        Client(journal, [TalkingLater.definition]) as client,
        pytest.raises(RefusedVerb, match="where alone it is heard"),
    ):
        client.get("r").output().__enter__()


def test_a_listener_is_told_when_the_runner_closes() -> None:
    """It would wait for ever."""
    raised: list[Exception] = []
    runner = Runner(MemoryJournal(), [TalkingLater()])

    def listen() -> None:
        with runner.output("never") as output:
            listening.set()
            try:
                next(output)
            except RunnerClosed as error:
                raised.append(error)

    listening = threading.Event()
    with runner:
        thread = threading.Thread(target=listen)
        thread.start()
        listening.wait(10)
    thread.join(10)
    assert len(raised) == 1


def test_an_undo_and_a_listener_that_left() -> None:
    """Who has left is not told any more; an undo is heard like a step."""
    heard: list[Emitted] = []
    gate = threading.Event()
    with Runner(MemoryJournal(), [Giving(gate)]) as runner:
        run = runner.start(Giving, Answer(), id="r")
        with run.output():
            pass
        body = runner._body
        assert body is not None
        assert body.outputs._listeners == {}
        with run.output() as output:
            gate.set()
            heard += output
    assert [(one.step, one.value) for one in heard] == [("take", "taken"), ("take", "given back")]


class Giving(Workflow[Answer], name="giving"):
    gate: threading.Event

    taking = State(initial=True)
    failing = State()
    taken = State(final=True)

    @step(taking, to=failing)
    def take(self, answer: Answer, call: Call) -> Answer:
        self.gate.wait(10)
        call.emit("taken")
        return answer

    @take.undo
    def give_back(self, answer: Answer, call: Call) -> None:
        call.beat()
        call.emit("given back")

    @step(failing, to=taken, effect=False)
    def fail(self, answer: Answer) -> Answer:
        raise OSError


def test_a_burst_from_many_threads_is_bounded() -> None:
    """However fast it comes, a listener that does not look holds no more than its buffer."""
    gate = threading.Event()
    with Runner(MemoryJournal(), [Talking(gate, tuple(range(5_000)))]) as runner:
        run = runner.start(Talking, Answer(), id="r")
        with run.output(buffer=10) as output:
            body = runner._body
            assert body is not None
            gate.set()
            becomes(lambda: len(body.outputs._listeners["r"][0]._waiting) == 10)
            run.result(10)
            told = list(output)
        assert len(told) <= 10
        assert sum(one.lost for one in told) + len(told) == 5_002


def test_who_listens_in_another_thread_has_heard_all_once_the_block_is_left() -> None:
    """The iterator ends with the block, also where the run goes on; what was given out before is heard first."""
    gate = threading.Event()
    with Runner(MemoryJournal(), [Talking(gate, ("a",))]) as runner:
        run = runner.start(Talking, Answer(), id="r")
        heard: list[Emitted] = []
        with run.output() as output:
            listening = threading.Thread(target=lambda: heard.extend(output))
            listening.start()
        listening.join(10)
        assert not listening.is_alive()
        assert heard == []
        gate.set()
        assert run.result(timeout=10).data.text == "told"
