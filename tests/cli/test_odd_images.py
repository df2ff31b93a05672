"""Runs of `sing-compute` on images that are turned, deep, broken or not where a table says."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ended_commands import Ended
from PIL import Image
from roads import save_embeddings
from user_folder import CLASSES, CONCEPTS, FACTORIES, PER_CLASS, Place, make_images

from sing_compute.store import Store

KEYS = [f"{name}/{number:02d}.png" for name in CLASSES for number in range(PER_CLASS)]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    make_images(tmp_path / "images")
    rng = np.random.default_rng(1)
    save_embeddings(tmp_path / "words.npz", CONCEPTS, rng.normal(size=(len(CONCEPTS), 6)) + 1)
    save_embeddings(tmp_path / "images.npz", KEYS, rng.normal(size=(len(KEYS), 6)) + 1)
    (tmp_path / "classes.txt").write_text("\n".join(CLASSES))
    (tmp_path / "cli_factories.py").write_text(FACTORIES)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cli_factories", raising=False)
    return Place(tmp_path)


def table(place: Place, keys: list[str]) -> None:
    lines = ["path,label", *(f"{key},{key.partition('/')[0]}" for key in keys)]
    (place.folder / "images" / "list.csv").write_text("\n".join(lines))


def refusal(ended: Ended) -> str:
    assert ended.code == 2
    assert "Traceback" not in ended.err
    return ended.err.splitlines()[-1]


def test_images_with_an_orientation_are_counted_said_and_stored(place: Place, command: Callable[..., Ended]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for key in ("ant/03.png", "cat/00.png", "cat/11.png"):
        with Image.open(place.folder / "images" / key) as image:
            image.load()
            image.save(place.folder / "images" / key, exif=exif)
    ended = command(*place.arguments("first=cli_factories:small"))
    assert ended.code == 0, ended.err
    assert (
        "EXIF orientation: 3 of 35 images are not stored upright, first ant/03.png; networks and explorer see them as stored"
    ) in ended.err.splitlines()
    with Store(place.output) as store:
        assert store.attributes("images")["exif_orientations"] == 3
    assert command("verify", place.output).code == 0


def test_without_an_orientation_nothing_is_said(place: Place, command: Callable[..., Ended]) -> None:
    ended = command(*place.arguments("first=cli_factories:small"))
    assert "EXIF" not in ended.err
    with Store(place.output) as store:
        assert store.attributes("images")["exif_orientations"] == 0


@pytest.mark.parametrize("wrong", [36, 2])
def test_a_table_with_wrong_paths_ends_before_networks_are_loaded(
    wrong: int, place: Place, command: Callable[..., Ended]
) -> None:
    table(place, [*KEYS[wrong:], *(f"photos/{key}" for key in KEYS[:wrong])])
    root = place.folder / "images"
    said = refusal(command(*place.arguments("first=no_such_module:small", images="images/list.csv")))
    assert said.startswith(
        f"sing-compute: error: {wrong} of 36 images are missing, first {root}/photos/ant/00.png: are the paths right"
    )


def test_images_that_are_missing_from_their_folder_are_skipped_and_listed(
    place: Place, command: Callable[..., Ended]
) -> None:
    (place.folder / "images" / "cat" / "05.png").unlink()
    table(place, KEYS)
    ended = command(*place.arguments("first=cli_factories:small", images="images/list.csv"))
    assert ended.code == 0, ended.err
    with Store(place.output) as store:
        assert store.array("images/skipped_key").tolist() == ["bee/05.png", "cat/05.png"]
        assert "No such file" in store.array("images/skipped_reason")[1]


@pytest.mark.parametrize("kind", ["broken", "floats"])
def test_a_folder_of_unreadable_images_is_one_line(kind: str, place: Place, command: Callable[..., Ended]) -> None:
    for key in KEYS:
        path = place.folder / "images" / key
        if kind == "broken":
            path.write_bytes(path.read_bytes()[:60])
        else:
            Image.fromarray(np.full((8, 8), 200, np.float32)).save(path, "TIFF")
    reason = {"broken": "image file is truncated", "floats": "floats from 200 to 200: their range is not known"}[kind]
    said = refusal(command(*place.arguments("first=cli_factories:small")))
    assert said.startswith(
        f"sing-compute: error: none of the 36 images can be read; the first is {place.folder}/images/ant/00.png: {reason}"
    )


def test_16_bit_greys_give_the_scores_of_the_same_8_bit_greys(place: Place, command: Callable[..., Ended]) -> None:
    greys = {key: np.random.default_rng(place_).integers(0, 256, (8, 8)) for place_, key in enumerate(KEYS)}
    scores = []
    for depth in (np.uint8, np.uint16):
        for key, grey in greys.items():
            pixels = grey.astype(depth) * (257 if depth == np.uint16 else 1)
            Image.fromarray(pixels).save(place.folder / "images" / key)
        ended = command(*place.arguments("first=cli_factories:small", extra=["--fresh"]))
        assert ended.code == 0, ended.err
        with Store(place.output) as store:
            scores.append(store.array("models/first/images/image_score"))
        place.output.unlink()
    assert np.array_equal(*scores)
    assert len(set(scores[0].tolist())) == len(scores[0]) == 36
