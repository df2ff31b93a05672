"""Runs of `sing-compute` from images to a store: what they write, add and refuse."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ended_commands import Ended
from PIL import Image
from roads import save_embeddings
from user_folder import BROKEN, CLASSES, CONCEPTS, FACTORIES, PER_CLASS, Place, make_images, make_inputs

from sing_compute.store import Store


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    make_inputs(tmp_path)
    (tmp_path / "cli_factories.py").write_text(FACTORIES)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cli_factories", raising=False)
    return Place(tmp_path)


def models_in(output: Path) -> list[str]:
    with Store(output) as store:
        return store.models


def bits(output: Path, group: str) -> dict[str, bytes]:
    """Every dataset and attribute below a group, as bytes."""
    found: dict[str, bytes] = {}

    def keep(name: str, item: object) -> None:
        if hasattr(item, "shape"):
            found[name] = item[()].tobytes()
        found.update({f"{name}@{key}": np.asarray(value).tobytes() for key, value in item.attrs.items()})

    with Store(output) as store:
        keep("", store.file[group])
        store.file[group].visititems(keep)
    return found


def test_a_run_ends_with_a_table_and_a_store_that_verifies_and_nothing_else(
    place: Place, command: Callable[..., Ended]
) -> None:
    before = place.files()
    ended = command(*place.arguments("first=cli_factories:small"))
    assert ended.code == 0, ended.err
    head, *rows = [line for line in ended.out.splitlines() if line]
    table = {row.split("  ")[0]: row.split()[-1] for row in rows}
    assert head.split()[-1] == "first"  # 100 columns are too few, so there is one column per model
    assert (table["rank"], table["nullity"], table["flips"]) == ("3", "7", "0")
    assert f"{place.output} is written. Explore it: sing-tui {place.output}" in ended.out
    assert f"skipped 1 images that cannot be read, first {BROKEN}: " in ended.err
    assert place.files() - before - {"__pycache__"} == {"results.h5", "results.h5.log"}
    with Store(place.output) as store:
        assert store.array("images/skipped_key").tolist() == [BROKEN]
        assert "truncated" in store.array("images/skipped_reason")[0]
        assert len(store.array("images/key")) == len(CLASSES) * PER_CLASS - 1
        assert store.concept_names.tolist() == list(CONCEPTS)
    checked = command("verify", place.output)
    assert checked.code == 0
    assert checked.out.endswith("checks passed, 1 models, 35 images\n")


def test_a_later_run_adds_a_model_and_leaves_the_first_bit_for_bit(place: Place, command: Callable[..., Ended]) -> None:
    assert command(*place.arguments("first=cli_factories:small")).code == 0
    first, images = bits(place.output, "models/first"), bits(place.output, "images")
    assert len(first) > 100
    second = command(*place.arguments("second=cli_factories:other"))
    assert second.code == 0, second.err
    assert models_in(place.output) == ["first", "second"]
    assert bits(place.output, "models/first") == first
    assert bits(place.output, "images") == images
    assert command("verify", place.output).out.endswith("2 models, 35 images\n")
    with Store(place.output) as store:
        assert store.array("comparison/model").tolist() == ["first", "second"]
    again = command(*place.arguments("first=cli_factories:other"))
    assert again.code == 0, again.err
    assert sorted(models_in(place.output)) == ["first", "second"]
    assert bits(place.output, "models/first") != first


def test_other_images_are_refused_naming_what_differs_and_the_file_stays(
    place: Place, command: Callable[..., Ended]
) -> None:
    assert command(*place.arguments("first=cli_factories:small")).code == 0
    before = place.output.read_bytes()
    make_images(place.folder / "fewer", per_class=PER_CLASS - 2)
    ended = command(*place.arguments("second=cli_factories:other", images="fewer"))
    assert ended.error == (
        f"{place.output} was made with other images; models of one file must be comparable: "
        "choose another -o, or --fresh to replace the file"
    )
    assert place.output.read_bytes() == before
    fresh = command(*place.arguments("second=cli_factories:other", images="fewer", extra=["--fresh"]))
    assert fresh.code == 0, fresh.err
    assert models_in(place.output) == ["second"]


def test_images_that_changed_under_their_names_are_refused(place: Place, command: Callable[..., Ended]) -> None:
    assert command(*place.arguments("first=cli_factories:small")).code == 0
    before = place.output.read_bytes()
    key = "ant/03.png"
    Image.new("RGB", (8, 8), "red").save(place.folder / "images" / key)
    refused = command(*place.arguments("second=cli_factories:other"))
    assert "was made with other image files (their sizes in bytes changed)" in refused.error
    assert place.output.read_bytes() == before


def test_other_groups_of_the_same_images_are_refused(place: Place, command: Callable[..., Ended]) -> None:
    keys = [key for key in make_images(place.folder / "images") if key != BROKEN]
    for name, group in (("one", "dark"), ("two", "light")):
        lines = [f"{key},{key.partition('/')[0]},{group if '/0' in key else ''}" for key in keys]
        (place.folder / "images" / f"{name}.csv").write_text("\n".join(["path,label,group", *lines]))
    assert command(*place.arguments("first=cli_factories:small", images="images/one.csv")).code == 0
    with Store(place.output) as store:
        assert store.subsets[-1] == "group:dark"
    for other in ("images/two.csv", "images"):
        (place.folder / "images" / BROKEN).unlink(missing_ok=True)
        refused = command(*place.arguments("second=cli_factories:other", images=other))
        assert "was made with other groups; models of one file" in refused.error
        assert models_in(place.output) == ["first"]
        assert not (place.folder / "results.h5.work").exists()
    assert command(*place.arguments("second=cli_factories:other", images="images/one.csv")).code == 0
    assert command("verify", place.output).code == 0


def test_other_concepts_and_another_clip_are_named_as_what_differs(place: Place, command: Callable[..., Ended]) -> None:
    assert command(*place.arguments("first=cli_factories:small")).code == 0
    before = place.output.read_bytes()
    rng = np.random.default_rng(5)
    save_embeddings(place.folder / "words.npz", CONCEPTS[:-1], rng.normal(size=(len(CONCEPTS) - 1, 6)), tag="")
    with np.load(place.folder / "images.npz") as arrays:
        save_embeddings(place.folder / "images.npz", tuple(arrays["keys"]), arrays["embeddings"], tag="ViT-H/other")
    ended = command(*place.arguments("second=cli_factories:other"))
    assert "was made with other CLIP, concepts; models of one file" in ended.error
    assert place.output.read_bytes() == before


def test_a_model_without_null_space_alone_is_stored_and_ends_with_code_2(
    place: Place, command: Callable[..., Ended]
) -> None:
    ended = command(*place.arguments("cli_factories:narrow"))
    assert ended.error == (
        f"no model of this run has a null space, so there is nothing to score; {place.output} says so for each"
    )
    assert "narrow: its head has no null space: stored without scores" in ended.err
    with Store(place.output) as store:
        assert store.summary("narrow")["nullity"] == 0
        assert "attribute_score" not in store.summary("narrow")
    assert command("verify", place.output).code == 0


def test_a_model_without_null_space_beside_one_that_has_one_is_no_error(
    place: Place, command: Callable[..., Ended]
) -> None:
    ended = command(*place.arguments("cli_factories:narrow", "cli_factories:small"))
    assert ended.code == 0, ended.err
    with Store(place.output) as store:
        assert [store.summary(name)["nullity"] for name in ("narrow", "small")] == [0, 7]
    assert command("verify", place.output).code == 0


REFUSALS: dict[str, tuple[list[str], str]] = {
    "unknown model": (["--model", "resnet5O"], r"unknown model 'resnet5O'; near: .*resnet50"),
    "tuple": (
        ["--model", "cli_factories:gives_pairs"],
        "gives_pairs: the network returns a tuple of 2, not one tensor",
    ),
    "NaN": (["--model", "cli_factories:gives_nan"], "gives_nan: the network's logits are not finite"),
    "no module": (["--model", "no_module:net"], "cannot import no_module"),
    "checkpoint": (["--model", "cli_factories:small", "--weights", "{}/w.pt"], "--weights .*w.pt: no such file"),
    "classes": (["--model", "cli_factories:small", "--images", "{}/strange"], "1 of 1 labels match none .*: dragon. "),
    "no images": (["--model", "cli_factories:small", "--images", "{}/empty"], "no images in its subfolders"),
    "all broken": (["--model", "cli_factories:small", "--images", "{}/broken"], "none of the 1 images can be read"),
    "missing label": (["--model", "cli_factories:small", "--images", "{}/list.csv"], "line 3: path and label are both"),
    "vocabulary": (["--model", "cli_factories:small", "--concepts", "{}/none.txt"], "none.txt holds no concept"),
    "sizes": (
        ["--model", "cli_factories:small", "--concept-embeddings", "{}/wide.npz"],
        "wide.npz has 9 dimensions, .*images.npz has 6: all embeddings must come from one CLIP",
    ),
    "missing keys": (
        ["--model", "cli_factories:small", "--image-embeddings", "{}/few.npz"],
        r"few.npz: no embedding for 35 of 36 images: .*; its keys look like ant/00.png",
    ),
    "spaces": (
        ["--model", "cli_factories:small", "--image-embeddings", "{}/foreign.npz"],
        "words.npz comes from ViT-B-32/openai, .*foreign.npz from other: use one CLIP for all",
    ),
    "not a store": (
        ["--model", "cli_factories:small", "-o", "{}/list.csv"],
        "list.csv: it is no results file; give",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_bad_input_is_one_line_and_leaves_no_file(case: str, place: Place, command: Callable[..., Ended]) -> None:
    folder = place.folder
    for name in ("strange/dragon", "broken/ant", "empty/ant"):
        (folder / name).mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(folder / "strange/dragon/0.png")
    (folder / "broken/ant/0.png").write_text("torn")
    (folder / "list.csv").write_text("path,label\nimages/ant/00.png,ant\nimages/ant/01.png,\n")
    (folder / "none.txt").write_text("# nothing\n")
    save_embeddings(folder / "wide.npz", CONCEPTS, np.ones((len(CONCEPTS), 9)))
    save_embeddings(folder / "few.npz", ["ant/00.png"], np.ones((1, 6)))
    with np.load(folder / "images.npz") as arrays:
        save_embeddings(folder / "foreign.npz", tuple(arrays["keys"]), arrays["embeddings"], tag="other")
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    options, message = REFUSALS[case]
    ended = command(*place.arguments(), *[option.format(folder) for option in options])
    assert re.search(message, ended.error), ended.error
    after = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert after == before


def test_a_wrong_checkpoint_names_its_tensors(place: Place, command: Callable[..., Ended]) -> None:
    import torch

    torch.save({"fc.weight": torch.zeros(3, 10)}, place.folder / "w.pt")
    ended = command(*place.arguments("cli_factories:small", extra=["--weights", place.folder / "w.pt"]))
    assert "does not fit Sequential: missing 1.bias, 1.weight, 3.bias and 1 more; unexpected fc.weight" in ended.error


def test_an_interrupt_ends_with_code_130_and_says_how_to_go_on(
    command: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sing_compute.cli._compute", interrupted)
    ended = command("--model", "resnet50")
    assert (ended.code, ended.out) == (130, "")
    assert ended.err.lstrip("\n") == "sing-compute: interrupted; the same command goes on where it was\n"
