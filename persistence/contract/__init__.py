"""What every journal must do, as tests: subclass `JournalContract`, say how a journal is opened, let pytest collect it.

```python
class TestMine(JournalContract):
    def open(self): return MyJournal(...)            # a new, empty one
    def beside(self, journal): return MyJournal(...) # over the same store, as another process would have it
```

Nothing here needs pytest itself. Leases are asked for with 0 seconds where one must have run out, so no test waits.
"""

from persistence.contract.caching import Caching
from persistence.contract.commits import Commits
from persistence.contract.fanning import Fanning
from persistence.contract.holding import Holding
from persistence.contract.keeping import Keeping
from persistence.contract.making import LEASE, a_message, a_run, an_entry, refused, start, step
from persistence.contract.noticing import Noticing
from persistence.contract.owners import Owners
from persistence.contract.reading import Reading

__all__ = ["LEASE", "JournalContract", "a_message", "a_run", "an_entry", "refused", "start", "step"]


class JournalContract(Caching, Commits, Fanning, Holding, Keeping, Noticing, Owners, Reading):
    """The contract, one test for each sentence of it."""
