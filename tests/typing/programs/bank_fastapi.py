"""A bank's engineer: durable approvals behind a web service; each request is one call on the async face."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from statemachine import AsyncRunner, NotAccepted, Runner
from tests.typing.accepted.loan import Approve, Bank, Bureau, Loan, LoanApproval


@asynccontextmanager
async def lifespan(bureau: Bureau, bank: Bank) -> AsyncGenerator[AsyncRunner]:
    """What the web framework enters when it starts and leaves when it stops."""
    async with Runner("loans.db", [LoanApproval(bureau, bank)]) as runner:
        yield runner


async def apply(runner: AsyncRunner, number: str, applicant: str, amount: int) -> dict[str, str]:
    """POST /loans"""
    run = await runner.start(LoanApproval, Loan(applicant, amount), id=f"loan-{number}", tags={"applicant": applicant})
    return {"id": run.id}


async def approve(runner: AsyncRunner, number: str, by: str, request: str) -> tuple[int, str]:
    """POST /loans/{number}/approval"""
    run = runner.get(f"loan-{number}")
    try:
        receipt = await run.send(Approve(by=by), id=request, actor=by)
    except NotAccepted as error:
        return 409, "; ".join(error.reasons) or str(error)
    return 200, receipt.verdict


async def show(runner: AsyncRunner, number: str) -> dict[str, object]:
    """GET /loans/{number}"""
    seen = await runner.get(f"loan-{number}").look()
    return {"state": seen.state, "status": seen.status, "waiting": bool(seen.incidents)}
