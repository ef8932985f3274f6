"""Purchase approvals behind FastAPI: four workers, one file. One moves the runs, and when it dies another goes on.

    python -m examples.web_fastapi --file purchases.db

Every worker opens the same runner with `standby=True`. All of them start, send and read; whichever owns the file moves
the runs. What a standby takes is put into the journal durably, and the owner answers it. So a caller who repeats a
request under its own ids, as below, gets the same answer from every worker, also when the one it asked first has died.
"""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

import attrs
import uvicorn
from fastapi import FastAPI, Header, HTTPException, Request
from fastapi.responses import JSONResponse

from statemachine import (
    AlreadySent,
    AlreadyStarted,
    AsyncRunner,
    Call,
    Event,
    NotAccepted,
    NotAnswered,
    Refused,
    Retry,
    Runner,
    RunnerClosed,
    RunOver,
    State,
    Workflow,
    evolve,
    on,
    step,
)

FILE = "PURCHASES_FILE"
"""The environment variable that tells each worker which file."""


@attrs.frozen
class Purchase:
    """What somebody wants to buy, what was said of it, and who let it pass."""

    item: str
    remarks: tuple[str, ...] = ()
    approved_by: str | None = None
    order: str = ""


class Remark(Event, frozen=True):
    """Somebody has something to say."""

    text: str


class Approve(Event, frozen=True):
    """Somebody lets it pass."""

    by: str


class Purchasing(Workflow[Purchase], name="purchasing"):
    """Remarks until it is approved, then one order at the supplier's."""

    review = State(initial=True, waits_for="a buyer")
    ordering = State()
    ordered = State(final=True)

    @on(Remark, source=review)
    def remark(self, purchase: Purchase, event: Remark) -> Purchase:
        """Keep it."""
        return evolve(purchase, remarks=(*purchase.remarks, event.text))

    @on(Approve, source=review, to=ordering)
    def approve(self, purchase: Purchase, event: Approve) -> Purchase:
        """Keep who it was."""
        return evolve(purchase, approved_by=event.by)

    @step(ordering, to=ordered, retry=Retry(5), pivot=True)
    async def order(self, purchase: Purchase, call: Call) -> Purchase:
        """A supplier would be told `call.key`, and order once however often it is told."""
        return evolve(purchase, order=f"order {call.key}")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    """In each worker: open the file when it starts, and give it up when it ends."""
    async with Runner(os.environ[FILE], [Purchasing()], standby=True) as runner:
        app.state.runner = runner
        yield


app = FastAPI(lifespan=lifespan)
Key = Annotated[str, Header(alias="Idempotency-Key")]


def _runner(request: Request) -> AsyncRunner:
    runner: AsyncRunner = request.app.state.runner
    return runner


@app.put("/purchases/{number}", status_code=202)
async def ask(request: Request, number: str, item: str) -> dict[str, str]:
    """Start it; durable when this answers. The same again is the same purchase."""
    run = await _runner(request).start(Purchasing, Purchase(item), id=f"purchase-{number}")
    return {"id": run.id}


@app.post("/purchases/{number}/remarks")
async def remark(request: Request, number: str, text: str, key: Key) -> dict[str, str]:
    """One remark for each key, however often it is sent."""
    return await _send(_runner(request), number, Remark(text=text), key)


@app.post("/purchases/{number}/approval")
async def approve(request: Request, number: str, by: str, key: Key) -> dict[str, str]:
    """Let it pass."""
    return await _send(_runner(request), number, Approve(by=by), key)


async def _send(runner: AsyncRunner, number: str, event: Event, key: str) -> dict[str, str]:
    """`accepted`, from the owner at once; from a standby when the owner has answered it."""
    receipt = await runner.send(f"purchase-{number}", event, id=key)
    return {"verdict": (await runner.verdict(receipt, timeout=10)).verdict}


@app.get("/purchases/{number}")
async def show(request: Request, number: str) -> dict[str, Any]:
    """Where it stands."""
    seen = await _runner(request).look(f"purchase-{number}")
    return {"state": seen.state, "status": seen.status, "data": attrs.asdict(seen.data)}


@app.get("/health")
async def health(request: Request) -> dict[str, Any]:
    """Who answers, who moves the runs, how many need a person. 503 for longer than a moment: call somebody."""
    found = await _runner(request).health()
    if found.owner is None:
        raise HTTPException(503, "nobody moves the runs")
    return {"worker": os.getpid(), "owner": found.owner, "incidents": found.incidents}


# What a caller is told: the owner refuses by its own error, a standby passes the owner's words on as `Refused`.


def _conflict(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"refused": str(error)}, 409)


def _unknown(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"unknown": str(error)}, 404)


def _later(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"repeat": str(error)}, 503, {"Retry-After": "1"})


def _lost(request: Request, error: Exception) -> JSONResponse:
    """This worker stood still, and another took over. It would say so for ever; its server makes a new one."""
    os.kill(os.getpid(), signal.SIGTERM)
    return _later(request, error)


for refusal in (AlreadySent, AlreadyStarted, NotAccepted, RunOver, Refused):
    app.add_exception_handler(refusal, _conflict)
app.add_exception_handler(LookupError, _unknown)
app.add_exception_handler(NotAnswered, _later)
app.add_exception_handler(RunnerClosed, _lost)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until told to end."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--file", default="purchases.db", help="the journal")
    parser.add_argument("--port", type=int, default=8000, help="0: one that is free")
    parser.add_argument("--workers", type=int, default=4)
    options = parser.parse_args(arguments)
    os.environ[FILE] = options.file
    uvicorn.run("examples.web_fastapi:app", port=options.port, workers=options.workers, access_log=False)


if __name__ == "__main__":
    main()
