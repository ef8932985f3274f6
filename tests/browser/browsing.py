"""A browser, and work that is done apart from it.

Playwright's own loop runs in this thread, so a sync runner is spoken to from another: see `apart`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from playwright.sync_api import Browser, Playwright, sync_playwright
from playwright.sync_api import Error as BrowserError

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


def apart(work: Callable[[], T]) -> T:
    """Do it in another thread, where no loop runs."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()
