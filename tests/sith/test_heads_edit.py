"""`sing-compute heads edit`, against numpy on the files themselves and open_clip alone."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from edited_clips import note_of
from ended_commands import Ended
from heads_files import CLIP, DEMO
from safetensors.torch import load_file

from sing_compute.concepts.open_clip_space import OpenClipSpace
from sing_compute.demo.clip import MODEL_CONFIG
from sing_compute.store import Store
from sing_compute.store.verify import verify

Command = Callable[..., Ended]
SOURCE = DEMO / "clip" / "open_clip_model.safetensors"


GROUND = "grey,sky,grass,sand"


def shares_of(file: Path, words: str) -> np.ndarray:
    """The larger share of both poles' coefficients that some words have at the smallest K: (layer, head, vector)."""
    with Store(file) as store:
        base = f"towers/{store.members('tower')[0]}/"
        names = [str(name) for name in store.array(f"{base}words/name")]
        size = int(store.array(f"{base}sizes/concepts")[0])
        picks = store.array(f"{base}vectors/pick")[..., :size]
        weights = store.array(f"{base}vectors/coefficient")[..., 0, :size].astype(float)
    inside = np.isin(np.array(names)[picks], words.split(","))
    return ((weights * inside).sum(-1) / weights.sum(-1)).max(-1)


def test_the_chosen_vectors_are_those_whose_codes_say_so(edited: Path, made: Path) -> None:
    shares = shares_of(made / "heads.h5", GROUND)
    expected = {(layer, *place, 0.0) for layer in (1, 2, 3) for place in np.argwhere(shares[layer] > 0.45).tolist()}
    expected = {tuple(place) for place in expected} | {(3, 1, 30, 2.5)}
    note = note_of(edited / "ground")
    assert {tuple(place) for place in note["changed"]} == expected
    assert len(expected) > 30
    assert note["layers"] == [1, 2, 3]
    assert note["source_state_sha256"] == OpenClipSpace(CLIP).provenance["state_sha256"]
    assert note["command"].startswith("sing-compute heads edit ")
    assert note["version"]


def test_open_clip_loads_the_edit_and_only_output_weights_and_biases_differ(edited: Path) -> None:
    before, after = load_file(SOURCE), load_file(edited / "ground" / "open_clip_model.safetensors")
    assert set(before) == set(after)
    changed = {name for name in before if not torch.equal(before[name].float(), after[name].float())}
    blocks = "visual.transformer.resblocks."
    assert changed == {f"{blocks}{layer}.attn.out_proj.{part}" for layer in (1, 2, 3) for part in ("weight", "bias")}
    assert {after[name].dtype for name in set(after) - changed} == {torch.float16}
    assert {after[name].dtype for name in changed} == {torch.float32}
    loaded = open_clip.create_model(f"local-dir:{edited / 'ground'}").state_dict()
    assert all(torch.equal(tensor.float(), loaded[name]) for name, tensor in after.items())
    assert (edited / "ground" / "open_clip_model.safetensors").stat().st_mode & 0o777 == (
        edited / "ground" / "open_clip_config.json"
    ).stat().st_mode & 0o777
    assert sorted(path.name for path in edited.iterdir()) == ["ground"]


def test_a_factor_of_one_leaves_every_bit(folder: Path, command: Command) -> None:
    ended = command("heads", "edit", "tower.h5", "-o", "same", "--suppress", "1/0/3=1", "--clip", CLIP)
    assert ended.code == 0, ended.err
    before, after = load_file(SOURCE), load_file(folder / "same" / "open_clip_model.safetensors")
    assert {name: (tensor.dtype, tensor.numpy().tobytes()) for name, tensor in before.items()} == {
        name: (tensor.dtype, tensor.numpy().tobytes()) for name, tensor in after.items()
    }


