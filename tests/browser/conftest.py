"""A browser for the tests of this folder: without one they are skipped by name, and in CI they fail."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Dialog, Page

from tests.browser.browsing import NoBrowserError, browsing
from tests.conftest import IN_CI


# Not for longer than a module: while Playwright is open, this thread has a running loop, and sync runners refuse that.
@pytest.fixture(name="browser", scope="module")
def _browser() -> Iterator[Browser]:
    try:
        opened = browsing()
        browser = opened.__enter__()
    except NoBrowserError as error:
        if IN_CI:
            pytest.fail(f"{error}; CI must have one", pytrace=False)
        pytest.skip(str(error))
    yield browser
    opened.__exit__(None, None, None)


@pytest.fixture(name="page")
def _page(browser: Browser) -> Iterator[Page]:
    """A page that is watched: what it writes to its console as an error, or refuses by its policy, fails the test."""
    context = browser.new_context()
    context.set_default_timeout(15_000)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console",
        lambda said: faults.append(said.text) if "Content Security Policy" in said.text else None,
    )

    def dismiss(dialog: Dialog) -> None:
        faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    page.on("dialog", dismiss)
    yield page
    context.close()
    assert faults == []
