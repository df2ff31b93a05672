"""`sing-compute heads edit`, `effect` and `compare`, against numpy on the files themselves and open_clip alone."""

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from ended_commands import Ended
from heads_files import CLIP, DEMO, changed_clip, typed
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from sing_compute.concepts.open_clip_space import OpenClipSpace
from sing_compute.demo.clip import MODEL_CONFIG
from sing_compute.sith.attention import decompose
from sing_compute.sith.comparing import compare_layers
from sing_compute.sith.towers import read_tower
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


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def note_of(folder: Path) -> dict[str, object]:
    with safe_open(folder / "open_clip_model.safetensors", "pt") as content:
        return json.loads(content.metadata()["sing_compute_edit"])


@pytest.fixture(scope="module")
def edited(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `ground/`: the demo's CLIP without what layers 1 to 3 name after backgrounds, and striped doubled."""
    place = tmp_path_factory.mktemp("edited")
    typed(
        *("heads", "edit", made / "heads.h5", "-o", place / "ground", "--clip", CLIP, "--layers", "-3:"),
        *("--suppress", "grey,sky", "--suppress", "Grass", "--suppress", "sand", "--amplify", "3/1/30=2.5"),
    )
    return place


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


def test_an_edit_gives_back_every_factor_and_nothing_new(edited: Path, folder: Path, command: Command) -> None:
    ended = command("heads", "compare", "heads.h5", f"local-dir:{edited / 'ground'}", "--csv", "all.csv")
    assert ended.code == 0, ended.err
    assert "New directions" not in ended.out
    assert "other tensor" not in ended.out
    wanted = {tuple(place[:3]): place[3] for place in note_of(edited / "ground")["changed"]}
    rows = rows_of(folder / "all.csv")
    assert len(rows) == 512
    for row in rows:
        place = tuple(int(row[name]) for name in ("layer", "head", "number"))
        assert float(row["factor"]) == pytest.approx(wanted.get(place, 1.0), abs=1e-4)
        assert (row["angle"] == "") == (wanted.get(place) == 0)
        assert float(row["angle"] or 0) < 1e-3
        assert row["kind"] == "vector"
        if row["share"]:
            assert float(row["share"]) == pytest.approx(1.0, abs=1e-9)
    lines = ended.out.splitlines()
    assert [line.split()[3] for line in lines[1:5]] == ["-", "1.000", "1.000", "1.000"]
    assert [line.split()[4] for line in lines[1:5]] == ["0.00%"] * 4
    assert f"{len(wanted)} vectors have another factor" in ended.out


def test_a_planted_direction_is_new_and_has_its_words(folder: Path, command: Command) -> None:
    space = OpenClipSpace(CLIP)
    tower = read_tower(space.visual)
    with Store("heads.h5") as store:
        mean = torch.from_numpy(store.array("towers/clip/image/mean"))
        names = [str(name) for name in store.array("concepts/name")]
        texts = torch.from_numpy(store.array("clip/concept_embeddings")).double()
    atoms = torch.nn.functional.normalize(texts - texts.mean(0), dim=1)
    mix = atoms[names.index("striped")] + 0.6 * atoms[names.index("purple")]
    wanted = (mean + mix / mix.norm()) @ torch.linalg.pinv(tower.projection)

    def before_norm(scale: float) -> torch.Tensor:
        found = (scale * wanted - tower.beta) / tower.gamma
        return found - found.mean()

    low, high = 0.0, 1e4  # the norm makes every direction as long as the root of its size
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if before_norm(middle).norm() < 128**0.5 else (low, middle)
    direction = before_norm(low) / before_norm(low).norm()
    layer, head = 1, 2
    read = torch.randn(32, generator=torch.Generator().manual_seed(0)).double() * 0.2

    def plant(weight: np.ndarray) -> None:
        block = weight.astype(np.float64)
        block[:, head * 32 : (head + 1) * 32] += np.outer(direction, read)
        weight[:] = block.astype(weight.dtype)

    changed_clip(folder / "planted", f"visual.transformer.resblocks.{layer}.attn.out_proj.weight", plant)
    ended = command("heads", "compare", "heads.h5", "local-dir:planted", "--csv", "planted.csv", "--size", "5")
    assert ended.code == 0, ended.err
    assert "New directions" in ended.out
    new = [row for row in rows_of(folder / "planted.csv") if row["kind"] == "new"]
    assert (int(new[0]["layer"]), int(new[0]["head"])) == (layer, head)
    assert float(new[0]["share"]) > 0.9
    poles = [[part.split()[0] for part in new[0][sign].split(", ")] for sign in ("positive", "negative")]
    assert ["striped", "purple"] in [pole[:2] for pole in poles]
    folded = tower.layers[layer].folded()
    assert float(new[0]["singular_value"]) == pytest.approx(float((folded.read[head] @ read).norm()), rel=0.1)


def test_a_turned_vector_has_the_angle_it_was_turned_by() -> None:
    tower = read_tower(OpenClipSpace(CLIP).visual)
    layer = tower.layers[2]
    found = decompose(layer.folded())
    other = torch.linalg.qr(torch.cat([found.right[1], torch.ones(1, 128), torch.randn(1, 128)]).T.double())[0][:, -1]
    turned = 0.8 * found.right[1, 3] + 0.6 * other - found.right[1, 3]
    write = layer.write.clone()
    write[1] += (layer.write[1] @ found.right[1, 3])[:, None] * turned
    change = compare_layers(layer, replace(layer, write=write))
    angle = torch.zeros(4, 32)
    angle[1, 3] = np.degrees(np.arctan2(0.6, 0.8))
    assert torch.allclose(change.angle.float(), angle, atol=1e-4)
    assert float(change.factor[1, 3]) == pytest.approx(0.8)
    assert float(change.reweighted[1]) == pytest.approx(0.2**2 / (0.2**2 + 0.6**2))
    assert float(change.rest_values[1, 0]) == pytest.approx(0.6 * float(found.values[1, 3]))
    assert abs(float(change.rest_right[1, 0] @ other)) == pytest.approx(1)
    assert change.reweighted[[0, 2, 3]].isnan().all()


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


def test_the_effect_is_that_of_open_clip_alone(edited: Path, folder: Path, command: Command) -> None:
    keys = sorted(path.relative_to("images").as_posix() for path in Path("images").rglob("*.png"))
    place = {key: "left" if number % 3 else "right" for number, key in enumerate(keys)}
    Path("places.csv").write_text("path,side\n" + "".join(f"{key},{side}\n" for key, side in place.items()))
    ended = command(
        *("heads", "effect", "run.h5", f"local-dir:{edited / 'ground'}", "--images", "images", "--csv", "effect.csv"),
        *("--template", "an image of a {}", "--template", "a {}", "--groups", "places.csv:side", "--draws", "2"),
        *("--column", "places.csv:side=on the {}", "--device", "cpu"),
    )
    assert ended.code == 0, ended.err
    rows = {(row["kind"], row["name"]): row for row in rows_of(folder / "effect.csv")}
    shapes = sorted({key.split("/")[0] for key in keys})
    right = {}
    for column, name in (("before", CLIP), ("after", f"local-dir:{edited / 'ground'}")):
        model, _, transform = open_clip.create_model_and_transforms(name)
        tokens = open_clip.get_tokenizer(name)
        with torch.inference_mode():
            pixels = torch.stack([transform(Image.open(Path("images") / key)) for key in keys])
            images = model.eval().encode_image(pixels, normalize=True)
            texts = [
                model.encode_text(tokens([text.format(s) for s in shapes]), normalize=True)
                for text in ("an image of a {}", "a {}")
            ]
        nearest = (images @ (texts[0] + texts[1]).T / (texts[0] + texts[1]).norm(dim=1)).argmax(1)
        right[column] = np.array(
            [shapes[k] == key.split("/")[0] for k, key in zip(nearest.tolist(), keys, strict=True)]
        )
    for column, correct in right.items():
        assert float(rows["overall", ""][column]) == pytest.approx(correct.mean())
        groups = {}
        for key, hit in zip(keys, correct, strict=True):
            groups.setdefault(f"{key.split('/')[0]}, {place[key]}", []).append(hit)
        for name, hits in groups.items():
            assert int(rows["group", name]["images"]) == len(hits)
            assert float(rows["group", name][column]) == pytest.approx(np.mean(hits))
        assert float(rows["worst group", ""][column]) == pytest.approx(min(map(np.mean, groups.values())))
    assert rows["overall", ""]["random_mean"]
    assert float(rows["column", "side"]["random_low"]) <= float(rows["column", "side"]["random_mean"])
    changed = len(note_of(edited / "ground")["changed"])
    assert f"{changed} random vectors" in ended.out
    assert "2 whole heads" in ended.out
    assert len(rows) == 2 + len(groups) + len(shapes) + 1


def test_without_a_record_of_the_edit_there_is_no_comparison(folder: Path, command: Command) -> None:
    some = sorted({path.parent.name for path in Path("images").rglob("*.png")})[:2]
    Path("prompts.tsv").write_text("".join(f"{name}\tan image of a {name}\n" for name in some))
    ended = command(
        *("heads", "effect", "heads.h5", CLIP, "--images", "images", "--prompts", "prompts.tsv", "--device", "cpu")
    )
    assert ended.code == 0, ended.err
    assert "does not record an edit of the first CLIP" in ended.err
    assert "random" not in ended.out.splitlines()[0]
    assert [line.split()[0] for line in ended.out.splitlines()[1:5]] == ["overall", "worst", *some]
    shown = sum(len(list((Path("images") / name).iterdir())) for name in some)
    assert ended.out.splitlines()[1].split()[1] == str(shown)


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


def inputs(place: Path) -> None:
    """Write the files of the mistakes."""
    Path("short.txt").write_text("1\n2\n3\n")
    Path("error.txt").write_text("1\n2\nError\n")
    Path("nothing.txt").write_text("blau\nrot\n")
    Path("other").mkdir()
    Path("other/note.txt").write_text("mine")
    shutil.copytree(DEMO / "clip", "input")
    weight = "visual.transformer.resblocks.2.attn.in_proj_weight"
    changed_clip(Path("another"), weight, lambda values: values.__setitem__((300, 3), 0.5))
    changed_clip(Path("nan"), weight, lambda values: values.__setitem__((300, 3), np.nan))
    Path("half.tsv").write_text("star\tan image of a star\nbroken line\n")
    Path("sides.csv").write_text("path,side\nstar/none.png,left\n")
    state = load_file(SOURCE)
    Path("deep").mkdir()
    config = json.loads((DEMO / "clip" / "open_clip_config.json").read_text())
    config["model_cfg"]["vision_cfg"]["layers"] = 3
    Path("deep/open_clip_config.json").write_text(json.dumps(config))
    save_file(
        {k: v for k, v in state.items() if "visual.transformer.resblocks.3" not in k},
        "deep/open_clip_model.safetensors",
    )


EDIT = ("edit", "heads.h5", "--clip", CLIP, "-o", "new")
TO = EDIT[:-1]
EFFECT = ("effect", CLIP, "local-dir:input", "--images", "images")
KNOWN = "no vector of the tower 'clip' is named with this; 22 words are used"
OVER = "the edit would write over its input"
ANOTHER = "local-dir:another has other weights than the CLIP of the tower 'clip' in heads.h5"
REFUSALS: dict[str, tuple[tuple[str, ...], str]] = {
    "nothing asked": (EDIT, "--suppress and --amplify, --task, and --scores are the ways to choose vectors"),
    "two ways": ((*EDIT, "--suppress", "red", "--task", "a"), "--scores exclude each other: give one of them"),
    "rule": ((*EDIT, "--suppress", "red", "--rule", "1,1,1,0,0"), "--rule is for --scores"),
    "rule of four": ((*EDIT, "--scores", "short.txt", "--rule", "1,1,1,0"), "--rule '1,1,1,0': five numbers"),
    "no tower": (
        ("edit", "run.h5", "-o", "new", "--suppress", "a"),
        "run.h5 holds no tower: `sing-compute heads run.h5`",
    ),
    "tower": ((*EDIT, "--suppress", "red", "--tower", "x"), "--tower x: heads.h5 holds clip"),
    "size": ((*EDIT, "--suppress", "a", "--size", "4"), "--size 4: the tower 'clip' is named with 3, 5 concepts"),
    "layer": ((*EDIT, "--suppress", "a", "--layers", "7"), "--layers 7: there is no layer 7; the tower has 4 layers"),
    "layer without names": (
        ("edit", "tower.h5", "-o", "new", "--suppress", "plain", "--layers", "0"),
        "--layers 0: of the tower 'small' layers 1, 3 are named",
    ),
    "concept": ((*EDIT, "--suppress", "strped"), f"'strped': {KNOWN}; near: striped"),
    "list": ((*EDIT, "--suppress", "red,blu"), f"'blu': {KNOWN}; near: blue"),
    "file of words": ((*EDIT, "--suppress", "@nothing.txt"), f"'blau': {KNOWN}"),
    "no file of words": ((*EDIT, "--suppress", "@none.txt"), "--suppress @none.txt: no such file"),
    "vector": (
        (*EDIT, "--suppress", "2/0/32"),
        "2/0/32: there is no such vector; the tower 'clip' has layers 0, 1, 2, 3, heads 0 to 3 and vectors 0 to 31",
    ),
    "head": ((*EDIT, "--amplify", "2/4"), "--amplify 2/4: there is no such vector"),
    "factor": ((*EDIT, "--suppress", "red=2"), "--suppress red=2: the factor behind = is a number of at most 1"),
    "no factor": ((*EDIT, "--amplify", "red=x"), "--amplify red=x: the factor behind = is a number of at least 1"),
    "nan factor": ((*EDIT, "--suppress", "red=nan"), "--suppress red=nan: the factor behind ="),
    "two factors": (
        (*EDIT, "--suppress", "2/0", "--amplify", "2/0/1"),
        "vector 2/0/1 has two factors, by --suppress 2/0 and by --amplify 2/0/1",
    ),
    "share": ((*EDIT, "--suppress", "red", "--share", "1"), "--share 1: a number from 0 to below 1"),
    "none chosen": (
        (*EDIT, "--suppress", "red", "--share", ".999"),
        "no vector of layers 0, 1, 2, 3 is chosen: nothing is written",
    ),
    "scores": (
        (*EDIT, "--scores", "short.txt"),
        "short.txt: 3 judgements, wanted 512: one a line for 4 layers (0, 1, 2, 3) of 4 heads with 32 vectors",
    ),
    "judge": ((*EDIT, "--scores", "error.txt"), "error.txt, line 3: 'Error' is no judgement from 1 to 5"),
    "no scores": ((*EDIT, "--scores", "none.txt"), "--scores none.txt: no such file"),
    "task": ((*EDIT, "--task", " , "), "--task ' , ' names nothing"),
    "input": (
        ("edit", "heads.h5", "--clip", "local-dir:input", "-o", "input", "--suppress", "red", "--fresh"),
        f"-o input: {OVER}",
    ),
    "file": (("edit", "heads.h5", "-o", "heads.h5", "--suppress", "red"), f"-o heads.h5: {OVER}"),
    "exists": ((*TO, "another", "--suppress", "red"), "another exists; --fresh replaces it"),
    "folder of others": (
        (*TO, "other", "--suppress", "red", "--fresh"),
        "-o other: this is no CLIP that `heads edit` wrote",
    ),
    "no parent": ((*TO, "no/where", "--suppress", "red"), "-o no/where: there is no folder"),
    "another clip": (("edit", "heads.h5", "--clip", "local-dir:another", "-o", "new", "--suppress", "red"), ANOTHER),
    "nan compared": (
        ("compare", CLIP, "local-dir:nan"),
        "local-dir:nan: layer 2: a weight of its attention or of the norm before it is not finite",
    ),
    "other depth": (("compare", CLIP, "local-dir:deep"), "has 4 layers, local-dir:deep 3: they cannot be compared"),
    "csv": (("compare", CLIP, CLIP, "--csv", "words.txt"), "words.txt exists; --force replaces it"),
    "template": ((*EFFECT, "--template", "a star"), "--template 'a star': write {} where the name of a class goes"),
    "prompts": ((*EFFECT, "--prompts", "half.tsv"), "--prompts half.tsv, line 2: write CLASS, a tab and a text"),
    "groups": ((*EFFECT, "--groups", "sides.csv:side"), "--groups sides.csv:side: 60 of 60 images have no label"),
    "column": (
        (*EFFECT, "--groups", "sides.csv:up"),
        "--groups sides.csv:up: the first line must name the columns path and up, found path,side",
    ),
    "draws": ((*EFFECT, "--draws", "-1"), "--draws -1: a number of draws"),
}


@pytest.fixture(scope="module")
def mistakes(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("mistakes")
    for name in ("run.h5", "heads.h5", "tower.h5", "words.txt"):
        shutil.copy(made / name, place / name)
    (place / "images").symlink_to(made / "images")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        inputs(place)
    return place


@pytest.mark.parametrize("case", REFUSALS)
def test_a_mistake_is_one_line_and_changes_nothing(
    case: str, mistakes: Path, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    monkeypatch.chdir(mistakes)
    before = {path.name: path.stat().st_mtime_ns for path in mistakes.iterdir()}
    arguments, line = REFUSALS[case]
    ended = command("heads", *arguments)
    assert line in ended.error
    assert ended.out == ""
    assert {path.name: path.stat().st_mtime_ns for path in mistakes.iterdir()} == before
