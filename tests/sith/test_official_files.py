"""Decompositions of the authors' code are taken over, and names are written in the layout of their page."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from ended_commands import Ended
from heads_files import CLIP, DEMO
from safetensors.numpy import load_file
from safetensors.torch import load_file as load_tensors

from sing_compute.store import Store
from sing_compute.store.verify import verify

WORDS = ["striped", "red fox", "Red fox", "green\u2028grass", "plain", "dotted", "plain"]
LAYER, HEADS, RANK, DIM, SIZE = 2, 4, 32, 128, 3
NAME = "layer-02_right_foldln_my_words_comp-0.3_sparsity-3.pt"


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@pytest.fixture
def official(folder: Path) -> dict[str, torch.Tensor]:
    """A folder with files as `decompose.py`, `encode_dictionary.py` and `compute_image_mean.py` write them."""
    rng = np.random.default_rng(3)
    indices = np.stack([rng.permutation(len(WORDS))[:SIZE] for _ in range(HEADS * RANK)])
    scores = -np.sort(-rng.uniform(0.05, 1, indices.shape), axis=1)
    scores[5, 2] = 0  # such an index is arbitrary in their files
    content = {"scores": torch.from_numpy(scores).float(), "indices": torch.from_numpy(indices)}
    Path("decompositions").mkdir()
    torch.save(content, Path("decompositions") / NAME)
    Path("my_words.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    torch.save(torch.from_numpy(rng.normal(size=(len(WORDS), 64))).float(), "embeddings.pt")
    torch.save(torch.from_numpy(unit(rng.normal(size=64)) * 0.5).float(), "image_mean.pt")
    return content


TYPED = ("-o", "new.h5", "--clip", CLIP, "--words", "my_words.txt", "--mean", "image_mean.pt", "--fresh")
GIVEN = (*TYPED, "--embeddings", "embeddings.pt")


def test_concepts_are_those_of_the_file_and_their_fit_is_measured_here(
    official: dict[str, torch.Tensor], command: Callable[..., Ended]
) -> None:
    ended = command("heads", "import", "decompositions", *GIVEN)
    assert ended.code == 0, ended.err
    assert "128 vectors, one pole each, from 7 concepts; 1 of 384 picks" in ended.out
    with Store("new.h5") as store:
        assert verify(store).problems == []
        (name,) = store.members("tower")
        base = f"towers/{name}/"
        facts = store.attributes(base.rstrip("/"))
        assert (facts["fold_layer_norm"], facts["coherence"], facts["taken_from"]) == (True, 0.3, NAME)
        assert [str(each) for each in store.array(base + "methods/name")] == ["comp"]
        words = [str(word) for word in store.array(base + "words/name")]
        picks, value = store.array(base + "vectors/pick")[0], store.array(base + "vectors/value")[0]
        weights, cosine = store.array(base + "vectors/coefficient")[0], store.array(base + "vectors/cosine")[0]
    names = ["striped", "red fox", "Red fox", "green grass", "plain (line 5)", "dotted", "plain (line 7)"]
    found = np.array([words[pick] for pick in picks[:, :, 0].ravel()]).reshape(-1, SIZE)
    assert found.tolist() == [[names[index] for index in row] for row in official["indices"].tolist()]
    np.testing.assert_allclose(weights[:, :, 0, 0].reshape(-1, SIZE), official["scores"].numpy(), rtol=1e-6)
    assert (picks[:, :, 1] == -1).all()
    assert np.isnan(cosine[:, :, 1]).all()
    state = {k: v.astype(np.float64) for k, v in load_file(DEMO / "clip" / "open_clip_model.safetensors").items()}
    block, head, vector = f"visual.transformer.resblocks.{LAYER}.", 1, 4
    rows, centre = slice(head * RANK, (head + 1) * RANK), np.eye(DIM) - 1 / DIM
    read = state[block + "attn.in_proj_weight"][2 * DIM :][rows].T * state[block + "ln_1.weight"][:, None]
    u, values, vh = np.linalg.svd(centre @ read @ state[block + "attn.out_proj.weight"][:, rows].T @ centre)
    np.testing.assert_allclose(value[head], values[:RANK], rtol=1e-9)
    t = vh[vector] * np.sign(u[np.abs(u[:, vector]).argmax(), vector])
    normed = (t - t.mean()) / np.sqrt(t.var() + 1e-5) * state["visual.ln_post.weight"] + state["visual.ln_post.bias"]
    x = unit(unit(normed @ state["visual.proj"]) - torch.load("image_mean.pt").double().numpy())
    atoms = unit(torch.load("embeddings.pt").double().numpy())
    atoms = unit(atoms - atoms.mean(0))
    row = head * RANK + vector
    mix = unit(official["scores"][row].double().numpy() @ atoms[official["indices"][row].numpy()])
    assert cosine[head, vector, 0, 0] == pytest.approx(mix @ x, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "shape", "method", "folded", "side"),
    [
        ("layer-2_left-nofoldln_conceptnet_top-k_sparsity-3.pt", (HEADS, RANK, SIZE), "top-k", False, "left"),
        ("layer-02_right-foldln_a_b_omp_sparsity-3.pt", (HEADS * 20, SIZE), "nnomp", True, "right"),
        ("layer-02_right_nofoldln_words_nnomp_sparsity-3.pt", (HEADS * 40, SIZE), "nnomp", False, "right"),
    ],
)
def test_all_spellings_and_layouts_are_read(
    official: dict[str, torch.Tensor],
    command: Callable[..., Ended],
    name: str,
    shape: tuple[int, ...],
    method: str,
    folded: bool,
    side: str,
) -> None:
    kept = shape[-2] if len(shape) == 3 else shape[0] // HEADS
    index = torch.arange(SIZE).expand(HEADS, kept, SIZE).reshape(shape)
    torch.save({"scores": torch.ones(shape), "indices": index}, name)
    ended = command("heads", "import", name, *GIVEN)
    assert ended.code == 0, ended.err
    with Store("new.h5") as store:
        assert verify(store).problems == []
        base = f"towers/{store.members('tower')[0]}/"
        facts = store.attributes(base.rstrip("/"))
        assert (facts["fold_layer_norm"], facts["vectors"]) == (folded, side)
        assert [str(each) for each in store.array(base + "methods/name")] == [method]
        assert set(store.array(base + "vectors/rank").ravel()) <= {min(kept, RANK), min(kept, RANK) - 1}
        value = store.array(base + "vectors/value")[0, 0]
    state = load_tensors(DEMO / "clip" / "open_clip_model.safetensors")
    block = f"visual.transformer.resblocks.{LAYER}."
    read = state[block + "attn.in_proj_weight"][2 * DIM :][:RANK].T.double()
    if folded:
        read = read * state[block + "ln_1.weight"][:, None]
        read = read - read.mean(0)
    write = state[block + "attn.out_proj.weight"][:, :RANK].T.double()
    write = write - write.mean(1, keepdim=True) if folded else write
    np.testing.assert_allclose(value, torch.linalg.svdvals(read @ write)[:RANK], rtol=1e-9)


def test_what_was_taken_over_can_be_edited_and_checked_only_if_its_vectors_are_those_of_the_heads(
    official: dict[str, torch.Tensor], command: Callable[..., Ended]
) -> None:
    images = ("--images", "images", "--texts", "texts.txt", "--layers", "2", "--vectors", "1", "--device", "cpu")
    Path("texts.txt").write_text("texture: striped, plain, dotted\ncolour: red fox, green grass\n")
    assert command("heads", "import", "decompositions", *GIVEN).code == 0
    assert command("heads", "edit", "new.h5", "-o", "edited", "--clip", CLIP, "--suppress", "dotted").code == 0
    ended = command("heads", "check", "new.h5", "--clip", CLIP, *images)
    assert ended.code == 0, ended.err
    with Store("new.h5") as store:
        assert verify(store).problems == []
    shape, name = (HEADS * RANK, SIZE), NAME.replace("foldln", "nofoldln")
    torch.save({"scores": torch.ones(shape), "indices": torch.arange(SIZE).expand(shape)}, name)
    assert command("heads", "import", name, *GIVEN).code == 0
    for asked in (("edit", "new.h5", "-o", "other", "--suppress", "dotted"), ("check", "new.h5", *images)):
        assert "was decomposed without the norm before each layer" in command("heads", *asked, "--clip", CLIP).error
    assert command("heads", "heads.h5", "--side", "left", "--layers", "2").code == 0
    left = command("heads", "check", "heads.h5", "--clip", CLIP, *images, "--tower", "clip read")
    assert "says what heads read" in left.error


MISTAKES: dict[str, tuple[Callable[[], object], tuple[str, ...], str]] = {
    "nothing": (lambda: None, ("images",), "images: no decomposition; they are named layer-LL_SIDE_FOLD_"),
    "no file": (lambda: None, ("none.pt",), "none.pt: no such file or folder"),
    "name": (lambda: torch.save({}, "layer.pt"), ("layer.pt",), "layer.pt: a decomposition is named layer-LL_"),
    "pickle": (lambda: torch.save({"scores": Path()}, NAME), (NAME,), "cannot be read as .pt of weights only"),
    "content": (lambda: torch.save({"scores": torch.ones(2)}, NAME), (NAME,), "it holds no `scores` and `indices`"),
    "heads": (lambda: written(7, SIZE), (NAME,), "scores (7, 3) do not divide into the 4 heads of this tower"),
    "size": (lambda: written(8, 2), (NAME,), "scores (8, 2), but the name says 3 concepts a vector"),
    "negative": (lambda: written(8, 3, score=-1.0), (NAME,), "a score is negative or not finite"),
    "index": (lambda: written(8, 3, index=9), (NAME,), "an index is behind the 7 concepts of my_words.txt"),
    "layer": (
        lambda: written(8, 3, name=NAME.replace("02", "12")),
        (NAME.replace("02", "12"),),
        "the tower has 4 layers, 0 to 3",
    ),
    "mixed": (
        lambda: (written(8, 3), written(8, 3, name=NAME.replace("right", "left"))),
        (NAME, NAME.replace("right", "left")),
        "differ in side (right and left): take over one kind at a time",
    ),
    "twice": (lambda: written(8, 3), (NAME, f"decompositions/{NAME}"), "are of the same layer"),
    "rows": (
        lambda: (written(8, 3), torch.save(torch.ones(5, 64), "embeddings.pt")),
        (NAME,),
        "--words my_words.txt: 8 lines, but its embeddings have 5 rows",
    ),
}


def written(rows: int, size: int, *, score: float = 1.0, index: int = 0, name: str = NAME) -> None:
    torch.save({"scores": torch.full((rows, size), score), "indices": torch.full((rows, size), index)}, name)


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_line(official: object, command: Callable[..., Ended], case: str) -> None:
    prepare, paths, line = MISTAKES[case]
    prepare()
    assert line in command("heads", "import", *paths, *GIVEN).error
    assert not Path("new.h5").exists()


def test_names_are_written_as_the_page_of_the_authors_reads_them(folder: Path, command: Callable[..., Ended]) -> None:
    assert command("heads", "heads.h5", "--side", "left", "--layers", "3", "--sizes", "3").code == 0
    ended = command("heads", "explanations", "heads.h5", "-o", "out.json", "--vectors", "2")
    assert ended.out == "16 heads in out.json\n"
    heads = json.loads(Path("out.json").read_text())
    assert [(head["layer"], head["head"]) for head in heads] == [(k // 4, k % 4) for k in range(16)]
    last = heads[13]
    assert {"model", "layer", "head", "tab_label", "description", "svs"} == last.keys()
    assert [sv["index"] for sv in last["svs"]] == [0, 1]
    with Store("heads.h5") as store:
        for side, tower, layer in (("right", "clip", 3), ("left", "clip read", 0)):
            base = f"towers/{tower}/"
            names = store.array(base + "words/name")
            picks = store.array(base + "vectors/pick")[layer, 1, 0, 0, :3]
            weights = store.array(base + "vectors/coefficient")[layer, 1, 0, 0, 0, :3]
            wanted = {str(names[pick]): round(float(weight), 4) for pick, weight in zip(picks, weights, strict=True)}
            concepts = last["svs"][0][side]["concepts"]
            assert {each["name"]: each["score"] for each in concepts} == {k: v for k, v in wanted.items() if v}
            assert [each["score"] for each in concepts] == sorted((each["score"] for each in concepts), reverse=True)
            assert last["svs"][0][side]["label"] == concepts[0]["name"]
    assert "left" not in heads[0]["svs"][0]
    assert "out.json exists" in command("heads", "explanations", "heads.h5", "-o", "out.json").error
    left = command("heads", "explanations", "heads.h5", "-o", "b.json", "--tower", "clip read")
    assert "has left vectors" in left.error
    assert "has no tower 'x'" in command("heads", "explanations", "heads.h5", "-o", "b.json", "--tower", "x").error
