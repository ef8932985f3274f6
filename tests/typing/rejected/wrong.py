"""What a checker must refuse: both report an error on each line that says so, and on no other."""

from __future__ import annotations

import attrs

from statemachine import Call, Connection, Event, Outbox, Runner, State, Workflow, after, always, evolve, on, step, transaction
from tests.typing.accepted.loan import Approve, Bureau, Decline, Loan, LoanApproval, fraudulent, someone_else


@attrs.frozen
class Other:
    name: str


def of_other(other: Other) -> bool:
    return bool(other.name)


def of_decline(loan: Loan, event: Decline) -> bool:
    return bool(event.reason and loan.amount)


def not_a_guard(loan: Loan) -> str:
    return loan.applicant


def scored(loan: Loan, score: float) -> Loan:
    return evolve(loan, fraud=score)


class Wrong(Workflow[Loan]):
    bureau: Bureau

    start = State(initial=True)
    review = State()
    end = State(final=True)

    def method_of_other(self, other: Other) -> bool:
        return bool(other.name)

    misspelt_state = on(Approve, source=review, to=endd)  # rejected
    misspelt_source = on(Approve, source=reviw, to=end)  # rejected
    misspelt_event = on(Aprove, source=review, to=end)  # rejected
    misspelt_option = State(finall=True)  # rejected
    name_for_a_state = on(Approve, source="review", to=end)  # rejected
    name_as_target = on(Approve, source=review, to="end")  # rejected
    no_event = on(Loan, source=review, to=end)  # rejected

    @step(start, to=reviw)  # rejected
    async def to_misspelt(self, loan: Loan) -> Loan:
        return loan

    @step(start, to=review)  # rejected
    async def returns_else(self, loan: Loan) -> float:
        return 0.5

    @step(start, to=review)  # rejected
    def returns_nothing(self, loan: Loan) -> None:
        print(loan)

    @step(start, to=review, into=scored)  # rejected
    async def not_what_is_folded(self, loan: Loan) -> str:
        return loan.applicant

    @step(start, to=(review.when(of_other), end))  # rejected
    async def arm_over_other(self, loan: Loan) -> Loan:
        return loan

    @step(start, to=(review.when(method_of_other), end))  # rejected
    async def method_over_other(self, loan: Loan) -> Loan:
        return loan

    @step(start, to=(review.when(someone_else), end))  # rejected
    async def arm_with_event(self, loan: Loan) -> Loan:
        return loan

    @step(start, to=(review.when(not_a_guard), end))  # rejected
    async def arm_without_answer(self, loan: Loan) -> Loan:
        return loan

    @step(start, to=review, timeout="30")  # rejected
    async def timed_in_words(self, loan: Loan) -> Loan:
        return loan

    @step(start, to=review, process="yourapp:make")  # rejected
    def made_by_words(self, loan: Loan) -> Loan:
        return loan

    @step(start, to=review)
    async def hold(self, loan: Loan, call: Call) -> Loan:
        return evolve(loan, applicant=call.kee)  # rejected

    @step(review, to=end)
    def saves_unsaid(self, loan: Loan, call: Call) -> Loan:
        call.save(loan)  # rejected
        return loan

    @step(review, to=end)
    async def saves_other(self, loan: Loan, call: Call[int]) -> Loan:
        await call.save(loan)  # rejected
        known: int = call.saved  # rejected
        return evolve(loan, amount=known)

    @hold.undo  # rejected
    async def undo_that_saves(self, loan: Loan, call: Call[int]) -> None: ...

    @transaction(start, to=review)  # rejected
    def transaction_that_saves(self, loan: Loan, connection: Connection, call: Call[int]) -> Loan:
        return loan

    @hold.undo  # rejected
    async def undo_of_other(self, other: Other, call: Call) -> None: ...

    @hold.undo  # rejected
    async def undo_with_result(self, loan: Loan) -> Loan:
        return loan

    @transaction(start, to=review)  # rejected
    async def async_transaction(self, loan: Loan, connection: Connection) -> Loan:
        return loan

    @transaction(start, to=review)  # rejected
    def transaction_without_connection(self, loan: Loan) -> Loan:
        return loan

    @transaction(start, to=review)  # rejected
    def transaction_with_other_result(self, loan: Loan, connection: Connection) -> int:
        return 1

    @on(Approve, source=review, to=end)  # rejected
    def handles_other(self, loan: Loan, event: Decline) -> Loan:
        return loan

    @on(Approve, source=review, to=end)  # rejected
    def handler_returns_else(self, loan: Loan, event: Approve) -> int:
        return loan.amount

    @on(Approve, source=review, to=end)  # rejected
    async def async_handler(self, loan: Loan, event: Approve) -> Loan:
        return loan

    @on(Approve, source=review, to=end, when=of_other)  # rejected
    def guarded_by_other(self, loan: Loan, event: Approve) -> Loan:
        return loan

    @on(Approve, source=review, to=end)
    def misspelt_fields(self, loan: Loan, event: Approve) -> Loan:
        print(event.bye)  # rejected
        print(loan.amont)  # rejected
        return Loan(applicnt="ada", amount=1)  # rejected

    @on(Approve, source=review, to=end)
    def misspelt_in_outbox(self, loan: Loan, event: Approve, outbox: Outbox) -> Loan:
        outbox.raise_event(loan)  # rejected
        outbox.send("other", Approve(buy=event.by))  # rejected
        return loan

    guard_for_other_event = on(Approve, source=review, to=end, when=of_decline)  # rejected
    arm_for_other_event = on(Approve, source=review, to=end.when(of_decline))  # rejected
    guard_without_answer = on(Approve, source=review, to=end, when=not_a_guard)  # rejected
    when_in_words = after("7 days", source=review, to=end)  # rejected
    eventless_with_event = always(source=review, to=end, when=someone_else)  # rejected
    fine = on(Decline, source=review, to=end, when=fraudulent)


class Mutable(Event, frozen=False):  # rejected
    by: str


Approve(by="ada").by = "grace"  # rejected
Approve("ada", why="because")  # rejected
Wrong()  # rejected
Wrong(bureau=1)  # rejected
Wrong.reviw  # rejected


def runs(runner: Runner, approval: LoanApproval) -> None:
    runner.start(LoanApproval, Other("ada"))  # rejected
    run = runner.start(LoanApproval, Loan("ada", 1))
    run.data.amont  # rejected
    run.within(LoanApproval.reviw)  # rejected
    approval.approve(Loan("ada", 1), Decline(by="ada", reason=""))  # rejected
