"""Stop paying out now: a hold stands over the death of its process, and each payment is made once after its release."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from statemachine import Client, Runner
from tests.crash.payer import Invoice, Ledger, Payment
from tests.unit.runner.desk import becomes

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def paying(file: Path, ledger: Ledger) -> Iterator[subprocess.Popen[str]]:
    """A process that pays, once it owns the file."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.crash.payer", str(file), str(ledger.path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def start(client: Runner, first: int, last: int) -> list[str]:
    """Start so many payments; their ids."""
    return [client.start(Payment, Invoice(number), id=f"p-{number}").id for number in range(first, last)]


def test_nobody_is_paid_while_it_is_held_and_everybody_once_afterwards(tmp_path: Path) -> None:
    """Held under load, killed, started again, loaded again, released."""
    file, ledger = tmp_path / "app.db", Ledger(tmp_path / "ledger")
    with paying(file, ledger) as process, Client(file, [Payment(ledger)]) as client:
        runs = start(client, 0, 60)
        becomes(lambda: len(ledger.paid()) > 5)
        client.hold(Payment.pay, reason="the bank is down", actor="ada")
        runs += start(client, 60, 90)
        # What ran when it was held runs on: wait until each payment is recorded, and all others stand before theirs.
        becomes(lambda: client.count(status="completed") + client.count(state=Payment.paying) == len(runs))
        becomes(lambda: client.count(status="completed") == len(ledger.paid()))
        before = ledger.paid()
        process.send_signal(signal.SIGKILL)
        process.wait()
        with paying(file, ledger):
            assert [(hold.workflow, hold.step, hold.reason) for hold in client.holds()] == [
                ("payment", "pay", "the bank is down")
            ]
            runs += start(client, 90, 100)
            becomes(lambda: client.count(status="completed") + client.count(state=Payment.paying) == len(runs))
            assert ledger.paid() == before
            client.release(Payment.pay)
            for run in runs:
                assert client.result(run, timeout=30).state == ("paid",)
    assert len(ledger.paid()) == len(set(ledger.paid())) == len(runs)


@pytest.mark.parametrize(
    ("verb", "point", "held"),
    [
        ("hold", "before halt", False),
        ("hold", "after halt", True),
        ("release", "before unhalt", True),
        ("release", "after unhalt", False),
    ],
)
def test_a_process_that_dies_of_it_has_done_it_or_not(tmp_path: Path, verb: str, point: str, *, held: bool) -> None:
    """What is committed counts, for the next owner as for the file."""
    file, ledger = tmp_path / "app.db", Ledger(tmp_path / "ledger")
    with Runner(file, [Payment(ledger)]) as runner:
        runner.hold(Payment.pay)
        runs = start(runner, 0, 5)
        becomes(lambda: runner.count(state=Payment.paying) == 5)
        if verb == "hold":
            runner.hold(Payment)  # nothing is begun meanwhile, and this is not what is asked about
            runner.release(Payment.pay)
    died = subprocess.run(
        [sys.executable, "-m", "tests.crash.payer", str(file), str(ledger.path), verb, point], cwd=ROOT, check=False
    )
    assert died.returncode == -signal.SIGKILL
    with Runner(file, [Payment(ledger)]) as runner:
        assert any(hold.step == "pay" for hold in runner.holds()) == held
        assert ledger.paid() == [] or point == "after unhalt"
        for hold in runner.holds():
            runner.release(hold.workflow, step=hold.step)
        for run in runs:
            assert runner.result(run, timeout=30).state == ("paid",)
    assert sorted(ledger.paid()) == sorted(set(ledger.paid()))
    assert len(ledger.paid()) == 5
