"""A run with more images than it holds of anything: what is read in parts and what rests on evenly spread images."""

from pathlib import Path

import h5py
import memory
import numpy as np
import pytest
import torch
from memory import Simulated, World, measure

from sing_compute.measuring import fitting, image_scores, network_outputs, sing, validity
from sing_compute.pipeline import store_sink
from sing_compute.pipeline.store_sink import StoredColumn
from sing_compute.scores import statistics
from sing_compute.store.constants import RANKED

WORLD = World(images=1_100, classes=3, concepts=6, dim=10, rank=4, clip=5)
LIMIT = 100
"""Images of everything that rests on some of them; 11 lie between two."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """The datasets of the one model, by name."""
    folder = tmp_path_factory.mktemp("bounded")
    with pytest.MonkeyPatch.context() as patch:
        for module, name in ((validity, "CONTROL_IMAGES"), (fitting, "PATH_IMAGES"), (sing, "POOL_IMAGES")):
            patch.setattr(module, name, LIMIT)
        patch.setattr(network_outputs, "KEPT_BYTES", LIMIT * WORLD.dim * 4)
        patch.setattr(image_scores, "POOL_PART", 7)
        patch.setattr(store_sink, "WINDOW", 64)
        patch.setattr(sing, "RANKING_PART", 90)
        patch.setattr(statistics, "BLOCK", 90)
        measure(WORLD, folder)
    with h5py.File(folder / "results.h5") as file:
        found: dict[str, np.ndarray] = {}
        file["models/model0"].visititems(
            lambda name, item: found.update({name: item[()]} if isinstance(item, h5py.Dataset) else {})
        )
        assert all(
            file[f"models/model0/{name}"].chunks is None for name in found
        )  # contiguous, also what came in parts
    return found


def simulated(name: str) -> torch.Tensor:
    """Return one tensor of all images in the shards."""
    labels = (torch.arange(WORLD.images) * WORLD.classes // WORLD.images).int()
    work = Simulated(WORLD, labels, torch.nn.Linear(WORLD.dim, WORLD.classes), 0)
    return torch.cat([shard.tensors[name] for shard in work.shards(5, name)])


def test_features_are_kept_of_evenly_spread_images(store: dict[str, np.ndarray]) -> None:
    assert store["features/row"].tolist() == list(range(0, WORLD.images, 11))
    assert np.array_equal(store["features/value"], simulated("model0/features")[::11].numpy())


def test_figures_of_the_model_are_numpys_of_the_columns_that_were_written(store: dict[str, np.ndarray]) -> None:
    for name in ("attribute_score", "image_score", "image_score_centred", "null_energy"):
        column = store[f"images/{name}"].astype(np.float64)
        assert np.isfinite(column).all()
        assert store[f"summary/{name}"] == np.median(column)
    score, shift = (store[f"images/{name}"].astype(np.float64) for name in ("attribute_score", "image_score"))
    assert store["summary/score_covariance"] == pytest.approx(np.cov(np.stack([score, shift])), rel=1e-10)
    assert store["summary/attribute_score_abs"] == np.median(np.abs(score))
    right = store["images/prediction"] == np.arange(WORLD.images) * WORLD.classes // WORLD.images
    assert store["summary/correct"] == right.sum()
    first = slice(0, 367)  # a class ends where its images do, not where a window does
    assert store["classes/image_score_q50"][0, 0] == np.float32(np.median(shift[first]))
    assert store["classes/attribute_score_curve"][0] == pytest.approx(np.percentile(score[first], range(0, 101, 5)))


def test_rankings_are_the_stable_order_of_the_columns(store: dict[str, np.ndarray]) -> None:
    for name in RANKED:
        assert store[f"rankings/{name}"].tolist() == np.argsort(store[f"images/{name}"], kind="stable").tolist()


def test_nearest_images_are_those_of_a_search_in_one_piece(store: dict[str, np.ndarray]) -> None:
    pool = simulated("clip")[::11].double().numpy()
    folds = torch.randint(5, (WORLD.images,), generator=torch.Generator().manual_seed(0), dtype=torch.int8).numpy()
    features = simulated("model0/features").double().numpy()
    weight, bias = store["translator/fold_weight"][folds], store["translator/fold_bias"][folds]
    before = np.einsum("icd,id->ic", weight, features) + bias
    expected = np.argsort(-(before @ pool.T), axis=1)[:, :3] * 11
    assert (store["images/nearest_before"] == expected).mean() > 0.999  # float32 may turn two that are equally near


def test_a_column_read_in_windows_is_the_column(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(store_sink, "WINDOW", 10)
    values = np.arange(57, dtype=np.float32)
    with h5py.File(tmp_path / "column.h5", "w") as file:
        column = StoredColumn(file.create_dataset("column", data=values))
        assert len(column) == 57
        for start, stop in ((0, 0), (0, 4), (4, 9), (8, 12), (12, 40), (55, 57), (57, 57), (3, 8), (0, 57), (50, 99)):
            assert column[start:stop].tolist() == values[start:stop].tolist()
        assert column[:].tolist() == values.tolist()


def test_the_benchmark_sees_what_a_process_holds() -> None:
    before = memory.memory("self")["RssAnon"]
    held = np.ones(2**23)  # 64 MB
    assert memory.memory("self")["RssAnon"] - before == pytest.approx(held.nbytes / 2**20, abs=8)
