"""The paths of SING's datasets, and the intervals of its columns."""

from sing_compute.store.constants import CHOSEN
from sing_compute.store.definition import Interval

SUMMARY = "models/{model}/summary/"
CLASSES = "models/{model}/classes/"
CONCEPTS = "models/{model}/concepts/"
IMAGES = "models/{model}/images/"
RANKINGS = "models/{model}/rankings/"
BOOTSTRAP = "models/{model}/bootstrap/"


def over_images(figure: str) -> tuple[Interval, ...]:
    """Return the interval of a class's figure over its images."""
    return (Interval(CLASSES + "interval", (("class_figure", figure),)),)


def over_classes(figure: str, *, apart: bool = False) -> tuple[Interval, ...]:
    """Return the interval of a model's figure over classes."""
    return (Interval(BOOTSTRAP + "classes_interval", (("figure", figure),), over="classes", apart=apart),)


def over_both(figure: str) -> tuple[Interval, ...]:
    """Return the intervals of a model's figure over images and, after all other columns, over classes."""
    images = Interval(BOOTSTRAP + "images_interval", (("penalty", CHOSEN), ("figure", figure)))
    return (images, *over_classes(figure, apart=True))
