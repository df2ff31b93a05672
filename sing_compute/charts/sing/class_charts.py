"""Charts of the classes of a model, and of the concepts of one class."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sing_compute.charts.registry import Chart
from sing_compute.charts.shapes import Densities, Pairs, StackedBars, drawable
from sing_compute.charts.sing.subject import Cells, ScoreSubject, chart_table, stored
from sing_compute.errors import SingError
from sing_compute.store import FIELDS

_MANY = 200
"""Concepts drawn at most, around the one under the cursor."""


def distributions(about: ScoreSubject) -> Chart:
    """Show AS and IS of every class by their stored percentiles, sorted by median AS."""
    scores = {"AS": "attribute_score", "IS": "image_score"}
    paths = {title: f"classes/{name}_curve" for title, name in scores.items()}
    about.require("percentiles of classes", *paths.values())
    curves = {title: about.array(path) for title, path in paths.items()}
    good = np.logical_and.reduce([drawable(c).all(axis=1) & (np.diff(c) >= 0).all(axis=1) for c in curves.values()])
    middle = curves["AS"].shape[1] // 2
    ids = np.flatnonzero(good)
    ids = ids[np.argsort(curves["AS"][ids, middle], kind="stable")[::-1]]
    if not len(ids):
        raise SingError(f"this file holds no percentiles of a class of {about.model} that can be drawn")
    names = [str(about.store.class_names[k]) for k in ids]
    median = {title: values[ids, middle] for title, values in curves.items()}
    chosen = int(np.flatnonzero(ids == about.class_index)[0]) if about.class_index in ids.tolist() else -1
    if chosen >= 0:
        low, high = (curves["AS"][ids[chosen], k] for k in (1, -2))
        reading = (
            f"{about.brief(names[chosen])} is number {chosen + 1} of {len(ids):,} classes by median AS, "
            f"{median['AS'][chosen]:+.2f} degrees (5% to 95%: {low:+.2f} to {high:+.2f}); "
            f"its median IS is {median['IS'][chosen]:.2f}. "
        )
    else:
        reading = (
            f"Median AS of {len(ids):,} classes goes from {median['AS'][-1]:+.2f} ({about.brief(names[-1])}) to "
            f"{median['AS'][0]:+.2f} degrees ({about.brief(names[0])}), "
            f"median IS from {median['IS'].min():.2f} to {median['IS'].max():.2f}. "
        )
    reading += (
        f"A line is a class, of all its {about.noun.plural}, as high as values are dense; number and | are its median."
    )
    columns: list[tuple[str, str, str, Any]] = [
        ("class", "text", FIELDS["classes/name"].description, names),
        ("index", "index", "position in the model's output", ids),
    ]
    for title, name in scores.items():
        for k, percent in enumerate(np.linspace(0, 100, curves[title].shape[1])):
            columns.append(
                (f"{name}_p{percent:03.0f}", "degree", f"{percent:g}th percentile of {title}", curves[title][ids, k])
            )
    scored = tuple((title, values[ids]) for title, values in curves.items())
    shape = Densities(tuple(names), scored, chosen, formats=("signed degrees", "degrees"))
    return Chart(
        f"AS and IS by class: {about.model}, by median AS", reading, shape, chart_table("classes", *columns, ids=ids)
    )


def strings(about: ScoreSubject) -> Chart:
    """Show the angle of one class to concepts before and after; of the first measured class where the place names none."""
    about.require("angles to concepts", "concepts/angle_before", "concepts/angle_after")
    index = about.class_index if about.class_index is not None else _first_class(about)
    before, after = (_row(about, f"concepts/{name}", index) for name in ("angle_before", "angle_after"))
    rows, chosen = _largest(about, np.abs(before - after), index)
    names, title = _concepts(about, rows), str(about.store.class_names[index])
    shift = before - after
    first = rows[chosen] if chosen >= 0 else rows[0]
    nearer = int(np.count_nonzero(shift > 0))
    known = int(np.count_nonzero(np.isfinite(shift)))
    moved = "nearer to" if shift[first] > 0 else "away from"
    reading = (
        f"Without the null part, {about.brief(title)} comes nearer to {nearer:,} of {known:,} concepts; "
        f"{abs(shift[first]):.2f} degrees {moved} {about.brief(about.store.concept_names[first])} "
        f"({before[first]:.2f} to {after[first]:.2f}){'' if chosen >= 0 else ', the most'}. Sorted by how far they move."
    )
    table = chart_table(
        "concepts",
        ("concept", "text", FIELDS["concepts/name"].description, names),
        *(
            stored("concepts/" + name, values[rows])
            for name, values in (("angle_before", before), ("angle_after", after))
        ),
        ids=rows,
    )
    shape = Pairs(names, tuple(before[rows].tolist()), tuple(after[rows].tolist()), chosen, name="degrees")
    return Chart(f"{title}: angle to concepts, {about.model}", reading, shape, table)


def class_parts(about: ScoreSubject, index: int) -> Chart:
    """Show AS of a class for each concept as the sum of a common and an image-specific part."""
    about.require("image-specific parts", "concepts/attribute_score", "concepts/attribute_score_centred")
    score, specific = (
        _row(about, f"concepts/{name}", index) for name in ("attribute_score", "attribute_score_centred")
    )
    common = score - specific
    rows, chosen = _largest(about, np.abs(common) + np.abs(specific), index)
    names, title = _concepts(about, rows), str(about.store.class_names[index])
    sizes = [float(np.nanmean(np.abs(part))) for part in (common, specific)]
    first = rows[chosen] if chosen >= 0 else rows[0]
    noun, own = about.noun, about.noun.words("image-specific")
    reading = (
        f"Over all concepts, removing what the {noun.plural} share moves {about.brief(title)} by {sizes[0]:.2f} degrees on "
        f"average, removing what is specific to each {noun.singular} by {sizes[1]:.2f}. "
        f"{about.brief(about.store.concept_names[first])}: "
        f"AS {score[first]:+.2f}, common {common[first]:+.2f}, {own} {specific[first]:+.2f}."
    )
    table = chart_table(
        "concepts",
        ("concept", "text", FIELDS["concepts/name"].description, names),
        stored("concepts/attribute_score", score[rows]),
        ("attribute_score_common", "degree", "AS minus centred AS: what the mean null feature explains", common[rows]),
        stored("concepts/attribute_score_centred", specific[rows]),
        ids=rows,
    )
    shape = StackedBars(names, tuple(common[rows].tolist()), tuple(specific[rows].tolist()), chosen, ("common", own))
    return Chart(f"{title}: common and {own} AS, {about.model}", reading, shape, table)


def _first_class(about: ScoreSubject) -> int:
    measured = np.flatnonzero(np.diff(about.store.offsets))
    if not len(measured):
        raise SingError(f"this file holds no measured class: it has no {about.noun.plural}")
    return int(measured[0])


def _row(about: ScoreSubject, path: str, index: int) -> Cells:
    """Read one class of a class x concept matrix; NaN for what cannot be degrees."""
    values = np.asarray(about.store.dataset(f"models/{about.model}/{path}")[index], dtype=np.float64)
    return np.where(drawable(values), values, np.nan)


def _largest(about: ScoreSubject, sizes: Cells, index: int) -> tuple[NDArray[np.int64], int]:
    """Return concepts by descending size around the one under the cursor, and the position of that one; -1 for none."""
    order = np.argsort(-sizes, kind="stable")[: np.count_nonzero(np.isfinite(sizes))]
    if not len(order):
        name = about.brief(about.store.class_names[index])
        raise SingError(
            f"this file holds no angles of {name} and {about.model}: no {about.noun.singular} of the class was measured"
        )
    at = np.flatnonzero(order == about.concept)
    chosen = int(at[0]) if len(at) else -1
    low = max(0, min(chosen - _MANY // 2, len(order) - _MANY))
    return order[low : low + _MANY], chosen - low if chosen >= 0 else -1


def _concepts(about: ScoreSubject, rows: NDArray[np.int64]) -> tuple[str, ...]:
    return tuple(str(name) for name in about.store.concept_names[rows])
