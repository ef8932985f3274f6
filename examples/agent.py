"""An agent that pays bills: it thinks, uses tools beside each other, thinks again; what is risky waits for a person.

    python -m examples.agent                                              # a scripted model, and a task for it
    python -m examples.agent "What is 30 euros in dollars?" --url http://127.0.0.1:8000/v1 --model NAME

A conversation is one run. Each thought and each use of a tool is recorded once: killed anywhere, nothing with an effect
is done twice, and the conversation goes on. What the user says while it thinks is heard at the next thought; a word
stops it; and it stops by itself, and asks, when it has used up its tokens. With `--journal FILE` the next call goes on.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from threading import Condition, Thread
from typing import Protocol

import attrs
import msgspec

from examples.models import Hear, Message, Model, ModelRefused, Remote, Reply, Tool, ToolCall, hear_nothing
from examples.once import Once
from statemachine import Call, Event, ItemOutcome, Retry, Run, Runner, State, Workflow, evolve, on, step
from statemachine.runner import Emitted
from statemachine.snapshot import Failure

BUDGET = 2_000
"""Tokens, until somebody grants more."""
RISKY = frozenset({"pay"})
"""Tools that a person must let it use."""
TOOLS = (
    Tool("balance", "What is on the account, in euros", {"type": "object", "properties": {}}),
    Tool(
        "dollars",
        "What euros are in dollars",
        {"type": "object", "properties": {"euros": {"type": "number"}}, "required": ["euros"]},
    ),
    Tool(
        "pay",
        "Pay somebody, in euros",
        {
            "type": "object",
            "properties": {"to": {"type": "string"}, "euros": {"type": "number"}},
            "required": ["to", "euros"],
        },
    ),
)
RULES = Message("system", "You help with an account. Look before you pay, and say what you did.")


@attrs.frozen
class Talk:
    """A conversation, what the last thought wants done, and what all thoughts have cost."""

    messages: tuple[Message, ...] = (RULES,)
    wanted: tuple[ToolCall, ...] = ()
    tokens: int = 0
    budget: int = BUDGET


@attrs.frozen
class Thought:
    """What the model said, and how much of the conversation it had heard."""

    reply: Reply
    heard: int


class Say(Event, frozen=True):
    """The user has something to say."""

    text: str


class Approve(Event, frozen=True):
    """A person lets it do what it wants."""

    by: str


class Deny(Event, frozen=True):
    """A person does not, and says why."""

    by: str
    why: str


class GoOn(Event, frozen=True):
    """A person lets it go on, with so many tokens more."""

    by: str
    tokens: int = 0


class Stop(Event, frozen=True):
    """It shall end, whatever it does."""


class ToolRefused(Exception):
    """Nothing was done, and nothing will be, however often it is tried."""


class Toolbox(Protocol):
    """What the tools do."""

    async def use(self, name: str, arguments: dict[str, str | float], *, key: str) -> str:
        """Use one, with an effect once for each key. Raises ToolRefused; after anything else nobody knows."""
        ...


def unheard(talk: Talk) -> bool:
    """the user has said something meanwhile"""
    return not talk.wanted and talk.messages[-1].role == "user"


def spent(talk: Talk) -> bool:
    """its tokens are used up"""
    return talk.tokens >= talk.budget


def risky(talk: Talk) -> bool:
    """a person must look at it first"""
    return any(call.name in RISKY for call in talk.wanted)


def harmless(talk: Talk) -> bool:
    """it only looks"""
    return bool(talk.wanted)


def wanted(talk: Talk) -> Sequence[ToolCall]:
    """The tools to use."""
    return talk.wanted


def thought(talk: Talk, new: Thought) -> Talk:
    """It stands after what it had heard; what the user said meanwhile comes after it."""
    said = Message("assistant", new.reply.text, new.reply.calls)
    messages = (*talk.messages[: new.heard], said, *talk.messages[new.heard :])
    return evolve(talk, messages=messages, wanted=new.reply.calls, tokens=talk.tokens + new.reply.tokens)


def used(talk: Talk, outcomes: Sequence[ItemOutcome[str]]) -> Talk:
    """What came of each tool, or why nothing did; or that nobody knows, lest it pays again what was paid."""
    return answered(talk, [one.result or "" if one.failure is None else excused(one.failure) for one in outcomes])


def excused(failure: Failure) -> str:
    """What the model is told of a tool that failed."""
    if failure.type == ToolRefused.__qualname__:
        return f"Nothing was done: {failure.message}"
    return f"It failed ({failure.message}), and nobody knows whether it was done. Do not do it again unasked."


def answered(talk: Talk, told: Sequence[str]) -> Talk:
    """Each call has its answer, right after the thought that made it; what the user said meanwhile comes after."""
    place = max(number for number, message in enumerate(talk.messages) if message.calls) + 1
    answers = (Message("tool", text, answers=call.id) for call, text in zip(talk.wanted, told, strict=True))
    return evolve(talk, messages=(*talk.messages[:place], *answers, *talk.messages[place:]), wanted=())


TOOLS_AGAIN = Retry(3, never=(ToolRefused,))


class Agent(Workflow[Talk], name="agent", version=1):
    """From one word of its user to the next."""

    model: Model
    toolbox: Toolbox

    listening = State(initial=True, waits_for="the user")
    thinking = State()
    approving = State(waits_for="a person who may pay")
    acting = State()
    halted = State(waits_for="a person who lets it go on")
    stopped = State(final=True)

    @on(Say, source=listening, to=thinking)
    def begin(self, talk: Talk, event: Say) -> Talk:
        """It has something to think about."""
        return evolve(talk, messages=(*talk.messages, Message("user", event.text)))

    @on(Say, source=(thinking, approving, acting, halted))
    def meanwhile(self, talk: Talk, event: Say) -> Talk:
        """It is heard at the next thought."""
        return evolve(talk, messages=(*talk.messages, Message("user", event.text)))

    @step(
        thinking,
        to=(halted.when(spent), approving.when(risky), acting.when(harmless), thinking.when(unheard), listening),
        into=thought,
        retry=Retry(8, never=(ModelRefused,)),
        timeout=120,
        failed=halted,
        effect=False,
    )
    async def think(self, talk: Talk, call: Call) -> Thought:
        """Ask the model; its words are heard as they come, and are in the journal when they are whole."""
        reply = await self.model.reply(talk.messages, TOOLS, hear=call.emit)
        return Thought(reply, len(talk.messages))

    @on(Approve, source=approving, to=acting)
    def approve(self, talk: Talk, event: Approve) -> Talk:
        """The journal says who it was."""
        return talk

    @on(Deny, source=approving, to=thinking)
    def deny(self, talk: Talk, event: Deny) -> Talk:
        """The model is told."""
        return answered(talk, [f"{event.by} does not want this: {event.why}"] * len(talk.wanted))

    @step(acting, each=wanted, limit=4, to=thinking, into=used, failures="collect", retry=TOOLS_AGAIN, timeout=60)
    async def act(self, talk: Talk, item: ToolCall, call: Call) -> str:
        """One tool, under a key of its own."""
        try:
            arguments = msgspec.json.decode(item.arguments or "{}", type=dict[str, str | float])
        except msgspec.MsgspecError as error:
            message = f"its arguments cannot be read: {error}"
            raise ToolRefused(message) from error
        return await self.toolbox.use(item.name, arguments, key=call.key)

    @on(GoOn, source=halted, to=(approving.when(risky), acting.when(harmless), thinking))
    def go_on(self, talk: Talk, event: GoOn) -> Talk:
        """Where it halted, with what it wanted to do."""
        return evolve(talk, budget=talk.tokens + event.tokens)

    stop = on(Stop, source=(listening, thinking, approving, acting, halted), to=stopped)


# What stands in for the world.


@attrs.frozen
class Account:
    """A hundred euros, and a file of what was paid."""

    payments: Once
    opening: float = 100.0
    rate: float = 1.1

    async def use(self, name: str, arguments: dict[str, str | float], *, key: str) -> str:
        """See `Toolbox`."""
        if name == "balance":
            return f"{self.balance():.2f} euros"
        try:
            euros, to = float(arguments["euros"]), arguments.get("to", "")
        except (KeyError, ValueError) as error:
            message = f"{name} needs an amount: {error}"
            raise ToolRefused(message) from error
        if name == "dollars":
            return f"{euros * self.rate:.2f} dollars"
        if name != "pay" or not to:
            message = f"there is no tool {name}, or nobody to pay"
            raise ToolRefused(message)
        if all(line.key != key for line in self.payments.lines()) and not 0 < euros <= self.balance():
            message = f"{euros:.2f} euros cannot be paid from {self.balance():.2f}"
            raise ToolRefused(message)
        self.payments.do(f"{euros:.2f} to {to}", key=key)
        return f"paid {euros:.2f} euros to {to}"

    def balance(self) -> float:
        """What is left."""
        return self.opening - sum(float(line.done.partition(" ")[0]) for line in self.payments.lines())


class Scripted:
    """Looks at the balance and the dollars at once, pays thirty euros to Grace, and says so."""

    async def reply(
        self, messages: Sequence[Message], tools: Sequence[Tool] = (), *, hear: Hear = hear_nothing
    ) -> Reply:
        """See `Model`."""
        del tools
        told = [message.text for message in messages if message.role == "tool"]
        number = len(told)
        calls: tuple[tuple[str, str], ...] = ()
        if not told:
            text, calls = "Let me look.", (("balance", "{}"), ("dollars", '{"euros": 30}'))
        elif number == 2:
            text, calls = "There is enough.", (("pay", '{"to": "Grace", "euros": 30}'),)
        else:
            text = f"Done: {told[-1]}."
        for word in text.split():
            hear(f"{word} ")
        made = tuple(ToolCall(f"call-{number + n}", name, given) for n, (name, given) in enumerate(calls))
        return Reply(text, made, tokens=10 * len(messages))


# As a program.


def converse(runner: Runner, run: Run[Talk], text: str, allow: Callable[[str], bool]) -> None:
    """Say something, and see to what it needs until it listens again, halts or has stopped."""
    screen = Screen()
    with runner.watch(run.id) as moves, run.output() as output:
        listening = Thread(target=screen.overhear, args=(output,))
        listening.start()
        run.send(Say(text))
        while run.status == "running" and not (run.within(Agent.listening) or run.within(Agent.halted)):
            if run.within(Agent.approving):
                screen.show(last_words(run.data), patience=1)
                wanted = ", ".join(f"{call.name} {call.arguments}" for call in run.data.wanted)
                run.send(Approve("the user") if allow(wanted) else Deny("the user", "not now"))
            next(moves)
    listening.join()
    screen.show(last_words(run.data))
    print()


def last_words(talk: Talk) -> str:
    """What the model said last."""
    return next((message.text for message in reversed(talk.messages) if message.role == "assistant"), "")


class Screen:
    """Shows the model's words as they come; only what is whole is in the journal."""

    def __init__(self) -> None:
        self._heard = ""
        self._more = Condition()

    def overhear(self, output: Iterable[Emitted]) -> None:
        """Print each piece."""
        for piece in output:
            with self._more:
                print(piece.value, end="", flush=True)
                self._heard += str(piece.value)
                self._more.notify_all()

    def show(self, text: str, *, patience: float = 0) -> None:
        """Come back when this was heard; after so many seconds print it: another process may have heard it."""
        with self._more:
            if not self._more.wait_for(lambda: text in self._heard, patience):
                print(text, end="", flush=True)


