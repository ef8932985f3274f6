"""How the loan desk speaks to the bank and the bureau: a connection for each request, and half a second's patience."""

from __future__ import annotations

import asyncio
import socket

import attrs
import msgspec

from examples.loan_desk_bank import Answer, Ask
from examples.loan_desk_data import Application

PATIENCE = 0.5
"""Seconds that a step waits for an answer."""
ON_THE_PHONE = 30.0
"""Seconds that a person does."""


class BankBusy(Exception):
    """Asked to come again. Nothing was done."""


class AccountClosed(Exception):
    """The applicant's account is closed, so nothing was paid and nothing ever will be."""


class PaymentQueried(Exception):
    """The bank's compliance desk wants to speak to a person first."""


class OrderRefused(Exception):
    """The bank says that the order makes no sense: a key used for another order, or a hold that is not there."""


_ERRORS: dict[str, type[Exception]] = {"busy": BankBusy, "closed": AccountClosed, "queried": PaymentQueried}


def _read(line: bytes) -> Answer:
    if not line.endswith(b"\n"):
        message = "the connection was closed before there was an answer"
        raise ConnectionError(message)
    answer = msgspec.json.decode(line, type=Answer)
    if answer.error:
        raise _ERRORS.get(answer.error, OrderRefused)(answer.error)
    return answer


async def ask(port: int, request: Ask) -> Answer:
    """Ask, and wait for the answer for as long as patience lasts.

    Raises:
        TimeoutError: No answer. Whether it was done is unknown.
        OSError: No connection, or it broke. Whether it was done is unknown.
        BankBusy, AccountClosed, PaymentQueried, OrderRefused: As the bank says.
    """
    async with asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(msgspec.json.encode(request) + b"\n")
            return _read(await reader.readline())
        finally:
            writer.close()


def ask_now(port: int, request: Ask, patience: float = PATIENCE) -> Answer:
    """The same, for callers without an event loop."""
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as connection:
        connection.sendall(msgspec.json.encode(request) + b"\n")
        with connection.makefile("rb") as answers:
            return _read(answers.readline())


@attrs.frozen
class Bureau:
    """The credit bureau. Its calls block, so the steps that use it are plain functions, run in the runner's threads."""

    port: int

    def score(self, loan: str, application: Application) -> int:
        """How it rates the applicant, 0 to 100."""
        return int(ask_now(self.port, Ask("score", loan, application=application)).value)

    def fraud(self, loan: str) -> float:
        """How likely the application is a fraud, 0 to 1."""
        return ask_now(self.port, Ask("fraud", loan)).value

    def burden(self, loan: str, application: Application) -> float:
        """What share of the verified income the instalments would take."""
        return ask_now(self.port, Ask("burden", loan, application=application)).value


@attrs.frozen
class Bank:
    """The bank. Its calls are coroutines."""

    port: int

    async def hold(self, loan: str, amount: int, *, key: str) -> str:
        """Set an amount aside; gives the bank's reference."""
        return (await ask(self.port, Ask("hold", loan, key, amount))).reference

    async def release(self, loan: str, hold: str, *, key: str) -> None:
        """Give back what the order of key `hold` set aside, or will not any more. Fine when there is nothing."""
        await ask(self.port, Ask("release", loan, key, hold=hold))

    async def pay(self, loan: str, amount: int, *, hold: str, key: str) -> str:
        """Pay out what was set aside; gives the bank's reference."""
        return (await ask(self.port, Ask("pay", loan, key, amount, hold))).reference

    def clear(self, loan: str) -> None:
        """A person's call to the compliance desk: the payment of this loan is in order."""
        ask_now(self.port, Ask("clear", loan), ON_THE_PHONE)

    def state(self) -> Answer:
        """How it is doing."""
        return ask_now(self.port, Ask("state"), ON_THE_PHONE)
