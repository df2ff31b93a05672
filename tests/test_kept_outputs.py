"""Every run stores the networks' outputs: features of every head, maps on request, also where nothing is analysed."""

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import asking
import h5py
import numpy as np
import pytest
import torch
from asking import CLASSES, PER_CLASS
from PIL import Image
from safetensors.numpy import load_file

from sing_compute.errors import SingError
from sing_compute.pipeline import map_files, store_sink
from sing_compute.process.progress import Progress
from sing_compute.questions.adding import add_concepts
from sing_compute.questions.merging import merge
from sing_compute.store import Store
from sing_compute.store.verify import verify

IMAGES = sum(PER_CLASS)
GRID, WIDTH = 6, 9
NETWORK = """
import torch
from torch import nn
from asked_networks import to_tensor

def conv(width=9):
    torch.manual_seed(7)
    body = nn.Conv2d(3, width, 3, padding=1), nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    network = nn.Sequential(*body, nn.Linear(width, 4))
    network.transform = to_tensor
    return network

def narrow():
    return conv(3)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("kept")
    asking.make_inputs(folder)
    (folder / "conv_networks.py").write_text(NETWORK)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield folder


def only_features(folder: Path, output: str, *models: str, options: Sequence[object] = ()) -> Path:
    """A run that analyses nothing, without any embeddings."""
    line = asking.run_of(folder, models)
    arguments = [str(part) for part in (*line, "--only", "features", "-o", folder / output, *options)]
    asking.cli.main(arguments, standalone_mode=False)
    return folder / output


def pixels(folder: Path, keys: np.ndarray) -> torch.Tensor:
    pictures = [np.asarray(Image.open(folder / "images" / str(key))) for key in keys]
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255


@torch.inference_mode()
def own_map(folder: Path, keys: np.ndarray) -> np.ndarray:
    """The network's map by its layers alone, (image, position, channel)."""
    import conv_networks

    network = conv_networks.conv().eval()
    return network[1](network[0](pixels(folder, keys))).flatten(2).transpose(1, 2).numpy()


def values(path: Path, model: str) -> np.ndarray:
    """Maps of a model, wherever they are."""
    with h5py.File(path) as file:
        group = file[f"models/{model}/maps"]
        if "value" in group:
            return group["value"][()]
        beside = path.with_name(path.name + ".maps") / group.attrs["file"].decode()
        assert beside.stat().st_size == group.attrs["file_bytes"]
        assert hashlib.sha256(beside.read_bytes()).hexdigest() == group.attrs["file_sha256"].decode() == beside.stem
        found = load_file(beside)
        for name in ("image", "position"):
            assert np.array_equal(found[name], group[name])
        return found["value"]


def models_of(path: Path) -> dict[str, bytes]:
    """Every dataset below the models."""
    found: dict[str, bytes] = {}
    with h5py.File(path) as file:
        file["models"].visititems(
            lambda name, item: found.update({name: item[()].tobytes()} if isinstance(item, h5py.Dataset) else {})
        )
    return found


def test_a_head_of_full_rank_keeps_its_features(folder: Path) -> None:
    with pytest.raises(SingError, match="no model of this run has a null space"):
        asking.measure(folder, "full.h5", "full")
    import asked_networks

    with Store(folder / "full.h5") as store, torch.inference_mode():
        expected = asked_networks.full().eval()[:3](pixels(folder, store.array("images/key")))
        assert store.array("models/full/features/row").tolist() == list(range(IMAGES))
        assert np.allclose(store.array("models/full/features/value"), expected, atol=1e-6)
        assert verify(store)[0] == []


