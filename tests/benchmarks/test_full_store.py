from pathlib import Path

import numpy as np
import pytest
from full_store import AWKWARD, class_sizes, main, write_full_store

from sing_compute.store import Store
from sing_compute.store.verify import verify

SIZE = {"images": 3000, "classes": 40, "models": 3, "concepts": 60, "replicates": 40}
MODELS = ("resnet50", "resnet101")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_full_store(tmp_path_factory.mktemp("full") / "full.h5", **SIZE)


@pytest.fixture(scope="module")
def store(path: Path):
    with Store(path) as opened:
        yield opened


def test_the_file_is_of_the_size_asked_for_and_valid(store: Store) -> None:
    problems, made, _, _ = verify(store)
    assert problems == []
    assert made > 1000
    assert len(store.dataset("images/key")) == 3000
    assert (len(store.class_names), len(store.concept_names), len(store.models)) == (40, 60, 3)


def test_awkward_text_stands_among_classes_concepts_and_images(store: Store) -> None:
    assert set(AWKWARD) <= set(store.class_names.tolist())
    assert set(AWKWARD) <= set(store.concept_names.tolist())
    names = "".join(AWKWARD)
    for mark in "\x1b[\u202e\u0301\u200d\u0007🇯ネש":
        assert mark in names
    assert {text[0] for text in AWKWARD} >= set("=+-@[")
    keys = store.array("images/key").tolist()
    assert any(key.startswith("=1+1/") for key in keys)
    assert any("\x1b[31m" in key for key in keys)
    assert all("/" in key and len(key.encode()) <= 100 for key in keys)


def test_images_are_sorted_by_class_then_key(store: Store) -> None:
    keys, labels = store.array("images/key").tolist(), store.array("images/class").tolist()
    assert list(zip(labels, keys, strict=True)) == sorted(zip(labels, keys, strict=True))
    wnids = store.array("classes/wnid").tolist()
    assert wnids == sorted(set(wnids))
    assert not Path(store.attributes("images")["root"]).exists()


def test_scores_are_plausible_and_differ_between_models_that_agree_in_part(store: Store) -> None:
    scale = {name: store.summary(name)["image_score"] for name in store.models}
    assert len({round(value, 2) for value in scale.values()}) == 3
    assert all(5 < value < 25 for value in scale.values())
    for name in store.models:
        right = store.array(f"models/{name}/images/prediction") == store.array("images/class")
        sure = store.array(f"models/{name}/images/confidence")
        assert sure[right].mean() > sure[~right].mean() + 0.1
        energy = store.array(f"models/{name}/images/null_energy")
        assert 0.1 < np.percentile(energy, 5) < np.percentile(energy, 95) < 0.9
    order = store.array("comparison/class_order")
    others = order[~np.eye(3, dtype=bool)]
    assert (others > 0.1).all()
    assert (others < 0.9).all()


def test_an_images_top_concepts_are_five_different_ones_by_falling_shift(store: Store) -> None:
    base = f"models/{store.models[1]}/images/"
    assert (np.diff(np.sort(store.array(base + "top_concept"), axis=1), axis=1) > 0).all()
    assert (np.diff(np.abs(store.array(base + "top_concept_score")), axis=1) <= 0).all()
    rows = np.arange(3000)[:, None]
    assert (store.array(base + "nearest_before") != rows).all()


def test_numbers_follow_from_the_seed_and_not_from_the_threads(tmp_path: Path) -> None:
    size = {"images": 400, "classes": 22, "models": 2, "concepts": 21, "replicates": 10}
    runs = ((0, 1), (0, 2), (1, 2))
    paths = [
        write_full_store(tmp_path / f"{seed}{threads}.h5", seed=seed, threads=threads, **size) for seed, threads in runs
    ]
    for name in ("images/attribute_score", "images/top_concept_score", "concepts/z", "bootstrap/classes"):
        one, two, other = ([_read(path, f"models/{model}/{name}") for model in MODELS] for path in paths)
        for k in range(2):
            np.testing.assert_array_equal(one[k], two[k])
            assert not np.array_equal(one[k][:9], other[k][:9], equal_nan=True)
        assert not np.array_equal(one[0], one[1], equal_nan=True)


def _read(path: Path, name: str) -> np.ndarray:
    with Store(path) as opened:
        return opened.array(name)


@pytest.mark.parametrize(("images", "classes"), [(1_281_167, 1000), (3000, 40), (81, 40)])
def test_class_sizes_make_the_number_of_images(images: int, classes: int) -> None:
    sizes = class_sizes(np.random.default_rng(0), images, classes)
    assert sizes.sum() == images
    assert (sizes >= 0).all()
    assert sizes[-2:].tolist() == [1, 0]


def test_the_command_says_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.h5"
    options = {"images": 90, "classes": 22, "models": 1, "concepts": 21, "replicates": 5}
    main([str(out), *(part for name, value in options.items() for part in (f"--{name}", str(value)))])
    with Store(out) as store:
        assert (len(store.dataset("images/key")), len(store.models)) == (90, 1)
    assert "GB of memory" in capsys.readouterr().out


def test_too_small_a_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 21 classes"):
        write_full_store(tmp_path / "small.h5", images=100, classes=5, models=1, concepts=30)
