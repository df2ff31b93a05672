"""Signs that a run measured something else than its user meant: each gives one line, and sound results give none."""

import numpy as np
import pytest

from sing_compute.measuring.reliability import prediction_warnings, translator_warning

NAMES = ["ant", "bee", "cat", "dog", "elk"]
LABELS = np.repeat(np.arange(4), 25)  # no image of an elk


def test_predictions_that_are_mostly_correct_give_no_warning() -> None:
    predictions = LABELS.copy()
    predictions[::4] = 4
    assert prediction_warnings(LABELS, predictions, NAMES) == []


def test_accuracy_at_chance_is_named_with_the_number_of_classes_that_have_images() -> None:
    labels, predictions = np.repeat(np.arange(4), 24), np.tile(np.arange(4), 24)
    assert float((labels == predictions).mean()) == 0.25
    (line,) = prediction_warnings(labels, predictions, NAMES)
    assert line.startswith(
        "accuracy 25.0% is no better than guessing among 4 classes: are labels, preprocessing and weights"
    )
    predictions[:24] = 0
    assert prediction_warnings(labels, predictions, NAMES) == []


def test_labels_that_are_shifted_by_one_are_found() -> None:
    (line,) = prediction_warnings(LABELS, LABELS + 1, NAMES)[:1]
    assert line.startswith("accuracy 0.0% is no better than guessing")


def test_one_class_for_all_images_is_named() -> None:
    lines = prediction_warnings(LABELS, np.full(100, 2), NAMES)
    assert lines[-1] == "every image is predicted as cat"


@pytest.mark.parametrize(("images", "warned"), [(9, False), (10, True)])
def test_a_class_that_is_never_predicted_counts_if_it_has_enough_images(images: int, warned: bool) -> None:
    labels = np.repeat([0, 1, 2], [30, 30, images])
    predictions = np.where(labels == 2, 0, labels)
    wanted = ["1 classes with at least 10 images are never predicted: cat"] if warned else []
    assert prediction_warnings(labels, predictions, NAMES) == wanted


def test_images_of_one_class_alone_say_nothing_about_chance() -> None:
    assert prediction_warnings(np.zeros(40, int), np.ones(40, int), NAMES) == []


def test_a_translator_must_be_better_than_the_mean_embedding() -> None:
    assert translator_warning(0.9, 0.87) == ""
    line = translator_warning(0.8701, 0.8702)
    assert line.startswith(
        "the translator's cosine 0.8701 is not above its baseline 0.8702: it says nothing about single images"
    )
