"""The commit that says which items there are happens, and nobody hears of it: they are not added a second time."""

from __future__ import annotations

from collections.abc import Sequence

from persistence import Change, CommitUnknown, MemoryJournal, Work
from statemachine import Runner
from tests.reliability.errand import Job, Many


class Unheard(MemoryJournal):
    """Commits the items of a visit, and says that it does not know."""

    told = False

    def commit(self, epoch: int, changes: Sequence[Change | Work]) -> list[Exception | None]:
        """Commit, and raise the first time there are items."""
        done = super().commit(epoch, changes)
        if not self.told and any(isinstance(change, Change) and change.given for change in changes):
            self.told = True
            msg = "whether it happened is unknown"
            raise CommitUnknown(msg)
        return done


def test_items_that_nobody_heard_of_are_not_added_twice() -> None:
    """The run goes on over them to its end, and undoes them."""
    journal = Unheard()
    with Runner(journal, [Many()]) as runner:
        run = runner.start(Many, Job(), id="r")
        assert run.result(timeout=10).status == "failed"
        assert journal.told
