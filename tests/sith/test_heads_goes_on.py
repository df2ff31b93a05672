"""`sing-compute heads` that was stopped, on large vocabularies, and for what heads read."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from ended_commands import Ended
from heads_files import CLIP, DEMO
from safetensors.numpy import load_file, save_file

from sing_compute.concepts import encoded_texts
from sing_compute.concepts.open_clip_space import OpenClipSpace
from sing_compute.errors import SingError
from sing_compute.questions.heads import concept_pool, naming
from sing_compute.store import Store
from sing_compute.store.copying import same_data
from sing_compute.store.verify import verify

OPTIONS = ("--clip", CLIP, "--mean", "run.h5", "--words", "words.txt", "--sizes", "2", "--layers", "1:")


def test_a_stopped_command_goes_on_behind_the_last_finished_layer(
    folder: Path, command: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command("heads", "-o", "whole.h5", *OPTIONS).code == 0
    named, name_layer = [], naming.name_layer

    def name_until(stop: int) -> Callable[..., object]:
        def name(tower: object, number: int, **options: object) -> object:
            if number == stop:
                raise SingError("the machine goes down")
            named.append(number)
            return name_layer(tower, number, **options)

        return name

    monkeypatch.setattr(naming, "name_layer", name_until(3))
    assert "the machine goes down" in command("heads", "-o", "new.h5", *OPTIONS).error
    assert not Path("new.h5").exists()
    monkeypatch.setattr(naming, "name_layer", name_until(4))
    other = command("heads", "-o", "new.h5", *OPTIONS, "--coherence", "0.1")
    assert "unfinished work of another command (differs: coherence)" in other.error
    ended = command("heads", "-o", "new.h5", *OPTIONS)
    assert ended.code == 0, ended.err
    assert "going on: 2 of 3 layers are done" in ended.err
    assert named == [1, 2, 3]
    with Store("whole.h5") as whole, Store("new.h5") as new:
        assert same_data(whole, new, "towers/clip/vectors")
        assert same_data(whole, new, "towers/clip/methods")
    assert not Path("new.h5.work").exists()


def test_fresh_throws_other_unfinished_names_away_but_never_the_work_of_a_run(
    folder: Path, command: Callable[..., Ended]
) -> None:
    work = Path("new.h5.work")
    work.mkdir()
    save_file({"rows": np.arange(1)}, work / "000000.safetensors")
    (work / "plan.json").write_text('{"heads": 1, "coherence": 0.1}')
    assert "unfinished work of another command" in command("heads", "-o", "new.h5", *OPTIONS).error
    (work / "plan.json").write_text('{"models": ["resnet50"]}')
    for fresh in ([], ["--fresh"]):
        assert "finish that run first" in command("heads", "-o", "new.h5", *OPTIONS, *fresh).error
        assert (work / "000000.safetensors").exists()
    (work / "plan.json").write_text('{"heads": 1, "coherence": 0.1}')
    assert command("heads", "-o", "new.h5", *OPTIONS, "--fresh").code == 0
    assert not work.exists()


def test_a_large_vocabulary_is_mapped_and_encoded_piece_by_piece(
    folder: Path, command: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command("heads", "-o", "memory.h5", *OPTIONS).code == 0
    monkeypatch.setattr(encoded_texts, "LARGE", 3)
    monkeypatch.setattr(encoded_texts, "PIECE", 2)
    monkeypatch.setattr(concept_pool, "_MAPPED", 1)
    encoded, texts = [], OpenClipSpace.texts

    def texts_until(stop: str) -> Callable[..., torch.Tensor]:
        def embed(space: OpenClipSpace, entries: list[list[str]], **options: torch.device) -> torch.Tensor:
            if [stop] in entries:
                raise SingError("the machine goes down")
            encoded.extend(text for (text,) in entries)
            return texts(space, entries, **options)

        return embed

    monkeypatch.setattr(OpenClipSpace, "texts", texts_until("green"))
    assert "the machine goes down" in command("heads", "-o", "mapped.h5", *OPTIONS).error
    monkeypatch.setattr(OpenClipSpace, "texts", texts_until("nothing"))
    ended = command("heads", "-o", "mapped.h5", *OPTIONS)
    assert ended.code == 0, ended.err
    assert encoded == ["striped", "plain", "dotted", "red fox", "green"]
    with Store("memory.h5") as memory, Store("mapped.h5") as mapped:
        for name in ("words/name", "vectors/pick", "vectors/rank"):
            assert np.array_equal(memory.array(f"towers/clip/{name}"), mapped.array(f"towers/clip/{name}"))
        pair = [store.array("towers/clip/vectors/coefficient") for store in (memory, mapped)]
        np.testing.assert_allclose(*pair, atol=1e-6)  # batches of another size are rounded otherwise
    kept = sorted(path.name for path in (Path.home() / ".cache").rglob("*.npy"))
    assert len(kept) == 1
    assert "-" not in kept[0]


def test_left_vectors_are_those_that_heads_read(folder: Path, command: Callable[..., Ended]) -> None:
    ended = command("heads", "heads.h5", "--side", "left", "--layers", "2")
    assert ended.code == 0, ended.err
    state = {k: v.astype(np.float64) for k, v in load_file(DEMO / "clip" / "open_clip_model.safetensors").items()}
    block, head, dim, rank = "visual.transformer.resblocks.2.", 1, 128, 32
    rows, centre = slice(head * rank, (head + 1) * rank), np.eye(dim) - 1 / dim
    value = state[block + "attn.in_proj_weight"][2 * dim :][rows].T * state[block + "ln_1.weight"][:, None]
    u, values, _ = np.linalg.svd(centre @ value @ state[block + "attn.out_proj.weight"][:, rows].T @ centre)
    with Store("heads.h5") as store:
        assert store.members("tower") == ["clip", "clip read"]
        assert verify(store).problems == []
        assert store.attributes("towers/clip read")["vectors"] == "left"
        base, own = "towers/clip read/vectors/", store.array("towers/clip/vectors/value")
        assert np.array_equal(store.array(base + "value")[0], own[2])
        np.testing.assert_allclose(own[2, head], values[:rank], rtol=1e-9)
        ceiling = store.array(base + "ceiling")[0, head]
        mean = store.array("towers/clip read/image/mean")
    back = np.linalg.pinv(state["visual.proj"])
    for vector in (0, 3):
        direction = u[:, vector] * np.sign(u[np.abs(u[:, vector]).argmax(), vector])
        for sign, pole in enumerate((direction, -direction)):
            normed = (pole - pole.mean()) / np.sqrt(pole.var() + 1e-5)
            joint = (normed * state["visual.ln_post.weight"] + state["visual.ln_post.bias"]) @ state["visual.proj"]
            x = joint / np.linalg.norm(joint) - mean
            x /= np.linalg.norm(x)
            led = (x + mean) / np.linalg.norm(x + mean) @ back
            assert ceiling[vector, sign] == pytest.approx(led @ pole / np.linalg.norm(led), abs=1e-6)
