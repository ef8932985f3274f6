"""The other two processes of the loan desk: the bank, and the worker that is killed and started again.

Both live no longer than their standard input is open, so nothing is left behind when the demo itself is killed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parent.parent


class ProcessDied(Exception):
    """A process ended that nobody had killed. The message has the end of what it said."""


class FolderError(Exception):
    """A folder cannot be used. The message says why."""


def new_folder(wanted: Path | None) -> Path:
    """The folder that a day is kept in: the one that is wanted, made if need be, or a temporary one.

    Raises:
        FolderError: There is something in it already.
    """
    if wanted is None:
        return Path(tempfile.mkdtemp(prefix="loan-desk-"))
    wanted.mkdir(parents=True, exist_ok=True)
    if any(wanted.iterdir()):
        message = (
            f"{wanted} is not empty. Name a new folder for a new day, or look at an old one with --check {wanted}."
        )
        raise FolderError(message)
    return wanted


class _Process:
    """A Python module that runs as a process, its errors written to a file."""

    def __init__(self, log: Path, module: str, *arguments: str) -> None:
        self._command = [sys.executable, "-m", module, *arguments]
        self._log = log
        self._process = self._start()

    def _start(self) -> subprocess.Popen[str]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                self._command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it: close its standard input, and insist if it does not listen."""
        try:
            self._process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """SIGKILL: it has no say in the matter."""
        self._process.kill()
        self._process.communicate()

    def restart(self) -> None:
        """Kill it where it stands, and start it again."""
        self.kill()
        self._process = self._start()

    def check(self) -> None:
        """Raise ProcessDied if it has ended."""
        code = self._process.poll()
        if code is not None:
            said = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-12:]
            message = f"{self._command[2]} ended by itself with exit code {code}. Its last words in {self._log}:"
            raise ProcessDied("\n  ".join([message, *said]))

    def read_line(self) -> str:
        """The next line that it prints, waited for."""
        if self._process.stdout is None or not (line := self._process.stdout.readline()):
            self._process.communicate()
            self.check()
            message = f"{self._command[2]} has closed its output"
            raise ProcessDied(message)
        return line.strip()


class BankProcess(_Process):
    """The unreliable bank and bureau, at one port for as long as it is started again."""

    def __init__(self, folder: Path, *, seed: int, outage: float = 0.0, outage_after: int = 0) -> None:
        chance = ("--seed", str(seed), "--outage", str(outage), "--outage-after", str(outage_after))
        super().__init__(folder / "bank.log", "examples.loan_desk_bank", str(folder), *chance)
        self.port = int(self.read_line())
        self._command += ["--port", str(self.port)]


class Worker(_Process):
    """The process that owns the journal and moves the loans."""

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(
            folder / "worker.log", "examples.loan_desk", "--work-in", str(folder), "--bank-port", str(port)
        )
