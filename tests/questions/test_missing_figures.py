"""A stranger's file that lacks a figure which a verb needs ends the verb in one line."""

from collections.abc import Callable
from pathlib import Path

import h5py
import pytest
from stores import write_store

from sing_compute.errors import StoreError
from sing_compute.pipeline.comparability import stored_figures
from sing_compute.questions.stored_model import StoredModel
from sing_compute.store import Store


def other_figure(file: h5py.File) -> None:
    file["models/alpha/bootstrap/figure"][...] = b"something"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (other_figure, "x.h5: models/alpha/bootstrap/figure: lacks "),
        (lambda file: file.pop("models/alpha/summary/accuracy"), "no models/alpha/summary/accuracy"),
        (lambda file: file.pop("models/alpha/summary/zero_shot_equivalent"), "summary/zero_shot_equivalent"),
    ],
)
def test_figures_of_the_comparison(tmp_path: Path, change: Callable[[h5py.File], object], line: str) -> None:
    path = write_store(tmp_path / "x.h5")
    with h5py.File(path, "r+") as file:
        change(file)
    with Store(path) as store, pytest.raises(StoreError, match=line):
        stored_figures(store, "alpha")


@pytest.mark.parametrize("name", ["rank", "cutoff"])
def test_figures_of_the_head(tmp_path: Path, name: str) -> None:
    path = write_store(tmp_path / "x.h5")
    with h5py.File(path, "r+") as file:
        del file[f"models/alpha/summary/{name}"]
    with Store(path) as store, pytest.raises(StoreError, match=f"no models/alpha/summary/{name}"):
        StoredModel.read(store, "alpha")
