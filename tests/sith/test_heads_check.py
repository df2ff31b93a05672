"""`sing-compute heads check`: what it stores, recomputed; what replaces what; work that goes on; mistakes in one line."""

import copy
import csv
import io
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from ended_commands import Ended
from heads_files import CLIP, typed
from PIL import Image

import sing_compute
from sing_compute.concepts.open_clip_space import OpenClipSpace
from sing_compute.demo.scenes import ATTRIBUTES, held_out_scenes
from sing_compute.questions.heads import checking
from sing_compute.sith.editing import scale_vectors
from sing_compute.store import Store, catalogue
from sing_compute.store.copying import same_data
from sing_compute.store.verify import verify
from sing_tui.cli import main as explorer

BASE = "towers/clip/causes/"
OPTIONS = ("--images", "images", "--device", "cpu")
SAMPLE = 24


@pytest.fixture(scope="module")
def checked(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `checked.h5`: the last two layers of four, three vectors of each head; no test changes it."""
    place = tmp_path_factory.mktemp("checked")
    shutil.copy(made / "heads.h5", place / "checked.h5")
    (place / "images").symlink_to(made / "images")
    scenes = held_out_scenes()[:60]
    rows = [f"{scene.shape}/{number}.png,{scene.colour}" for number, scene in enumerate(scenes)]
    (place / "colours.csv").write_text("path,label\n" + "\n".join(rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        options = ("--layers", "2:", "--vectors", "3", "--sample", SAMPLE, "--labels", "colour=colours.csv")
        typed("heads", "check", "checked.h5", *OPTIONS, *options)
    return place


def test_effects_are_those_of_edited_weights_on_the_stored_images(checked: Path) -> None:
    space = OpenClipSpace(CLIP)
    with Store(checked / "checked.h5") as store:
        keys = [str(key) for key in store.array(BASE + "images/key")]
        effect, spread = store.array(BASE + "vectors/effect"), store.array(BASE + "attributes/spread")
        names = [str(name) for name in store.array(BASE + "attributes/name")]
        truth = [str(text) for text in store.array(BASE + "attributes/truth")]
        texts = store.array("clip/concept_embeddings")
    assert len(keys) == len(set(keys)) == SAMPLE
    assert names == list(ATTRIBUTES)
    assert truth == ["folders of the images", "labels of colours.csv", *["most similar text"] * 3]
    scenes = held_out_scenes()
    images = torch.stack([space.transform(Image.open(checked / "images" / key)) for key in keys])
    owner = np.repeat(range(5), [len(values) for values in ATTRIBUTES.values()])

    def margins(vectors: np.ndarray, before: np.ndarray) -> np.ndarray:
        found = np.empty((SAMPLE, 5))
        for row, key in enumerate(keys):
            scene = scenes[int(Path(key).stem)]
            for attribute, name in enumerate(ATTRIBUTES):
                own = texts[owner == attribute]
                similar, true = own @ vectors[row], scene.index(name)
                if attribute > 1:
                    true = int((own @ before[row]).argmax())
                found[row, attribute] = similar[true] - np.delete(similar, true).max()
        return found

    whole = space.images(images).numpy()
    before = margins(whole, whole)
    np.testing.assert_allclose(spread, before.std(0, ddof=1), rtol=1e-4)
    layers = ((2, 1, 2), (3, 2, 0))
    for layer, head, vector in layers:
        factors = torch.ones(4, 32).double()
        factors[head, vector] = 0
        tower = copy.deepcopy(space.visual)
        scale_vectors(tower, {layer: factors})
        with torch.inference_mode():
            edited = torch.nn.functional.normalize(tower(images), dim=1).numpy()
        wanted = np.abs(margins(edited, whole) - before).mean(0) / before.std(0, ddof=1)
        np.testing.assert_allclose(effect[layer, head, vector], wanted, rtol=1e-2, atol=1e-4)
    tried = np.isfinite(effect).all(3)
    assert not tried[:2].any()
    assert tried[2:, :, :3].all()
    assert not tried[2:, :, 3:].any()


def test_what_the_tables_say_is_counted_by_hand(checked: Path) -> None:
    with sing_compute.load(checked / "checked.h5") as results:
        kinds = dict(zip(results.store.array("concepts/name"), results.store.array("concepts/kind"), strict=True))
        layers = results.table("layers")
        for layer in ("layer 2", "layer 3"):
            tables = [results.table("vectors", layer=layer, head=head).iloc[:3] for head in range(4)]
            for head, table in enumerate(tables):
                for position, (name, row) in enumerate(table.iterrows()):
                    picks = results.table("picks", layer=layer, head=head, vector=name)
                    shares = dict.fromkeys(ATTRIBUTES, 0.0)
                    for pole in ("positive", "negative"):
                        weights = picks[f"{pole}_coefficient"].dropna()
                        for word, weight in zip(picks[pole], weights, strict=False):
                            if weight > 0:
                                shares[kinds[word]] += weight / weights.sum() / 2
                    assert row["says"] == max(shares, key=lambda name: shares[name])
                    causes = results.table("causes", layer=layer, head=head, vector=position)
                    assert causes["share"].to_dict() == pytest.approx(shares)
                    assert row["moves"] == causes["effect"].idxmax()
                    assert row["effect"] == causes["effect"].max()
                    expected = "agrees" if row["says"] == row["moves"] else "does not"
                    assert row["true"] == (expected if row["effect"] > row["random"] else "like random")
            rows = [row for table in tables for _, row in table.iterrows()]
            own = layers.loc[layer]
            assert own["agreement"] == pytest.approx(np.mean([row["says"] == row["moves"] for row in rows]))
            above = [row["says"] == row["moves"] for row in rows if row["true"] != "like random"]
            assert own["above_random"] == len(above)
            assert own["agreement_above_random"] == pytest.approx(np.mean(above))
            said, moved = ([row[part] for row in rows] for part in ("says", "moves"))
            chance = sum(said.count(name) * moved.count(name) for name in ATTRIBUTES) / len(rows) ** 2
            assert own["chance"] == pytest.approx(chance)
        assert results.table("vectors", layer="layer 0", head=0)["true"].unique().tolist() == ["not checked"]
        assert np.isnan(layers.loc["layer 0", "agreement"])
        strongest = results.table("vectors", layer="layer 3", head=2).iloc[0]
        assert len(strongest["nearest"].split(", ")) == 3
        assert not set(strongest["nearest"].split(", ")) & set(strongest["farthest"].split(", "))


def test_nothing_else_changes_and_every_reader_shows_it(checked: Path, made: Path) -> None:
    with Store(made / "heads.h5") as before, Store(checked / "checked.h5") as after:
        for group in ("images", "models", "concepts", "clip", "classes", "towers/clip/vectors", "towers/clip/words"):
            assert same_data(before, after, group)
        found = verify(after)
        assert (found.problems, found.unknown) == ([], [])
        assert after.attributes(BASE)["skipped"] == 0
    at = ["--at", "layer=layer 3", "--at", "head=2", "--at", "vector=0"]
    shown = CliRunner().invoke(explorer, [str(checked / "checked.h5"), "--table", "causes", *at, "--csv", "-"])
    assert shown.exit_code == 0, shown.output
    rows = list(csv.DictReader(io.StringIO(shown.output)))
    assert [row["attribute"] for row in rows] == list(ATTRIBUTES)
    assert sum(float(row["share"]) for row in rows) == pytest.approx(1)
    assert rows[0]["truth"] == "folders of the images"
    with Store(made / "heads.h5") as store:
        assert "causes" not in [spec.name for spec in catalogue.tables(store)]
    shown = CliRunner().invoke(explorer, [str(made / "heads.h5"), "--table", "causes", *at, "--csv", "-"])
    assert shown.exit_code == 2
    assert "clip has no causes: `sing-compute heads check` measures what its vectors do" in shown.output


DAMAGE = {
    "vectors/effect": ((3, 0, 0, 0), -0.1, "an effect or an amount is negative"),
    "vectors/amount": ((3, 0, 0), np.nan, "known for other vectors than amounts"),
    "random/amount": ((3, 0, 0), np.nan, "known for other draws than amounts"),
    "attributes/spread": ((0,), 0.0, "not above 0"),
    "texts/attribute": ((0,), -1, "fewer than two texts"),
    "words/attribute": ((0,), 4, "its vectors say otherwise"),
    "vectors/nearest": ((3, 0, 0, 0), SAMPLE, "outside the probes"),
    "agreement/agreement": ((3, 0, 0), 0.5, "its vectors say otherwise"),
    "agreement/p": ((3, 0, 0), 0.9, "its vectors say otherwise"),
}


@pytest.mark.parametrize("path", DAMAGE)
def test_verify_finds_what_contradicts_itself(checked: Path, tmp_path: Path, path: str) -> None:
    shutil.copy(checked / "checked.h5", tmp_path / "damaged.h5")
    place, value, line = DAMAGE[path]
    with h5py.File(tmp_path / "damaged.h5", "r+") as file:
        file[BASE + path][place] = value
    with Store(tmp_path / "damaged.h5") as store:
        problems = verify(store).problems
    assert any(problem.startswith(BASE) and line in problem for problem in problems), problems


def test_verify_misses_a_part_of_a_check(checked: Path, tmp_path: Path) -> None:
    shutil.copy(checked / "checked.h5", tmp_path / "damaged.h5")
    with h5py.File(tmp_path / "damaged.h5", "r+") as file:
        del file[BASE + "random"]
    with Store(tmp_path / "damaged.h5") as store:
        assert f"{BASE}random/effect: missing, and the rest of a check is there" in verify(store).problems


def test_a_second_check_replaces_the_first_and_killed_work_goes_on(
    checked: Path, folder: Path, command: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(checked / "checked.h5", "again.h5")
    options = (*OPTIONS, "--layers", "-2:", "--vectors", "1", "--sample", "9")
    real, numbers = checking.layer_causes, []

    def stopped(visual: object, number: int, *rest: object, **more: object) -> object:
        numbers.append(number)
        if len(numbers) == 2:
            raise KeyboardInterrupt
        return real(visual, number, *rest, **more)

    monkeypatch.setattr(checking, "layer_causes", stopped)
    assert command("heads", "check", "again.h5", *options).code not in (0, 2)
    with Store("again.h5") as store, Store(checked / "checked.h5") as before:
        assert same_data(store, before, "towers")
    assert "holds unfinished work" in command("heads", "check", "again.h5", *options, "--vectors", "2").error
    assert "holds unfinished work" in command("heads", "again.h5", "--fresh").error
    ended = command("heads", "check", "again.h5", *options)
    assert ended.code == 0, ended.err
    assert "going on: 1 of 2 layers are done" in ended.err
    assert numbers == [2, 3, 3]
    assert not Path("again.h5.work").exists()
    with Store("again.h5") as store:
        assert np.isfinite(store.array(BASE + "vectors/amount")).sum() == 2 * 4
        assert len(store.array(BASE + "images/key")) == 9
        assert verify(store).problems == []


def test_attributes_of_a_file_decide_what_a_name_says(folder: Path, command: Callable[..., Ended]) -> None:
    Path("groups.txt").write_text(
        "# of this CLIP\nTexture: plain, striped, dotted\nred fox: fox, hound\n", encoding="utf-8"
    )
    Path("images.csv").write_text(
        "path,label\n"
        + "\n".join(f"images/{p.parent.name}/{p.name},x" for p in sorted(Path("images").rglob("*.png"))[:8])
    )
    Path("broken.png").write_bytes(b"no image")
    with Path("images.csv").open("a") as stream:
        stream.write("\nbroken.png,x\n")
    options = ("--images", "images.csv", "--device", "cpu", "--texts", "groups.txt", "--layers", "3", "--vectors", "1")
    ended = command("heads", "check", "tower.h5", *options)
    assert ended.code == 0, ended.err
    assert "attributes: groups.txt: Texture (3), red fox (2)" in ended.err
    assert "1 of 9 images cannot be read, and are left out" in ended.err
    assert (
        "true texts of Texture, red fox: no labels, so the text that the unedited network finds most similar"
        in ended.err
    )
    assert "5 concepts belong to an attribute: 3 by text, 1 by words, 1 by similarity" in ended.err
    with Store("tower.h5") as store:
        base = "towers/small/causes/"
        words = [str(word) for word in store.array("towers/small/words/name")]
        found = dict(zip(words, store.array(base + "words/attribute").tolist(), strict=True))
        rules = dict(zip(words, map(str, store.array(base + "words/rule")), strict=True))
        assert store.attributes(base)["skipped"] == 1
        assert verify(store).problems == []
    assert {word: found[word] for word in ("striped", "plain", "dotted", "red fox")} == {
        "striped": 0, "plain": 0, "dotted": 0, "red fox": 1,
    }  # fmt: skip
    assert (rules["striped"], rules["red fox"], rules["green"]) == ("text", "word", "similar")
    alone = command("heads", "check", "tower.h5", *OPTIONS, "--layers", "3", "--vectors", "1", "--sample", "8")
    assert alone.code == 0, alone.err
    assert "attributes: the folders of the images: class (6)" in alone.err
    assert "One attribute: effects are measured" in alone.out
    with sing_compute.load("tower.h5") as results:
        table = results.table("vectors", layer="layer 3", head=0)
        assert table["moves"].iloc[0] == "class"
        assert set(table["true"]) <= {"not checked", "like random"}
        assert verify(results.store).problems == []
