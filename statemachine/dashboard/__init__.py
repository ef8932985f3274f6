"""The web page of a journal: its runs, what waits for a person, sagas, health. It needs the extra `[web]`.

::

    app.mount("/workflows", dashboard(runner))                                  # to look
    app.mount("/workflows", dashboard(runner, actions=True, token=secret))      # and to act
"""

from __future__ import annotations

from statemachine import _clash as _clash
from statemachine.dashboard.app import dashboard

__all__ = ["dashboard"]
