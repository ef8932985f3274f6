"""Copies of the loan desk with a defect planted in each: its own test with the kit finds each of them."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import settings

from examples import loan_desk
from statemachine.testing import WorkflowMachine, every_crash
from tests.examples import test_loan_desk_kit as kit
from tests.examples.test_loan_desk_kit import Desk, FairBureau, KeyedBank
from tests.unit.testing.test_machine import BRIEF, examples

UNDO = "await self.bank.release(call.run, call.undoes, key=call.key)"
PAY = "hold=loan.hold, key=call.key)"
MOST = kit.TestDesk.settings.max_examples
AS_MANY = settings(BRIEF, max_examples=MOST, stateful_step_count=kit.TestDesk.settings.stateful_step_count)
FOUR_EYES = "source=decision.second, to=holding, when=someone_else)"


def copy(monkeypatch: pytest.MonkeyPatch, right: str, wrong: str) -> Any:
    """The example's module, with one piece of its text replaced."""
    source = loan_desk.__file__
    assert source is not None
    with open(source, encoding="utf-8") as file:  # noqa: PTH123 - the name is what the compiler is to say
        text = file.read()
    assert text.count(right) == 1
    module = ModuleType("planted_loan_desk")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(text.replace(right, wrong), source, "exec"), module.__dict__)
    return module


def desk_of(module: Any) -> type[WorkflowMachine]:
    """The loan desk's own test, of a copy."""

    class Planted(Desk):
        def make(self) -> Any:
            super().make()
            return module.LoanDesk(FairBureau(), self.bank)

    return Planted


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        (UNDO, "pass", "the run was undone, and its effects were not"),
        (FOUR_EYES, "source=decision.second, to=holding)", "four_eyes_for_much_money"),
    ],
    ids=["the undo is forgotten", "one clerk approves twice"],
)
def test_a_defect_of_the_loan_desk_is_found(monkeypatch: pytest.MonkeyPatch, right: str, wrong: str, said: str) -> None:
    """By what it is, within as many examples as the desk's own test plays."""
    played, error = examples(desk_of(copy(monkeypatch, right, wrong)), AS_MANY)
    assert error is not None
    told = "\n".join([str(error), *getattr(error, "__notes__", ())])
    print(f"found within {played} examples: {said}")
    assert said in told
    assert played <= MOST


def test_paying_twice_under_another_key_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By the desk that dies at each point of a loan's way: where it had paid and could not say so, it pays again."""
    planted = copy(monkeypatch, PAY, 'hold=loan.hold, key=f"{call.key}/{len(self.bank.payments)}")')
    for name in ("Loan", "Approve"):
        monkeypatch.setattr(kit, name, getattr(planted, name))
    with pytest.raises(AssertionError, match=r"crash_at\('after step pay', nth=1\): the scenario gave"):
        every_crash(lambda: planted.LoanDesk(FairBureau(), KeyedBank()), kit.approved, folder=tmp_path)


def test_an_exact_copy_is_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is found where nothing was planted."""
    _, error = examples(desk_of(copy(monkeypatch, UNDO, UNDO)), AS_MANY)
    assert error is None
