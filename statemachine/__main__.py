"""`python -m statemachine`: the same as the command `statemachine`."""

from __future__ import annotations

from statemachine.cli import main

if __name__ == "__main__":
    main()
