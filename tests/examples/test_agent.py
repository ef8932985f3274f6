"""The agent: what is risky waits for a person, what the user says is heard, and no payment is made twice."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import attrs
import pytest

from examples import agent
from examples.agent import Account, Agent, Approve, Deny, GoOn, Say, Scripted, Stop, Talk
from examples.models import Hear, Message, ModelDown, Reply, Tool, ToolCall, hear_nothing
from examples.once import Once
from statemachine import RunOver
from statemachine.testing import Harness, every_crash
from tests.examples.model_server import Answer, Asked, serving

ROOT = Path(__file__).parents[2]
TASK = "Pay 30 euros to Grace, and tell me what that is in dollars."


@pytest.fixture
def payments(tmp_path: Path) -> Once:
    """Where payments are kept."""
    return Once(tmp_path / "payments")


def paid(payments: Once) -> list[str]:
    """All payments."""
    return [line.done for line in payments.lines()]


@attrs.define
class Told:
    """A model that gives the replies it was made with, one after the other, and keeps what it was asked."""

    replies: list[Reply]
    asked: list[tuple[Message, ...]] = attrs.field(factory=list[tuple[Message, ...]])

    async def reply(
        self, messages: Sequence[Message], tools: Sequence[Tool] = (), *, hear: Hear = hear_nothing
    ) -> Reply:
        """See `Model`."""
        del tools
        self.asked.append(tuple(messages))
        if not self.replies:
            message = "nothing more to say"
            raise ModelDown(message)
        hear(self.replies[0].text)
        return self.replies.pop(0)


def calls(*wanted: tuple[str, str]) -> Reply:
    """A reply that wants tools used."""
    made = tuple(ToolCall(f"call-{number}", name, arguments) for number, (name, arguments) in enumerate(wanted))
    return Reply("", made, tokens=10)


def roles(talk: Talk) -> list[str]:
    """Who said what, without the rules."""
    return [message.role for message in talk.messages[1:]]


def test_what_is_risky_waits_for_a_person(payments: Once) -> None:
    """It looks twice at once, then wants to pay; nothing is paid before it may."""
    with Harness(Agent(Scripted(), Account(payments))) as desk:
        desk.start(Talk())
        desk.send(Say(TASK))
        assert desk.look().state == ("approving",)
        assert roles(desk.look().data) == ["user", "assistant", "tool", "tool", "assistant"]
        assert [message.text for message in desk.look().data.messages if message.role == "tool"] == [
            "100.00 euros",
            "33.00 dollars",
        ]
        assert paid(payments) == []
        desk.send(Approve("Ada"))
        assert desk.look().state == ("listening",)
        assert desk.look().data.messages[-1].text == "Done: paid 30.00 euros to Grace."
    assert paid(payments) == ["30.00 to Grace"]


def test_what_is_denied_is_not_done_and_the_model_is_told(payments: Once) -> None:
    """With the reason, as the answer to its call."""
    with Harness(Agent(Scripted(), Account(payments))) as desk:
        desk.start(Talk())
        desk.send(Say(TASK))
        desk.send(Deny("Ada", "Grace was paid yesterday"))
        assert desk.look().state == ("listening",)
        assert "Ada does not want this: Grace was paid yesterday" in desk.look().data.messages[-1].text
    assert paid(payments) == []


def test_what_the_user_says_meanwhile_is_heard_at_the_next_thought(payments: Once) -> None:
    """While it waits to pay, the user says more: it stands after the tools' answers, and the model hears it."""
    model = Told([calls(("pay", '{"to": "Grace", "euros": 5}')), Reply("Done.", tokens=1)])
    with Harness(Agent(model, Account(payments))) as desk:
        desk.start(Talk())
        desk.send(Say("Pay Grace 5 euros."))
        desk.send(Say("And hurry."))
        desk.send(Approve("Ada"))
        assert roles(desk.look().data) == ["user", "assistant", "tool", "user", "assistant"]
    assert [message.text for message in model.asked[1][-2:]] == ["paid 5.00 euros to Grace", "And hurry."]


def test_a_message_that_came_while_it_thought_makes_it_think_again() -> None:
    """The fold puts the reply before it, and the guard sees that it was not heard."""
    before = Talk((Message("system", "x"), Message("user", "one"), Message("user", "two")))
    after = agent.thought(before, agent.Thought(Reply("to one", tokens=3), heard=2))
    assert [message.text for message in after.messages] == ["x", "one", "to one", "two"]
    assert agent.unheard(after)
    assert after.tokens == 3


def test_a_tool_that_fails_is_no_end(payments: Once) -> None:
    """What it failed with is its answer; the other one's result stands beside it."""
    wanted = calls(("pay", '{"to": "Grace", "euros": 500}'), ("balance", "{}"), ("nothing", "{}"))
    model = Told([wanted, Reply("I could not.", tokens=1)])
    with Harness(Agent(model, Account(payments))) as desk:
        desk.start(Talk())
        desk.send(Say("Pay Grace 500 euros."))
        desk.send(Approve("Ada"))
        desk.advance(timedelta(hours=1))
        told = [message.text for message in desk.look().data.messages if message.role == "tool"]
    assert told == [
        "Nothing was done: 500.00 euros cannot be paid from 100.00",
        "100.00 euros",
        "Nothing was done: nothing needs an amount: 'euros'",
    ]


