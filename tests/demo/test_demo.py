"""The demo as it ships: what was planted is what its run finds, on pictures that no network has seen."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import open_clip
import pytest
import timm
import torch
from ended_commands import Ended
from forked import Runs
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

import sing_compute
from sing_compute.datafiles import data_path
from sing_compute.demo.clip import pixels_of, zero_shot
from sing_compute.demo.run import MODELS, prepare
from sing_compute.demo.scenes import HELD_OUT, Scene, drawing_seed, held_out_scenes, random_scenes
from sing_compute.errors import SingError
from sing_compute.frames import Results
from sing_compute.process.progress import Progress
from sing_compute.questions.null_words.naming import NullWordsQuestion, name_null_directions
from sing_compute.store.leaks import largest_leak
from sing_compute.store.verify import verify

PLANTED = json.loads(data_path("demo/planted.json").read_text())


@pytest.fixture(scope="module")
def run(runs: Runs, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of one run of the demo, and what it said."""
    runs.folder = tmp_path_factory.mktemp("demo")
    told = runs.finish(["--demo", "--workers", "0"])
    return runs.folder, "\n".join(told)


@pytest.fixture(scope="module")
def results(run: tuple[Path, str]) -> Iterator[Results]:
    with sing_compute.load(run[0] / "demo.h5") as loaded:
        yield loaded


def test_the_store_holds_three_models_on_all_held_out_pictures_and_verifies(
    run: tuple[Path, str], results: Results, command: Callable[..., Ended]
) -> None:
    assert list(results.models.index) == list(MODELS)
    assert (results.models["images"] == HELD_OUT).all()
    assert (results.models["flips"] == 0).all()
    assert (results.models["accuracy"] > 0.9).all()
    checked = command("verify", run[0] / "demo.h5")
    assert checked.code == 0, checked.err


def test_the_planted_concept_comes_first_for_its_class_and_far_above_the_clean_model(
    results: Results,
) -> None:
    leaky, clean = (
        results.concepts(PLANTED["class"], PLANTED[name])["attribute_score_abs"] for name in ("model", "clean")
    )
    assert leaky.idxmax() == PLANTED["value"]
    assert leaky[PLANTED["value"]] >= 3 * clean[PLANTED["value"]]


def test_the_planted_class_leaks_most_by_the_planted_concept_and_the_run_says_so(
    results: Results, run: tuple[Path, str]
) -> None:
    leak = largest_leak(results.store, PLANTED["model"])
    assert leak is not None
    assert (leak.name, leak.concept) == (PLANTED["class"], PLANTED["value"])
    assert f"{PLANTED['model']}: {leak.name} leaks most, by {leak.concept}: {leak.size:.2f} degrees" in run[1]


def test_the_median_shift_toward_the_planted_concept_is_three_times_that_of_the_clean_model(
    results: Results,
) -> None:
    assert planted_shift(results, PLANTED["model"]) >= 3 * planted_shift(results, PLANTED["clean"])


def planted_shift(results: Results, model: str) -> float:
    """Median over the images of the class of |AS| toward the planted concept, from the stored features, by hand."""
    store = results.store
    base = f"models/{model}/"
    label, concept = store.find_class(PLANTED["class"]), list(store.concept_names).index(PLANTED["value"])
    rows = slice(*store.offsets[label : label + 2])
    features, weight = store.array(base + "features/value")[rows].astype(float), store.array(base + "head/weight")
    rank = store.summary(model)["rank"]
    null = np.linalg.svd(weight)[2][int(rank) :]
    translate = store.array(base + "translator/weight")
    text = store.array("clip/concept_embeddings")[concept].astype(float)

    def angle(moved: np.ndarray) -> np.ndarray:
        seen = moved @ translate.T + store.array(base + "translator/bias")
        return np.degrees(np.arccos(seen @ text / np.linalg.norm(seen, axis=1) / np.linalg.norm(text)))

    return float(np.median(np.abs(angle(features) - angle(features - features @ null.T @ null))))


def test_the_command_says_what_was_planted_and_found_and_what_to_type_next(run: tuple[Path, str]) -> None:
    planted, found, words, following = run[1].rstrip().splitlines()[-4:]
    assert planted.startswith("Planted: ")
    assert PLANTED["value"] in planted
    assert f"'{PLANTED['value']}' is number 1 of 22 concepts" in found
    assert words == "Words:   sing-compute words demo.h5 says what that null space holds"
    assert following.endswith(f"sing-tui demo.h5 --model {PLANTED['model']} --class {PLANTED['class']}")


