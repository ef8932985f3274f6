"""A step that saves its progress, and who listens to it: the types that come of what it says."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, assert_type

import attrs

from statemachine import Call, Retry, Runner, State, Workflow, evolve, step
from statemachine.runner import Emitted


@attrs.frozen
class Epoch:
    """How far it has come."""

    number: int


@attrs.frozen
class Model:
    """What is trained."""

    epochs: int = 10
    name: str = ""


def told(call: Call, what: str) -> None:
    """Takes any call, and saves nothing."""
    call.emit({"run": call.run, "what": what})
    call.beat()


def named(model: Model, name: str) -> Model:
    """Folds a name."""
    return evolve(model, name=name)


class Training(Workflow[Model]):
    """Each shape."""

    training = State(initial=True)
    naming = State()
    trying = State()
    trained = State(final=True)

    @step(training, to=naming, heartbeat=timedelta(minutes=5), retry=Retry(3))
    def train(self, model: Model, call: Call[Epoch]) -> Model:
        """In a thread."""
        assert_type(call.saved, Epoch | None)
        epoch = call.saved or Epoch(0)
        call.save(Epoch(epoch.number + 1))
        told(call, "one more")
        return model

    @step(trying, to=trained, process=True)
    def alone(self, model: Model) -> Model:
        """In a process of its own."""
        return model

    @train.undo
    def forget(self, model: Model, call: Call) -> None:
        """An undo gives out and saves nothing."""
        told(call, model.name)

    @step(naming, to=trying, into=named, heartbeat=5)
    async def name(self, model: Model, call: Call[dict[str, int]]) -> str:
        """On the loop."""
        assert_type(call.saved, dict[str, int] | None)
        await call.save({"tried": model.epochs})
        return "ada"


async def called(training: Training, runner: Runner) -> None:
    """A test of a step gives it what was saved before; a listener knows what it hears."""
    assert_type(training.train(Model(), Call()), Model)
    assert_type(training.train(Model(), Call(saved=Epoch(6))), Model)
    call = Call(saved=Epoch(6))
    assert_type(call, Call[Epoch])
    assert_type(training.train(Model(), call), Model)
    assert_type(await training.name(Model(), Call()), str)
    with runner.start(Training, Model()).output() as output:
        for emitted in output:
            assert_type(emitted, Emitted)
            assert_type(emitted.lost, int)
            value: Any = emitted.value
            print(value)
