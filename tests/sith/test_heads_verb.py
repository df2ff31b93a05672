"""`sing-compute heads`: what it stores, recomputed from the weights; the tables that show it."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from ended_commands import Ended
from heads_files import CLIP, DEMO, changed_clip
from PIL import Image
from safetensors.numpy import load_file, save_file
from scipy.optimize import nnls

import sing_compute
from sing_compute.concepts.open_clip_space import OpenClipSpace
from sing_compute.store import Store, catalogue
from sing_compute.store.copying import same_data
from sing_compute.store.verify import verify
from sing_tui.cli import main as explorer

BASE = "towers/clip/"
LAYERS, HEADS, RANK, DIM = 4, 4, 32, 128


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def layer_norm(vectors: np.ndarray) -> np.ndarray:
    return (vectors - vectors.mean(-1, keepdims=True)) / np.sqrt(vectors.var(-1, keepdims=True) + 1e-5)


def test_the_image_mean_is_that_of_the_embeddings_though_no_image_is_read(made: Path) -> None:
    space = OpenClipSpace(CLIP)
    images = [space.transform(Image.open(path)) for path in sorted((made / "images").rglob("*.png"))]
    mean = space.images(torch.stack(images)).double().mean(0).numpy()
    with Store(made / "heads.h5") as store:
        stored = store.array(f"{BASE}image/mean")
        facts = store.attributes("towers/clip")
    assert np.abs(stored - mean).max() < 1e-6
    assert 0.3 < np.linalg.norm(mean) < 0.9
    assert facts["image_mean"].startswith("mean of the 60 images of ")
    assert facts["image_mean"].endswith("by the translator of clean")


@pytest.mark.parametrize(("layer", "head"), [(0, 0), (3, 2)])
def test_values_poles_and_codes_follow_from_the_weights(made: Path, layer: int, head: int) -> None:
    state = {k: v.astype(np.float64) for k, v in load_file(DEMO / "clip" / "open_clip_model.safetensors").items()}
    block, rows = f"visual.transformer.resblocks.{layer}.", slice(head * RANK, (head + 1) * RANK)
    centre = np.eye(DIM) - 1 / DIM
    value = state[block + "attn.in_proj_weight"][2 * DIM :][rows].T * state[block + "ln_1.weight"][:, None]
    out = state[block + "attn.out_proj.weight"][:, rows].T
    u, values, vh = np.linalg.svd(centre @ value @ out @ centre)
    with Store(made / "heads.h5") as store:
        stored = {
            name: store.array(f"{BASE}vectors/{name}")[layer, head]
            for name in ("value", "pick", "coefficient", "cosine", "fidelity", "ceiling", "coherence")
        }
        words = [str(word) for word in store.array(f"{BASE}words/name")]
        concepts = [str(word) for word in store.array("concepts/name")]
        atoms = unit(store.array("clip/concept_embeddings").astype(np.float64))
        mean = store.array(f"{BASE}image/mean")
    np.testing.assert_allclose(stored["value"], values[:RANK], rtol=1e-9)
    atoms = unit(atoms - atoms.mean(0))
    back = np.linalg.pinv(state["visual.proj"])
    for vector in range(0, RANK, 7):
        positive = np.sign(u[np.abs(u[:, vector]).argmax(), vector]) * vh[vector]
        for sign, direction in enumerate((positive, -positive)):
            normed = layer_norm(direction) * state["visual.ln_post.weight"] + state["visual.ln_post.bias"]
            x = unit(unit(normed @ state["visual.proj"]) - mean)
            picks = [concepts.index(words[word]) for word in stored["pick"][vector, sign]]
            assert picks[0] == int((atoms @ x).argmax())
            for position, size in enumerate((3, 5)):
                basis = atoms[picks[:size]]
                weights, _ = nnls(basis.T, x)
                found = stored["coefficient"][vector, sign, position]
                np.testing.assert_allclose(found[:size], weights, atol=1e-6)
                assert np.isnan(found[size:]).all()
                mix = unit(weights @ basis)
                assert stored["cosine"][vector, sign, position] == pytest.approx(mix @ x, abs=1e-6)
                for expected, of in (
                    (stored["fidelity"][vector, sign, position], mix),
                    (stored["ceiling"][vector, sign], x),
                ):
                    assert expected == pytest.approx(unit(unit(of + mean) @ back) @ direction, abs=1e-6)
                pairs = np.outer(weights, weights) * (1 - np.eye(size))
                coherence = (pairs * (basis @ basis.T)).sum() / pairs.sum()
                assert stored["coherence"][vector, sign, position] == pytest.approx(coherence, abs=1e-6)


def test_the_order_of_methods_is_that_of_the_paper(made: Path) -> None:
    with sing_compute.load(made / "heads.h5") as results:
        for layer in range(LAYERS):
            table = results.table("methods", layer=f"layer {layer}")
            assert table.index.tolist() == ["comp", "nnomp", "top-k"]
            assert table.loc["nnomp", "cosine"] > table.loc["comp", "cosine"] > table.loc["top-k", "cosine"]
            assert table.loc["nnomp", "coherence"] < table.loc["comp", "coherence"] < table.loc["top-k", "coherence"]
            own = results.table("layers").loc[f"layer {layer}"]
            for figure in ("cosine", "fidelity", "coherence", "unused"):
                assert own[figure] == pytest.approx(table.loc["comp", figure], abs=1e-6)


def test_everything_else_in_the_file_is_copied_and_both_files_pass_verify(made: Path) -> None:
    with Store(made / "run.h5") as before, Store(made / "heads.h5") as after, Store(made / "tower.h5") as alone:
        for group in ("images", "models", "concepts", "clip", "classes"):
            assert same_data(before, after, group)
        for store, tower, vectors in ((after, "clip", 512), (alone, "small", 256)):
            assert verify(store).problems == []
            assert verify(store).unknown == []
            assert store.scalars(f"towers/{tower}/summary")["vectors"] == vectors
        assert alone.models == []
        assert alone.array("towers/small/layers/number").tolist() == [1, 3]


DAMAGE = {
    "vectors/coefficient": ((0, 0, 0, 0, 0, 0), -0.1, "negative or infinite"),
    "vectors/value": ((0, 0, 5), 9.0, "not descending, or negative"),
    "vectors/cosine": ((1, 2, 3, 1, 0), 1.01, "outside -1 to 1"),
    "vectors/ceiling": ((1, 2, 3, 1), -1.5, "outside -1 to 1"),
    "vectors/pick": ((0, 0, 0, 0, 0), 22, "outside the words"),
    "words/uses": ((0,), 0, "not that of the vectors"),
    "summary/fidelity": ((), 0.5, "its vectors say 0."),
    "image/mean": ((0,), 3.0, "the mean says 3."),
    "layers/name": ((0,), b"layer 9", "layers/name: not that of layers/number"),
    "layers/number": ((0,), 7, "not ascending layers of the tower"),
    "sizes/concepts": ((1,), 4, "not ascending up to the number of picks"),
    "vectors/rank": ((0, 0), 31, "other vectors have names than those above rounding"),
}


@pytest.mark.parametrize("path", DAMAGE)
def test_verify_finds_what_contradicts_itself(folder: Path, path: str) -> None:
    place, value, line = DAMAGE[path]
    with h5py.File("heads.h5", "r+") as file:
        file[BASE + path][place] = value
    with Store("heads.h5") as store:
        problems = verify(store).problems
    assert any(problem.startswith(BASE) and line in problem for problem in problems), problems


def test_a_tower_alone_is_read_merged_and_shown_everywhere(folder: Path, command: Callable[..., Ended]) -> None:
    merged = command("merge", "run.h5", "tower.h5", "-o", "both.h5")
    assert (merged.code, merged.out) == (0, "both.h5 is written: 1 models, clean\n")
    shutil.copy("tower.h5", "other.h5")
    assert command("merge", "tower.h5", "other.h5", "-o", "same.h5").out == "same.h5 is written, without models\n"
    assert command("verify", "tower.h5").out.endswith("checks passed, 1 towers\n")
    keys = {"tower": "small", "layer": "layer 3", "head": "2", "vector": "0"}
    rows = {"towers": 1, "layers": 2, "methods": 3, "heads": 4, "vectors": 32, "picks": 2}
    for name in ("tower.h5", "both.h5"):
        with sing_compute.load(name) as results:
            assert set(results.tables) >= {*rows, "words"}
            assert results.table("vectors", layer="layer 3", head=2).loc["vector 0", "value"] == pytest.approx(1.46389)
        for table, count in rows.items():
            within = catalogue.table(table).within
            at = [part for axis in within for part in ("--at", f"{axis}={keys[axis]}")]
            shown = CliRunner().invoke(explorer, [name, "--table", table, *at, "--csv", "-"])
            assert shown.exit_code == 0, shown.output
            assert len(shown.output.splitlines()) == 1 + count
    shown = CliRunner().invoke(explorer, ["heads.h5", "--table", "picks", *at, "--at", "size=0", "--json", "-"])
    assert shown.exit_code == 2  # no tower `small` in this file
    at[1] = "tower=clip"
    for size, known in (("3 concepts", 3), ("5 concepts", 5)):
        shown = CliRunner().invoke(
            explorer, ["heads.h5", "--table", "picks", *at, "--at", f"size={size}", "--json", "-"]
        )
        cells = [row["positive_coefficient"] for row in json.loads(shown.output)]
        assert [cell is not None for cell in cells] == [True] * known + [False] * (5 - known)


def test_a_pick_in_vain_is_counted_and_never_shown(made: Path) -> None:
    with Store(made / "tower.h5") as store:
        weights, picks = (store.array(f"towers/small/vectors/{name}") for name in ("coefficient", "pick"))
        vain = np.argwhere(weights[..., 0, :] == 0)
        names = [str(name) for name in store.array("towers/small/words/name")]
        shares = store.scalars("towers/small/summary")["unused"]
    assert len(vain)
    assert shares == pytest.approx(len(vain) / (256 * 2 * 2))
    with sing_compute.load(made / "tower.h5") as results:
        for layer, head, vector, sign, pick in vain[:3]:
            pole = ("positive", "negative")[sign]
            row = results.table("vectors", layer=int(layer), head=int(head)).iloc[vector]
            assert row[f"{pole}_unused"] == (weights[layer, head, vector, sign, 0] == 0).sum()
            assert names[picks[layer, head, vector, sign, pick]] not in row[pole]
            table = results.table("picks", layer=int(layer), head=int(head), vector=int(vector))
            assert table[pole].iloc[pick] == ""


def test_vectors_that_are_rounding_have_no_names(folder: Path, command: Callable[..., Ended]) -> None:
    tensor = "visual.transformer.resblocks.3.attn.in_proj_weight"
    changed_clip(
        folder / "low", tensor, lambda weight: weight.__setitem__(slice(2 * DIM + RANK, 2 * DIM + RANK + 4), 0)
    )
    options = ("--clip", "local-dir:low", "--words", "words.txt", "--mean", "none", "--sizes", "2", "--layers", "2:")
    ended = command("heads", "-o", "low.h5", *options)
    assert ended.code == 0, ended.err
    assert "252 vectors, two poles each" in ended.out
    with sing_compute.load("low.h5") as results:
        assert verify(results.store).problems == []
        for head in range(HEADS):
            table = results.table("vectors", layer="layer 3", head=head)
            named = [number < RANK - 4 * (head == 1) for number in range(RANK)]
            assert np.isfinite(table["positive_cosine"]).tolist() == named
            assert (table["positive"] != "").tolist() == named
            assert table["value"].iloc[28:].max() < 1e-12 or all(named)


def test_a_head_without_weights_has_no_vectors(folder: Path, command: Callable[..., Ended]) -> None:
    tensor = "visual.transformer.resblocks.2.attn.in_proj_weight"
    changed_clip(folder / "empty", tensor, lambda weight: weight.__setitem__(slice(2 * DIM, 2 * DIM + RANK), 0))
    changed_clip(folder / "none", tensor, lambda weight: weight.__setitem__(slice(2 * DIM, 3 * DIM), 0))
    options = ("--words", "words.txt", "--mean", "none", "--sizes", "2", "--layers", "2")
    ended = command("heads", "-o", "empty.h5", "--clip", "local-dir:empty", *options)
    assert ended.code == 0, ended.err
    assert "96 vectors, two poles each" in ended.out
    assert command("heads", "-o", "none.h5", "--clip", "local-dir:none", *options).code == 0
    with sing_compute.load("empty.h5") as some, sing_compute.load("none.h5") as none:
        assert verify(some.store).problems == verify(none.store).problems == []
        assert some.store.array("towers/empty/vectors/rank").tolist() == [[0, RANK, RANK, RANK]]
        assert set(some.table("vectors", layer=0, head=0)["positive"]) == {""}
        heads = some.table("heads", layer=0)
        assert np.isnan(heads["cosine"].iloc[0])
        assert np.isfinite(heads["cosine"].iloc[1:]).all()
        assert heads["strength"].iloc[0] == 0
        assert none.store.array("towers/none/vectors/rank").tolist() == [[0] * HEADS]
        assert np.isnan(none.table("layers")["cosine"].iloc[0])
    for name in ("empty.h5", "none.h5"):
        shown = CliRunner().invoke(explorer, [name, "--table", "heads", "--at", "layer=0", "--csv", "-"])
        assert shown.exit_code == 0, shown.output


def test_a_list_of_words_is_read_line_by_line_and_encoded_once(
    folder: Path, command: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store("tower.h5") as store:
        facts = store.attributes("towers/small")
        pool = store.scalars("towers/small/summary")["pool"]
    assert pool == facts["pool_count"] == 5
    words = "striped\nplain\ndotted\nred fox\ngreen\n"
    assert facts["pool_sha256"] == hashlib.sha256(words.encode()).hexdigest()
    monkeypatch.setattr("sing_compute.concepts.encoded_texts.LARGE", 3)
    options = ("--clip", CLIP, "--mean", "run.h5", "--words", "words.txt", "--sizes", "2", "--layers", "3")
    first = command("heads", "-o", "a.h5", *options)
    assert first.code == 0, first.err
    assert "words.txt: left out 1 blank line and 1 repeated line" in first.err
    assert "128 vectors, two poles each, from 5 concepts; " in first.out
    monkeypatch.setattr(OpenClipSpace, "texts", None)
    second = command("heads", "-o", "b.h5", *options)
    assert second.code == 0, second.err
    with Store("a.h5") as left, Store("b.h5") as right:
        assert same_data(left, right, f"{BASE}vectors")


def test_other_sources_of_the_image_mean(folder: Path, command: Callable[..., Ended]) -> None:
    with Store("heads.h5") as store:
        mean = store.array(f"{BASE}image/mean")
    np.save("mean.npy", mean)
    torch.save({"mean": torch.from_numpy(mean)[None]}, "mean.pt")
    save_file({"mean": mean}, "mean.safetensors")
    words = ("--clip", CLIP, "--words", "words.txt", "--sizes", "2", "--layers", "0", "--fresh", "-o", "a.h5")
    for source in (
        ["--mean", "mean.npy"],
        ["--mean", "mean.pt"],
        ["--mean", "mean.safetensors"],
        ["--images", "images"],
    ):
        ended = command("heads", *words, *source)
        assert ended.code == 0, ended.err
        assert "length 0." in ended.err
        with Store("a.h5") as store:
            assert np.abs(store.array(f"{BASE}image/mean") - mean).max() < 1e-6
            assert source[1] in store.attributes("towers/clip")["image_mean"]
    ended = command("heads", *words, "--mean", "none")
    assert ended.code == 0
    assert "no image mean is subtracted" in ended.err
    with Store("a.h5") as store:
        assert not store.array(f"{BASE}image/mean").any()
        assert verify(store).problems == []
