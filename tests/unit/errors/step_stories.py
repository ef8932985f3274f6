"""The stories of what a step may do wrong while it works."""

from __future__ import annotations

from persistence import MemoryJournal
from statemachine import Call, Runner, State, Workflow, errors, step
from statemachine.snapshot import Failure
from tests.unit.errors.telling import Desk, tells
from tests.unit.runner.desk import Order


class Packing(Workflow[Order], name="packing"):
    packing = State(initial=True)
    packed = State(final=True)

    @step(packing, to=packed)
    def pack(self, order: Order, call: Call) -> Order:
        call.save(1)  # type: ignore[arg-type]
        return order


@tells(
    errors.CannotSave,
    "Run 'o-1': step pack cannot save: it did not say what it saves; annotate its call with the type, as in ",
    "`call: Call[Epoch]`.",
)
def _saving_what_was_not_said(_desk: Desk) -> Failure | None:
    with Runner(MemoryJournal(), [Packing()]) as runner:
        return runner.start(Packing, Order("book"), id="o-1").result(10).error
