"""Vectors of new texts come from the CLIP that a results file was made with, or from stored embeddings, and no other."""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import asking
import h5py
import numpy as np
import pytest
import torch
from roads import clip_folder, save_embeddings

from sing_compute.errors import SingError
from sing_compute.process.progress import Progress
from sing_compute.questions.text_vectors import text_vectors
from sing_compute.store import Store


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("texts")
    asking.make_inputs(folder)
    (folder / "vocabulary.txt").write_text("red\nblue\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        asking.measure(folder, "stored.h5", "first")
        options = ["--clip", clip_folder(folder / "tiny-clip")]
        asking.measure(folder, "network.h5", "first", words="vocabulary.txt", options=options)
        yield folder


@pytest.fixture
def network(folder: Path) -> Iterator[Store]:
    with Store(folder / "network.h5") as store:
        yield store


@pytest.fixture
def stored(folder: Path) -> Iterator[Store]:
    with Store(folder / "stored.h5") as store:
        yield store


def test_the_clip_of_the_run_is_found_again_and_gives_the_same_vectors(network: Store) -> None:
    prompts = [str(prompt) for prompt in network.array("concepts/prompt")]
    vectors = text_vectors(network, prompts, prompts, Progress())
    assert np.abs(vectors.numpy() - network.array("clip/concept_embeddings")).max() < 1e-6


def test_a_clip_that_moved_is_asked_for_and_taken_from_its_new_place(
    folder: Path, network: Store, tmp_path: Path
) -> None:
    (folder / "tiny-clip").rename(tmp_path / "tiny-clip")
    try:
        wanted = (
            "local-dir:tiny-clip, the CLIP of .*, is not where its run had it: name its place with --clip local-dir:"
        )
        with pytest.raises(SingError, match=wanted):
            text_vectors(network, ["snow"], ["snow"], Progress())
        vectors = text_vectors(network, ["snow"], ["snow"], Progress(), clip=f"local-dir:{tmp_path / 'tiny-clip'}")
        assert vectors.shape == (1, 64)
    finally:
        (tmp_path / "tiny-clip").rename(folder / "tiny-clip")


def test_a_clip_that_only_the_file_names_is_loaded_after_its_fingerprint_was_found(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = Path(shutil.copy(folder / "network.h5", tmp_path / "network.h5"))
    with h5py.File(results, "r+") as file:
        file["clip"].attrs["state_sha256"] = np.bytes_("0" * 64)
    monkeypatch.setattr(
        "sing_compute.questions.text_vectors.OpenClipSpace", lambda name: pytest.fail(f"{name} is loaded")
    )
    with (
        Store(results) as store,
        pytest.raises(SingError, match=r"do not have the file's fingerprint.*--clip local-dir:"),
    ):
        text_vectors(store, ["snow"], ["snow"], Progress())


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("hf-hub:someone/else", "names a repository of a hub as its CLIP; to load it: --clip hf-hub:someone/else"),
        (
            "ViT-B-32/openai",
            "the hub is not asked for what only a results file names.*To load it: --clip ViT-B-32/openai",
        ),
    ],
)
def test_no_hub_is_asked_because_a_file_names_a_clip(
    tag: str, said: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = Path(shutil.copy(folder / "network.h5", tmp_path / "network.h5"))
    with h5py.File(results, "r+") as file:
        file["clip"].attrs["tag"] = np.bytes_(tag)
    for name in ("getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, name, lambda *arguments, **options: pytest.fail("a server is asked"))
    with Store(results) as store, pytest.raises(SingError, match=said):
        text_vectors(store, ["snow"], ["snow"], Progress())


def test_another_clip_of_the_same_name_is_refused(folder: Path, network: Store, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    shutil.copytree(folder / "tiny-clip", tmp_path / "tiny-clip")
    weights = tmp_path / "tiny-clip" / "open_clip_model.safetensors"
    save_file(load_file(weights) | {"logit_scale": torch.tensor(1.0)}, weights)
    with pytest.raises(SingError, match=r"has other weights than the CLIP of .*network.h5"):
        text_vectors(network, ["snow"], ["snow"], Progress(), clip=f"local-dir:{tmp_path / 'tiny-clip'}")


def test_stored_embeddings_are_looked_up_by_key(folder: Path, stored: Store) -> None:
    vectors = text_vectors(stored, ["snow"], ["not read"], Progress(), embeddings=folder / "later.npz")
    with np.load(folder / "later.npz") as arrays:
        row = arrays["embeddings"][list(arrays["keys"]).index("snow")]
    assert np.abs(vectors[0].numpy() - row / np.linalg.norm(row)).max() < 1e-6


def test_a_file_from_stored_embeddings_asks_for_more_of_them(stored: Store) -> None:
    with pytest.raises(
        SingError, match=r"made from stored embeddings: give those of 'a', 'b', 'c' and 1 more with --emb"
    ):
        text_vectors(stored, list("abcd"), list("abcd"), Progress())


def test_two_spaces_at_once_are_refused(folder: Path, stored: Store) -> None:
    with pytest.raises(SingError, match="--clip and --embeddings exclude each other"):
        text_vectors(stored, ["snow"], ["snow"], Progress(), clip="x", embeddings=folder / "later.npz")


@pytest.mark.parametrize(
    ("keys", "width", "tag", "message"),
    [
        (["snow"], 5, "", "other.npz has 5 dimensions, .*stored.h5 has 6: use its own CLIP"),
        (
            ["snow"],
            6,
            "ViT-H/other",
            "other.npz comes from ViT-H/other, .*stored.h5 from ViT-B-32/openai: use one CLIP",
        ),
        (["rain"], 6, "", "other.npz: no embedding for 1 of 1 texts: snow; its keys look like rain"),
    ],
)
def test_embeddings_that_do_not_belong_are_refused(
    tmp_path: Path, stored: Store, keys: list[str], width: int, tag: str, message: str
) -> None:
    save_embeddings(tmp_path / "other.npz", keys, np.ones((1, width)), tag=tag)
    with pytest.raises(SingError, match=message):
        text_vectors(stored, ["snow"], ["snow"], Progress(), embeddings=tmp_path / "other.npz")
