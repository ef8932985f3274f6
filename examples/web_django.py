"""Leave requests in Django under gunicorn, which forks its workers: a runner made before that, and opened after it.

    LEAVE_FILE=leave.db python -m examples.web_django
    LEAVE_FILE=leave.db python -m examples.web_django --early      # opened too early: each request says what to do

SQLite and threads do not survive a fork, so a runner belongs to the process that opened it. Making it (`Runner(...)`)
opens nothing. `post_fork` below opens it in each worker; `AppConfig.ready` would do as well, but not under `gunicorn
--preload`, where it runs before the fork. A runner that was opened before is not used after: it refuses, with the way
out.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.http import require_GET, require_POST
from gunicorn.app.base import BaseApplication

from statemachine import (
    AlreadySent,
    AlreadyStarted,
    Event,
    NoSuchRun,
    NotAccepted,
    NotAnswered,
    OpenedBeforeFork,
    Refused,
    Runner,
    RunnerClosed,
    RunOver,
    State,
    Workflow,
    evolve,
    on,
)


@attrs.frozen
class Request:
    """Who wants to be away, and who agreed."""

    who: str
    days: int
    decided_by: str | None = None


class Grant(Event, frozen=True):
    """Somebody agrees."""

    by: str


class Deny(Event, frozen=True):
    """Somebody does not."""

    by: str


def somebody_else(request: Request, event: Grant) -> bool:
    """nobody grants their own leave"""
    return event.by != request.who


class Leave(Workflow[Request], name="leave"):
    """One decision."""

    asked = State(initial=True, waits_for="the head of the department")
    granted = State(final=True)
    denied = State(final=True)

    @on(Grant, source=asked, to=granted, when=somebody_else)
    def grant(self, request: Request, event: Grant) -> Request:
        """Keep who it was."""
        return evolve(request, decided_by=event.by)

    @on(Deny, source=asked, to=denied)
    def deny(self, request: Request, event: Deny) -> Request:
        """Keep who it was."""
        return evolve(request, decided_by=event.by)


runner = Runner(os.environ.get("LEAVE_FILE", "leave.db"), [Leave()], standby=True)


# Sync views, in whichever worker.


@require_POST
def ask(request: HttpRequest, number: str) -> HttpResponse:
    """Start it; durable when this answers."""
    told = json.loads(request.body)
    run = runner.start(Leave, Request(told["who"], told["days"]), id=f"leave-{number}")
    return JsonResponse({"id": run.id}, status=202)


@require_POST
def decide(request: HttpRequest, number: str, decision: str) -> HttpResponse:
    """Grant or deny it; the header says by which id a repeated request is known."""
    by = json.loads(request.body)["by"]
    event = Grant(by=by) if decision == "grant" else Deny(by=by)
    receipt = runner.send(f"leave-{number}", event, id=request.headers["Idempotency-Key"], actor=by)
    return JsonResponse({"verdict": runner.verdict(receipt, timeout=10).verdict})


@require_GET
def show(_request: HttpRequest, number: str) -> HttpResponse:
    """Where it stands."""
    seen = runner.get(f"leave-{number}").look()
    return JsonResponse({"state": seen.state, "data": attrs.asdict(seen.data)})


@require_GET
def health(_request: HttpRequest) -> HttpResponse:
    """Who answers, and who moves the runs."""
    return JsonResponse({"worker": os.getpid(), "owner": runner.health().owner})


def refusals(view: Callable[[HttpRequest], HttpResponse]) -> Any:
    """A middleware: what the library refuses is told to the caller in its own words."""

    def answer(request: HttpRequest) -> HttpResponse:
        return view(request)

    def process_exception(_request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, OpenedBeforeFork):
            return JsonResponse({"error": str(error)}, status=500)
        if isinstance(error, NotAnswered | RunnerClosed):
            return JsonResponse({"repeat": str(error)}, status=503)
        if isinstance(error, NoSuchRun):
            return JsonResponse({"unknown": str(error)}, status=404)
        if isinstance(error, AlreadySent | AlreadyStarted | NotAccepted | RunOver | Refused):
            return JsonResponse({"refused": str(error)}, status=409)
        return None

    answer.process_exception = process_exception  # type: ignore[attr-defined]
    return answer


urlpatterns = [
    path("leave/<str:number>", show),
    path("leave/<str:number>/ask", ask),
    path("leave/<str:number>/<str:decision>", decide),
    path("health", health),
]


class Server(BaseApplication):
    """gunicorn with this application: loaded once, before the workers are forked."""

    def __init__(self, application: Any, options: dict[str, Any]) -> None:
        self._application = application
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        """What gunicorn asks for its settings."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """What gunicorn asks for the application."""
        return self._application


def open_here(_server: Any, _worker: Any) -> None:
    """In each worker, right after the fork."""
    runner.__enter__()


def close_here(_server: Any, _worker: Any) -> None:
    """In each worker, as it ends: running steps get their grace, and another worker takes the file over at once."""
    runner.close()


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until told to end."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--port", type=int, default=8000, help="0: one that is free")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--early", action="store_true", help="open the runner before the fork, to see what that does")
    options = parser.parse_args(arguments)
    settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1"], MIDDLEWARE=[f"{__name__}.refusals"])
    django.setup()
    serving: dict[str, Any] = {"bind": f"127.0.0.1:{options.port}", "workers": options.workers}
    serving["control_socket_disable"] = True
    if options.early:
        runner.__enter__()
    else:
        serving |= {"post_fork": open_here, "worker_exit": close_here}
    Server(get_wsgi_application(), serving).run()


if __name__ == "__main__":
    main()
