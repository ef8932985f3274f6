"""A workflow from an installed package: it starts, waits, is closed, opened again, goes on, and what it did is undone.

`make wheel-test` runs it in an environment that has the wheel and nothing of the checkout, and mypy checks it there.
"""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs

import persistence
import statemachine
from statemachine import Call, Event, Runner, State, Workflow, on, step


@attrs.frozen
class Order:
    """A run's data."""

    item: str
    reserved: bool = False
    confirmed_by: str | None = None


class Confirm(Event, frozen=True):
    """A person says yes."""

    by: str


class Refuse(Event, frozen=True):
    """A person says no."""


class Ordering(Workflow[Order], name="ordering", version=1):
    """Reserve, ask, ship; or put back."""

    reserving = State(initial=True, defer=(Confirm, Refuse))
    asking = State()
    shipped = State(final=True)
    dropped = State(final=True, compensate=True)

    @step(reserving, to=asking)
    async def reserve(self, order: Order, call: Call) -> Order:
        """Takes the item from the shelf."""
        return attrs.evolve(order, reserved=bool(call.key))

    @reserve.undo
    async def put_back(self, order: Order, call: Call) -> None:
        """Puts it back."""
        PUT_BACK.append(order.item if call.undoes else "nothing")

    @on(Confirm, source=asking, to=shipped)
    def confirm(self, order: Order, event: Confirm) -> Order:
        """Notes who said yes."""
        return attrs.evolve(order, confirmed_by=event.by)

    refuse = on(Refuse, source=asking, to=dropped)


PUT_BACK: list[str] = []


def check_what_is_installed() -> None:
    """The wheel holds two typed packages and one command, needs three packages, and is what was imported."""
    files = importlib.metadata.files("durable-statemachine") or []
    commands = {file.stem for file in files if file.parts[0] == ".."}  # installers write it beside the interpreter
    assert commands == {"statemachine"}, commands
    rooms = {file.parts[0] for file in files if file.parts[0] != ".." and not file.parts[0].endswith(".dist-info")}
    assert rooms == {"statemachine", "persistence"}, rooms
    for package in (statemachine, persistence):
        folder = Path(str(package.__file__)).parent
        assert folder.is_relative_to(sys.prefix), folder
        assert (folder / "py.typed").is_file(), folder
    pages = Path(str(statemachine.__file__)).parent / "dashboard"
    for name in ("templates/layout.html", "templates/inbox.html", "static/style.css", "static/live.js"):
        assert (pages / name).is_file(), name
    requires = importlib.metadata.requires("durable-statemachine") or []
    assert len([one for one in requires if "extra ==" not in one]) == 3, requires


def check_what_it_does(file: Path) -> None:
    """Two runs over two openings of one file."""
    with Runner(file, [Ordering()]) as runner:
        runner.start(Ordering, Order("lamp"), id="order-1")
        runner.start(Ordering, Order("chair"), id="order-2")
    with Runner(file, [Ordering()]) as runner:
        one, two = runner.get("order-1"), runner.get("order-2")
        one.send(Confirm(by="ada"), id="message-1")
        two.send(Refuse(), id="message-2")
        assert one.result(timeout=30).data == Order("lamp", reserved=True, confirmed_by="ada")
        assert two.result(timeout=30).status == "completed"
        assert PUT_BACK == ["chair"], PUT_BACK


def main() -> None:
    """Check both; an assertion that fails ends it."""
    check_what_is_installed()
    with TemporaryDirectory() as folder:
        check_what_it_does(Path(folder) / "smoke.db")
    print(f"durable-statemachine {importlib.metadata.version('durable-statemachine')} works as installed")


if __name__ == "__main__":
    main()