def ask(what: str) -> bool:
    """At the terminal."""
    return input(f"\n  It wants to {what}. Let it? [y/N] ").strip().lower() == "y"


def main(arguments: Sequence[str] | None = None) -> int:
    """Hold a conversation. Gives the exit status."""
    parser = argparse.ArgumentParser(prog="agent", description="An agent with an account, and a person beside it.")
    parser.add_argument("say", nargs="*", default=["Pay 30 euros to Grace, and tell me what that is in dollars."])
    parser.add_argument("--journal", type=Path, help="go on with the conversation in this file; payments are beside it")
    parser.add_argument("--yes", action="store_true", help="let it do whatever it wants, and do not ask")
    parser.add_argument("--url", help="of a server that speaks OpenAI's chat protocol; its key in MODEL_KEY")
    parser.add_argument("--model", default="default", help="which of its models")
    options = parser.parse_args(arguments)
    model = Remote(options.url, options.model, os.environ.get("MODEL_KEY", "")) if options.url else Scripted()
    with tempfile.TemporaryDirectory() as folder:
        file = options.journal or Path(folder) / "agent.db"
        account = Account(Once(file.with_suffix(".payments")))
        with Runner(file, [Agent(model, account)]) as runner:
            run = runner.start(Agent, Talk(), id="talk")
            for text in options.say:
                print(f"\n> {text}")
                converse(runner, run, text, (lambda _: True) if options.yes else ask)
            print(f"\n{', '.join(run.state)}; {run.data.tokens} tokens; {account.balance():.2f} euros are left.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
