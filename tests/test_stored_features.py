"""Features that were computed elsewhere: the whole of SING with no image and no network."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asking
import numpy as np
import pytest
import torch
from file_contents import datasets
from safetensors.torch import save_file

from sing_compute.cli import cli
from sing_compute.errors import SingError
from sing_compute.store import Store
from sing_compute.store.verify import verify


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run on images, and with the features, labels and heads of that run in files."""
    folder = tmp_path_factory.mktemp("stored")
    asking.make_inputs(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        path = asking.measure(folder, "images.h5", "first", "second")
    with Store(path) as store:
        keys, classes = store.array("images/key"), store.array("images/class")
        order = np.random.default_rng(0).permutation(len(keys))  # of the file's rows nothing may depend
        labels = np.array(asking.CLASSES)[classes]
        for name in ("first", "second"):
            features = store.array(f"models/{name}/features/value")
            np.savez(folder / f"{name}.npz", keys=keys[order], features=features[order], labels=labels[order])
            head = {
                part: torch.from_numpy(store.array(f"models/{name}/head/{part}")).float() for part in ("weight", "bias")
            }
            save_file(head, folder / f"{name}-head.safetensors")
            metadata = {"keys": json.dumps(keys[order].tolist())}
            save_file({"features": torch.from_numpy(features[order])}, folder / f"{name}.safetensors", metadata)
        (folder / "labels.txt").write_text("".join(f"{key} {label}\n" for key, label in zip(keys, labels, strict=True)))
    return folder


def run(folder: Path, output: str, *options: object, models: tuple[str, ...] = ("first.npz", "second.npz")) -> Path:
    words: list[object] = []
    for model in models:
        words += ["--features", folder / model, "--head", folder / f"{Path(model).stem}-head.safetensors"]
    words += ["--image-embeddings", folder / "images.npz", "--concept-embeddings", folder / "words.npz"]
    words += ["--class-names", folder / "classes.txt", "--device", "cpu", "-o", folder / output]
    cli.main([str(word) for word in (*words, *options)], standalone_mode=False)
    return folder / output


def test_features_give_the_datasets_of_the_run_on_images_bit_for_bit(measured: Path) -> None:
    path = run(measured, "features.h5")
    wanted, found = datasets(measured / "images.h5"), datasets(path)
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        assert values.tobytes() == found[name].tobytes(), name
    with Store(path) as store:
        assert verify(store).problems == []
        facts = store.attributes("models/first")
        assert (facts["tag"], facts["features_file"]) == ("features", "first.npz")


def test_a_safetensors_file_with_a_label_file_gives_the_same(measured: Path) -> None:
    path = run(measured, "tensors.h5", "--labels", measured / "labels.txt", models=("first.safetensors",))
    wanted, found = datasets(measured / "images.h5"), datasets(path)
    scored = [name for name in wanted if name.startswith("models/first/images/")]
    assert len(scored) > 5
    for name in scored:
        assert wanted[name].tobytes() == found[name].tobytes(), name


def test_a_model_of_features_joins_a_file_of_images(measured: Path) -> None:
    (measured / "joined.h5").write_bytes((measured / "images.h5").read_bytes())
    (measured / "third.npz").write_bytes((measured / "first.npz").read_bytes())
    (measured / "third-head.safetensors").write_bytes((measured / "first-head.safetensors").read_bytes())
    path = run(measured, "joined.h5", models=("third.npz",))
    with Store(path) as store:
        assert store.models == ["first", "second", "third"]
        assert store.summary("third")["image_score"] == store.summary("first")["image_score"]
        assert verify(store).problems == []


def changed(measured: Path, tmp_path: Path, **arrays: Any) -> Path:
    """Copy the first model's file with other arrays; None leaves one out."""
    with np.load(measured / "first.npz") as old:
        content = {name: old[name] for name in old.files} | arrays
    np.savez(tmp_path / "first.npz", **{name: values for name, values in content.items() if values is not None})
    (tmp_path / "first-head.safetensors").write_bytes((measured / "first-head.safetensors").read_bytes())
    for name in ("images.npz", "words.npz", "classes.txt"):
        (tmp_path / name).write_bytes((measured / name).read_bytes())
    return tmp_path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda old: {"keys": None}, "first.npz: needs keys and features, has features, labels$"),
        (lambda old: {"features": None}, "first.npz: needs keys and features, has keys, labels$"),
        (lambda old: {"labels": None}, "first.npz: it has no labels; give --labels FILE, lines of KEY LABEL$"),
        (lambda old: {"labels": old["labels"][1:]}, "77 keys but 76 labels; one per key is needed$"),
        (
            lambda old: {"keys": np.append(old["keys"][1:], old["keys"][1])},
            "1 keys occur more than once; they must be unique$",
        ),
        (
            lambda old: {"features": old["features"][:, :-1]},
            "11 dimensions, but the head of .* reads 12; store the features at",
        ),
        (
            lambda old: {"features": old["features"][:-1]},
            r"77 keys but features of shape \(76, 12\) and type float32; one row",
        ),
        (
            lambda old: {"features": old["features"].astype(int)},
            "of shape .* and type int64; one row of floating-point numbers",
        ),
        (
            lambda old: {"features": np.where(np.arange(77)[:, None] == 5, np.nan, old["features"])},
            "1 rows are not finite: ",
        ),
    ],
)
def test_a_file_with_a_fault_is_refused_in_one_line(
    change: Callable[[Any], dict[str, Any]], message: str, measured: Path, tmp_path: Path
) -> None:
    with np.load(measured / "first.npz") as old:
        folder = changed(measured, tmp_path, **change(old))
    with pytest.raises(SingError, match=message) as caught:
        run(folder, "never.h5", models=("first.npz",))
    assert "\n" not in str(caught.value)
    assert not (folder / "never.h5").exists()


def test_files_of_different_keys_do_not_share_a_run(measured: Path, tmp_path: Path) -> None:
    with np.load(measured / "second.npz") as old:
        np.savez(tmp_path / "second.npz", keys=np.char.add(old["keys"], "x"), features=old["features"])
    head = measured / "second-head.safetensors"
    with pytest.raises(
        SingError, match=r"second.npz: has other keys than .*first.npz, the first that is missing is \w+/\d+.png"
    ):
        run(measured, "never.h5", "--features", tmp_path / "second.npz", "--head", head, models=("first.npz",))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--model", "resnet50"), "^--features need no network and no images: leave --model out$"),
        (("--probe",), "leave --probe out$"),
        (("--clip", "ViT-B-32/openai"), "^--clip and stored embeddings exclude each other"),
        (("--head", "other.safetensors"), "^2 --features but 3 --head: give the head of each, in order$"),
    ],
)
def test_options_that_need_images_or_a_network_are_refused(
    options: tuple[str, ...], message: str, measured: Path
) -> None:
    with pytest.raises(SingError, match=message):
        run(measured, "never.h5", *options)


def test_features_need_stored_embeddings_unless_nothing_is_analysed(measured: Path) -> None:
    words = ["--features", measured / "first.npz", "--head", measured / "first-head.safetensors", "--device", "cpu"]
    words += ["--class-names", measured / "classes.txt"]
    with pytest.raises(SingError, match=r"^--features come without images, so CLIP's vectors must come from files"):
        cli.main([str(word) for word in (*words, "-o", measured / "never.h5")], standalone_mode=False)
    output = measured / "only.h5"
    cli.main([str(word) for word in (*words, "--only", "features", "-o", output)], standalone_mode=False)
    with Store(output) as store:
        assert store.dataset("models/first/features/value").shape == (77, asking.DIM)
