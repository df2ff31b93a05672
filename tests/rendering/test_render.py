"""`sing-compute render` by pipelines of diffusers with random weights, and by decoders whose pictures are known."""

import importlib.util
import io
import json
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from ended_commands import Ended
from PIL import Image
from rendered_files import KnownDecoder, drawn, noisy

from sing_compute.process.progress import Progress
from sing_compute.questions.renders.question import RenderQuestion
from sing_compute.questions.renders.rendering import render_and_add
from sing_compute.rendering.decoder_files import find_decoder
from sing_compute.rendering.decoders import load_decoder
from sing_compute.store import Store
from sing_compute.store.checks.look import Findings, Look
from sing_compute.store.definitions.renders import RENDERS
from sing_compute.store.pictures import pairs_of_image, read_pair
from sing_compute.store.value_checks import check_values, stored_fields

Command = Callable[..., Ended]
G = "models/first/renders/"
FEW = ("--class", "cat", "--top", "2", "--steps", "2", "--device", "cpu")


def jpegs(path: Path) -> list[bytes]:
    with Store(path) as store:
        edges, data = store.array(f"{G}pictures/edge"), store.array(f"{G}pictures/jpeg").tobytes()
    return [data[start:stop] for start, stop in pairwise(edges)]


def problems(path: Path) -> list[str]:
    """Return what the ranges and checks of the pictures find: the part of `verify` that is about them."""
    findings = Findings()
    with Store(path) as store:
        for stored in stored_fields(store, RENDERS):
            check_values(store, stored, findings)
        look = Look(store, "models/first/", "first", findings, full=True)
        for check in RENDERS.checks:
            if all(need.format(model="first") in store for need in check.needs):
                check.run(look)
    return findings.problems


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


def refused(ended: Ended, *words: str) -> None:
    """Check that a command has ended with one line that holds some words, and no traceback."""
    assert ended.code == 2, ended.err
    last = ended.err.strip().splitlines()[-1]
    assert "Traceback" not in ended.err
    for word in words:
        assert word in last, last


def changed(rendered_folder: Path, tmp_path: Path, change: Callable[[Path], object]) -> Path:
    """A copy of the decoder `stable` after a change."""
    copy = tmp_path / "decoder"
    shutil.copytree(rendered_folder / "stable", copy)
    change(copy)
    return copy


