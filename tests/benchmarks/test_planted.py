"""Planted ground truth in small: what the pipeline must find, and must not; `benchmarks/planted.py` is the same in full."""

import csv
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import planted
import pytest
import torch
from planted import DOCUMENTED, OFFSET, QUIET, PlantedWorld, measure, recovery, roc_area
from planted_report import chart, tables
from planted_world import Settings, trigonometric_scores
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from sing_compute.linalg.null_space import split_head
from sing_compute.scores.shifts import NullRemoval, attribute_score, image_score
from sing_compute.store import Store, class_table
from sing_compute.store.constants import SIGNIFICANT
from sing_compute.translator.ridge import AffineTranslator

TILTS = (45.0, 65.0, 90.0)


@pytest.fixture(scope="module")
def worlds() -> dict[str, PlantedWorld]:
    """Three models of the same images, the last at the documented settings."""
    return {f"tilt{tilt:g}": PlantedWorld(replace(DOCUMENTED, tilt=tilt), 0) for tilt in TILTS}


@pytest.fixture(scope="module")
def store(worlds: dict[str, PlantedWorld], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store(measure(worlds, tmp_path_factory.mktemp("planted") / "results.h5")) as opened:
        yield opened


@pytest.mark.parametrize("tilt", [20.0, 50.0, 90.0])
def test_the_linear_clip_gives_what_trigonometry_says(tilt: float) -> None:
    world = PlantedWorld(replace(DOCUMENTED, tilt=tilt, images=5), 3)
    score, shift = world.true_scores
    expected_score, expected_shift = trigonometric_scores(world)
    assert np.abs(score[:, : world.settings.attributes] - expected_score).max() < 1e-9
    assert np.abs(shift - expected_shift).max() < 1e-9
    assert np.abs(score[:, world.settings.attributes :]).max() < 1e-9  # nothing moves a distractor


def test_one_leak_alone_is_one_triangle() -> None:
    world = PlantedWorld(Settings(leaks=1, principal=0.0, spread=0.0, offset=0.0, images=1), 0)
    leak, base = world.leak, np.hypot(world.settings.base, world.settings.class_length)
    score, shift = world.true_scores
    assert np.abs(score[:, :8] - np.degrees(np.arctan2(base, leak) - np.pi / 2)).max() < 1e-9
    assert np.abs(shift - np.degrees(np.arctan2(np.abs(leak).sum(1), base))).max() < 1e-9


@pytest.mark.parametrize("tilt", [40.0, 90.0])
def test_the_pipelines_scores_of_the_true_map_are_the_closed_form(tilt: float) -> None:
    world = PlantedWorld(replace(DOCUMENTED, tilt=tilt, images=3), 1)
    split = split_head(torch.from_numpy(world.head[0]), stored_dtype=torch.float64)
    assert (split.rank, split.nullity) == (world.settings.rank, world.settings.dim - world.settings.rank)
    features = torch.from_numpy(world.clean_features)
    translator = AffineTranslator(*(torch.from_numpy(part) for part in world.clip_map))
    views = NullRemoval.of(translator, split, features.mean(0))(features)
    expected_score, expected_shift = trigonometric_scores(world)
    for attribute, text in enumerate(torch.from_numpy(world.concept_texts)[: world.settings.attributes]):
        score = attribute_score(views.before, views.after, text.expand_as(views.before))
        assert np.abs(score.numpy() - expected_score[:, attribute]).max() < 1e-9
    assert np.abs(image_score(views.before, views.after).numpy() - expected_shift).max() < 1e-9


def test_the_images_do_not_depend_on_the_model(worlds: dict[str, PlantedWorld]) -> None:
    first, *others = (world.targets for world in worlds.values())
    for targets in others:
        np.testing.assert_allclose(targets, first, rtol=0, atol=1e-12)


def test_the_head_is_split_where_it_was_planted(store: Store, worlds: dict[str, PlantedWorld]) -> None:
    for name, world in worlds.items():
        summary, s = store.summary(name), world.settings
        assert (summary["rank"], summary["nullity"]) == (s.rank, s.dim - s.rank)
        assert summary["flips"] == 0


def test_every_planted_leak_ranks_above_every_other_concept_of_its_class(
    store: Store, worlds: dict[str, PlantedWorld]
) -> None:
    found = recovery(store, "tilt90", worlds["tilt90"])
    assert found.auc == 1.0
    assert found.auc_least == 1.0


def test_leaks_are_ordered_by_their_strength(store: Store, worlds: dict[str, PlantedWorld]) -> None:
    world = worlds["tilt90"]
    true = np.abs(world.class_mean(world.true_scores[0]))[world.planted]
    measured = store.array("models/tilt90/concepts/attribute_score_abs")[world.planted]
    correlation = spearmanr(measured, true).statistic
    assert correlation >= 0.99
    assert recovery(store, "tilt90", world).spearman == pytest.approx(correlation, abs=1e-9)


def test_the_leak_column_orders_classes_as_the_planted_leaks_do_and_names_the_concept(
    store: Store, worlds: dict[str, PlantedWorld]
) -> None:
    for name, world in worlds.items():
        truths = world.class_mean(world.true_scores[0])
        special = truths - truths.mean(0)  # without what all classes share
        columns = {column.name: column.values.all() for column in class_table(store, name).columns}
        assert spearmanr(columns["leak"], np.abs(special).max(1)).statistic > 0.9
        named = [list(store.concept_names).index(concept) for concept in columns["leak_concept"]]
        sizes = np.abs(special)
        assert (sizes[np.arange(len(sizes)), named] > 0.9 * sizes.max(1)).all()  # nearly equal leaks may change places


def test_measured_scores_are_near_the_true_ones(store: Store, worlds: dict[str, PlantedWorld]) -> None:
    world = worlds["tilt90"]
    measured = store.array("models/tilt90/concepts/attribute_score")
    true = world.class_mean(world.true_scores[0])
    assert np.abs(true).max() > 7  # degrees: an error of 1 is small
    assert np.abs(measured - true).max() < 1
    found = recovery(store, "tilt90", world)
    # A latent of variance v >= 1 seen with noise of variance .04 keeps v / (v + .04) of its slope; ridge takes a little more.
    assert 0.88 < found.slope < 1
    assert 0.85 < found.image_score / found.image_score_true < 1


def test_models_come_in_the_order_of_their_planted_leaks(store: Store, worlds: dict[str, PlantedWorld]) -> None:
    found = [recovery(store, name, world) for name, world in worlds.items()]
    assert np.diff([each.attribute_score_true for each in found]).min() > 0
    assert np.diff([each.attribute_score for each in found]).min() > 0
    assert np.diff([each.image_score for each in found]).min() > 0


def test_without_noise_nothing_but_the_translators_penalty_is_lost(tmp_path: Path) -> None:
    world = PlantedWorld(replace(DOCUMENTED, feature_noise=0.0, target_noise=0.0, images=40), 0)
    with Store(measure({"model": world}, tmp_path / "results.h5")) as store:
        found = recovery(store, "model", world)
    assert found.error < 0.3
    assert found.slope == pytest.approx(1, abs=0.02)


def test_where_nothing_leaks_no_class_moves_like_one_that_leaks(
    worlds: dict[str, PlantedWorld], tmp_path: Path
) -> None:
    quiet = PlantedWorld(QUIET, 0)
    with Store(measure({"model": quiet}, tmp_path / "results.h5")) as store:
        found = recovery(store, "model", quiet)
    leaking = worlds["tilt90"]
    least = np.abs(leaking.class_mean(leaking.true_scores[0]))[leaking.planted].min()
    assert found.largest_elsewhere < least / 2
    assert max(found.false_z, found.false_p, found.false_q) <= SIGNIFICANT


def test_a_direction_that_all_images_share_is_significant_no_more_often_than_stated(tmp_path: Path) -> None:
    p, q = [], []
    for seed in range(4):
        world = PlantedWorld(replace(OFFSET, images=20), seed)
        with Store(measure({"model": world}, tmp_path / "results.h5")) as store:
            p.append(
                store.array("models/model/concepts/p_empirical")[0]
            )  # all classes share the direction: one is enough
            q.append(store.array("models/model/concepts/q")[0])
    assert (np.concatenate(p) <= SIGNIFICANT).sum() <= 6  # of 48 at 5 %; more have a probability of 1 %
    assert sum(row.min() < SIGNIFICANT for row in q) <= 1  # of 4 worlds at 5 %; more have a probability of 1.4 %
    assert 0.2 < np.concatenate(p).mean() < 0.8  # and not because nothing moves at all


def test_noise_beyond_the_documented_hides_leaks(tmp_path: Path) -> None:
    world = PlantedWorld(replace(DOCUMENTED, feature_noise=8.0, images=20), 0)
    with Store(measure({"model": world}, tmp_path / "results.h5")) as store:
        found = recovery(store, "model", world)
    assert found.auc < 0.9
    assert found.spearman < 0.6
    assert found.slope < 0.2


def test_the_area_under_the_curve_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        scores, mask = rng.integers(0, 6, 30).astype(float), np.arange(30) < 9  # many ties
        assert roc_area(scores, mask) == pytest.approx(roc_auc_score(mask, scores), abs=1e-12)
    assert np.isnan(roc_area(scores, np.zeros(30, dtype=bool)))


def test_the_method_page_shows_the_committed_figures_of_leaks() -> None:
    root = Path(planted.__file__).parent.parent
    table = (root / "benchmarks" / "results" / "leak_figures.md").read_text().strip()
    assert table in (root / "docs" / "method.md").read_text()


def test_the_page_shows_the_committed_results() -> None:
    with planted.RESULTS.open() as stream:
        rows = list(csv.DictReader(stream))
    page = planted.PAGE.read_text()
    assert page.split(planted.BEGIN)[1].split(planted.END)[0].strip() == tables(rows, DOCUMENTED)
    picture = planted.PAGE.with_suffix(".svg").read_text()
    assert picture == chart(rows, DOCUMENTED)
    lines = ElementTree.fromstring(picture).iterfind("{http://www.w3.org/2000/svg}polyline")
    assert all(len(line.attrib["points"].split()) == 8 for line in lines)
    documented = [
        row for row in rows if row["sweep"] == "target_noise" and float(row["level"]) == DOCUMENTED.target_noise
    ]
    assert len(documented) >= 10
    assert all(float(row["auc_least"]) == 1 and float(row["spearman"]) >= 0.99 for row in documented)
