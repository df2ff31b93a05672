"""The charts of SING: of models, classes and concepts."""

from collections.abc import Callable

from sing_compute.charts.registry import Chart, ChartFunction, register_chart
from sing_compute.charts.sing.class_charts import class_parts, distributions, strings
from sing_compute.charts.sing.model_charts import model_parts, ratios, scatter, spectrum, validation
from sing_compute.charts.sing.subject import ScoreSubject, score_subject


def _parts(about: ScoreSubject) -> Chart:
    return model_parts(about) if about.class_index is None else class_parts(about, about.class_index)


_CHARTS = (
    ("scatter", "AS and IS of images, an ellipse for each model", scatter),
    ("ratios", "IS over |AS| of every model, with 95 % intervals", ratios),
    ("distributions", "AS and IS of each class", distributions),
    ("strings", "angle to each concept, before and after", strings),
    ("validation", "what perturbations of one length do to the logits", validation),
    ("spectrum", "singular values of the head and of the null space", spectrum),
    ("parts", "common and image-specific part of the null space", _parts),
)


def _of_subject(make: Callable[[ScoreSubject], Chart]) -> ChartFunction:
    return lambda subject: make(score_subject(subject))


for _name, _title, _make in _CHARTS:
    register_chart("sing", _name, _title, _of_subject(_make))
