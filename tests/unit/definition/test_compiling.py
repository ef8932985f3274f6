"""A workflow's class compiles to the definition that it reads like, top to bottom."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import attrs
import pytest

from statemachine import (
    Compound,
    Event,
    History,
    Moment,
    Outbox,
    Parallel,
    Retry,
    State,
    Workflow,
    after,
    always,
    evolve,
    joined,
    on,
    on_entry,
    on_exit,
    step,
)
from statemachine.commands import RunStep, Send, SetTimer
from statemachine.definition import StepSpec, TimerSpec, TransitionSpec, UndoSpec
from statemachine.inputs import Begin, Received, Succeeded
from statemachine.snapshot import Occurrence
from statemachine.transition import Outcome, refusal, start, transition
from statemachine.workflow import bind
from tests.typing.accepted.loan import InsufficientFunds, LoanApproval
from tests.typing.accepted.loan import Loan as Application
from tests.unit.definition.parts import Approve, Decline, Loan, large, scored

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def arrow(source: str, event: str, target: str, guard: str | None = None, **more: object) -> TransitionSpec:
    """A transition from one state to another."""
    return TransitionSpec(source=source, events=(event,), guard=guard, targets=(target,), **more)  # type: ignore[arg-type]


def test_the_designs_example() -> None:
    """States, transitions, steps and timers in the order of the class body."""
    definition = LoanApproval.definition
    assert (definition.name, definition.version) == ("loan-approval", 1)
    assert [(state.name, state.kind) for state in definition.states] == [
        ("screening", "atomic"),
        ("review", "atomic"),
        ("holding", "atomic"),
        ("paying", "atomic"),
        ("paid", "final"),
        ("declined", "final"),
    ]
    assert [state.name for state in definition.states if state.compensate] == ["declined"]
    assert definition.initial == TransitionSpec(source="", targets=("screening",))
    assert definition.transitions == (
        arrow("screening", "done.step.screen", "declined", "fraudulent", declared="screen"),
        arrow("screening", "done.step.screen", "review", "large", declared="screen"),
        arrow("screening", "done.step.screen", "holding", declared="screen"),
        arrow("review", "Approve", "holding", "someone_else", actions=("LoanApproval.approve",), declared="approve"),
        arrow("review", "Decline", "declined", declared="decline"),
        arrow("review", "after.review.0", "declined", declared="lapse"),
        arrow("holding", "done.step.hold", "paying", declared="hold"),
        arrow("holding", "error.step.hold.0", "declined", declared="hold"),
        arrow("paying", "done.step.pay", "paid", declared="pay"),
    )
    assert definition.timers == (TimerSpec(state="review", event="after.review.0", delay=604_800.0),)
    assert definition.steps == (
        StepSpec(name="screen", state="screening", function="LoanApproval.screen", retry=Retry(5), timeout=30.0),
        StepSpec(
            name="hold",
            state="holding",
            function="LoanApproval.hold",
            retry=Retry(),
            timeout=300.0,
            errors=("InsufficientFunds",),
            undo=UndoSpec(function="LoanApproval.release", retry=Retry(), timeout=300.0),
        ),
        StepSpec(name="pay", state="paying", function="LoanApproval.pay", retry=Retry(), timeout=300.0, pivot=True),
    )
    assert definition.events == ("Approve", "Decline")
    assert definition.code.data is Application
    assert definition.code.exceptions == {"InsufficientFunds": InsufficientFunds}
    assert definition.code.refusals["someone_else"] == "Nobody approves a loan of their own."


def test_references_have_names() -> None:
    """A state knows its dotted name once the class is made; a nested class, too."""

    class Nested(Workflow[Loan]):
        class work(Parallel, initial=True, was=("job",)):
            class left(Compound, defer=(Approve,)):
                first = State(initial=True, waits_for="clerk")
                last = State(final=True)
                past = History(deep=True)

            class right(Compound):
                first = State(initial=True)
                last = State(final=True)
                past = History(last)

        end = State(final=True)
        one = on(Approve, source=(work.left.first, work.right.first), to=work.left.last)
        two = on(Decline, source=work, to=work.left.past)
        done = joined(work, to=end, when=large)
        out = always(source=work, to=end, when=large)

    assert Nested.work.path == "work"
    assert Nested.work.left.first.name == "work.left.first"
    assert repr(Nested.work.left.first) == "<State work.left.first>"
    states = {state.name: state for state in Nested.definition.states}
    assert list(states) == [
        "work",
        "work.left",
        "work.left.first",
        "work.left.last",
        "work.left.past",
        "work.right",
        "work.right.first",
        "work.right.last",
        "work.right.past",
        "end",
    ]
    assert states["work"].kind == "parallel"
    assert states["work"].was == ("job",)
    assert states["work.left"].initial == TransitionSpec(source="work.left", targets=("work.left.first",))
    assert states["work.left"].defer == ("Approve",)
    assert states["work.left.first"].waits_for == "clerk"
    assert states["work.left.past"].deep
    assert states["work.left.past"].default == TransitionSpec(source="work.left.past", targets=("work.left.first",))
    assert states["work.right.past"].default == TransitionSpec(source="work.right.past", targets=("work.right.last",))
    assert Nested.definition.transitions == (
        arrow("work.left.first", "Approve", "work.left.last", declared="one"),
        arrow("work.right.first", "Approve", "work.left.last", declared="one"),
        arrow("work", "Decline", "work.left.past", declared="two"),
        arrow("work", "done.state.work", "end", "large", declared="done"),
        TransitionSpec(source="work", guard="large", targets=("end",), declared="out"),
    )


class Note(Event, frozen=True, name="note", was=("Remark",)):
    """Words."""

    text: str = ""


def in_time(loan: Loan, moment: Moment) -> bool:
    """It is not too late."""
    return moment.now < NOW + timedelta(days=loan.amount)


@attrs.frozen
class Bureau:
    """A collaborator."""

    limit: int = 0


class Desk(Workflow[Loan]):
    """What functions may ask for, in all their shapes."""

    bureau: Bureau
    names: tuple[str, ...] = ()

    first = State(initial=True)
    second = State()
    third = State()
    last = State(final=True)

    def within_limit(self, loan: Loan) -> bool:
        """The amount is within the bureau's limit."""
        return loan.amount <= self.bureau.limit

    def by_name(self, loan: Loan, event: Approve, moment: Moment) -> bool:
        """One of us approves, as the sender says."""
        return event.by in self.names and moment.actor == event.by and bool(loan)

    def pause(self, loan: Loan) -> timedelta:
        """A day for each unit."""
        return timedelta(days=loan.amount)

    @step(first, to=(second.when(within_limit), last), into=scored)
    async def score(self, loan: Loan) -> float:
        """A result of another type."""
        return float(loan.amount)

    @on(Approve, source=second, to=third, when=by_name)
    def approve(self, loan: Loan, event: Approve, outbox: Outbox) -> Loan:
        """With an outbox."""
        outbox.raise_event(Note(text=event.by))
        outbox.send("other", Note(text=outbox.run), id="msg")
        outbox.send("other", Note(text=outbox.event_id), delay=timedelta(hours=1))
        return evolve(loan, applicant=f"{outbox.actor}: {outbox.reason}")

    @on(Note, source=third, to=(last.when(in_time), third))
    @on(Note, source=second)
    def noted(self, loan: Loan, event: Note) -> Loan:
        """One handler of two transitions."""
        return evolve(loan, applicant=f"{loan.applicant} ({event.text})")

    lapsed = after(pause, source=second, to=last)
    dunned = after(90, source=third, to=last, when=large)

    @on_entry(second, third)
    def entered(self, loan: Loan) -> Loan:
        """On entry."""
        return evolve(loan, amount=loan.amount + 1)

    @on_exit(second)
    def left(self, loan: Loan, outbox: Outbox) -> Loan:
        """On exit."""
        return evolve(loan, amount=loan.amount + (10 if outbox.within(Desk.second) else 0))


