"""`sing-compute heads compare` and `effect`, against planted changes and open_clip alone."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from edited_clips import note_of, rows_of
from ended_commands import Ended
from heads_files import CLIP, DEMO, changed_clip
from PIL import Image

from sing_compute.concepts.open_clip_space import OpenClipSpace
from sing_compute.sith.attention import decompose
from sing_compute.sith.comparing import compare_layers
from sing_compute.sith.towers import read_tower
from sing_compute.store import Store

Command = Callable[..., Ended]
SOURCE = DEMO / "clip" / "open_clip_model.safetensors"


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
        if row["head_reweighted"]:
            assert float(row["head_reweighted"]) == pytest.approx(1.0, abs=1e-9)
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


def test_a_clip_compared_with_itself_has_no_change(folder: Path, command: Command) -> None:
    ended = command("heads", "compare", CLIP, CLIP, "--layers", "1")
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[1].split() == ["layer", "1", "0.00%", "-", "0.00%", "0", "of", "128"]
    assert ended.out.splitlines()[3:] == ["What the heads write is the same in both."]


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