def test_features_alone_need_no_clip_and_sing_can_be_added_later(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = only_features(folder, "only.h5", "first=asked_networks:first", "full=asked_networks:full")
    told = capsys.readouterr()
    assert "77 x 12" in told.out
    assert "CLIP" not in told.err
    whole = asking.measure(folder, "whole.h5", "first", "full")
    with h5py.File(path) as kept, h5py.File(whole) as full:
        assert "clip" not in kept
        assert set(kept["models/first"]) == {"head", "images", "classes", "summary", "features"}
        assert set(kept["models/first/summary"]) == {"images", "correct", "accuracy"}
        for name in (
            "features/value",
            "features/row",
            "images/prediction",
            "images/confidence",
            "head/weight",
            "classes/count",
        ):
            assert np.array_equal(kept[f"models/first/{name}"], full[f"models/first/{name}"]), name
    asking.measure(folder, "only.h5", "second", "first")
    asking.measure(folder, "whole.h5", "second", "first")
    assert {name: value for name, value in models_of(path).items() if not name.startswith("full/")} == {
        name: value for name, value in models_of(whole).items() if not name.startswith("full/")
    }
    with h5py.File(path) as kept, h5py.File(whole) as full:
        assert set(kept["models/full"]) == {"head", "images", "classes", "summary", "features"}
        for name in ("clip/concept_embeddings", "comparison/class_order", "classes/prompt", "concepts/name"):
            assert np.array_equal(kept[name], full[name])


def test_features_alone_are_added_to_a_file_with_scores(folder: Path) -> None:
    path = asking.measure(folder, "scored.h5", "first")
    with h5py.File(path, "r+") as file:  # of a program that resampled less often: features have nothing to be compared
        for name in ("images", "classes"):
            few = file[f"models/first/bootstrap/{name}"][..., :7]
            del file[f"models/first/bootstrap/{name}"]
            file[f"models/first/bootstrap/{name}"] = few
    before = models_of(path)
    only_features(folder, "scored.h5", "third=asked_networks:third")
    after = models_of(path)
    assert {name: after[name] for name in before} == before
    assert {name.split("/")[0] for name in after} == {"first", "third"}


@pytest.mark.parametrize(
    "option", [["--lambda", "2"], ["--clip", "x/y"], ["--compare-translators"], ["--template", "a {}"]]
)
def test_options_of_an_analysis_are_refused_beside_features_alone(folder: Path, option: list[str]) -> None:
    with pytest.raises(SingError, match=f"^--only features makes no analysis: leave {option[0]} out"):
        only_features(folder, "never.h5", "first=asked_networks:first", options=option)


@pytest.mark.parametrize("large", [False, True], ids=["in the file", "beside the file"])
def test_maps_are_those_of_the_network_within_the_limit(
    folder: Path, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    if large:
        monkeypatch.setattr(store_sink, "LARGEST_MAPS", 100)
    limit = 10_000
    side = 3
    name = f"maps{large}.h5"
    options = ["--maps", "--maps-grid", side, "--maps-limit", f"{limit // 1000}KB"]
    asking.measure(folder, name, "conv=conv_networks:conv", options=options)
    with Store(folder / name) as store:
        image, position = (store.array(f"models/conv/maps/{axis}") for axis in ("image", "position"))
        keys, facts = store.array("images/key"), store.attributes("models/conv/maps")
        assert verify(store)[0] == []
        assert ("models/conv/maps/value" in store) == (not large)
    stride = -(-IMAGES // (limit // (side * side * WIDTH * 4)))
    assert stride > 1
    assert image.tolist() == list(range(0, IMAGES, stride))
    found = values(folder / name, "conv")
    assert found.nbytes <= limit < found.nbytes * 2
    assert np.allclose(found, own_map(folder, keys[image])[:, position], atol=1e-6)
    assert {place % GRID for place in position.tolist()} == {place // GRID for place in position.tolist()} == {1, 3, 5}
    wanted = {"module": "1", "side": "output", "kind": "map", "layout": "nchw", "grid": "6x6", "pooling": "mean"}
    assert {key: facts[key] for key in wanted} == wanted
    assert (facts["positions"], facts["channels"], facts["image_stride"]) == (36, WIDTH, stride)


def test_maps_of_an_image_that_cannot_be_read_are_left_out(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "images", tmp_path / "images")
    broken = sorted((tmp_path / "images" / CLASSES[0]).iterdir())[5]
    broken.write_bytes(b"no image")
    shutil.copy(folder / "classes.txt", tmp_path)
    path = only_features(tmp_path, "maps.h5", "conv_networks:conv", options=["--maps", "--maps-limit", "64KB"])
    with Store(path) as store:
        image, keys = store.array("models/conv/maps/image"), store.array("images/key")
        stride = store.attributes("models/conv/maps")["image_stride"]
        assert len(keys) == IMAGES - 1
        position = store.array("models/conv/maps/position")
    listed = sorted(str(p.relative_to(tmp_path / "images")) for p in (tmp_path / "images").rglob("*.png"))
    chosen = [key for row, key in enumerate(listed) if row % stride == 0 and key != f"{CLASSES[0]}/{broken.name}"]
    assert keys[image].tolist() == chosen
    assert np.allclose(values(path, "conv"), own_map(tmp_path, keys[image])[:, position], atol=1e-6)


def test_maps_outlive_concepts_a_second_run_and_merging(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_sink, "LARGEST_MAPS", 3_000)
    options = ["--maps", "--maps-limit", "8KB", "--maps-grid", "2"]
    path = asking.measure(folder, "long.h5", "conv=conv_networks:conv", "narrow=conv_networks:narrow", options=options)
    beside = path.with_name("long.h5.maps")
    with Store(path) as store:
        assert "models/narrow/maps/value" not in store
    before = {model: values(path, model).tobytes() for model in ("conv", "narrow")}
    names = sorted(each.name for each in beside.iterdir())
    add_concepts(path, ["snow"], Progress(), embeddings=folder / "later.npz")
    assert {model: values(path, model).tobytes() for model in before} == before
    other = asking.measure(folder, "another.h5", "third")
    asking.measure(folder, "another.h5", "conv=conv_networks:conv", options=options)
    merged = tmp_path / "merged.h5"
    with Store(other) as store:
        assert store.models == ["third", "conv"]
    assert values(other, "conv").tobytes() == before["conv"]
    third = asking.measure(folder, "fourth.h5", "fourth")
    merge([third, other], merged, Progress(), renames=["conv=moved"])
    assert values(merged, "moved").tobytes() == before["conv"]
    assert sorted(each.name for each in beside.iterdir()) == names
    # measured again without maps: nothing names the file any more
    asking.measure(folder, "another.h5", "conv=conv_networks:conv")
    assert not other.with_name("another.h5.maps").exists()
    assert values(merged, "moved").tobytes() == before["conv"]


def test_merging_says_which_file_of_maps_is_missing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_sink, "LARGEST_MAPS", 100)
    path = asking.measure(folder, "lost.h5", "conv=conv_networks:conv", options=["--maps"])
    other = asking.measure(folder, "besides.h5", "fourth")
    shutil.rmtree(map_files.map_folder(path))
    with pytest.raises(SingError, match=r"lost.h5.maps/[0-9a-f]{64}.safetensors is missing"):
        merge([path, other], tmp_path / "merged.h5", Progress())
    assert not (tmp_path / "merged.h5").exists()


@pytest.mark.parametrize("text", ["0", "much", "-5MB", "5 bananas"])
def test_a_limit_that_is_no_size_is_refused(folder: Path, text: str) -> None:
    with pytest.raises(SingError, match=r"^--maps-limit .*: give a size such as 500MB or 2GB"):
        only_features(folder, "never.h5", "conv_networks:conv", options=["--maps", f"--maps-limit={text}"])


def test_a_limit_below_one_map_is_refused_before_any_image_is_computed(folder: Path) -> None:
    with pytest.raises(SingError, match="the map of one image of conv takes 1,296 bytes"):
        only_features(folder, "never.h5", "conv_networks:conv", options=["--maps", "--maps-limit", "1KB"])
    assert not (folder / "never.h5").exists()


def test_a_network_without_maps_is_refused_by_name(folder: Path) -> None:
    with pytest.raises(SingError, match=r"^first: no spatial map of 12 channels"):
        only_features(folder, "never.h5", "first=asked_networks:first", options=["--maps"])


@pytest.mark.parametrize("option", ["--maps-grid=3", "--maps-limit=1GB"])
def test_how_much_is_kept_of_maps_that_nobody_asked_for_is_refused(folder: Path, option: str) -> None:
    with pytest.raises(SingError, match="add --maps"):
        only_features(folder, "never.h5", "conv_networks:conv", options=[option])
