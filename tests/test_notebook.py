"""The notebook of docs/ runs, and its figures are those that it was committed with."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "docs" / "in_a_notebook.ipynb"
NUMBER = re.compile(r"-?\d+\.?\d*(?:e[+-]?\d+)?")


def texts(cell: nbformat.NotebookNode, kind: str) -> list[str]:
    """Return the texts of the outputs of one kind."""
    found = [output for output in cell.get("outputs", []) if output.output_type == kind]
    return [output.text if kind == "stream" else output.data["text/plain"] for output in found]


@pytest.fixture
def _same_handler() -> Iterator[None]:
    """Put the handler of Ctrl-C back: asyncio leaves Python's own, also where the tests were started in the background."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_same_handler")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning")
def test_the_notebook_gives_its_committed_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(NOTEBOOK.parents[1]), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    committed = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(committed)
    run = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(run, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    compared = 0
    for old, new in zip(committed.cells, run.cells, strict=True):
        for kind in ("execute_result", "stream"):
            for before, now in zip(texts(old, kind), texts(new, kind), strict=True):
                assert NUMBER.sub("#", before).split() == NUMBER.sub("#", now).split(), old.source
                numbers = [[float(number) for number in NUMBER.findall(text)] for text in (before, now)]
                assert numbers[1] == pytest.approx(numbers[0], abs=0.02), old.source
                compared += len(numbers[0])
        lines = texts(new, "display_data")  # the line of the progress, of which the last state remains
        assert len(lines) == len(texts(old, "display_data")) <= 1
        assert all(re.fullmatch(r"\w+: measured in \d+\.\d s", line) for line in lines)
    assert compared > 60
    assert sorted(path.name for path in tmp_path.glob("*.h5")) == ["stars.h5"]


def test_the_notebook_names_no_place_of_the_machine_that_made_it() -> None:
    content = NOTEBOOK.read_text(encoding="utf-8")
    assert not re.search(r"/(?:home|root|tmp|work|usr|Users)/|site-packages", content)
    assert os.uname().nodename not in content
    assert content.count('"output_type": "execute_result"') >= 7
