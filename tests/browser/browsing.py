"""A page that is served, and a browser that looks at it.

Playwright's own loop runs in this thread, so a sync runner is spoken to from another: see `apart`.
"""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import uvicorn
from playwright.sync_api import Browser, Playwright, sync_playwright
from playwright.sync_api import Error as BrowserError
from starlette.types import ASGIApp

T = TypeVar("T")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--no-first-run",
]


class NoBrowserError(Exception):
    """There is no Chromium, neither the system's nor Playwright's own."""


@contextmanager
def browsing() -> Iterator[Browser]:
    """Chromium: the system's where there is one, else Playwright's own.

    Raises:
        NoBrowserError: There is none.
    """
    with sync_playwright() as playwright:
        browser = _launch(playwright)
        try:
            yield browser
        finally:
            browser.close()


def _launch(playwright: Playwright) -> Browser:
    named = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    try:
        return playwright.chromium.launch(executable_path=named, args=ARGUMENTS)
    except BrowserError as error:
        message = f"no browser to test with: {error.message.splitlines()[0]}"
        raise NoBrowserError(message) from error


@contextmanager
def serving(page: ASGIApp) -> Iterator[str]:
    """Serve it on a free port of this machine, in a thread. Gives its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(page, log_level="warning", ws="none", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="dashboard")
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


def apart(work: Callable[[], T]) -> T:
    """Do it in another thread, where no loop runs."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()
