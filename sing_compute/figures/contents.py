"""The figures of a results file by name: what each shows, and the numbers that it is drawn from.

A figure is a chart of `sing_compute/charts`, as the explorer has it, or a drawing of columns of one of the file's tables. A new
kind of figure is one more entry of `KINDS`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sing_compute.charts.registry import chart
from sing_compute.charts.shapes import Curves, Densities, Pairs, Panels, Scatter
from sing_compute.errors import SingError
from sing_compute.figures import table_figures
from sing_compute.figures.choosing import STRINGS, VIOLINS, Choice, chosen_classes, chosen_heads, chosen_models
from sing_compute.figures.drawing import left_out
from sing_compute.figures.figure import PaperFigure
from sing_compute.figures.picture_figure import pictures
from sing_compute.figures.steering import steering
from sing_compute.store import Place, Store
from sing_compute.store.text import file_stem

_ELLIPSES = 20
"""Ellipses drawn at most: each needs a name in the legend."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of figure."""

    name: str
    subjects: Callable[[Store, Choice], Sequence[Any]]
    """Return the items that each have a figure: models, pairs of model and class, or (None,) for the file."""
    make: Callable[[Store, Choice, Any], PaperFigure]
    """Make the figure of one subject. It raises SingError with one line where the file lacks what it shows."""


@dataclass(frozen=True, slots=True)
class Absent:
    """A figure that the file does not hold the numbers of."""

    name: str
    reason: str


def figures(store: Store, choice: Choice, only: Sequence[str] = ()) -> Iterator[PaperFigure | Absent]:
    """Make the figures of a file: their numbers, not yet drawn.

    Args:
        store: The results file.
        choice: Models and classes.
        only: Names of kinds; all if empty.

    Yields:
        Each figure, or why the file has none. Names of figures are unique.

    Raises:
        SingError: The file holds no model or class of the choice, or the file of steering is no matrix of its classes.
    """
    for name in choice.models:
        store.model(name)
    for name in choice.classes:
        store.find_class(name)
    used: set[str] = set()
    for kind in KINDS:
        if only and kind.name not in only:
            continue
        try:
            subjects = kind.subjects(store, choice)
        except SingError as error:
            yield Absent(kind.name, str(error))
            continue
        reasons: set[str] = set()
        for subject in subjects:
            try:
                made = kind.make(store, choice, subject)
            except SingError as error:
                if subject is choice.steering is not None:
                    raise  # the user has named this file
                if str(error) not in reasons:
                    yield Absent(kind.name, str(error))
                reasons.add(str(error))
                continue
            name, number = made.name, 2
            while name.lower() in used:
                name, number = f"{made.name}-{number}", number + 1
            used.add(name.lower())
            yield replace(made, name=name, reading=made.reading + left_out(made.shape))


