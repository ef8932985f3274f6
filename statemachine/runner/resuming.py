"""Begins again what the last owner was doing, as `recovery` finds and counts it: page by page, suspects first."""

from __future__ import annotations

import logging
from collections.abc import Callable

from statemachine.commands import RunStep, Undo
from statemachine.runner import recovery
from statemachine.runner.loaded import Loaded
from statemachine.runner.logs import fields
from statemachine.runner.mover import Request
from statemachine.runner.requests import Holding, Reading, Telling
from statemachine.runner.steps import Steps
from statemachine.runner.writer import Writer
from statemachine.transition import outstanding

log = logging.getLogger("statemachine")
ALONE = 10.0
"""Seconds that a step or an undo under suspicion runs with nothing beside it; it has survived then."""


class Resuming:
    """See the module.

    Args:
        writer: Whom to ask.
        steps: What begins steps.
        command: Performs a run's command.
        wanted: The kinds of notices that are to be written. A tool, which begins no steps, leaves them as they were.
        perform: Whether steps are begun at all.
    """

    def __init__(
        self,
        writer: Writer,
        steps: Steps,
        command: Callable[[Loaded, object], None],
        *,
        wanted: frozenset[str],
        perform: bool,
    ) -> None:
        self._writer = writer
        self._steps = steps
        self._command = command
        self._perform = perform
        self._wanted = wanted if perform else None
        self._recovery: recovery.Recovery | None = None
        self._suspects: list[tuple[Loaded, RunStep | Undo]] = []

    async def look(self) -> recovery.Recovered:
        """What is to be begun first. Counted durably, and not yet begun."""
        looking = Reading(lambda mover: recovery.Recovery(mover, self._wanted))
        taken: recovery.Recovery = await self._writer.ask(looking)
        self._recovery = taken
        return await self._page(taken)

    async def _page(self, taken: recovery.Recovery, *, must: bool = False) -> recovery.Recovered:
        found: recovery.Recovered = await self._writer.ask(recovery.Recovering(taken), must=must)
        taken.advance(found)
        return found

    async def go_on(self) -> None:
        """Begin what is left: suspects one by one, then the pages that were not read yet."""
        if self._suspects and self._perform:
            await self._one_by_one()
        while self._recovery is not None and self._recovery.after is not None:
            self.begin(await self._page(self._recovery, must=True))

    async def part(self) -> None:
        """Record that no step is left running; what had died with the last owner is counted for the next one."""
        while self._recovery is not None and self._recovery.after is not None:
            await self._page(self._recovery)
        await self._writer.ask(recovery.Marking(None))

    def begin(self, found: recovery.Recovered) -> None:
        """Begin a page of runs again, but for suspects, and let those be moved that asked for it meanwhile."""
        mover, last = self._writer.mover, found.last
        mover.behind = last
        if last is None:
            mover.ahead.clear()
        for counted in found.begun:
            mover.crashed.setdefault(counted.run, set()).add(counted.visit)
        # Before whatever waited for these runs: nobody may have a step begun again that is lost.
        first: list[Request] = [Holding(run, reason) for run, reason in found.held.items()]
        first += [Telling(run, lost) for run, lost in found.lost]
        first += [Telling(run, stopped) for run, stopped in found.stopped]
        self._writer.tell_first(first, lambda run: last is None or run <= last)
        if found.alone or not self._perform:
            self._steps.hold()
        alone = set(found.alone)
        lost_visits = {(run, lost.visit) for run, lost in found.lost}
        for loaded in found.going:
            for command in outstanding(loaded.snapshot):
                visit = (loaded.record.run, command.visit)
                if visit in alone:
                    self._suspects.append((loaded, command))
                elif visit not in lost_visits:
                    self._command(loaded, command)

    async def _one_by_one(self) -> None:
        """Begin each step or undo under suspicion with nothing beside it, before everything else."""
        for loaded, command in self._suspects:
            run = loaded.record.run
            log.warning(
                "%s %s of run %s was running at %d crashes; it is begun alone",
                "The undo of step" if isinstance(command, Undo) else "Step",
                command.step,
                run,
                recovery.SUSPECT,
                extra=fields(loaded.record.workflow, run, command.step, command.attempt),
            )
            await self._writer.ask(recovery.alone(run, command.visit), must=True)
            if isinstance(command, Undo):
                self._steps.undo(loaded.hosted, loaded.snapshot, command, alone=True)
            else:
                self._steps.run(loaded.hosted, loaded.snapshot, command, alone=True)
            await self._steps.quiet(run, command.visit, ALONE)
        await self._writer.ask(recovery.Marking(recovery.EVERYTHING), must=True)
        self._steps.release()
