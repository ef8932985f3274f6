"""The runs that are kept decoded between their transitions, as they were committed last."""

from __future__ import annotations

from collections import OrderedDict

from statemachine.runner.loaded import Loaded

WAITING, WORKING = 2_048, 8_192
"""How many runs are kept that wait, and that have work under way.

Of the latter an attempt has the snapshot anyway, and its outcome is what comes next: to read it again then costs more
than the rest of the transition.
"""


class Remembered:
    """See the module. One thread changes it; any may ask."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, Loaded] = OrderedDict()
        self._working: OrderedDict[str, Loaded] = OrderedDict()

    def get(self, run: str) -> Loaded | None:
        """The run, if it is kept."""
        return self._working.get(run) or self._waiting.get(run)

    def keep(self, loaded: Loaded) -> None:
        """Keep it, in the place of what was kept of this run."""
        run = loaded.record.run
        if loaded.record.busy:
            kept, other, most = self._working, self._waiting, WORKING
        else:
            kept, other, most = self._waiting, self._working, WAITING
        kept[run] = loaded
        kept.move_to_end(run)
        other.pop(run, None)
        if len(kept) > most:
            kept.popitem(last=False)

    def drop(self, run: str) -> None:
        """Keep nothing of a run."""
        self._waiting.pop(run, None)
        self._working.pop(run, None)

    def drop_over(self) -> None:
        """Keep nothing of runs that are over; none of those is at work."""
        self._waiting = OrderedDict(one for one in self._waiting.items() if not one[1].record.over)

    def clear(self) -> None:
        """Keep nothing."""
        self._waiting.clear()
        self._working.clear()
