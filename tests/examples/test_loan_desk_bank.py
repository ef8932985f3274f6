"""The bank: an order that bears a key is carried out once, however often it comes and is killed."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from examples.loan_desk_bank import Ask, Bank, Faults
from examples.loan_desk_data import generate
from examples.loan_desk_memory import MEMORY, Account, Entry, Memory, accounts, read_entries
from examples.loan_desk_processes import BankProcess, FolderError, ProcessDied, new_folder
from examples.loan_desk_remote import AccountClosed, BankBusy, Bureau, OrderRefused, PaymentQueried, ask
from examples.loan_desk_remote import Bank as Remote

SEED = 7


def bank_in(folder: Path, *, seed: int = SEED) -> Bank:
    """A bank without faults, in this process."""
    return Bank(Memory(folder / MEMORY), seed)


def hold(key: str, amount: int = 100, loan: str = "loan-1") -> Ask:
    """An order to set money aside."""
    return Ask("hold", loan, key, amount)


def pay(key: str, hold_key: str, amount: int = 100, loan: str = "loan-1") -> Ask:
    """An order to pay from what was set aside."""
    return Ask("pay", loan, key, amount, hold_key)


def release(key: str, hold_key: str, loan: str = "loan-1") -> Ask:
    """An order to give back what was set aside."""
    return Ask("release", loan, key, hold=hold_key)


def test_an_order_is_carried_out_once(tmp_path: Path) -> None:
    """The same key again gets the first answer and leaves no second entry."""
    bank = bank_in(tmp_path)
    first = bank.answer(hold("k1"))
    assert bank.answer(hold("k1")) == first
    assert [entry.key for entry in read_entries(tmp_path / MEMORY)] == ["k1"]


def test_one_key_is_one_order(tmp_path: Path) -> None:
    """A key that comes back with another order is refused: a second amount would be lost without a word."""
    bank = bank_in(tmp_path)
    bank.answer(hold("k1", 100))
    assert bank.answer(hold("k1", 200)).error == "conflict"


def test_a_hold_that_was_called_off_before_it_came_is_refused(tmp_path: Path) -> None:
    """A request may be slower than the order that undoes it; then it must not stay behind."""
    bank = bank_in(tmp_path)
    assert bank.answer(release("r1", "k1")).error == ""
    assert bank.answer(hold("k1")).error == "released"
    assert accounts(read_entries(tmp_path / MEMORY))["loan-1"] == Account()


def test_what_was_released_cannot_be_paid(tmp_path: Path) -> None:
    """A payment needs a hold that is there, and uses it up."""
    bank = bank_in(tmp_path)
    bank.answer(hold("k1"))
    bank.answer(release("r1", "k1"))
    assert bank.answer(pay("p1", "k1")).error == "no hold"
    bank.answer(hold("k2"))
    assert bank.answer(pay("p2", "k2")).error == ""
    assert bank.answer(pay("p3", "k2")).error == "no hold"
    account = accounts(read_entries(tmp_path / MEMORY))["loan-1"]
    assert ([entry.key for entry in account.payments], account.open_holds, account.released) == (["p2"], (), 1)


def test_a_query_waits_for_a_person(tmp_path: Path) -> None:
    """A payment that the compliance desk holds up is made after a person has called, under the same key."""
    bank = bank_in(tmp_path)

    def paid(loan: str) -> str:
        bank.answer(hold(f"k-{loan}", loan=loan))
        return bank.answer(pay(f"p-{loan}", f"k-{loan}", loan=loan)).error

    queried = next(loan for loan in map(str, range(1000)) if paid(loan) == "queried")
    assert paid(queried) == "queried"
    bank.answer(Ask("clear", queried))
    assert paid(queried) == ""


@pytest.mark.parametrize("seed", range(3))
def test_a_closed_account_is_never_paid(tmp_path: Path, seed: int) -> None:
    """Whoever's account is closed is refused every time, and the hold is still there to be released."""
    bank = bank_in(tmp_path, seed=seed)
    bank.answer(hold("none"))
    closed = next(
        loan for loan in map(str, range(1000)) if bank.answer(pay("p", "absent", loan=loan)).error == "closed"
    )
    bank.answer(hold("k1", loan=closed))
    assert [bank.answer(pay("p1", "k1", loan=closed)).error for _ in range(2)] == ["closed", "closed"]
    assert accounts(read_entries(tmp_path / MEMORY))[closed] == Account(open_holds=("k1",))


@given(st.integers(0, 2000))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_memory_cut_off_anywhere_goes_on_from_its_last_whole_entry(tmp_path: Path, cut: int) -> None:
    """Whatever part of the last write reached the disk, what was answered is there and what comes next is whole."""
    path = tmp_path / MEMORY
    path.unlink(missing_ok=True)
    whole = Memory(path)
    entries = [whole.write(Entry(op="hold", loan=f"loan-{number}", key=f"k{number}")) for number in range(12)]
    content = path.read_bytes()[:cut]
    path.write_bytes(content)
    kept = content.count(b"\n")
    again = Memory(path)
    assert sorted(again.by_key) == sorted(entry.key for entry in entries[:kept])
    after = again.write(Entry(op="hold", key="after"))
    assert read_entries(path) == [*entries[:kept], after]


