"""The estimate of how long measuring takes: exact where time grows as it says, and made by the code that measures."""

import inspect
from pathlib import Path

import numpy as np
import pytest
from small_run import make_inputs

from sing_compute.cli import cli
from sing_compute.extraction.settings import Settings
from sing_compute.extraction.shards import WorkFolder
from sing_compute.pipeline import pilot
from sing_compute.pipeline.comparability import TextInputs
from sing_compute.pipeline.pilot import measuring_seconds
from sing_compute.pipeline.plan import Plan, make_plan
from sing_compute.pipeline.preparation import Prepared, prepare, text_inputs
from sing_compute.pipeline.results import Results
from sing_compute.precision import FLOAT32
from sing_compute.process.progress import Progress
from sing_compute.process.ranks import Ranks
from sing_compute.store import Store
from sing_compute.store.verify import verify

IMAGES, CONTROLLED = 120, 90
FIXED, PER_IMAGE, PER_CLASS, PER_CONTROL = 7.0, 0.25, 3.0, 0.5


@pytest.fixture
def ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Plan, Prepared, TextInputs, Settings]:
    """A plan for images of four classes, 30 of each, and what its run has before it measures."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    asked = cli.make_context("sing-compute", [*make_inputs(tmp_path, IMAGES), "-o", "out.h5"]).params
    plan = make_plan(
        **{name: asked[name] for name in inspect.signature(make_plan).parameters if name in asked}, command=""
    )
    prepared = prepare(plan, WorkFolder(tmp_path / "dry.h5", fresh=True), Progress(), Ranks())
    settings = Settings(32, {classifier.name: FLOAT32 for classifier in prepared.classifiers})
    return plan, prepared, text_inputs(plan, prepared, Progress()), settings


@pytest.mark.parametrize("pilot_images", [15, 30, 45, 500])
def test_time_that_grows_with_images_and_classes_is_told_exactly(
    ready: tuple[Plan, Prepared, TextInputs, Settings], monkeypatch: pytest.MonkeyPatch, pilot_images: int
) -> None:
    clock = 0.0

    def write(results: Results) -> None:
        nonlocal clock
        count = len(results._labels)
        clock += FIXED + PER_CLASS * count / (IMAGES / 4)
        with results.progress.task("slow: scores", count):
            clock += PER_IMAGE * count
        with results.progress.task("slow: controls", count):
            clock += 2 * FIXED + PER_CONTROL * min(count, CONTROLLED)

    monkeypatch.setattr(pilot.Results, "write", write)
    monkeypatch.setattr(pilot.time, "monotonic", lambda: clock)
    monkeypatch.setattr(pilot, "PILOT_IMAGES", pilot_images)
    monkeypatch.setattr(pilot, "CONTROL_IMAGES", CONTROLLED)
    expected = 3 * FIXED + PER_IMAGE * IMAGES + PER_CLASS * 4 + PER_CONTROL * CONTROLLED
    assert measuring_seconds(*ready, translators={}, progress=Progress()) == pytest.approx(expected)


def test_a_pilot_measures_a_results_file_of_the_first_images_and_leaves_nothing(
    ready: tuple[Plan, Prepared, TextInputs, Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = ready[1]
    before = sorted(tmp_path.rglob("*"))
    measure, seen = Results.write, []

    def write(results: Results) -> None:
        measure(results)
        with Store(results.plan.output) as store:
            assert verify(store)[0] == []
            scores = store.dataset(f"models/{prepared.classifiers[0].name}/images/image_score")[:]
            seen.append((results.plan.output, list(store.array("images/key")), scores))

    monkeypatch.setattr(pilot.Results, "write", write)
    monkeypatch.setattr(pilot, "PILOT_IMAGES", 40)
    assert measuring_seconds(*ready, translators={}, progress=Progress()) > 0
    assert [keys for _, keys, _ in seen] == [list(prepared.images.keys)[:count] for count in (40, 80)]
    assert all(np.isfinite(scores).all() and scores.min() > 0 for *_, scores in seen)
    assert not any(output.exists() for output, *_ in seen)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_pilot_of_one_class_is_measured_like_any_other(
    ready: tuple[Plan, Prepared, TextInputs, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A class of ImageNet's training images is larger than a pilot."""
    measure, seen = Results.write, []

    def write(results: Results) -> None:
        measure(results)
        seen.append(results._labels.tolist())

    monkeypatch.setattr(pilot.Results, "write", write)
    monkeypatch.setattr(pilot, "PILOT_IMAGES", 15)
    assert measuring_seconds(*ready, translators={}, progress=Progress()) > 0
    assert seen == [[0] * 15, [0] * 30]
