"""Files of the same bytes: found in every kind of source, counted, in one fold, without influence on a held-out figure."""

import csv
import hashlib
import io
import shutil
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import asking
import h5py
import numpy as np
import pytest
import torch
from roads import save_embeddings
from small_images import to_tensor

from sing_compute.cli import cli
from sing_compute.errors import SingError
from sing_compute.images.copies import content_hash, originals
from sing_compute.images.decoding import decode_batches
from sing_compute.images.image_sources import list_images
from sing_compute.images.listing import folds_of
from sing_compute.questions.stored_model import StoredModel
from sing_compute.store import Store
from sing_compute.store.verify import verify

TIMES = 3
"""Files of each image: an original, and copies whose names come after it."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Runs on images (`once.h5`) and on three files of each of them (`thrice.h5`), which differ in nothing else."""
    folder = tmp_path_factory.mktemp("copies")
    asking.make_inputs(folder)
    with np.load(folder / "images.npz") as stored:
        keys, vectors = [str(key) for key in stored["keys"]], stored["embeddings"]
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        asking.measure(folder, "once.h5", "first", options=["--lambda", "0.7"])
        every: list[str] = []
        for key in keys:
            path = folder / "images" / key
            every += [key, *(f"{key.removesuffix('.png')}_copy{number}.png" for number in range(1, TIMES))]
            for copy in every[-TIMES + 1 :]:
                shutil.copy(path, folder / "images" / copy)
        save_embeddings(folder / "images.npz", every, np.repeat(vectors, TIMES, axis=0))
        asking.measure(folder, "thrice.h5", "first", options=["--lambda", str(0.7 * TIMES)])
        yield folder


def column(file: Path, name: str) -> np.ndarray:
    with h5py.File(file) as store:
        return np.asarray(store[name])


def keys_of(file: Path) -> list[str]:
    with Store(file) as store:
        return [str(key) for key in store.array("images/key")]


def test_each_copy_is_stored_with_its_original_and_counted(made: Path) -> None:
    """The reference is SHA-256 of the files: of each content the first file in the order of the results."""
    keys, first = keys_of(made / "thrice.h5"), {}
    expected = []
    for row, key in enumerate(keys):
        digest = hashlib.sha256((made / "images" / key).read_bytes()).hexdigest()
        expected.append(first.setdefault(digest, row))
    assert column(made / "thrice.h5", "images/original").tolist() == expected
    with Store(made / "thrice.h5") as store:
        assert store.attributes("images")["copies"] == len(keys) - len(first) == (TIMES - 1) * len(first)
        problems = verify(store).problems
        assert problems == []
    said = (made / "thrice.h5.log").read_text()
    assert f"copies: {len(keys) - len(first)} of {len(keys)} images hold the same bytes as another one, first " in said
    copy = next(row for row, original in enumerate(expected) if original != row)
    assert f"first {keys[copy]} = {keys[expected[copy]]}; each is in the fold of its original" in said


def test_each_copy_is_scored_by_the_translator_of_its_originals_fold(made: Path) -> None:
    keys, original = keys_of(made / "thrice.h5"), column(made / "thrice.h5", "images/original")
    folds = asking.folds(np.array(keys))[original]
    assert (folds != asking.folds(np.array(keys))).any()  # keys alone would separate them
    with Store(made / "thrice.h5") as store:
        model = StoredModel.read(store, "first")
        batches = list(model.batches())
        assert torch.cat([batch.folds for batch in batches]).tolist() == folds.tolist()
        features = torch.cat([batch.features for batch in batches]).numpy()
    weight, bias = (column(made / "thrice.h5", f"models/first/translator/fold_{part}") for part in ("weight", "bias"))
    views = np.einsum("icd,id->ic", weight[folds], features) + bias[folds]
    with np.load(made / "images.npz") as stored:
        vectors = dict(zip(map(str, stored["keys"]), stored["embeddings"], strict=True))
    targets = np.stack([vectors[key] for key in keys])
    cosine = (views * targets).sum(1) / np.linalg.norm(views, axis=1) / np.linalg.norm(targets, axis=1)
    assert np.abs(column(made / "thrice.h5", "models/first/images/cosine") - cosine).max() < 1e-5


