"""Saving in a wrong way says what is wrong, and does no harm."""

from __future__ import annotations

from typing import Any

from persistence import MemoryJournal
from statemachine import Call, Connection, Runner, State, Workflow, step, transaction
from tests.unit.runner.test_saves import Epoch, Model


class Careless(Workflow[Model], name="careless"):
    """Each run saves in another wrong way."""

    told: dict[str, Exception]

    training = State(initial=True)
    booking = State()
    undone = State(final=True, compensate=True)

    @step(training, to=booking)
    async def train(self, model: Model, call: Call[Epoch]) -> Model:
        try:
            wrong: dict[str, Any] = {"wrong": Epoch("one", 0.5), "huge": Epoch(10**2000, 0.5)}  # type: ignore[arg-type]
            await call.save(wrong.get(call.run) or Epoch(1, 0.5))
            call.save(Epoch(2, 0.5))
            call.save(Epoch(3, 0.5))
        except Exception as error:  # noqa: BLE001 -- it is judged
            self.told[call.run] = error
        return model

    @train.undo
    def untrain(self, model: Model, call: Call) -> None:
        self._save(call)

    @transaction(booking, to=undone)
    def book(self, model: Model, connection: Connection, call: Call) -> Model:
        self._save(call)
        return model

    def _save(self, call: Call[Any]) -> None:
        try:
            call.save(Epoch(1, 0.5))
        except Exception as error:  # noqa: BLE001 -- it is judged
            self.told[f"{call.run} {'back' if call.undoes else 'book'}"] = error


def test_saving_in_a_wrong_way_says_so() -> None:
    """Another type, too large, not awaited, in an undo, in a transaction: the run goes on all the same."""
    told: dict[str, Exception] = {}
    with Runner(MemoryJournal(), [Careless(told)], limit=1_000) as runner:
        for name in ("wrong", "huge", "hasty"):
            assert runner.start(Careless, Model(1), id=name).result(10).state == ("undone",)
    assert str(told["hasty"]) == (
        "Run 'hasty': step train cannot save: what it saved before was not awaited; write `await call.save(…)`."
    )
    assert str(told["wrong"]).startswith("Run 'wrong': what train saves cannot be stored: ")
    assert "2,0" in str(told["huge"])
    assert str(told["hasty book"]).endswith("a transactional step saves nothing while it works.")
    assert str(told["hasty back"]).endswith("an undo saves nothing while it works.")


class Plain(Workflow[Model], name="plain"):
    training = State(initial=True)
    trained = State(final=True)

    @step(training, to=trained)
    def train(self, model: Model, call: Call) -> Model:
        call.save(1)  # type: ignore[arg-type]
        return model


def test_a_step_that_did_not_say_what_it_saves_saves_nothing() -> None:
    """Both checkers see it; where nobody checks, the step fails and is told what to write."""
    with Runner(MemoryJournal(), [Plain()]) as runner:
        error = runner.start(Plain, Model(), id="m").result(10).error
    assert error is not None
    assert error.message.endswith("annotate its call with the type, as in `call: Call[Epoch]`.")
