"""Pieces of work beside the shards: none is believed that is damaged or belongs to something else."""

from pathlib import Path

import numpy as np
import pytest
import torch

from sing_compute.concepts import encoded_texts
from sing_compute.errors import StoreError
from sing_compute.pipeline import map_files
from sing_compute.questions.directions.search_state import SearchState
from sing_compute.store import Store

STATE = {"step": 7, "filter": torch.arange(6.0).reshape(2, 3), "generator": torch.arange(5, dtype=torch.uint8)}


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 4
    path.write_bytes(content)


def test_a_state_of_a_search_comes_back(tmp_path: Path) -> None:
    state = SearchState(tmp_path / "joint.safetensors", "plan")
    assert state.load() is None
    state.save(STATE)
    found = state.load()
    assert found is not None
    assert found.keys() == STATE.keys()
    assert all(torch.equal(torch.as_tensor(found[name]), torch.as_tensor(value)) for name, value in STATE.items())


@pytest.mark.parametrize("place", [20, -1])
def test_a_damaged_state_of_a_search_is_not_believed(place: int, tmp_path: Path) -> None:
    state = SearchState(tmp_path / "joint.safetensors", "plan")
    state.save(STATE)
    flip(state.path, place)
    assert state.load() is None
    assert not state.path.exists()


@pytest.mark.parametrize(("name", "plan"), [("joint", "other plan"), ("restart", "plan")])
def test_a_state_of_another_search_is_not_believed(name: str, plan: str, tmp_path: Path) -> None:
    state, other = (
        SearchState(tmp_path / "joint.safetensors", "plan"),
        SearchState(tmp_path / f"{name}.safetensors", plan),
    )
    state.save(STATE)
    state.path.rename(other.path)
    assert other.load() is None


def test_kept_embeddings_come_back_unless_a_byte_has_changed(tmp_path: Path) -> None:
    file, rows = tmp_path / "texts.npy", np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    assert np.array_equal(encoded_texts._keep(file, [rows[:2], rows[2:]]), rows)
    assert np.array_equal(np.load(file), rows)  # any reader of the format reads it
    assert encoded_texts._kept(file, 4) is None
    whole = file.read_bytes()
    for place in (-1, -5, -40):
        flip(file, place)
        assert encoded_texts._kept(file, 5) is None
        file.write_bytes(whole)
    assert encoded_texts._kept(file, 5) is not None
    file.write_bytes(whole[:-4])  # of a version that wrote no checksum
    assert encoded_texts._kept(file, 5) is None


def test_a_map_file_that_has_changed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = object.__new__(Store)
    store.path = tmp_path / "results.h5"
    folder = map_files.map_folder(store.path)
    maps = np.ones((3, 2, 4), np.float32)
    facts = map_files.write_map_file(folder, np.arange(3), np.arange(2), 4, [maps])
    monkeypatch.setattr(map_files, "named_map_file", lambda store, model: facts["file"])
    path = folder / str(facts["file"])
    assert map_files.checked_map_file(store, "m") == path
    flip(path, -1)
    with pytest.raises(StoreError, match=r"which holds the maps of m, is damaged .* copy it again"):
        map_files.checked_map_file(store, "m")
    path.unlink()
    with pytest.raises(StoreError, match="is missing, which holds the maps of m"):
        map_files.checked_map_file(store, "m")