def begun(desk: Desk, loan: Loan) -> Outcome:
    """A run of the desk whose step is under way."""
    return start(bind(desk), "run", Begin(loan, nonce="n"), NOW)


def test_functions_get_what_they_ask_for() -> None:
    """Data, event, moment or outbox in any order; methods get their workflow object; delays become deadlines."""
    desk = Desk(Bureau(limit=5), names=("grace",))
    definition = bind(desk)
    outcome = begun(desk, Loan(amount=3))
    (command,) = outcome.commands
    assert isinstance(command, RunStep)
    outcome = transition(definition, outcome.snapshot, Succeeded("score", command.visit, result=0.5), NOW)
    assert outcome.snapshot.states == ("second",)
    assert outcome.snapshot.data == Loan(amount=4, score=0.5)
    assert [one.due for one in outcome.commands if isinstance(one, SetTimer)] == [NOW + timedelta(days=4)]

    told = Received(Occurrence("Approve", Approve(by="grace"), id="e1", actor="grace", reason="fine"))
    outcome = transition(definition, outcome.snapshot, told, NOW)
    assert outcome.snapshot.states == ("last",)
    assert outcome.snapshot.data == Loan(applicant="grace: fine (grace)", amount=15, score=0.5)
    (send,) = (one for one in outcome.commands if isinstance(one, Send))
    assert (send.to, send.name, send.value, send.id) == ("other", "note", Note(text="run"), "msg")


