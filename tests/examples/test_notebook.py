"""The notebook, run in a kernel: all of it, then again the cells that somebody runs again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "examples" / "notebook.ipynb"


class Kernel:
    """A kernel that runs cells of the notebook, or others."""

    def __init__(self, client: NotebookClient) -> None:
        self._client = client
        self._cells = {cell.id: cell for cell in client.nb.cells}

    def run(self, *names: str) -> str:
        """Run the cells of these names; what the last one said, as JSON."""
        said: list[object] = []
        for name in names:
            said = self._client.execute_cell(self._cells[name], list(self._cells).index(name)).outputs
        return json.dumps(said)

    def say(self, code: str) -> str:
        """Run a cell that is not in the notebook; what it said, as JSON."""
        self._client.nb.cells.append(cell := nbformat.v4.new_code_cell(code))  # type: ignore[no-untyped-call]
        return json.dumps(self._client.execute_cell(cell, len(self._client.nb.cells) - 1).outputs)

    def refused(self, code: str) -> str:
        """Run a cell that must fail; the error's own sentence."""
        with pytest.raises(CellExecutionError) as caught:
            self.say(code)
        return f"{caught.value.ename}: {caught.value.evalue}"


@pytest.fixture(name="kernel")
def _kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}})
    with client.setup_kernel():
        yield Kernel(client)


ALL = ("define", "open", "start", "picture", "journal", "close")


@pytest.mark.slow
def test_the_notebook_runs_and_runs_again(kernel: Kernel) -> None:
    """All of it; then all of it again in the same kernel, which finds the run over and trains nothing."""
    kernel.run("define", "open", "start")
    assert "<svg" in kernel.run("picture")
    first = kernel.run("journal")
    assert first.count("succeeded train") == 4
    kernel.run("close")
    kernel.run("define", "open", "start", "picture")
    assert kernel.run("journal") == first
    kernel.run("close")


@pytest.mark.slow
def test_the_cells_that_define_and_open_are_run_again_while_it_is_open(kernel: Kernel) -> None:
    """The opening cell closes what it opened before; a class that the runner was not given is refused, not mixed up."""
    kernel.run("define", "open", "start")
    kernel.run("define")
    refused = kernel.refused("await runner.start(RateSearch, Search(rates=(0.5,)), id='search-2')")
    assert "UnknownWorkflow" in refused
    assert "another class called 'rate-search': this one was defined again" in refused
    kernel.run("open")
    assert "chosen" in kernel.say("(await (await runner.start(RateSearch, Search(rates=(0.5,)))).result(60)).state")
    kernel.run("close")


@pytest.mark.slow
def test_what_a_notebook_gets_wrong_is_said(kernel: Kernel) -> None:
    """A second runner on the file, and a call that would block the notebook's loop, each name the way out."""
    kernel.run("define", "open")
    second = kernel.refused("other = await Runner('search.db', [RateSearch()])")
    assert "this very process" in second
    assert "`close()`" in second
    blocking = kernel.refused("with Runner('other.db', [RateSearch()]) as blocking: pass")
    assert "in a notebook `runner = await Runner(...)`" in blocking
    assert "True" in kernel.say("runner.owner")
    kernel.run("close")


def test_the_notebook_is_kept_without_what_it_said() -> None:
    """Outputs would be another's machine's, and change with each run."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = {cell["id"]: cell for cell in cells if cell["cell_type"] == "code"}
    assert tuple(code) == ALL
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code.values())
