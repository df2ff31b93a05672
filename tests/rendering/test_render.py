"""`sing-compute render` by pipelines of diffusers with random weights, and by decoders whose pictures are known."""

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from PIL import Image
from render_command import FEW, Command, G, jpegs, problems, refused
from rendered_files import KnownDecoder, drawn, noisy

from sing_compute.process.progress import Progress
from sing_compute.questions.renders.question import RenderQuestion
from sing_compute.questions.renders.rendering import render_and_add
from sing_compute.rendering.decoder_files import find_decoder
from sing_compute.rendering.decoders import load_decoder
from sing_compute.store import Store
from sing_compute.store.pictures import pairs_of_image, read_pair


@pytest.mark.parametrize("name", ["stable", "karlo"])
def test_pairs_are_drawn_by_both_pipelines_and_the_same_again(
    rendered_folder: Path, results: Path, command: Command, name: str
) -> None:
    line = ("render", results, *FEW, "--decoder", rendered_folder / name)
    ended = command(*line)
    assert ended.code == 0, ended.err
    assert problems(results) == []
    first = jpegs(results)
    assert len(first) == 2 * 3 * 4  # images, T(f) T(f~) and the true embedding, seeds
    assert len(set(first)) == len(first)  # other embeddings and other seeds have other pictures
    assert Image.open(io.BytesIO(first[0])).size == (16, 16)
    with Store(results) as store:
        pair = read_pair(store, "first", 0)
        assert (pair.kind, len(pair.before), len(pair.after), pair.decoded) == ("equivalent", 4, 4, True)
        score = store.array("models/first/images/image_score")[pair.row]
        assert pair.vector_angle == pytest.approx(score, abs=1e-3)
        assert pair.back_before == pytest.approx(np.mean([each.back for each in pair.before]), abs=1e-4)
        facts = store.attributes(G.rstrip("/"))
        assert facts["decoder_sha256"] == find_decoder(str(rendered_folder / name)).sha256()
        assert "image projection equal" in facts["space"]
        assert facts["norm_from"] == "the decoder's image encoder on the photograph"
        assert (store.array(f"{G}embeddings/norm") > 1).all()
    assert command(*line).code == 0
    assert jpegs(results) == first


@pytest.mark.parametrize("name", ["stable", "karlo"])
def test_equal_embeddings_have_equal_pictures_in_any_batch_and_with_little_memory(
    rendered_folder: Path, name: str
) -> None:
    files = find_decoder(str(rendered_folder / name))
    options = {"steps": 2, "device": torch.device("cpu"), "where": "--decoder"}
    decoder = load_decoder(files, memory="normal", **options)
    one, other = 8 * torch.nn.functional.normalize(torch.randn(2, 64), dim=1)
    found = [np.asarray(picture) for picture in decoder.decode(torch.stack([one, other, one, one]), [3, 3, 3, 4])]
    assert (found[0] == found[2]).all()
    assert (found[0] != found[1]).any()
    assert (found[0] != found[3]).any()
    low = load_decoder(files, memory="low", **options)
    alone = np.asarray(low.decode(one[None], [3])[0])
    assert np.abs(alone.astype(int) - found[0]).max() <= 1  # another batch may round differently


def test_a_fixed_picture_is_within_noise_and_a_drawing_of_the_embedding_is_beyond(
    rendered_folder: Path, results: Path, known: Callable[..., KnownDecoder]
) -> None:
    question = RenderQuestion(
        label="cat", top=3, decoder=str(rendered_folder / "stable"), device="cpu", also=("random",)
    )
    for draw, beyond in ((noisy, 0), (lambda vector, _: np.full((16, 16, 3), 90, np.uint8), 0), (drawn, 3)):
        known(draw)
        render_and_add(results, question, Progress())
        with Store(results) as store:
            names = [str(name) for name in store.array(f"{G}kinds/name")]
            assert names == ["equivalent", "random", "true"]
            assert store.array(f"{G}kinds/beyond").tolist() == [beyond] * 3
            assert store.array(f"{G}kinds/known").tolist() == [3] * 3
            assert store.array(f"{G}kinds/share")[0] == beyond / 3
        assert problems(results) == []