def edited(folder: Path, name: str, **values: object) -> None:
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def other_weights(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = folder / "image_encoder" / "model.safetensors"
    tensors = load_file(path)
    tensors["visual_projection.weight"] = tensors["visual_projection.weight"].flip(0).contiguous()
    save_file(tensors, path, {"format": "pt"})


def lost_tensor(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    del tensors["conv_in.bias"]
    save_file(tensors, path, {"format": "pt"})


MISFITS: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "dimensions": (
        lambda folder: edited(folder, "image_encoder/config.json", projection_dim=48),
        ("reads another CLIP than local-dir:clip", "dimensions 48, the file's 64"),
    ),
    "layers": (
        lambda folder: edited(folder, "image_encoder/config.json", num_hidden_layers=3),
        ("another CLIP", "layers 3"),
    ),
    "weights": (other_weights, ("another CLIP", "the weights of the image projection are not")),
    "pickle": (
        lambda folder: (folder / "unet/diffusion_pytorch_model.safetensors").rename(
            folder / "unet/diffusion_pytorch_model.bin"
        ),
        ("unet", "pickle (diffusion_pytorch_model.bin), which is never loaded"),
    ),
    "pipeline": (
        lambda folder: edited(folder, "model_index.json", _class_name="StableDiffusionPipeline"),
        ("is a StableDiffusionPipeline",),
    ),
    "code": (
        lambda folder: edited(folder, "model_index.json", unet=["my_unet", "MyUNet"]),
        ("its unet is a MyUNet, not a UNet2DConditionModel",),
    ),
    "scheduler": (
        lambda folder: edited(folder, "model_index.json", scheduler=["os", "system"]),
        ("its scheduler is a system, which is no scheduler of diffusers",),
    ),
    "remote code": (
        lambda folder: edited(folder, "text_encoder/config.json", trust_remote_code=True),
        ("trust_remote_code", "code of a repository is never run"),
    ),
    "a width": (
        lambda folder: edited(folder, "unet/config.json", sample_size=7),
        ("decoder cannot draw",),
    ),
    "memory": (
        lambda folder: edited(folder, "unet/config.json", cross_attention_dim=2**23),
        (", unet: its configuration describes more weights than its files",),
    ),
    "steps": (
        lambda folder: edited(folder, "scheduler/scheduler_config.json", num_train_timesteps=2**31),
        ("its configuration says num_train_timesteps 2.15e+09, more than 100,000",),
    ),
    "a part": (lambda folder: shutil.rmtree(folder / "vae"), ("its vae is missing",)),
    "a tensor": (lost_tensor, ("its unet has no weights for 1 tensors, such as conv_in.bias",)),
    "no JSON": (lambda folder: (folder / "model_index.json").write_text("{"), ("no pipeline of diffusers",)),
}


@pytest.mark.parametrize("kind", MISFITS)
def test_a_decoder_that_does_not_fit_ends_in_one_line(
    rendered_folder: Path, results: Path, tmp_path: Path, command: Command, kind: str
) -> None:
    change, words = MISFITS[kind]
    before = results.read_bytes()
    refused(command("render", results, *FEW, "--decoder", changed(rendered_folder, tmp_path, change)), *words)
    assert results.read_bytes() == before


def test_a_missing_extra_ends_in_one_line(results: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "diffusers" else find(name, *rest)
    )
    refused(command("render", results, "--decoder", "x/y"), "diffusers", "pip install 'sing-explorer[render]'")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--decoder", "no/such/folder"), "no such folder, and no ORG/REPO"),
        (("--decoder", "a/b", "--export", "x"), "--decoder and --export exclude each other"),
        (("--images", "0", "--class", "cat"), "--images and --class exclude each other"),
        (("--images", "nothing.png"), "no image 'nothing.png'"),
        (("--class", "unicorn"), "no class 'unicorn'"),
        (("--also", "counterfactual"), "has no direction pairs: sing-compute directions"),
        (("--model", "second"), "no model 'second'"),
        (("--photos", "nowhere"), "is not on this machine: --photos DIR says"),
    ],
)
def test_mistakes_end_in_one_line(results: Path, command: Command, options: tuple[str, ...], words: str) -> None:
    refused(command("render", results, *options), words)
    assert not results.with_name("results.h5.work").exists()


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


def test_a_decoder_in_several_files_is_the_same_one(rendered_folder: Path, tmp_path: Path) -> None:
    from diffusers import UNet2DConditionModel

    def split(folder: Path) -> None:
        unet = UNet2DConditionModel.from_pretrained(folder / "unet")
        (folder / "unet/diffusion_pytorch_model.safetensors").unlink()
        unet.save_pretrained(folder / "unet", max_shard_size="60KB")

    options = {"steps": 1, "device": torch.device("cpu"), "memory": "normal", "where": "--decoder"}
    whole, parts = (
        find_decoder(str(rendered_folder / "stable")),
        find_decoder(str(changed(rendered_folder, tmp_path, split))),
    )
    assert len(parts.weights("unet")) > 1
    vector = torch.ones(1, 64)
    left, right = (np.asarray(load_decoder(files, **options).decode(vector, [0])[0]) for files in (whole, parts))
    assert (left == right).all()


def test_of_a_repository_only_configurations_and_safetensors_are_downloaded(
    rendered_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def download(
        repository: str, *, revision: str | None, allow_patterns: list[str], ignore_patterns: list[str]
    ) -> str:
        asked.append((repository, revision, allow_patterns))
        return str(rendered_folder / "karlo")

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    monkeypatch.setattr("sing_compute.hubs.why_unreachable", str)
    found = find_decoder("someone/karlo@main")
    assert (found.name, found.revision) == ("someone/karlo", "karlo")
    assert [each[:2] for each in asked] == [("someone/karlo", "main")] * 2
    assert asked[0][2] == ["model_index.json"]
    assert {pattern.rpartition(".")[2] for pattern in asked[1][2]} == {"json", "txt", "safetensors"}


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
    assert "1 folders" in ended.err
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
    words = "holds no picture of T(f)" if kind == "alone" else "cannot be read as an image"
    refused(command("render", results, "--from-images", tmp_path / "pictures"), words)


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
