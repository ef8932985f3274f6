"""A workflow with what the dashboard must cope with: events of every kind of field, private data, hostile names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from enum import Enum
from typing import Annotated, Any, Literal

import attrs
import httpx
import msgspec

from persistence import MemoryJournal
from statemachine import (
    Call,
    Event,
    Redacted,
    Retry,
    Run,
    Runner,
    State,
    Workflow,
    after,
    evolve,
    on,
    redacted,
    step,
)
from statemachine.dashboard import dashboard
from tests.unit.dashboard.serving import serving
from tests.unit.runner.desk import becomes

TOKEN = "only-for-these-tests"
EVIL = "<script>alert(1)</script>"
IBAN = "DE89370400440532013000"
BIRTH = "1815-12-10"


class Class(Enum):
    """How bad it is."""

    NO_FAULT = 1
    TOTAL_LOSS = 2


@attrs.frozen
class Claim:
    """A run's data, not in the order of the alphabet."""

    name: str
    amount: int = 100
    account: Redacted[str] = IBAN
    born: str = attrs.field(default=BIRTH, metadata=redacted())
    api_token: str = "tok-123456"
    reference: str = ""


class Settle(Event, frozen=True):
    """Every kind of field."""

    by: str
    grade: Class
    way: Literal["cash", "transfer"]
    amount: Annotated[int, msgspec.Meta(ge=1, le=1000)]
    rate: float
    paid_on: date
    urgent: bool = False
    lines: tuple[str, ...] = ()
    note: str | None = None
    secret_word: Redacted[str] = ""


class Refuse(Event, frozen=True):
    """No field at all."""


class Later(Event, frozen=True):
    """Not accepted while it is checked."""


def affordable(claim: Claim, event: Settle) -> bool:
    """nobody settles for more than is claimed"""
    return event.amount <= claim.amount


class Claims(Workflow[Claim], name="claims"):
    """A claim is checked by a person, then paid."""

    world: list[Exception]

    opening = State(initial=True)
    checking = State(waits_for="adjuster")
    paying = State()
    paid = State(final=True)
    refused = State(final=True, compensate=True)
    shelved = State(waits_for="archivist")

    @step(opening, to=checking, retry=Retry(2, delay=60, jitter=0))
    def reserve(self, claim: Claim) -> Claim:
        if self.world and "reserve" in str(self.world[0]):
            raise self.world.pop(0)
        return evolve(claim, reference="R-1")

    @reserve.undo
    def release(self, claim: Claim) -> None:
        pass

    @on(Settle, source=checking, to=paying, when=affordable)
    def settle(self, claim: Claim, event: Settle) -> Claim:
        if event.amount == 13:
            message = f"cannot reach {claim.account}"
            raise ValueError(message)
        return evolve(claim, amount=event.amount)

    refuse = on(Refuse, source=checking, to=refused)
    shelve = on(Later, source=shelved, to=checking)
    lapse = after(timedelta(days=7), source=checking, to=refused)

    @step(paying, to=paid, pivot=True)
    def pay(self, claim: Claim, call: Call) -> Claim:
        if self.world:
            raise self.world.pop(0)
        return claim


class Seen:
    """An office with its dashboard, and a visitor."""

    def __init__(self, runner: Runner, visitor: httpx.Client, world: list[Exception]) -> None:
        self.runner = runner
        self.visitor = visitor
        self.world = world

    def claim(self, id: str, *, name: str = "ada", state: str = "checking", **data: Any) -> Run[Claim]:
        """A claim, once it is in a state."""
        run = self.runner.start(Claims, Claim(name, **data), id=id, tags={"desk": "north"})
        becomes(lambda: run.state == (state,))
        return run

    def incident(self, id: str, message: str = "no answer") -> Run[Claim]:
        """A claim whose payment nobody knows about."""
        run = self.claim(id)
        self.world.append(ConnectionError(message))
        run.send(Settle("ada", Class.NO_FAULT, "cash", 50, 1.0, date(2026, 1, 1)))
        becomes(lambda: bool(run.incidents))
        return run

    def page(self, path: str, status: int = 200) -> str:
        """What a page says."""
        answer = self.visitor.get(path)
        assert answer.status_code == status, answer.text
        return answer.text

    def sign_in(self, actor: str = "Grace", token: str = TOKEN) -> None:
        """The visitor gives the token."""
        answer = self.visitor.post("/sign-in", data={"token": token, "actor": actor, "to": "/inbox"})
        assert answer.status_code == 200, answer.text

    def form(self, path: str, label: str) -> dict[str, str]:
        """The hidden fields of a form, by its label."""
        return hidden(self.page(path), label)


def hidden(page: str, label: str) -> dict[str, str]:
    """The hidden fields of a form of a page."""
    start = page.index(f'aria-label="{label}"')
    form = page[start : page.index("</form>", start)]
    return dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form))


SETTLED = {
    "field.by": "Grace",
    "field.grade": "2",
    "field.way": '"transfer"',
    "field.amount": "70",
    "field.rate": "0.5",
    "field.paid_on": "2026-02-01",
    "field.urgent": "true",
    "field.lines": '["roof"]',
    "field.note": "",
    "field.secret_word": "sesame",
}


@contextmanager
def office(**options: Any) -> Iterator[Seen]:
    """The claims' office is open, with a page; actions are allowed unless it is said otherwise."""
    given: dict[str, Any] = {"actions": True, "token": TOKEN, **options}
    world: list[Exception] = []
    with (
        Runner(MemoryJournal(), [Claims(world)]) as runner,
        serving(dashboard(runner, **given)) as address,
        httpx.Client(base_url=address, follow_redirects=True) as visitor,
    ):
        yield Seen(runner, visitor, world)
