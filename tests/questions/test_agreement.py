"""Two files of the same models: figures as each file has them, orders as scipy compares them."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import asking
import h5py
import numpy as np
import pytest
from roads import save_embeddings
from scipy.stats import rankdata, spearmanr

from sing_compute.errors import SingError
from sing_compute.measuring.comparison import ORDERING_FIGURES
from sing_compute.questions.agreement import CONTEXT_FIGURES, agreement, differences
from sing_compute.store import Store

MODELS = ("first", "second", "third", "fourth")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """The same four models and images in two CLIP spaces, one model more on each side."""
    with pytest.MonkeyPatch.context() as patch:
        found = []
        for name, seed, more in (("one", 0, "left"), ("two", 1, "right")):
            folder = tmp_path_factory.mktemp(name)
            asking.make_inputs(folder, seed=seed)
            patch.syspath_prepend(folder)
            if seed:
                shutil.rmtree(folder / "images")
                shutil.copytree(found[0].parent / "images", folder / "images")
                for file in ("images.npz", "words.npz"):
                    with np.load(folder / file) as arrays:
                        save_embeddings(folder / file, list(arrays["keys"]), arrays["embeddings"], tag="another CLIP")
            models = [f"{name}=asked_networks:{name}" for name in MODELS] + [f"{more}=asked_networks:first", "full"]
            found.append(asking.measure(folder, f"{name}.h5", *models))
        yield found[0], found[1]


def test_figures_and_orders_are_those_of_the_files(pair: tuple[Path, Path]) -> None:
    with Store(pair[0]) as left, Store(pair[1]) as right:
        found = agreement(left, right)
        assert found.models == list(MODELS)
        assert found.left_out == ["left", "full", "right"]
        values = np.array([[[s.summary(m)[f] for m in MODELS] for f in ORDERING_FIGURES] for s in (left, right)])
        for row, both in enumerate(found.figures):
            for file, (store, each) in enumerate(zip((left, right), both, strict=True)):
                assert np.allclose(each.value, values[file, :, row], rtol=1e-6)
                names = store.array(f"models/{MODELS[row]}/bootstrap/figure").tolist()
                ends = store.array(f"models/{MODELS[row]}/bootstrap/images_interval")[1]  # at lambda itself
                assert (each.interval == ends[[names.index(figure) for figure in ORDERING_FIGURES]]).all()
                assert (each.interval[:, 0] < each.value).all()
                assert (each.interval[:, 1] > each.value).all()
                assert each.context == {name: store.summary(MODELS[row])[name] for name in CONTEXT_FIGURES}
        assert (found.ranks == rankdata(values, axis=-1)).all()
        wanted = [spearmanr(values[0, place], values[1, place]).statistic for place in range(3)]
        assert np.abs(found.model_order - wanted).max() < 1e-9
        assert np.abs(found.model_order).min() < 1  # orders do differ here
        for row, model in enumerate(MODELS):
            for place, name in enumerate(("attribute_score_abs_q50", "image_score_q50", "ratio")):
                medians = [store.array(f"models/{model}/classes/{name}")[0] for store in (left, right)]
                assert abs(found.class_order[row, place] - spearmanr(*medians).statistic) < 1e-9


def test_what_differs_between_the_files_is_said(pair: tuple[Path, Path], tmp_path: Path) -> None:
    with Store(pair[0]) as left, Store(pair[1]) as right:
        lines = differences(left, right)
        assert lines[0] == "CLIP: ViT-B-32/openai | another CLIP"
        penalties = [store.summary("first")["lambda"] for store in (left, right)]
        assert f"lambda of first: {penalties[0]:.4g} | {penalties[1]:.4g}" in lines
        assert differences(left, left) == []
    other = Path(shutil.copy(pair[0], tmp_path / "other.h5"))
    with h5py.File(other, "r+") as file:
        file["images/key"][3] = b"ant/9.png"
        file["concepts/name"][0] = b"new"
        file["models/second"].attrs["state_sha256"] = np.bytes_(b"0" * 64)
    with Store(pair[0]) as left, Store(other) as right:
        assert differences(left, right) == [
            "images: 77 each, but others",
            "concepts: 11 | 11, 10 in both",
            "weights of second: not the same",
        ]


def test_one_model_has_an_order_of_classes_and_none_of_models(pair: tuple[Path, Path], tmp_path: Path) -> None:
    lone = Path(shutil.copy(pair[1], tmp_path / "lone.h5"))
    with h5py.File(lone, "r+") as file:
        for name in (*MODELS[1:], "right"):
            del file[f"models/{name}"]
    with Store(pair[0]) as left, Store(lone) as right:
        found = agreement(left, right)
        assert found.models == ["first"]
        assert np.isnan(found.model_order).all()
        assert np.isfinite(found.class_order).all()
        assert (found.ranks == 1).all()


def test_files_without_a_common_model_or_of_other_classes_are_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    other = Path(shutil.copy(pair[1], tmp_path / "other.h5"))
    with h5py.File(other, "r+") as file:
        for name in MODELS:
            del file[f"models/{name}"]
    with Store(pair[0]) as left, Store(other) as right:
        message = "share no model with scores; they hold first, second, third, fourth, left and right"
        with pytest.raises(SingError, match=message):
            agreement(left, right)
    with h5py.File(other, "r+") as file:
        file["classes/name"][0] = b"elk"
    message = r"one.h5 and .*other.h5 have other classes \(of other names\)"
    with Store(pair[0]) as left, Store(other) as right, pytest.raises(SingError, match=message):
        agreement(left, right)


def test_a_file_without_intervals_is_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    bare = Path(shutil.copy(pair[1], tmp_path / "bare.h5"))
    with h5py.File(bare, "r+") as file:
        file["models/first/bootstrap/figure"][...] = b"something"
    with (
        Store(pair[0]) as left,
        Store(bare) as right,
        pytest.raises(SingError, match=r"bare.h5: first has no intervals of attribute_score_abs, image_score, ratio"),
    ):
        agreement(left, right)
