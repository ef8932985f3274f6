"""What is unusual about a run or a journal is told alike: on the command line, on its page, in its diagram, as JSON."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest

from statemachine import Call, Redacted, Runner, State, Workflow, diagram, step
from statemachine.dashboard import dashboard
from statemachine.runner import Notice
from statemachine.testing import VirtualClock
from tests.unit.cli.shop import asked, failing, served, told
from tests.unit.dashboard.serving import serving
from tests.unit.runner.desk import Order, Reject, Shop, World, becomes, until
from tests.unit.runner.fanning import Gathering, Load, Shelf


@attrs.frozen
class Model:
    size: int = 0


@attrs.frozen
class Epoch:
    number: int
    licence: Redacted[str]


class Training(Workflow[Model], name="training"):
    """Its step saves once, and goes on when it may."""

    gate: threading.Event

    training = State(initial=True)
    trained = State(final=True)

    @step(training, to=trained, effect=False)
    def train(self, model: Model, call: Call[Epoch]) -> Model:
        call.save(Epoch(7, "L-12345"))
        self.gate.wait(10)
        return model


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    return tmp_path / "app.db"


def page(address: str, path: str) -> str:
    """What a page says."""
    answer = httpx.get(f"{address}{path}")
    assert answer.status_code == 200, answer.text
    return answer.text


def test_what_a_step_has_saved_is_shown_while_it_goes_on(path: Path) -> None:
    """With its workflow and without; hidden fields stay hidden on the page; nothing is left once the step is over."""
    gate = threading.Event()
    with Runner(path, [Training(gate)]) as runner, serving(dashboard(runner)) as address:
        run = runner.start(Training, Model(), id="t1")
        becomes(lambda: bool(run.look().saved))
        (saved,) = run.look().saved
        assert (saved.step, saved.value) == ("train", {"number": 7, "licence": "L-12345"})
        assert "train saved at " in asked("show", path, "t1").output
        (said,) = told("show", path, "t1")["run"]["saved"]
        assert said["value"]["number"] == 7
        shown = page(address, "/runs/t1")
        assert "Saved progress" in shown
        assert "L-12345" not in shown
        (said,) = json.loads(page(address, "/api/runs/t1"))["run"]["saved"]
        assert said["value"]["number"] == 7
        assert "L-12345" not in str(said)
        gate.set()
        assert run.result(timeout=10).status == "completed"
        assert run.look().saved == ()
        assert "Saved progress" not in page(address, "/runs/t1")


def test_an_erased_run_says_so_everywhere(path: Path) -> None:
    """In lists, on its pages, in what is exported; and nothing of it is shown."""
    with served(path) as runner, serving(dashboard(runner)) as address:
        run = runner.start(Shop, Order("a book of secrets"), id="o1", tags={"branch": "north"})
        until(run, "waiting")
        run.send(Reject())
        run.result(timeout=10)
        assert told("erase", path, "o1", "--yes", "--reason", "asked for") == {"run": "o1", "erased": True}
        for shown in (
            asked("runs", path).output,
            asked("show", path, "o1").output,
            asked("show", path, "o1", "--app", "tests.unit.cli.shop:Shop").output,
            page(address, "/runs"),
            page(address, "/runs/o1"),
            page(address, "/sagas/o1"),
        ):
            assert "erased" in shown
            assert "book of secrets" not in shown
        assert 'id="timeline"' not in page(address, "/runs/o1")
        assert told("show", path, "o1")["run"]["erased"] is True
        assert json.loads(page(address, "/api/runs/o1"))["run"]["erased"] is True
        lines = [json.loads(line) for line in asked("export", path).output.splitlines()]
        assert [line["kind"] for line in lines][-1] == "erase"
        log = asked("export", path, "--format", "xes").output
        assert '<string key="kind" value="erase"/>' in log
        assert "secrets" not in log + str(lines)


def test_what_is_held_back_is_in_the_diagram(path: Path) -> None:
    """Beside the step that waits, and on the run's page."""
    with served(path) as runner, serving(dashboard(runner)) as address:
        runner.hold(Shop.reserve, actor="ada", reason="stock-taking")
        run = runner.start(Shop, Order("book"), id="o1")
        assert "attempt 1 is held back" in diagram(Shop, run).mermaid
        shown = page(address, "/runs/o1")
        assert "stock-taking" in shown
        assert '<span class="badge held">held</span>' in shown
        assert "<strong>0 ms</strong> at work" in shown
        (attempt,) = run.story().attempts
        assert (attempt.outcome, attempt.ended) == ("held", None)
        runner.release(Shop.reserve, actor="ada")
        until(run, "waiting")
        assert "held back" not in diagram(Shop, run).mermaid
        assert [one.outcome for one in run.story().attempts] == ["succeeded"]


def test_how_far_a_fan_out_is_stands_in_the_diagram(path: Path) -> None:
    """While the run is under way; its outcomes are counted by prune, and told by both exports."""
    with Runner(path, [Gathering(Shelf())]) as runner:
        run = runner.start(Gathering, Load(("a", "b", "c")), id="g1")
        becomes(lambda: run.state == ("waiting",))
        assert "3 of 3 done" in diagram(Gathering, run).mermaid
        kinds = [json.loads(line)["kind"] for line in asked("export", path).output.splitlines()]
        assert "succeeded" in kinds
        log = asked("export", path, "--format", "xes").output
        assert log.count("<event>") == len(kinds)


def test_notices_that_nobody_heard_are_counted_on_the_page(path: Path) -> None:
    """Beside what else is wrong."""
    clock, world = VirtualClock(), World()

    def deaf(notice: Notice) -> Any:
        raise ConnectionError(notice.run)

    with (
        Runner(path, [Shop(world)], clock=clock, on_incident=deaf) as runner,
        serving(dashboard(runner)) as address,
    ):
        failing(runner, world, "o1")
        assert "all were delivered" in page(address, "/health")
        clock.advance(timedelta(minutes=5))
        becomes(lambda: runner.health().unheard == 1)
        assert "not delivered, oldest" in page(address, "/health")
