"""The readers' programs, which the checkers read, also run: in an empty folder, with fakes for bureau and bank."""

from __future__ import annotations

import asyncio
import runpy
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from statemachine import Runner
from statemachine.runner import Transitioned
from tests.typing.accepted.loan import Approve, Loan, LoanApproval
from tests.typing.programs import bank_fastapi, operator_3am

PROGRAMS = Path(__file__).parent / "programs"


class Bureau:
    """Knows nothing bad of anybody."""

    async def score(self, applicant: str) -> float:
        """From 0 to 1."""
        return len(applicant) / 100


class Bank:
    """Remembers what it was asked for; does not answer when it pays, until it is told to."""

    def __init__(self, *, answers: bool = True) -> None:
        self.answers = answers
        self.seen: list[str] = []

    async def hold(self, amount: int, key: str) -> None:
        """Set the money aside."""
        self.seen.append(f"hold {amount}")

    async def release(self, key: str) -> None:
        """Give it free again."""
        self.seen.append("release")

    async def pay(self, amount: int, key: str) -> None:
        """Pay it out."""
        if not self.answers:
            raise TimeoutError
        self.seen.append(f"pay {amount}")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs keep their journals where they are started."""
    monkeypatch.chdir(tmp_path)


def test_every_program_is_run_here() -> None:
    """None is only read by checkers."""
    assert {path.stem for path in PROGRAMS.glob("*.py")} == {"bank_fastapi", "notebook", "operator_3am"}


def test_the_notebook_trains_until_the_model_is_good(capsys: pytest.CaptureFixture[str]) -> None:
    """Three rounds; and when all its cells are run again, the result is there already."""
    for _ in range(2):
        runpy.run_path(str(PROGRAMS / "notebook.py"))
        assert capsys.readouterr().out.startswith("('published',) True weights/friday:")
    with Runner("training.db") as runner:
        assert len(runner.get("friday").journal()) == 7


def test_the_service_approves_over_restarts() -> None:
    """Small loans are paid at once; large ones wait for another person, also while the service is down."""
    bank = Bank()

    async def before() -> None:
        async with bank_fastapi.lifespan(Bureau(), bank) as runner:
            assert await bank_fastapi.apply(runner, "1", "ada", 500) == {"id": "loan-1"}
            async with runner.watch("loan-2") as transitions:
                assert await bank_fastapi.apply(runner, "2", "ada", 5_000) == {"id": "loan-2"}
                assert [seen.state async for seen in until_review(transitions)][-1] == ("review",)
            assert (await runner.result("loan-1", 5)).state == ("paid",)
            seen = await bank_fastapi.show(runner, "2")
            assert seen == {"state": ("review",), "status": "running", "waiting": False}

    async def after() -> None:
        async with bank_fastapi.lifespan(Bureau(), bank) as runner:
            refused = await bank_fastapi.approve(runner, "2", "ada", "request-1")
            assert refused == (409, "Nobody approves a loan of their own.")
            for _ in range(2):  # as browsers send it
                assert await bank_fastapi.approve(runner, "2", "grace", "request-2") == (200, "accepted")
            assert (await runner.result("loan-2", 5)).state == ("paid",)

    asyncio.run(before())
    asyncio.run(after())
    assert bank.seen == ["hold 500", "pay 500", "hold 5000", "pay 5000"]


def test_the_operator_decides_an_incident(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Lists what waits for a person, is refused clearly, has one tried again and calls the other done."""
    bank = Bank(answers=False)

    def operator(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["operator", *arguments])
        operator_3am.main(Bureau(), bank)
        return capsys.readouterr().out

    with Runner("loans.db", [LoanApproval(Bureau(), bank)]) as runner:
        one, two = (runner.start(LoanApproval, Loan("ada", 5_000), id=name) for name in ("loan-1", "loan-2"))
        for run in (one, two):
            until(lambda run=run: run.state == ("review",))  # type: ignore[misc]
            run.send(Approve(by="grace"))
            until(lambda run=run: bool(run.incidents))  # type: ignore[misc]
        told = operator("incidents")
        assert told.count("pivot pay Whether pivot 'pay' took effect is unknown after 1 attempt(s): TimeoutError") == 2
        assert "event Approve" in told
        number = str(one.incidents[0].number)
        with pytest.raises(SystemExit, match="Cannot mark as done in run 'loan-1': say why: a reason is required"):
            operator("done", "loan-1", number)
        assert operator("done", "loan-1", number, "on", "the", "statement") == "completed ('paid',)\n"
        bank.answers = True
        operator("retry", "loan-2", str(two.incidents[0].number))
        assert two.result(5).state == ("paid",)
        assert [entry.actor for entry in one.journal() if entry.kind == "resolve"] == ["night shift"]
    assert bank.seen == ["hold 5000", "hold 5000", "pay 5000"]


async def until_review(transitions: AsyncIterator[Transitioned]) -> AsyncIterator[Transitioned]:
    """What happens to a loan until somebody must look at it."""
    async with asyncio.timeout(5):
        async for transition in transitions:
            yield transition
            if transition.state == ("review",):
                return


def until(met: Callable[[], bool]) -> None:
    """Come back when something is so."""
    end = time.monotonic() + 5
    while not met():
        assert time.monotonic() < end
        time.sleep(0.005)
