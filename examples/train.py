"""A model's life: collect, clean, train, evaluate, deploy, watch, roll back; and again when there is new data.

    python -m examples.train --folder credit --data ../shared/data/german.data     # until it is deployed and watched
    python -m examples.train --folder credit --degraded "half of the night's requests failed"
    python -m examples.train --folder credit --new-data MORE

All is in one folder: `train.db` is the journal, the rest are the files that the steps make. Each call goes on with what
is there, whatever ended the one before: a training that was killed in its seventh epoch begins with the seventh. It
needs scikit-learn.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import attrs
import msgspec

from examples.loan_desk_data import Application, DataFileError, generate, read
from examples.once import Once
from examples.train_model import SPLIT, Epoch, advance, area, load
from statemachine import (
    Call,
    Event,
    NoSuchRun,
    NotAccepted,
    Retry,
    Run,
    Runner,
    State,
    Workflow,
    after,
    evolve,
    on,
    step,
)

STRICTNESS = (1.0, 0.1, 0.01)
"""How strictly each try holds its weights small."""
EPOCHS = 12
GATE = 0.75
"""The area under the curve that a model must reach before anybody looks at the rows held out."""
RUN = "credit-model"


@attrs.frozen
class Training:
    """What was made so far. Files are named by what is in them, in the folder of the workshop."""

    source: str
    collected: str = ""
    rows: int = 0
    cleaned: str = ""
    kept: int = 0
    tries: int = 0
    model: str = ""
    score: float = 0.0
    """On the rows that choose."""
    honest: float = 0.0
    """On the rows held out, measured once, of the model that was chosen."""
    champion: str = ""
    """What was served before."""
    complaint: str = ""


class Degraded(Event, frozen=True):
    """What is served does worse than it should."""

    what: str


class NewData(Event, frozen=True):
    """There is more to learn from."""

    source: str


class Retire(Event, frozen=True):
    """Nobody needs the model any more."""


class Registry(Protocol):
    """Which model is served."""

    def present(self) -> str:
        """The one that is served now; empty when none is."""
        ...

    def serve(self, model: str, *, key: str) -> None:
        """Serve this one from now on; once for each key."""
        ...


def good_enough(training: Training) -> bool:
    """it passes the gate"""
    return training.score >= GATE


def tries_left(training: Training) -> bool:
    """another try may do better"""
    return training.tries < len(STRICTNESS)


class CreditModel(Workflow[Training], name="credit-model", version=1):
    """One model, from its first data to its last day."""

    workshop: Path
    registry: Registry
    tell: Callable[[str], None]

    collecting = State(initial=True, defer=(NewData,))
    cleaning = State(defer=(NewData,))
    training = State(defer=(NewData,))
    evaluating = State(defer=(NewData,))
    noting = State(defer=(NewData,))
    deploying = State(defer=(NewData,))
    watching = State(waits_for="whoever watches it", defer=(NewData,))
    rolling_back = State(defer=(NewData,))
    resting = State(waits_for="new data")
    retired = State(final=True)

    @step(
        collecting,
        to=cleaning,
        retry=Retry(5),
        timeout=600,
        failed=resting,
        error={DataFileError: resting},
        effect=False,
    )
    def collect(self, training: Training) -> Training:
        """Keep a copy, so that every later step sees the same rows."""
        rows = read(Path(training.source)) if training.source else invented(1_000)
        return evolve(training, collected=self._keep(msgspec.json.encode(rows)), rows=len(rows))

    @step(cleaning, to=training, timeout=600, effect=False)
    def clean(self, training: Training) -> Training:
        """Each application once."""
        rows = msgspec.json.decode((self.workshop / training.collected).read_bytes(), type=list[dict[str, str | int]])
        once = list({msgspec.json.encode(row): row for row in rows}.values())
        return evolve(training, cleaned=self._keep(msgspec.json.encode(once)), kept=len(once), tries=0)

    @step(training, to=evaluating, retry=Retry(3), timeout=timedelta(hours=6), heartbeat=600, effect=False)
    def train(self, training: Training, call: Call[Epoch]) -> Training:
        """What each epoch has learned is saved; the next attempt begins there."""
        examples = load(self.workshop / training.cleaned)
        epoch = call.saved or Epoch()
        while epoch.done < EPOCHS:
            self.tell(f"try {training.tries + 1}, epoch {epoch.done + 1}")
            epoch = advance(examples, epoch, strictness=STRICTNESS[training.tries])
            call.save(epoch)
        return evolve(training, model=self._keep(msgspec.json.encode(epoch)), tries=training.tries + 1)

    @step(evaluating, to=(noting.when(good_enough), training.when(tries_left), resting), timeout=600, effect=False)
    def evaluate(self, training: Training) -> Training:
        """How well it does on rows that it has not seen."""
        score = area(load(self.workshop / training.cleaned).choose, self._model(training))
        self.tell(f"try {training.tries}: {score}, and the gate is {GATE}")
        return evolve(training, score=score)

    @step(noting, to=deploying, timeout=60, effect=False)
    def note(self, training: Training) -> Training:
        """What is served now, to go back to; and the honest number."""
        honest = area(load(self.workshop / training.cleaned).hold_out, self._model(training))
        return evolve(training, champion=self.registry.present(), honest=honest)

    @step(deploying, to=watching, retry=Retry(10), timeout=60, failed=rolling_back)
    def deploy(self, training: Training, call: Call) -> Training:
        """From here on it is the one that is served."""
        self.registry.serve(training.model, key=call.key)
        return training

    @on(Degraded, source=watching, to=rolling_back)
    def degraded(self, training: Training, event: Degraded) -> Training:
        """Keep what was said of it."""
        return evolve(training, complaint=event.what)

    trusted = after(timedelta(days=1), source=watching, to=resting)

    @step(rolling_back, to=resting, retry=Retry(1000, cap=60.0), timeout=60)
    def roll_back(self, training: Training, call: Call) -> Training:
        """The champion again."""
        self.registry.serve(training.champion, key=call.key)
        return training

    @on(NewData, source=resting, to=collecting)
    def learn_again(self, training: Training, event: NewData) -> Training:
        """From the beginning, with the new source."""
        return Training(event.source)

    retire = on(Retire, source=resting, to=retired)

    def _keep(self, content: bytes) -> str:
        """Write a file under the name that its content gives it: done again, it changes nothing."""
        name = hashlib.sha256(content).hexdigest()[:16] + ".json"
        half = self.workshop / f"{name}.half"
        half.write_bytes(content)
        half.replace(self.workshop / name)
        return name

    def _model(self, training: Training) -> Epoch:
        return msgspec.json.decode((self.workshop / training.model).read_bytes(), type=Epoch)


def invented(number: int) -> list[Application]:
    """Applications that teach something: whose account is in order, and who borrows for a short time, mostly pays."""
    chance = random.Random(SPLIT)
    good = {"A11": 0.2, "A12": 0.4, "A13": 0.9, "A14": 1.0}
    return [
        attrs.evolve(row, good=1 if chance.random() < good[row.checking] - row.months / 200 else 2)
        for row in generate(number, seed=SPLIT)
    ]


@attrs.frozen
class FileRegistry:
    """A registry in a file: each line a deployment, the last one in force."""

    deployments: Once

    def present(self) -> str:
        """See `Registry`."""
        lines = self.deployments.lines()
        return lines[-1].done if lines else ""

    def serve(self, model: str, *, key: str) -> None:
        """See `Registry`."""
        self.deployments.do(model, key=key)


# As a program.


def begun(runner: Runner, source: str) -> Run[Training]:
    """The run that is there, or a new one."""
    with suppress(NoSuchRun):
        runner.get(RUN).look()
        return runner.get(RUN)
    return runner.start(CreditModel, Training(source), id=RUN)


def at_rest(runner: Runner, run: Run[Training]) -> Training:
    """Wait until it waits for somebody."""
    with runner.watch(run.id) as moves:
        while not (run.within(CreditModel.watching) or run.within(CreditModel.resting)):
            next(moves)
    return run.data


def measured(training: Training) -> str:
    """What was measured on the rows held out, once it had passed the gate."""
    return f"{training.honest}" if good_enough(training) else "not looked at"


def main(arguments: Sequence[str] | None = None) -> int:
    """Go on with the model. Gives the exit status."""
    parser = argparse.ArgumentParser(prog="train", description="A model's life, in a folder.")
    parser.add_argument("--folder", type=Path, required=True, help="where everything is kept")
    parser.add_argument("--data", type=Path, help="applications in the UCI German Credit format; else invented ones")
    parser.add_argument("--degraded", metavar="WHAT", help="say that the model does badly, and what")
    parser.add_argument("--new-data", type=Path, metavar="FILE", help="announce that there is more to learn from")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    registry = FileRegistry(Once(options.folder / "served.jsonl"))
    model = CreditModel(options.folder, registry, lambda said: print(f"  {said}", flush=True))
    with Runner(options.folder / "train.db", [model]) as runner:
        run = begun(runner, str(options.data or ""))
        at_rest(runner, run)
        try:
            if options.degraded:
                run.send(Degraded(options.degraded))
            if options.new_data:
                run.send(NewData(str(options.new_data)))
        except NotAccepted as refused:
            print(refused, file=sys.stderr)
            return 1
        found = at_rest(runner, run)
        if options.new_data and found.source != str(options.new_data):
            print(f"{options.new_data} is looked at when the day of watching is over.")
        print(f"{', '.join(run.state)}: {found.kept} rows, {found.tries} tries.", end=" ")
        if found.model:
            print(f"Area under the ROC curve: {found.score} where it was chosen, {measured(found)} on rows held out.")
        else:
            print(f"Nothing could be learned from {found.source}: see `statemachine show` of its run.")
        print(f"Served: {registry.present() or 'none'}; before: {found.champion or 'none'}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