def test_faults_follow_from_the_seed_and_the_outage_comes_once(tmp_path: Path) -> None:
    """Each request has its own luck, the same every time; the outage begins after so many orders and never again."""
    memory = Memory(tmp_path / MEMORY)
    struck = [
        [
            Faults(memory, seed=SEED, outage=0, outage_after=0).strike(Ask("score", f"loan-{number}"))
            for number in range(500)
        ]
        for _ in range(2)
    ]
    assert struck[0] == struck[1]
    assert set(Counter(struck[0])) == {None, "busy", "dropped", "silent"}
    faults = Faults(memory, seed=SEED, outage=60, outage_after=1)
    assert faults.strike(hold("k")) != "away"
    memory.write(Entry(op="hold", key="k"))
    assert faults.strike(hold("k")) == "away"
    assert faults.away
    assert faults.strike(Ask("fraud", "loan-1")) != "away"  # the bureau is another house
    later = Faults(Memory(tmp_path / MEMORY), seed=SEED, outage=60, outage_after=1)
    assert later.strike(hold("k")) != "away"


async def insist(port: int, order: Ask, until: float) -> str:
    """Ask until there is an answer, as a durable step would; give its reference."""
    async with asyncio.timeout(until):
        while True:
            try:
                return (await ask(port, order)).reference
            except (OSError, BankBusy):
                await asyncio.sleep(0.02)


@pytest.mark.slow
def test_a_bank_that_is_killed_carries_each_order_out_once(tmp_path: Path) -> None:
    """Orders are repeated while the bank dies amid them; each has one entry, and one answer for ever."""
    orders = [hold(f"k{number}", number, f"loan-{number}") for number in range(120)]

    async def customers(port: int) -> list[str]:
        return await asyncio.gather(*(insist(port, order, 60) for order in orders))

    async def day(bank: BankProcess) -> list[str]:
        asking = asyncio.create_task(customers(bank.port))
        chance = random.Random(SEED)
        for _ in range(6):
            await asyncio.sleep(chance.uniform(0.01, 0.08))
            await asyncio.to_thread(bank.restart)
        return await asking

    with BankProcess(tmp_path, seed=SEED) as bank:
        first = asyncio.run(day(bank))
        again = asyncio.run(customers(bank.port))
    assert again == first
    entries = read_entries(tmp_path / MEMORY)
    assert sorted(entry.key for entry in entries) == sorted(order.key for order in orders)
    assert {entry.key: entry.reference for entry in entries} == dict(
        zip((order.key for order in orders), first, strict=True)
    )


def calm_loan(bureau: Bureau) -> str:
    """A loan whose first questions meet no fault."""
    for number in range(50):
        try:
            bureau.fraud(f"calm-{number}")
        except (OSError, BankBusy):
            continue
        return f"calm-{number}"
    message = "no loan is calm"
    raise AssertionError(message)


@pytest.mark.slow
def test_its_errors_arrive_as_what_they_are(tmp_path: Path) -> None:
    """What the bank says becomes the exception a step can name; the bureau's numbers lie where they should."""

    async def errors(port: int) -> Counter[str]:
        seen: Counter[str] = Counter()
        at_once = asyncio.Semaphore(8)

        async def one(number: int) -> None:
            remote, loan = Remote(port), f"loan-{number}"
            try:
                async with at_once:
                    await remote.hold(loan, 10, key=f"k{number}")
                    await remote.pay(loan, 10, hold=f"k{number}", key=f"p{number}")
                    await remote.pay(loan, 10, hold="none", key=f"q{number}")
            except Exception as error:  # noqa: BLE001  # counted by their names below
                seen[type(error).__name__] += 1

        await asyncio.gather(*(one(number) for number in range(160)))
        return seen

    with BankProcess(tmp_path, seed=SEED) as bank:
        seen = asyncio.run(errors(bank.port))
        bureau = Bureau(bank.port)
        loan = calm_loan(bureau)
        assert 0 <= bureau.fraud(loan) <= 1
        assert Remote(bank.port).state().away is False
        (application,) = generate(1, SEED)
        assert 0 <= bureau.score(loan, application) <= 100
    expected = {BankBusy, AccountClosed, PaymentQueried, OrderRefused, TimeoutError, ConnectionError}
    assert set(seen) == {error.__name__ for error in expected}


@pytest.mark.slow
def test_a_process_that_dies_by_itself_says_why(tmp_path: Path) -> None:
    """Its last words are in the error; a folder that is not there is such a case."""
    missing = tmp_path / "missing"
    missing.mkdir()
    with pytest.raises(ProcessDied, match=r"(?s)loan_desk_bank ended by itself with exit code .*seed"):
        BankProcess(missing, seed="seven")  # type: ignore[arg-type]  # what the process refuses


def test_a_day_begins_in_a_new_folder(tmp_path: Path) -> None:
    """A folder is made where it is absent, and refused where there is something in it."""
    folder = new_folder(tmp_path / "a" / "b")
    assert folder.is_dir()
    (folder / "desk.db").touch()
    with pytest.raises(FolderError, match=r"is not empty\. Name a new folder .* --check"):
        new_folder(folder)