def test_heads_without_weights_have_no_names(folder: Path, command: Command) -> None:
    choice = [part for head in range(4) for part in ("--suppress", f"3/{head}")]
    ended = command("heads", "edit", "heads.h5", "-o", "silent", "--clip", CLIP, *choice, "--suppress", "1/2")
    assert "layer 1: 32 of 128 vectors changed, factor 0\n" in ended.out
    assert "layer 3: 128 of 128 vectors changed, factor 0\n" in ended.out
    words = ("--vocabulary", DEMO / "concepts.tsv", "--mean", "none")
    ended = command("heads", "-o", "silent.h5", "--clip", "local-dir:silent", *words)
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[5].split() == ["layer", "3", *["-"] * 10]
    with Store("silent.h5") as store:
        rank = store.array("towers/silent/vectors/rank")
        assert (rank == 0).sum() == 5
        assert (rank[3] == 0).all()
        assert rank[1, 2] == 0
        assert (store.array("towers/silent/vectors/pick")[rank == 0] == -1).all()
        assert np.isnan(store.array("towers/silent/vectors/cosine")[rank == 0]).all()
        assert verify(store).problems == []
    ended = command("heads", "edit", "silent.h5", "-o", "more", "--suppress", "1/1", "--clip", "local-dir:silent")
    assert ended.code == 0, ended.err
    assert note_of(folder / "more")["earlier"]["changed"] == note_of(folder / "silent")["changed"]
    ended = command("heads", "compare", "local-dir:silent", "local-dir:more", "--mean", "none")
    assert ended.out.splitlines()[4].split()[:4] == ["layer", "3", "-", "-"]


def test_a_file_of_an_architecture_is_edited_into_a_folder(
    folder: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "small-clip", MODEL_CONFIG)
    state = {f"module.{name}": tensor for name, tensor in load_file(SOURCE).items()}
    torch.save({"state_dict": state, "epoch": 3}, "small.pt")
    words = ("--words", "words.txt", "--mean", "none", "--sizes", "2", "--layers", "-1")
    assert command("heads", "-o", "small.h5", "--clip", "small-clip/small.pt", *words).code == 0
    ended = command("heads", "edit", "small.h5", "-o", "small", "--suppress", "3/0/0")
    assert ended.code == 0, ended.err
    own, other = OpenClipSpace("small-clip/small.pt"), OpenClipSpace("local-dir:small")
    assert own.provenance["preprocessing"] == other.provenance["preprocessing"]
    assert torch.equal(own.texts([["a"]], device=torch.device("cpu")), other.texts([["a"]], device=torch.device("cpu")))
    after = load_file("small/open_clip_model.safetensors")
    assert after["visual.proj"].dtype == torch.float16
    assert note_of(folder / "small")["changed"] == [[3, 0, 0, 0.0]]


def test_judgements_and_a_task_give_the_papers_factors(folder: Path, command: Command) -> None:
    scores = np.random.default_rng(0).integers(1, 6, (1, 4, 32))
    Path("scores.txt").write_text("\n".join(map(str, scores.flatten())) + "\n")
    choice = ("--layers", "2", "--clip", CLIP)
    assert command("heads", "edit", "heads.h5", "-o", "judged", "--scores", "scores.txt", *choice).code == 0
    found = np.ones((4, 32))
    for _, head, vector, factor in note_of(folder / "judged")["changed"]:
        found[head, vector] = factor
    assert (found == np.where(scores[0] >= 3, 0.0, 1.0)).all()
    rule = ("--rule", "1,1,-1,0,0", "--fresh")
    assert command("heads", "edit", "heads.h5", "-o", "judged", "--scores", "scores.txt", *choice, *rule).code == 0
    changed = {tuple(row[1:3]): row[3] for row in note_of(folder / "judged")["changed"]}
    assert {changed.get(tuple(place)) for place in np.argwhere(scores[0] == 3).tolist()} == {-1.0}
    ended = command("heads", "edit", "heads.h5", "-o", "task", "--task", "a star,a heart", *choice)
    assert ended.code == 0, ended.err
    assert "stands in for the language model of the paper" in ended.err
    space = OpenClipSpace(CLIP)
    about = space.texts([["a star"], ["a heart"]], device=torch.device("cpu")).numpy()
    with Store("heads.h5") as store:
        names = [str(name) for name in store.array("towers/clip/words/name")]
        own = [str(name) for name in store.array("concepts/name")]
        texts = store.array("clip/concept_embeddings")[[own.index(name) for name in names]]
        picks = store.array("towers/clip/vectors/pick")[2][..., :3]
        weights = store.array("towers/clip/vectors/coefficient")[2][..., 0, :3].astype(float)
    relevance = (weights * (texts @ about.T).max(1)[picks]).sum(-1).max(-1)
    expected = np.maximum(0.8, relevance + 0.3)
    found = np.ones((4, 32))
    for _, head, vector, factor in note_of(folder / "task")["changed"]:
        found[head, vector] = factor
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_help_names_the_commands_behind_heads(command: Command) -> None:
    words = command("heads", "--help").out.split()
    for name in ("compare", "edit", "effect"):
        assert name in [word.strip(",.") for word in words]
        assert command("heads", name, "--help").code == 0