@pytest.mark.parametrize("figure", ["attribute_score", "image_score", "cosine", "null_energy"])
def test_a_held_out_figure_is_what_it_is_without_copies(made: Path, figure: str) -> None:
    """Three files of each image under three times the penalty are the same problem, if no copy is in another fold."""
    name = f"models/first/images/{figure}"
    alone = dict(zip(keys_of(made / "once.h5"), column(made / "once.h5", name), strict=True))
    among = dict(zip(keys_of(made / "thrice.h5"), column(made / "thrice.h5", name), strict=True))
    for key, value in among.items():
        assert value == pytest.approx(alone[key.partition("_copy")[0].removesuffix(".png") + ".png"], abs=2e-3), key


def test_data_without_copies_keep_their_folds_and_have_no_originals(made: Path) -> None:
    keys = keys_of(made / "once.h5")
    with Store(made / "once.h5") as store:
        assert store.attributes("images")["copies"] == 0
        assert "images/original" not in store
        folds = torch.cat([batch.folds for batch in StoredModel.read(store, "first").batches()])
    assert folds.tolist() == asking.folds(np.array(keys)).tolist()
    alone = np.arange(len(keys), dtype=np.int32)
    assert folds_of(keys, 5, alone).tolist() == folds_of(keys, 5).tolist() == folds.tolist()


def test_a_model_is_not_added_to_a_file_whose_copies_were_not_counted(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(made / "thrice.h5", tmp_path / "old.h5")
    with h5py.File(tmp_path / "old.h5", "r+") as store:
        del store["images/original"], store["images"].attrs["copies"]
    monkeypatch.syspath_prepend(made)
    added = [*map(str, asking.run_of(made, ["second=asked_networks:second"])), "--only", "features", "-o"]
    with pytest.raises(SingError, match=r"was made with other copies among the images \(a file made before copies"):
        cli.main([*added, str(tmp_path / "old.h5")], standalone_mode=False)
    cli.main([*added, str(made / "thrice.h5")], standalone_mode=False)
    with Store(made / "thrice.h5") as store:
        assert store.models == ["first", "second"]
        assert store.attributes("images")["copies"] == (TIMES - 1) * sum(asking.PER_CLASS)


def sources(folder: Path) -> Iterator[tuple[Path, str]]:
    """The same files as a folder, a table, archives and a list on standard input."""
    yield folder / "images", ""
    files = sorted(path.relative_to(folder) for path in (folder / "images").rglob("*.png"))
    with (folder / "table.csv").open("w", newline="") as target:
        csv.writer(target).writerows([("path", "label"), *((path, path.parent.name) for path in files)])
    yield folder / "table.csv", ""
    with tarfile.open(folder / "images.tar", "w") as archive:
        for path in files:
            archive.add(folder / path, path.relative_to("images"))
    yield folder / "images.tar", ""
    yield Path("-"), "".join(f"{folder / path}\n" for path in files)


def test_copies_are_found_in_every_kind_of_source(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for source, text in sources(made):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        images = list_images(source)
        rows = sorted(range(len(images)), key=lambda row: images.keys[row].split("/")[-2:])
        (batch,) = decode_batches(images, [to_tensor], [rows], workers=0)
        found.append(originals(np.array(batch.hashes)).tolist())
    assert len(found[0]) == TIMES * sum(asking.PER_CLASS)
    assert len(set(found[0])) == sum(asking.PER_CLASS)
    assert found[1:] == found[:1] * 3


def test_a_worker_process_gives_the_hashes_that_this_process_gives(made: Path) -> None:
    images = list_images(made / "images")
    for workers in (0, 1):
        (batch,) = decode_batches(images, [to_tensor], [[3, 4, 5]], workers=workers)
        assert batch.hashes == [content_hash(images.read(row)) for row in (3, 4, 5)]


def test_originals_are_the_first_rows_of_equal_hashes() -> None:
    assert originals(np.array([], np.int64)).tolist() == []
    assert originals(np.array([7, -3, 0])).tolist() == [0, 1, 2]
    assert originals(np.array([7, -3, 7, 0, -3, 7])).tolist() == [0, 1, 0, 3, 1, 0]
    assert content_hash(b"a") != content_hash(b"b")
