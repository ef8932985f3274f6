"""A process that opens a runner and serves until its input closes; `python -m tests.crash.server FILE MODE`.

MODE is owner, standby or client. It answers lines on standard output: `ready`, then `owner` once it moves the runs.
"""

from __future__ import annotations

import asyncio
import sys
import threading

import attrs

from statemachine import Event, Runner, State, Workflow, evolve, on, step


@attrs.frozen
class Ticket:
    title: str
    worked: int = 0


class Work(Event, frozen=True):
    pass


class Close(Event, frozen=True):
    pass


class TicketLife(Workflow[Ticket], name="ticket"):
    idle = State(initial=True)
    working = State()
    closed = State(final=True)

    work = on(Work, source=idle, to=working)
    close = on(Close, source=idle, to=closed)

    @step(working, to=idle)
    async def do(self, ticket: Ticket) -> Ticket:
        await asyncio.sleep(0.01)
        return evolve(ticket, worked=ticket.worked + 1)


def say(line: str) -> None:
    """One line to whoever started this process."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def serve(file: str, mode: str) -> None:
    """Serve until standard input closes."""
    async with Runner(file, [TicketLife()], standby=mode == "standby", lease=2.0) as runner:
        say("ready")
        loop, closed = asyncio.get_running_loop(), asyncio.Event()
        threading.Thread(target=until_closed, args=(loop, closed), daemon=True).start()
        while not runner.owner and not closed.is_set():  # noqa: ASYNC110 -- a runner tells nobody when it owns
            await asyncio.sleep(0.01)
        if runner.owner:
            say("owner")
        await closed.wait()


def until_closed(loop: asyncio.AbstractEventLoop, closed: asyncio.Event) -> None:
    """Wait, in a thread that does not keep the process alive, until standard input closes."""
    sys.stdin.read()
    loop.call_soon_threadsafe(closed.set)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], sys.argv[2]))