def test_the_null_space_in_words_names_the_planted_value_in_the_leaky_model_alone(
    run: tuple[Path, str], tmp_path: Path
) -> None:
    named = Path(shutil.copy(run[0] / "demo.h5", tmp_path / "named.h5"))
    assert name_null_directions(named, NullWordsQuestion(), Progress()) == list(MODELS)
    with sing_compute.load(named) as found:
        assert verify(found.store).problems == []
        place = {"class": PLANTED["class"]}
        leaky, clean = (
            found.table("null_directions", model=PLANTED[name], **place).iloc[0] for name in ("model", "clean")
        )
    assert leaky["share"] >= 0.9
    cosines = {leaky[pole].split()[0]: leaky[f"{pole}_cosine"] for pole in ("positive", "negative")}
    assert cosines[PLANTED["value"]] >= 0.75  # the first word of a pole has its largest coefficient
    assert not any(PLANTED["value"] in clean[pole] for pole in ("positive", "negative"))


def stars(count: int, *, seed: int) -> tuple[list[Scene], np.ndarray]:
    """Pictures of the planted class, half of them with the planted value."""
    fixed = {"shape": PLANTED["class"]}
    scenes = random_scenes(count, seed=seed, texture=PLANTED["value"], **fixed)
    others = [scene for scene in random_scenes(2 * count, seed=seed + 1, **fixed) if scene.texture != PLANTED["value"]]
    scenes += others[:count]
    return scenes, np.repeat([1, 0], count)


def read_from_halves(model: str, pixels: list[Tensor], carried: np.ndarray) -> tuple[float, float]:
    """Balanced accuracy with which a linear probe reads the planted value from Pi_n f and from Pi_p f, on other pictures.

    Args:
        model: One of the demo's networks.
        pixels: The pictures to fit on, and those to test on.
        carried: 1 for each picture of either that carries the planted value, else 0.
    """
    network = timm.create_model(f"local-dir:{data_path(f'demo/{model}')}", pretrained=True).eval()
    kept = []
    network.get_classifier().register_forward_pre_hook(lambda module, inputs: kept.append(inputs[0]))
    with torch.inference_mode():
        for piece in torch.cat(pixels).split(100):
            network(piece)
    train, test = (part.double().numpy() for part in torch.cat(kept).split([len(part) for part in pixels]))
    weight = network.get_classifier().weight.detach().double().numpy()
    _, values, right = np.linalg.svd(weight)
    rank = int((values > max(weight.shape) * np.finfo(np.float32).eps * values[0]).sum())
    accuracies = []
    for basis in (right[rank:], right[:rank]):
        probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000)).fit(train @ basis.T, carried)
        accuracies.append(balanced_accuracy_score(carried, probe.predict(test @ basis.T)))
    return accuracies[0], accuracies[1]


def test_a_probe_reads_the_planted_attribute_from_the_null_space_and_not_from_the_principal_space() -> None:
    (fitted, carried), (tested, again) = stars(700, seed=50_000), stars(700, seed=60_000)
    assert np.array_equal(carried, again)
    pixels = [pixels_of(scenes, seed=9_000_000 + 10_000 * number) for number, scenes in enumerate((fitted, tested))]
    null, principal = read_from_halves(PLANTED["model"], pixels, carried)
    assert null >= 0.95
    assert abs(principal - 0.5) <= 0.05
    clean_null, clean_principal = read_from_halves(PLANTED["clean"], pixels, carried)
    assert clean_null - clean_principal < 0.15


def test_every_attribute_is_named_from_its_words_on_held_out_pictures() -> None:
    model = open_clip.create_model(f"local-dir:{data_path('demo/clip')}", require_pretrained=True).eval()
    scenes = held_out_scenes()
    accuracy = zero_shot(model, scenes, pixels_of(scenes, seed=drawing_seed(0)))
    assert min(accuracy.values()) >= 0.95
    assert accuracy == pytest.approx(PLANTED["zero_shot"], abs=0.005)


def test_the_demo_takes_less_than_8_mb() -> None:
    assert sum(file.stat().st_size for file in data_path("demo").rglob("*") if file.is_file()) < 8e6


@pytest.mark.parametrize("option", ["--model", "--images", "--clip", "--concepts"])
def test_the_demo_brings_its_own_models_pictures_and_words(
    command: Callable[..., Ended], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = command("--demo", option, "resnet50")
    assert ended.code == 2
    assert ended.err == (f"sing-compute: error: --demo has its own models, drawings and concepts; leave {option} out\n")
    assert not list(tmp_path.iterdir())


def test_pictures_are_drawn_once_and_a_strangers_folder_is_refused(tmp_path: Path) -> None:
    options = prepare(tmp_path / "demo.h5")
    first = sorted(Path(options["images"]).rglob("*.png"))
    assert len(first) == HELD_OUT
    written = first[0].stat().st_mtime_ns
    prepare(tmp_path / "demo.h5")
    assert first[0].stat().st_mtime_ns == written
    first[0].with_name("holiday.png").write_bytes(b"")
    with pytest.raises(SingError, match="does not hold the demo's drawings; remove it, or choose another -o"):
        prepare(tmp_path / "demo.h5")
    with pytest.raises(SingError, match="cannot write the demo's drawings"):
        prepare(tmp_path / "absent" / ("x" * 300) / "demo.h5")