def test_a_killed_run_goes_on_behind_the_last_finished_image(
    rendered_folder: Path, results: Path, known: Callable[..., KnownDecoder], tmp_path: Path
) -> None:
    question = RenderQuestion(label="cat", top=3, decoder=str(rendered_folder / "stable"), device="cpu", batch=3)
    whole = Path(shutil.copy(results, tmp_path / "whole.h5"))
    calls = known(drawn).calls
    render_and_add(whole, question, Progress())
    each = len(calls) // 3
    decoder = known(drawn)

    def killed(vector: np.ndarray, seed: int) -> np.ndarray:
        if len(decoder.calls) > each + 1:  # in the second image
            raise KeyboardInterrupt
        return drawn(vector, seed)

    decoder.draw = killed
    before = results.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        render_and_add(results, question, Progress())
    assert results.read_bytes() == before
    again = known(drawn)
    render_and_add(results, question, Progress())
    assert again.calls == calls[each:]
    assert jpegs(results) == jpegs(whole)
    assert not results.with_name("results.h5.work").exists()


def test_unfinished_work_of_another_question_is_refused(
    rendered_folder: Path, results: Path, known: Callable[..., KnownDecoder], command: Command
) -> None:
    decoder = known(drawn)

    def killed(vector: np.ndarray, seed: int) -> np.ndarray:
        if len(decoder.calls) > 2:
            raise KeyboardInterrupt
        return drawn(vector, seed)

    decoder.draw = killed
    line = (
        "render",
        results,
        "--class",
        "cat",
        "--top",
        "2",
        "--device",
        "cpu",
        "--decoder",
        rendered_folder / "stable",
    )
    question = RenderQuestion(label="cat", top=2, decoder=str(rendered_folder / "stable"), device="cpu")
    with pytest.raises(KeyboardInterrupt):
        render_and_add(results, question, Progress())
    known(drawn)
    ended = command(*line, "--seeds", "5")
    assert ended.code == 2
    assert "unfinished work of another command (differs: seeds)" in ended.err
    assert command(*line, "--seeds", "5", "--fresh").code == 0


def test_unfinished_work_is_not_thrown_away_by_nearest_images(results: Path, command: Command) -> None:
    work = results.with_name("results.h5.work")
    work.mkdir()
    (work / "000000.safetensors").write_bytes(b"of an unfinished run")
    refused(command("render", results), "holds unfinished work", "--fresh")
    assert (work / "000000.safetensors").exists()
    assert command("render", results, "--top", "1", "--fresh").code == 0
    assert not work.exists()


def test_without_photographs_the_length_is_that_of_the_decoders_statistics(
    rendered_folder: Path, results: Path, command: Command, tmp_path: Path
) -> None:
    line = ("render", results, "--top", "1", "--steps", "2", "--device", "cpu", "--seeds", "1", "--photos", tmp_path)
    assert command(*line, "--decoder", rendered_folder / "stable").code == 0
    with Store(results) as store:
        assert store.array(f"{G}embeddings/norm").tolist() == [8.0] * 2  # means 0 and deviations 1 of 64 numbers
        assert {str(state) for state in store.array(f"{G}pairs/state")} == {"not known"}
    refused(command(*line, "--decoder", rendered_folder / "karlo"), "--photos DIR", "--norm")
    assert command(*line, "--decoder", rendered_folder / "karlo", "--norm", "11.5").code == 0
    assert problems(results) == []


def test_nearest_images_take_the_places_of_pictures(results: Path, command: Command) -> None:
    ended = command("render", results, "--images", "cat/001.png", "--images", "bee/000.png")
    assert ended.code == 0, ended.err
    assert "No decoder: the nearest real images take the places of pictures" in ended.out
    assert problems(results) == []
    with Store(results) as store:
        row = store.find("image", "cat/001.png")
        (at,) = pairs_of_image(store, "first", row)
        pair = read_pair(store, "first", at)
        near = store.array("models/first/images/nearest_after")[row]
        assert [picture.nearest for picture in pair.after] == [str(store.array("images/key")[each]) for each in near]
        assert (pair.decoded, pair.state, at) == (False, "not known", 0)


def test_without_a_clip_network_nothing_looks_at_pictures(
    rendered_folder: Path, results: Path, command: Command, tmp_path: Path
) -> None:
    with h5py.File(results, "r+") as file:
        file["clip"].attrs["source"] = np.bytes_("stored embeddings")
    ended = command("render", results, "--top", "1")
    assert ended.code == 0, ended.err
    assert "angles between pictures and embeddings are not known" in ended.err
    assert problems(results) == []
    with Store(results) as store:
        assert np.isnan(store.array(f"{G}pictures/back")).all()
        assert f"{G}pictures/vector" not in store
    refused(command("render", results, *FEW, "--decoder", rendered_folder / "stable"), "made from stored embeddings")
    assert command("render", results, "--top", "1", "--export", tmp_path / "e.safetensors").code == 0
