"""Pictures of the dashboard for the documents: `python -m tests.browser.screenshots` writes docs/images/*.png.

They show the loan desk's journal: a small day with a kill in it, then a morning on which the bank does not answer.
"""

from __future__ import annotations

import logging
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import attrs
from playwright.sync_api import Page

from examples.loan_desk import Approve, Loan, LoanDesk
from examples.loan_desk_data import generate
from examples.loan_desk_processes import BankProcess
from examples.loan_desk_remote import Bank, Bureau
from examples.loan_desk_report import JOURNAL
from statemachine import Runner
from statemachine.dashboard import dashboard
from tests.browser.browsing import apart, browsing
from tests.unit.dashboard.serving import serving

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
TOKEN = "a token of the pictures"
WIDE, HIGH = 1360, 850
"""Pixels of a picture."""
PATIENCE = 60.0


def until(condition: Callable[[], object], what: str) -> None:
    """Come back when something is so."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            message = f"waited {PATIENCE:.0f} s for {what}"
            raise TimeoutError(message)
        time.sleep(0.05)


LOANS = range(201, 241)


def seed_of_an_incident() -> int:
    """A seed with which the bank wants to speak about some of the loans, so that there are incidents to show."""
    return next(seed for seed in range(1000) if sum(chance(seed, "queried", number) < 0.015 for number in LOANS) >= 3)


def name(number: int) -> str:
    """A loan's id."""
    return f"loan-{number:04}"


def chance(seed: int, what: str, number: int) -> float:
    """As the bank draws it."""
    return random.Random(f"{seed}:{what}:{name(number)}").random()


@contextmanager
def morning(folder: Path) -> Iterator[Runner]:
    """The desk on the morning after: loans that wait for clerks, incidents, and a bank that does not answer."""
    seed = seed_of_an_incident()
    queried = {name(number) for number in LOANS if chance(seed, "queried", number) < 0.015}
    applications = [attrs.evolve(one, checking="A14", history="A34") for one in generate(len(LOANS), 23)]
    with (
        BankProcess(folder, seed=seed) as bank,
        Runner(folder / JOURNAL, [LoanDesk(Bureau(bank.port), Bank(bank.port))]) as runner,
    ):
        for number, application in zip(sorted(LOANS, key=lambda one: name(one) in queried), applications, strict=True):
            tags = {"branch": ("north", "south")[number % 2]}
            runner.start(LoanDesk, Loan(application), id=name(number), tags=tags)
        until(lambda: not list(busy(runner)), "the checks")
        first = [run.id for run in runner.list(state=LoanDesk.decision, limit=100)]
        for run in {*first[::2], *queried} & set(first):
            runner.send(run, Approve("Ada"), actor="Ada")
        second = [run.id for run in runner.list(state=LoanDesk.decision.second, limit=100)]
        for run in queried & set(second):
            runner.send(run, Approve("Grace"), actor="Grace", reason="income seen on paper")
        until(lambda: runner.list(incident=True), "an incident")
        bank.kill()
        for run in [one for one in second if one not in queried][::3]:
            runner.send(run, Approve("Grace"), actor="Grace", reason="income seen on paper")
        until(lambda: runner.list(status="undoing"), "a loan that is undone")
        yield runner


def busy(runner: Runner) -> Iterator[str]:
    """Loans that nobody decides yet, because their checks are not done."""
    for run in runner.list(status="running", limit=200):
        if run.state[0].startswith(("screening", "checks")):
            yield run.id


def main(images: Path = IMAGES) -> None:
    """Take them."""
    images.mkdir(parents=True, exist_ok=True)
    logging.getLogger("statemachine").setLevel(logging.CRITICAL)  # the bank is meant not to answer
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "day"
        day = [
            sys.executable,
            "-m",
            "examples.loan_desk",
            "--folder",
            str(folder),
            "--applications",
            "60",
            "--kills",
            "1",
        ]
        subprocess.run(day, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        with morning(folder) as runner:
            page = dashboard(runner, actions=True, token=TOKEN, title="Loan desk")
            with serving(page) as address, browsing() as browser:
                waits = apart(lambda: runner.list(state=LoanDesk.decision.second, limit=1))[0].id
                undone = apart(lambda: runner.list(status="undoing", limit=1))[0].id
                asks = apart(lambda: runner.list(incident=True, limit=1))[0].id
                for scheme in ("light", "dark"):
                    context = browser.new_context(
                        viewport={"width": WIDE, "height": HIGH}, color_scheme=scheme, reduced_motion="reduce"
                    )
                    with closing(context):
                        tour(context.new_page(), address, images, f"-{scheme}", (waits, undone, asks))


def tour(page: Page, address: str, images: Path, scheme: str, runs: tuple[str, str, str]) -> None:
    """The pages, each with its picture."""
    waits, undone, asks = runs

    def take(path: str, name: str, high: int = HIGH) -> None:
        page.set_viewport_size({"width": WIDE, "height": high})
        page.goto(f"{address}{path}", wait_until="load")
        page.locator("#live.on").wait_for()
        if name == "inbox":
            page.locator("details.event summary").first.click()
        page.screenshot(path=images / f"{name}{scheme}.png")

    page.goto(f"{address}/sign-in?to=/runs")
    page.get_by_label("token").fill(TOKEN)
    page.get_by_label("your name").fill("Grace")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/runs*")
    take("/runs", "runs")
    take(f"/runs/{waits}", "run", 1770)
    take("/inbox", "inbox")
    take(f"/sagas/{asks}", "incident")
    take(f"/sagas/{undone}", "saga")
    take("/health?since=1d", "health")


if __name__ == "__main__":
    main()
