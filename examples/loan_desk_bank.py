"""The bank and the credit bureau: a process of its own that answers over TCP, remembers on disk and is not reliable.

It is what a loan desk cannot control. It is busy, it drops connections, it does what it was asked and then does not say
so, and once it is away for seconds. What makes it bearable is what real banks offer: an order that bears a key is
carried out once, however often it comes, and is on disk before it is answered.

    python -m examples.loan_desk_bank FOLDER --seed 7 --outage 3

prints the port it listens on and lives until its standard input ends. The protocol: a connection for each request, one
JSON object a line each way (`Ask`, `Answer`).
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Literal

import msgspec

from examples.loan_desk_data import Application
from examples.loan_desk_memory import MEMORY, Entry, Memory

BANK_SPEAKS = ("hold", "release", "pay")
SILENCE = 1.0
"""Seconds after which a connection is closed whose answer is kept back; longer than any caller waits."""


class Ask(msgspec.Struct, frozen=True, omit_defaults=True):
    """A request. `key` makes an order idempotent; `hold` is the key of the hold that it releases or pays from."""

    op: Literal["score", "fraud", "burden", "hold", "release", "pay", "clear", "state"]
    loan: str = ""
    key: str = ""
    amount: int = 0
    hold: str = ""
    application: Application | None = None


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """A reply: a number (bureau), a reference (bank), or an error; `faults` answers `state`."""

    value: float = 0.0
    reference: str = ""
    error: Literal["", "busy", "closed", "queried", "released", "conflict", "no hold"] = ""
    faults: dict[str, int] = {}
    away: bool = False


class Bank:
    """Carries out orders, each once by its key."""

    def __init__(self, memory: Memory, seed: int) -> None:
        self._memory = memory
        self._seed = seed

    def answer(self, ask: Ask) -> Answer:
        """Carry an order out, or say why not."""
        known = self._memory.by_key.get(ask.key)
        if known is not None:
            same = (known.op, known.loan, known.amount, known.hold) == (ask.op, ask.loan, ask.amount, ask.hold)
            return Answer(reference=known.reference) if same else Answer(error="conflict")
        refusal = self._refusal(ask)
        if refusal.error:
            return refusal
        entry = Entry(op=ask.op, loan=ask.loan, key=ask.key, amount=ask.amount, hold=ask.hold)
        return Answer(reference=self._memory.write(entry).reference)

    def _refusal(self, ask: Ask) -> Answer:
        if ask.op == "hold" and ask.key in self._memory.released:
            return Answer(error="released")  # the order was late and has been called off before it came
        if ask.op == "pay":
            if self._draw("closed", ask.loan) < 0.03:
                return Answer(error="closed")
            if ask.hold not in self._memory.holds:
                return Answer(error="no hold")
            if self._draw("queried", ask.loan) < 0.015 and ask.loan not in self._memory.cleared:
                return Answer(error="queried")
        return Answer()

    def _draw(self, what: str, loan: str) -> float:
        return random.Random(f"{self._seed}:{what}:{loan}").random()


class Bureau:
    """Knows people: it has no memory that an order could change, so it may be asked again and again."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def answer(self, ask: Ask) -> Answer:
        """Answer a question about an application."""
        chance = random.Random(f"{self._seed}:{ask.op}:{ask.loan}")
        if ask.application is None or ask.op == "fraud":
            return Answer(value=round(chance.betavariate(1, 6), 3))
        one = ask.application
        if ask.op == "burden":
            stated = {1: 0.36, 2: 0.30, 3: 0.22, 4: 0.15}[one.instalment_rate]
            return Answer(value=round(stated * chance.uniform(0.9, 1.12), 3))
        return Answer(value=max(0, min(100, 52 + sum(_POINTS.get(code, 0) for code in _codes(one)) - one.months // 2)))


_POINTS = (
    {"A11": -14, "A12": -6, "A13": 8, "A14": 16}  # checking account
    | {"A30": -14, "A31": -16, "A33": 2, "A34": 10}  # credit history
    | {"A61": -4, "A63": 4, "A64": 10, "A65": 8}  # savings
    | {"A71": -4, "A72": -6, "A74": 6, "A75": 2}  # employment
    | {"A103": 6, "A121": 4, "A124": -6}  # a guarantor, property
)


def _codes(one: Application) -> tuple[str, ...]:
    return (one.checking, one.history, one.savings, one.employment, one.guarantor, one.property)


Fault = Literal["busy", "dropped", "silent", "away"]


class Faults:
    """What goes wrong, and when: by chance from the seed, and one outage of the bank."""

    def __init__(self, memory: Memory, *, seed: int, outage: float, outage_after: int) -> None:
        self._memory = memory
        self._seed = seed
        self._outage = outage
        self._outage_after = outage_after
        self._away_until = 0.0
        self._asked: Counter[tuple[str, str]] = Counter()
        self.count: Counter[str] = Counter()

    @property
    def away(self) -> bool:
        """Whether the bank is out."""
        return time.monotonic() < self._away_until

    def strike(self, ask: Ask) -> Fault | None:
        """What goes wrong with this request, if anything."""
        fault = self._draw(ask)
        if fault:
            self.count[fault] += 1
        return fault

    def _draw(self, ask: Ask) -> Fault | None:
        if ask.op in BANK_SPEAKS and self._is_away():
            return "away"
        self._asked[ask.op, ask.loan] += 1
        chance = random.Random(f"{self._seed}:{ask.op}:{ask.loan}:{self._asked[ask.op, ask.loan]}").random()
        if chance < 0.06:
            return "busy"
        if chance < 0.09:
            return "dropped"
        return "silent" if chance < 0.12 else None

    def _is_away(self) -> bool:
        due = self._outage > 0 and not self._memory.outage and self._memory.orders >= self._outage_after
        if due:
            self._memory.write(Entry(op="outage"))  # once, also when the bank itself is started again
            self._away_until = time.monotonic() + self._outage
        return self.away


class Server:
    """Reads requests, lets faults strike, and answers."""

    def __init__(self, bank: Bank, bureau: Bureau, faults: Faults) -> None:
        self._bank = bank
        self._bureau = bureau
        self._faults = faults

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        try:
            ask = msgspec.json.decode(await reader.readline(), type=Ask)
            answer = await self._reply(ask)
            if answer is not None:
                writer.write(msgspec.json.encode(answer) + b"\n")
                await writer.drain()
        except (ConnectionError, msgspec.DecodeError):
            pass  # the caller died in the middle of its request, as it may
        finally:
            writer.close()

    async def _reply(self, ask: Ask) -> Answer | None:
        if ask.op == "state":
            return Answer(faults=dict(self._faults.count), away=self._faults.away)
        if ask.op == "clear":
            return self._bank.answer(ask)
        fault = self._faults.strike(ask)
        await asyncio.sleep(random.Random(ask.key or ask.loan).uniform(0.002, 0.03))
        if fault == "busy":
            return Answer(error="busy")
        if fault in {"dropped", "away"}:
            return None
        answer = self._bank.answer(ask) if ask.op in BANK_SPEAKS else self._bureau.answer(ask)
        if fault == "silent":  # done, and not said
            await asyncio.sleep(SILENCE)
            return None
        return answer


async def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(
        prog="loan_desk_bank", description="The unreliable bank and bureau of the loan desk."
    )
    parser.add_argument("folder", type=Path, help="where the memory is kept")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--outage", type=float, default=0.0, help="how many seconds the bank is away, once")
    parser.add_argument("--outage-after", type=int, default=30, help="after how many orders")
    args = parser.parse_args()
    memory = Memory(args.folder / MEMORY)
    faults = Faults(memory, seed=args.seed, outage=args.outage, outage_after=args.outage_after)
    server = Server(Bank(memory, args.seed), Bureau(args.seed), faults)
    async with await asyncio.start_server(server.serve, "127.0.0.1", args.port) as listening:
        print(listening.sockets[0].getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