def by_reason(absent: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Join the names of figures that are absent for one reason.

    Args:
        absent: Name and reason of each.

    Returns:
        Names, with commas between them, and the reason; in the order of the first name.
    """
    names: dict[str, list[str]] = {}
    for name, reason in absent:
        names.setdefault(reason, []).append(name)
    return [(", ".join(dict.fromkeys(group)), reason) for reason, group in names.items()]


def _models(store: Store, choice: Choice) -> Sequence[Any]:
    return chosen_models(store, choice)


def _holding(group: str, lacking: str) -> Callable[[Store, Choice], Sequence[Any]]:
    """Return the function that lists the models with a group: of the choice, or, without one, all of the file."""

    def holding(store: Store, choice: Choice) -> Sequence[Any]:
        models = chosen_models(store, choice)
        if choice.models:
            return models
        found = [model for model in store.models if f"models/{model}/{group}" in store]
        if not found:
            raise SingError(f"the file holds no {lacking}")
        return found

    return holding


def _file(store: Store, choice: Choice) -> Sequence[Any]:
    return chosen_models(store, choice)[:1]


def _classes(store: Store, choice: Choice) -> Sequence[Any]:
    return [
        (model, index)
        for model in chosen_models(store, choice)
        for index in chosen_classes(store, model, choice, STRINGS)
    ]


def _heads(store: Store, choice: Choice) -> Sequence[Any]:
    return chosen_heads(store)


def _steering(store: Store, choice: Choice) -> Sequence[Any]:
    """Return the CSV file that the user names; without one, the models whose steering the file holds."""
    return (
        _holding("steering", "steering (sing-compute steer FILE --keep)")(store, choice)
        if choice.steering is None
        else (choice.steering,)
    )


def _of_file(name: str) -> Callable[[Store, Choice, Any], PaperFigure]:
    """Return the function that makes a figure of all models; its sentence is about the chosen one."""

    def make(store: Store, choice: Choice, model: Any) -> PaperFigure:
        found = chart(store, Place("models"), name, identity=model)
        return PaperFigure(name, found.title, found.reading, found.shape, found.table)

    return make


def _scatter(store: Store, choice: Choice, model: Any) -> PaperFigure:
    found = _of_file("scatter")(store, choice, model)
    if not isinstance(found.shape, Scatter) or len(found.shape.others) < _ELLIPSES:
        return found
    others, count = found.shape.others[: _ELLIPSES - 1], len(found.shape.others) + 1
    reading = f"{found.reading} Drawn are the ellipses of {_ELLIPSES} of {count} models."
    return replace(found, shape=replace(found.shape, others=others), reading=reading)


def _of_model(name: str) -> Callable[[Store, Choice, Any], PaperFigure]:
    def make(store: Store, choice: Choice, model: Any) -> PaperFigure:
        found = chart(store, Place("models"), name, identity=model)
        return PaperFigure(file_stem(name, model, plain=True), found.title, found.reading, found.shape, found.table)

    return make


def _violins(store: Store, choice: Choice, model: Any) -> PaperFigure:
    found = chart(store, Place("models"), "distributions", identity=model)
    shape, ids, reading = found.shape, found.table.ids, found.reading
    wanted = set(chosen_classes(store, model, choice, VIOLINS))
    if isinstance(shape, Densities) and ids is not None and len(ids) > len(wanted & set(ids.tolist())):
        rows = [row for row, index in enumerate(ids.tolist()) if index in wanted]
        if not rows:
            raise SingError(f"this file holds no percentiles of these classes of {model}")
        labels = tuple(shape.labels[row] for row in rows)
        shape = replace(shape, labels=labels, scores=tuple((title, curves[rows]) for title, curves in shape.scores))
        which = "chosen classes" if choice.classes else "classes that leak most"
        reading += f" Drawn are the {len(rows)} {which}."
    reading += " The thick line holds the middle half."
    return PaperFigure(file_stem("violins", model, plain=True), found.title, reading, shape, found.table)


def _spectrum(store: Store, choice: Choice, model: Any) -> PaperFigure:
    found = _of_model("spectrum")(store, choice, model)
    if not isinstance(found.shape, Panels):
        return found
    names = ("singular value of the head", "singular value, null space in CLIP")
    parts = tuple(
        replace(part, x_label="position, 1 the largest", y_label=name) if isinstance(part, Curves) else part
        for part, name in zip(found.shape.parts, names, strict=False)
    )
    dashed = any(isinstance(part, Curves) and part.level is not None for part in parts)
    reading = found.reading + (" The dashed line is the cut." if dashed else "")
    return replace(found, shape=Panels(parts), reading=reading)


def _strings(store: Store, choice: Choice, subject: Any) -> PaperFigure:
    model, index = subject
    found = chart(store, Place.of("classes", model=model), "strings", identity=index)
    shape = found.shape
    if isinstance(shape, Pairs):
        shape = replace(shape, name="angle to the concept, degrees")
    name = file_stem("strings", model, str(store.class_names[index]), plain=True)
    return PaperFigure(name, found.title, found.reading, shape, found.table)


KINDS: tuple[Kind, ...] = (
    Kind("models", _file, table_figures.models),
    Kind("scatter", _file, _scatter),
    Kind("ratios", _file, _of_file("ratios")),
    Kind("parts", _file, _of_file("parts")),
    Kind("translator", _file, table_figures.translator),
    Kind("violins", _models, _violins),
    Kind("strings", _classes, _strings),
    Kind("validation", _models, _of_model("validation")),
    Kind("steering", _steering, steering),
    Kind("spectrum", _models, _spectrum),
    Kind("words", _holding("null_words", "words of null directions (sing-compute words)"), table_figures.null_words),
    Kind("directions", _holding("directions", "direction pairs (sing-compute directions)"), table_figures.directions),
    Kind("heads", _heads, table_figures.head),
    Kind("pictures", _holding("renders", "pictures (sing-compute render)"), pictures),
)
"""All kinds of figures, in the order in which they are made."""
