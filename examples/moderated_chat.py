"""A bank's help desk: retrieve, generate, moderate, then answer or hand to a person.

    python -m examples.moderated_chat                                # a scripted model, and questions that try it
    python -m examples.moderated_chat "Is my card insured?" --url http://127.0.0.1:8000/v1 --model NAME

A conversation is one run, which may last for weeks. Nothing reaches the customer that neither the moderator nor an
editor has let pass; a question that comes while another is answered waits for its turn. Killed anywhere, it goes on:
what a model has said is not asked of it again, and the customer gets each answer once. With `--journal FILE` the next
call goes on with the same conversation.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import attrs

from examples.models import Hear, Message, Model, ModelRefused, Remote, Reply, Tool, hear_nothing
from statemachine import Call, Event, Retry, Run, Runner, State, Workflow, after, evolve, on, step

DRAFTS = 2
"""How many drafts the moderator sees before a person must."""
MODERATOR = "the moderator"


@attrs.frozen
class Exchange:
    """A question, its answer, and who let that pass."""

    question: str
    answer: str
    passed_by: str


@attrs.frozen
class Chat:
    """A conversation: what was said, and what is being made of the question at hand."""

    customer: str
    said: tuple[Exchange, ...] = ()
    question: str = ""
    passages: tuple[str, ...] = ()
    draft: str = ""
    drafts: int = 0
    objection: str = ""
    passed_by: str = ""
    tokens: int = 0


class Ask(Event, frozen=True):
    """The customer wants to know something."""

    text: str


class Release(Event, frozen=True):
    """An editor lets the draft pass, or puts words of their own in its place."""

    by: str
    text: str = ""


class Shelf(Protocol):
    """Where passages are found."""

    async def find(self, question: str, most: int) -> tuple[str, ...]:
        """Those that fit best."""
        ...


class Wire(Protocol):
    """How words reach the customer."""

    async def say(self, customer: str, text: str, *, key: str) -> None:
        """Say it once for each key."""
        ...


def clean(chat: Chat) -> bool:
    """the moderator has nothing against it"""
    return not chat.objection


def worth_another(chat: Chat) -> bool:
    """another draft may do better"""
    return chat.drafts < DRAFTS


MODELS = Retry(5, delay=0.2, cap=10.0, never=(ModelRefused,))


class ModeratedChat(Workflow[Chat], name="moderated-chat", version=1):
    """From one question to the next, until the customer has been silent for a day."""

    shelf: Shelf
    writer: Model
    moderator: Model
    wire: Wire

    listening = State(initial=True, waits_for="the customer")
    retrieving = State(defer=(Ask,))
    generating = State(defer=(Ask,))
    moderating = State(defer=(Ask,))
    editing = State(waits_for="an editor", defer=(Ask,))
    answering = State(defer=(Ask,))
    closed = State(final=True)

    @on(Ask, source=listening, to=retrieving)
    def ask(self, chat: Chat, event: Ask) -> Chat:
        """A new question; nothing of the last one is left."""
        return Chat(chat.customer, chat.said, event.text, tokens=chat.tokens)

    silence = after(timedelta(days=1), source=listening, to=closed)

    @step(retrieving, to=generating, retry=Retry(5), timeout=10, effect=False)
    async def retrieve(self, chat: Chat) -> Chat:
        """The passages that the answer must stand on."""
        return evolve(chat, passages=await self.shelf.find(chat.question, 3))

    @step(generating, to=moderating, retry=MODELS, timeout=60, failed=editing, effect=False)
    async def generate(self, chat: Chat) -> Chat:
        """A draft, knowing what was against the one before."""
        reply = await self.writer.reply(asked(chat))
        return evolve(chat, draft=reply.text, drafts=chat.drafts + 1, tokens=chat.tokens + reply.tokens)

    @step(
        moderating,
        to=(answering.when(clean), generating.when(worth_another), editing),
        retry=MODELS,
        timeout=60,
        failed=editing,
        effect=False,
    )
    async def moderate(self, chat: Chat) -> Chat:
        """Another model reads it. What it says is an objection, unless it is the word that lets pass."""
        reply = await self.moderator.reply(judged(chat))
        passes = reply.text.strip().rstrip(".").upper() == "OK"
        return evolve(
            chat,
            objection="" if passes else reply.text or "the moderator said nothing",
            passed_by=MODERATOR if passes else "",
            tokens=chat.tokens + reply.tokens,
        )

    @on(Release, source=editing, to=answering)
    def release(self, chat: Chat, event: Release) -> Chat:
        """A person has decided."""
        return evolve(chat, draft=event.text or chat.draft, passed_by=event.by)

    @step(answering, to=listening, retry=Retry(1000, cap=60.0), timeout=30)
    async def answer(self, chat: Chat, call: Call) -> Chat:
        """Said once, however often it is tried."""
        await self.wire.say(chat.customer, chat.draft, key=call.key)
        return evolve(chat, said=(*chat.said, Exchange(chat.question, chat.draft, chat.passed_by)))


# What the models are asked.


def asked(chat: Chat) -> list[Message]:
    """What is known, what was against the last draft, the conversation so far, and the question."""
    known = "\n".join(f"- {passage}" for passage in chat.passages)
    task = f"You answer customers of a bank, in two sentences, from this alone:\n{known}"
    if chat.objection:
        task += f"\nThis was refused: {chat.draft}\nBecause: {chat.objection}"
    messages = [Message("system", task)]
    for exchange in chat.said:
        messages += [Message("user", exchange.question), Message("assistant", exchange.answer)]
    return [*messages, Message("user", chat.question)]


def judged(chat: Chat) -> list[Message]:
    """The draft, beside what it may say."""
    known = "\n".join(f"- {passage}" for passage in chat.passages)
    task = (
        "You moderate a bank's answers. Say OK, and nothing else, if the answer promises nothing, advises no "
        f"investment and says only what stands here; else say in a sentence what is against it.\n{known}"
    )
    return [Message("system", task), Message("user", chat.draft)]


# What stands in for the world.

PAGES = (
    "A lost card is blocked at once by calling 0800 77, day and night, or in the app under Cards.",
    "A new card takes five working days and costs 12 euros; the first one in a year is free.",
    "Transfers inside the country arrive on the next working day, instant transfers in ten seconds.",
    "Savings accounts pay 1.5 % a year, paid out every December.",
    "A loan may be repaid early at any time; the fee is at most 1 % of what is repaid.",
)
QUESTIONS = (
    "How do I block my lost card?",
    "When does a transfer arrive?",
    "Which savings will make me rich?",
    "What does a new card cost?",
)


@attrs.frozen
class Pages:
    """Ranks pages by the words they share with the question, the rarer the better."""

    pages: tuple[str, ...] = PAGES

    async def find(self, question: str, most: int) -> tuple[str, ...]:
        """See `Shelf`."""
        texts = [words(page) for page in self.pages]
        spread = Counter(word for text in texts for word in text)
        asked = words(question)
        weights = [sum(math.log(1 + len(texts) / spread[word]) for word in asked & text) for text in texts]
        ranked = sorted(zip(weights, self.pages, strict=True), key=lambda pair: -pair[0])
        return tuple(page for weight, page in ranked[:most] if weight)


def words(text: str) -> set[str]:
    """Its words of three letters or more, in the singular as far as an s tells."""
    return {word.removesuffix("s") for word in re.findall(r"\w{3,}", text.lower())}


class ScriptedWriter:
    """Says the first passage; where somebody wants to be rich, it promises too much, whatever it is told."""

    async def reply(
        self, messages: Sequence[Message], tools: Sequence[Tool] = (), *, hear: Hear = hear_nothing
    ) -> Reply:
        """See `Model`."""
        del tools
        passage = messages[0].text.partition("\n- ")[2].partition("\n")[0]
        rich = "rich" in messages[-1].text
        text = "You will surely double your money." if rich else passage or "I do not know."
        hear(text)
        return Reply(text, tokens=len(text.split()))


class ScriptedModerator:
    """Lets pass what stands in the passages, word for word."""

    async def reply(
        self, messages: Sequence[Message], tools: Sequence[Tool] = (), *, hear: Hear = hear_nothing
    ) -> Reply:
        """See `Model`."""
        del tools
        rules, draft = messages
        text = "OK" if draft.text in rules.text else "It promises what stands nowhere."
        hear(text)
        return Reply(text, tokens=len(draft.text.split()))


@attrs.frozen
class Terminal:
    """Prints what the customer hears. A real one would keep the key with the message, and so say it once."""

    async def say(self, customer: str, text: str, *, key: str) -> None:
        """See `Wire`."""
        del key
        print(f"  to {customer}: {text}")


def talk(runner: Runner, run: Run[Chat], questions: Sequence[str], *, editor: str) -> None:
    """Ask one question after the other; where an editor must decide, they do."""
    for question in questions:
        print(f"\n{question}")
        with runner.watch(run.id) as moves:
            before = len(run.data.said)
            run.send(Ask(question), actor=run.data.customer)
            while question not in [exchange.question for exchange in run.data.said[before:]]:
                if run.within(ModeratedChat.editing):
                    print(f"  {editor} reads “{run.data.draft}”: {run.data.objection}")
                    run.send(Release(by=editor, text="We cannot advise you on that. A colleague will call you."))
                next(moves)


def main(arguments: Sequence[str] | None = None) -> int:
    """Hold a conversation. Gives the exit status."""
    parser = argparse.ArgumentParser(prog="moderated_chat", description="A help desk whose answers are moderated.")
    parser.add_argument("questions", nargs="*", default=QUESTIONS)
    parser.add_argument("--journal", type=Path, help="go on with the conversation in this file")
    parser.add_argument("--customer", default="Ada")
    parser.add_argument("--url", help="of a server that speaks OpenAI's chat protocol; its key in MODEL_KEY")
    parser.add_argument("--model", default="default", help="which of its models")
    options = parser.parse_args(arguments)
    writer: Model = ScriptedWriter()
    moderator: Model = ScriptedModerator()
    if options.url:
        writer = moderator = Remote(options.url, options.model, os.environ.get("MODEL_KEY", ""))
    desk = ModeratedChat(Pages(), writer, moderator, Terminal())
    with tempfile.TemporaryDirectory() as folder, Runner(options.journal or Path(folder) / "chat.db", [desk]) as runner:
        run = runner.start(ModeratedChat, Chat(options.customer), id=f"chat-{options.customer}")
        talk(runner, run, options.questions, editor="Grace")
        print(f"\n{len(run.data.said)} answers, {run.data.tokens} tokens.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