def test_a_guard_says_why_it_refuses() -> None:
    """Its docstring is the reason; two guards at once give both."""
    definition = bind(Desk(Bureau(limit=5)))
    outcome = begun(Desk(Bureau(limit=5)), Loan(amount=3))
    outcome = transition(definition, outcome.snapshot, Succeeded("score", 1, result=0.5), NOW)
    told = Received(Occurrence("Approve", Approve(by="grace")))
    assert transition(definition, outcome.snapshot, told, NOW).verdict == "unmatched"
    assert refusal(definition, outcome.snapshot, "Approve") == ("One of us approves, as the sender says.",)


def test_a_method_as_guard_looks_at_its_own_object() -> None:
    """Two workflow objects of one class go their own ways."""
    for limit, state in ((5, "second"), (1, "last")):
        desk = Desk(Bureau(limit))
        outcome = transition(bind(desk), begun(desk, Loan(amount=3)).snapshot, Succeeded("score", 1, result=0.5), NOW)
        assert outcome.snapshot.states == (state,)


def test_timers_in_seconds() -> None:
    """A plain number is seconds."""
    assert [(timer.event, timer.delay) for timer in Desk.definition.timers] == [
        ("after.second.0", "Desk.pause"),
        ("after.third.0", 90.0),
    ]


def test_stacked_decorators_are_read_from_the_top() -> None:
    """Document order is what stands on the page."""
    noted = [(one.source, one.targets) for one in Desk.definition.transitions if one.declared == "noted"]
    assert noted == [("third", ("last",)), ("third", ("third",)), ("second", ())]


def test_former_names_of_events() -> None:
    """They lead to the present name."""
    assert Desk.definition.event_names == {"Remark": "note"}
    assert Desk.definition.code.events == {"Approve": Approve, "note": Note}


def test_an_unbound_definition_works_where_no_object_is_asked() -> None:
    """A function that needs a collaborator says what it lacks."""
    guard = Desk.definition.code.functions["in_time"]
    assert guard is not None
    with pytest.raises(AttributeError, match="type object 'Desk' has no attribute 'bureau'"):
        Desk.definition.code.functions["Desk.within_limit"](Loan(), Occurrence(""), None)


def test_binding_leaves_the_definition_as_it_is() -> None:
    """Bound and unbound are equal, and have one hash."""
    bound = bind(Desk(Bureau()))
    assert bound == Desk.definition
    assert bound.hash == Desk.definition.hash
    assert bound.code.functions is not Desk.definition.code.functions
