"""Which images are drawn, pictures that were decoded elsewhere, and what `verify` finds of changed ones."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from render_command import Command, G, problems, refused
from rendered_files import KnownDecoder, drawn, noisy

from sing_compute.process.progress import Progress
from sing_compute.questions.renders.question import RenderQuestion
from sing_compute.questions.renders.rendering import render_and_add
from sing_compute.store import Store


@pytest.mark.parametrize(("by", "column"), [("as", "attribute_score"), ("is", "image_score")])
def test_images_are_chosen_by_their_scores(results: Path, command: Command, by: str, column: str) -> None:
    assert command("render", results, "--top", "3", "--by", by, "--limit", "2").code == 0
    with Store(results) as store:
        score = np.abs(store.array(f"models/first/images/{column}"))
        assert store.array(f"{G}pairs/row").tolist() == np.argsort(-score, kind="stable")[:2].tolist()


def test_pictures_decoded_elsewhere_are_those_of_the_exported_embeddings(
    results: Path, command: Command, tmp_path: Path
) -> None:
    from safetensors import safe_open

    out, pictures = tmp_path / "e.safetensors", tmp_path / "pictures"
    chosen = ("--images", "cat/001.png", "--images", "cat/002.png", "--also", "centred")
    before = results.read_bytes()
    assert command("render", results, *chosen, "--export", out).code == 0
    assert results.read_bytes() == before
    refused(command("render", results, *chosen, "--export", out), "--force replaces it")
    refused(
        command("render", results, *chosen, "--export", results, "--force"), "it is a results file", "name another file"
    )
    assert results.read_bytes() == before
    with safe_open(out, "np") as file:
        facts = file.metadata()
        vectors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 -- not a dict
    assert set(json.loads(facts["norms"])) == {"cat/001.png", "cat/002.png"}
    assert len(vectors) == 6
    assert all(np.linalg.norm(vector) == pytest.approx(1, abs=1e-6) for vector in vectors.values())
    for name, vector in vectors.items():
        kind, _, key = name.partition("/")
        (pictures / key).mkdir(parents=True, exist_ok=True)
        for seed in range(4):
            Image.fromarray(drawn(10 * vector, seed)).save(pictures / key / f"{kind}-{seed}.png")
    for seed in range(4):
        Image.fromarray(noisy(np.empty(0), seed)).save(pictures / f"cat/002.png/true-{seed}.PNG")
    (pictures / "cat/001.png/notes.txt").write_text("not looked at")
    (pictures / "strange").mkdir()
    (pictures / "strange/translated-0.png").write_bytes(b"")
    ended = command("render", results, "--from-images", pictures)
    assert ended.code == 0, ended.err
    assert "1 folder of " in ended.err
    assert problems(results) == []
    with Store(results) as store:
        assert [str(key) for key in store.array(f"{G}pairs/image")] == ["cat/001.png"] * 2 + ["cat/002.png"] * 3
        assert [str(state) for state in store.array(f"{G}pairs/state")[[0, 2]]] == ["beyond noise"] * 2
        assert [str(name) for name in store.array(f"{G}kinds/name")] == ["equivalent", "centred", "true"]
        stored = store.array(f"{G}embeddings/vector")[0]
        assert np.abs(stored - vectors["translated/cat/001.png"]).max() < 1e-6


@pytest.mark.parametrize("kind", ["text", "pipe", "large", "alone"])
def test_strange_files_in_a_folder_of_pictures_end_in_one_line(
    results: Path, command: Command, tmp_path: Path, kind: str
) -> None:
    import os

    place = tmp_path / "pictures" / "cat" / "001.png"
    place.mkdir(parents=True)
    file = place / ("equivalent-0.png" if kind == "alone" else "translated-0.png")
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "large":
        Image.new("1", (40_000, 4_000)).save(file)
    else:
        file.write_bytes(b"not an image")
    words = {"alone": "holds no picture of T(f)", "text": "cannot be read as an image: its kind is not known"}
    refused(
        command("render", results, "--from-images", tmp_path / "pictures"),
        words.get(kind, "cannot be read as an image"),
    )


def test_equal_pictures_of_all_seeds_are_said(results: Path, command: Command, tmp_path: Path) -> None:
    place = tmp_path / "pictures" / "cat" / "001.png"
    place.mkdir(parents=True)
    for kind in ("translated", "equivalent"):
        for seed in range(2):
            Image.new("RGB", (8, 8), "red").save(place / f"{kind}-{seed}.png")
    ended = command("render", results, "--from-images", tmp_path / "pictures")
    assert ended.code == 0, ended.err
    assert "1 of 1 images: equal pictures of T(f) for all seeds, so their noise is not known" in ended.err


EDITS: dict[str, tuple[Callable[[h5py.Group], object], str]] = {
    "state": (lambda group: _put(group, "pairs/state", 0, b"beyond noise"), "renders/pairs/state"),
    "between": (lambda group: _put(group, "pairs/between", 0, 77.0), "renders/pairs/between"),
    "angle": (lambda group: _put(group, "pairs/vector_angle", 0, 1.0), "renders/pairs/vector_angle"),
    "back": (lambda group: _put(group, "pictures/back", 1, 5.0), "renders/pictures/back"),
    "image": (lambda group: _put(group, "pairs/image", 0, b"ant/000.png"), "renders/pairs/image"),
    "share": (lambda group: _put(group, "kinds/share", 0, 0.75), "renders/kinds/share"),
    "kind": (lambda group: _put(group, "pairs/kind", 0, 1), "renders/pairs/after"),
    "jpeg": (lambda group: _put(group, "pictures/jpeg", 0, 7), "renders/pictures/jpeg"),
    "edge": (lambda group: _put(group, "pictures/edge", 1, 0), "renders/pictures/edge"),
    "vector": (lambda group: _put(group, "embeddings/vector", 0, np.eye(64)[3]), "renders/embeddings/vector"),
    "width": (lambda group: _put(group, "pictures/width", 2, 17), "renders/pictures/width"),
    "seed": (lambda group: _put(group, "pictures/seed", 1, 0), "renders/pictures/seed"),
}


def _put(group: h5py.Group, name: str, row: int, value: object) -> None:
    values = group[name][()]
    values[row] = value
    group[name][...] = values


def test_verify_finds_what_was_changed(
    rendered_folder: Path, results: Path, known: Callable[..., KnownDecoder], tmp_path: Path
) -> None:
    known(noisy)
    question = RenderQuestion(label="cat", top=2, decoder=str(rendered_folder / "stable"), device="cpu")
    render_and_add(results, question, Progress())
    for edit, (change, path) in EDITS.items():
        copy = Path(shutil.copy(results, tmp_path / "edited.h5"))
        with h5py.File(copy, "r+") as file:
            change(file[G])
        found = problems(copy)
        assert any(line.startswith(f"models/first/{path}") for line in found), (edit, found)