class Unreliable:
    """A bank that pays, and then does not answer."""

    async def use(self, name: str, arguments: dict[str, str | float], *, key: str) -> str:
        """See `Toolbox`."""
        raise TimeoutError(name, arguments, key)


def test_a_tool_that_may_have_paid_is_not_told_as_one_that_has_not() -> None:
    """Told that it failed, the model would pay again, under another key; arguments that nobody can read did nothing."""
    wanted = calls(("pay", '{"to": "Grace", "euros": 5}'), ("pay", "five euros"))
    with Harness(Agent(Told([wanted, Reply("I do not know.")]), Unreliable())) as desk:
        desk.start(Talk())
        desk.send(Say("Pay Grace 5 euros."))
        desk.send(Approve("Ada"))
        desk.advance(timedelta(hours=1))
        told = [message.text for message in desk.look().data.messages if message.role == "tool"]
    assert "nobody knows whether it was done" in told[0]
    assert told[1].startswith("Nothing was done: its arguments cannot be read")


def test_it_halts_when_its_tokens_are_used_up(payments: Once) -> None:
    """With what it wanted to do; a person lets it go on from there."""
    with Harness(Agent(Scripted(), Account(payments))) as desk:
        desk.start(Talk(budget=15))
        desk.send(Say(TASK))
        assert desk.look().state == ("halted",)
        assert len(desk.look().data.wanted) == 2
        desk.send(GoOn("Ada", tokens=1_000))
        assert desk.look().state == ("approving",)


def test_a_model_that_is_down_for_long_halts_it(payments: Once) -> None:
    """It loses nothing; somebody has to say that it shall try again."""
    model = Told([])
    with Harness(Agent(model, Account(payments))) as desk:
        desk.start(Talk())
        desk.send(Say("Hello?"))
        desk.advance(timedelta(hours=1))
        assert desk.look().state == ("halted",)
        model.replies.append(Reply("Hello.", tokens=1))
        desk.send(GoOn("Ada"))
        desk.advance(timedelta(hours=1))
        assert desk.look().data.messages[-1].text == "Hello."


def test_a_word_stops_it(payments: Once) -> None:
    """Whatever it waits for; it takes nothing more."""
    with Harness(Agent(Scripted(), Account(payments))) as desk:
        desk.start(Talk())
        desk.send(Say(TASK))
        desk.send(Stop())
        assert desk.look().state == ("stopped",)
        with pytest.raises(RunOver):
            desk.send(Approve("Ada"))
    assert paid(payments) == []


def task(desk: Harness[Agent]) -> object:
    """The whole task; what was paid, and what was said."""
    desk.start(Talk(), id="talk")
    desk.send(Say(TASK))
    desk.send(Approve("Ada"))
    account = desk.workflow.toolbox
    assert isinstance(account, Account)
    return [*paid(account.payments), desk.look().data.messages[-1].text]


@pytest.mark.slow
def test_killed_at_every_journal_position_it_comes_to_the_same(tmp_path: Path) -> None:
    """One payment, the same conversation, the same tokens."""
    files: Iterator[Path] = (tmp_path / str(number) for number in range(1_000))
    trial = every_crash(lambda: Agent(Scripted(), Account(Once(next(files)))), task)
    assert len(trial.points) > 30
    assert trial.end.gave == ["30.00 to Grace", "Done: paid 30.00 euros to Grace."]


@pytest.mark.slow
def test_a_killed_process_is_followed_by_one_that_goes_on(tmp_path: Path) -> None:
    """Killed at several moments of its work, then let be: Grace is paid once, and the conversation is whole."""
    journal = tmp_path / "agent.db"
    command = [sys.executable, "-m", "examples.agent", "--yes", "--journal", str(journal)]
    for wait in (0.6, 0.8, 1.0):
        with subprocess.Popen([*command, TASK], cwd=ROOT, stdout=subprocess.DEVNULL) as process:
            time.sleep(wait)
            process.send_signal(signal.SIGKILL)
    last = subprocess.run([*command, "Is it done?"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    said = paid(Once(journal.with_suffix(".payments")))
    assert said.count("30.00 to Grace") == len(said) <= 1
    assert "listening" in last.stdout


def test_as_a_program_it_asks_before_it_pays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A person at the terminal says no; the next one, in the same conversation, is not asked."""
    asked: list[str] = []

    def refuse(prompt: str) -> str:
        asked.append(prompt)
        return "n"

    monkeypatch.setattr("builtins.input", refuse)
    journal = tmp_path / "agent.db"
    assert agent.main(["--journal", str(journal)]) == 0
    assert 'pay {"to": "Grace", "euros": 30}' in asked[0]
    assert "100.00 euros are left" in capsys.readouterr().out


def test_it_speaks_to_any_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Tools are offered, calls come back in pieces, their answers are told, and the tokens are counted."""
    seen: list[Asked] = []

    def say(asked: Asked) -> Answer:
        seen.append(asked)
        if asked["messages"][-1]["role"] == "tool":
            return Answer(f"It is {asked['messages'][-1]['content']}")
        return Answer(calls=[("dollars", '{"euros": 30}')])

    with serving(say) as url:
        assert agent.main(["30 euros?", "--url", url, "--journal", str(tmp_path / "agent.db")]) == 0
    assert [tool["function"]["name"] for tool in seen[0]["tools"]] == ["balance", "dollars", "pay"]
    out = capsys.readouterr().out
    assert "It is 33.00 dollars" in out
    assert "14 tokens" in out
