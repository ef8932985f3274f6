"""An operator at three in the morning: what waits for a person, why, and what to do about it, from a second process."""

from __future__ import annotations

import sys

from statemachine import Client, NotAnswered, Refused
from tests.typing.accepted.loan import Bank, Bureau, LoanApproval


def list_incidents(client: Client) -> None:
    """Every incident, with its run, its step and its reason."""
    for summary in client.list(workflow=LoanApproval, incident=True, limit=20):
        run = client.get(summary.id)
        for incident in run.incidents:
            print(run.id, run.state, incident.number, incident.kind, incident.step, incident.message)
        for entry in run.journal()[-5:]:
            print("   ", entry.at, entry.kind, entry.name, entry.actor, entry.reason)


def main(bureau: Bureau, bank: Bank) -> None:
    """`incidents`, `retry RUN NUMBER`, `skip RUN NUMBER REASON` or `done RUN NUMBER REASON`."""
    verb, *rest = sys.argv[1:]
    with Client("loans.db", [LoanApproval(bureau, bank)]) as client:
        if verb == "incidents":
            list_incidents(client)
            return
        run, number, reason = client.get(rest[0]), int(rest[1]), " ".join(rest[2:])
        try:
            if verb == "retry":
                run.retry(number, actor="night shift")
            elif verb == "skip":
                run.skip(number, reason=reason, actor="night shift")
            else:
                run.done(number, reason=reason, actor="night shift")
        except (Refused, NotAnswered) as error:
            sys.exit(str(error))
        print(run.status, run.state)
