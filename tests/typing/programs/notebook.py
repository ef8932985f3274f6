"""An ML engineer in a notebook: train, measure, publish the model that is good enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_type

from statemachine import Call, Result, Retry, Runner, State, Workflow, evolve, step


@dataclass(frozen=True)
class Model:
    """What is known of the model."""

    epochs: int
    weights: str = ""
    accuracy: float = 0.0


def good_enough(model: Model) -> bool:
    """The model is good enough."""
    return model.accuracy >= 0.9


def measured(model: Model, accuracy: float) -> Model:
    """The model with its accuracy, and more epochs for the next round."""
    return evolve(model, accuracy=accuracy, epochs=model.epochs * 2)


class Training(Workflow[Model]):
    """Train until it is good enough."""

    folder: str

    training = State(initial=True)
    measuring = State()
    published = State(final=True)

    @step(training, to=measuring, retry=Retry(3), timeout=3600)
    def train(self, model: Model, call: Call) -> Model:
        """Train on this machine."""
        return evolve(model, weights=f"{self.folder}/{call.key}")

    @step(measuring, to=(published.when(good_enough), training), into=measured)
    def measure(self, model: Model) -> float:
        """Measure on the held-out data."""
        return 0.9 if model.epochs > 4 else 0.5


with Runner("training.db", [Training("weights")]) as runner:
    run = runner.start(Training, Model(epochs=2), id="friday")
    result = run.result(timeout=3600)
    assert_type(result, Result[Model])
    assert_type(result.data.accuracy, float)
    print(run.state, run.within(Training.published), result.data.weights)
