"""What the events of a definition are called when people read: a step's outcome, a time, a state that is done."""

from __future__ import annotations

from collections.abc import Iterator

from statemachine.definition import Definition, StepSpec

_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


class Wording:
    """The words for the events of one definition."""

    def __init__(self, definition: Definition) -> None:
        self._events = {"": "at once"}
        for step in definition.steps:
            self._events[step.succeeded_event] = f"{step.name} succeeds"
            self._events[step.failed_event] = f"{step.name} is given up"
            for arm, exception in enumerate(step.errors):
                self._events[step.error_event(arm)] = f"{step.name} raises {exception}"
        for timer in definition.timers:
            self._events[timer.event] = f"after {timer.delay if isinstance(timer.delay, str) else span(timer.delay)}"

    def event(self, name: str) -> str:
        """What an event is to a reader; one that was sent has its own name."""
        if name.startswith("done.state."):
            return f"{name.removeprefix('done.state.')} is done"
        return self._events.get(name, name)


def span(seconds: float) -> str:
    """Seconds in the largest unit that fits evenly."""
    for size, unit in _UNITS:
        if seconds >= size and seconds % size == 0:
            number = int(seconds // size)
            return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
    return f"{seconds:g} seconds"


def manner(step: StepSpec) -> Iterator[str]:
    """How a step is done, where that is not once, in the runner's own process, until its time is over."""
    if step.each is not None:
        items = step.each.rpartition(".")[2].replace("<lambda>", "its items")
        collected = ", failures collected" if step.failures == "collect" else ""
        yield f"for each of {items}, {step.limit} at once{collected}"
    if step.process:
        yield "in a process of its own"
    if step.heartbeat is not None:
        yield f"fails when silent for {span(step.heartbeat)}"
    if step.cache is not None:
        yield f"takes results of the last {span(step.cache.age)}"
