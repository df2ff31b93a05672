"""The closing table of a run: one row per model, or one column per model if the terminal is narrow."""

import math
import shutil
import textwrap
from collections.abc import Callable, Sequence

from sing_compute.errors import visible
from sing_compute.store import Store
from sing_compute.store.leaks import largest_leak
from sing_compute.store.text import clean

Summary = dict[str, float | int]


def _number(name: str, digits: int) -> Callable[[Summary], str]:
    def cell(summary: Summary) -> str:
        value = summary.get(name)
        if value is None or math.isnan(value):
            return "-"
        return f"{value:.{digits}f}" if math.isfinite(value) else "inf"

    return cell


def _share(summary: Summary) -> str:
    return f"{summary['accuracy']:.1%}"


def _cosine(summary: Summary) -> str:
    return f"{summary['cosine']:.4f} ({summary['cosine_baseline']:.4f})" if "cosine" in summary else "-"


def _signed(summary: Summary) -> str:
    return f"{summary['attribute_score']:+.2f}" if "attribute_score" in summary else "-"


COLUMNS: tuple[tuple[str, Callable[[Summary], str]], ...] = (
    ("accuracy", _share),
    ("rank", _number("rank", 0)),
    ("nullity", _number("nullity", 0)),
    ("gap", _number("gap", 1)),
    ("cosine (baseline)", _cosine),
    ("AS", _signed),
    ("|AS|", _number("attribute_score_abs", 2)),
    ("IS", _number("image_score", 2)),
    ("IS centred", _number("image_score_centred", 2)),
    ("IS/|AS|", _number("ratio_images", 1)),
    ("null energy", _number("null_energy", 2)),
    ("|AS|/control", _number("attribute_score_abs_over_control", 2)),
    ("IS/control", _number("image_score_over_control", 2)),
    ("flips", _number("flips", 0)),
)
NOTES = (
    "AS, |AS|, IS: medians over images, in degrees; centred: only the image's own null part removed.",
    "null energy: median length of the null part over that of the feature; control: a random vector as long as the null part.",
    "gap: sigma_r / sigma_(r+1), inf where the head has no smaller singular value.",
    "cosine: T(f) with the image embedding, out of fold; the baseline is the mean embedding alone.",
)
LEAK_NOTE = (
    "leak: the largest |centred AS| of a concept; centred: without what all images share. Order classes by it, not by |AS| or IS "
    "(docs/method.md)."
)


def closing_table(store: Store, models: Sequence[str], *, width: int | None = None) -> str:
    """List accuracy, rank, nullity, gap, translator cosine and its baseline, AS, |AS|, IS, IS/|AS| and flips of each model.

    Args:
        store: The results file.
        models: Names of the models of the run.
        width: Columns of the terminal; None to ask for it.
    """
    rows = [["model", *(title for title, _ in COLUMNS)]]
    for model in models:
        summary = store.summary(model)
        rows.append([model, *(cell(summary) for _, cell in COLUMNS)])
    width = width or shutil.get_terminal_size((100, 24)).columns
    notes = [
        textwrap.fill(note, width)
        for note in (*_warnings(store, models), *_leaks(store, models), *map(store.noun.words, NOTES))
    ]
    return "\n".join(["", *fit_width(rows, width), "", *notes])


def outputs_table(store: Store, models: Sequence[str]) -> str:
    """List accuracy and the sizes of the stored features and spatial maps of each model.

    Args:
        store: The results file.
        models: Names of the models of the run.
    """
    rows = [["model", "accuracy", "features", "maps"]]
    for model in models:
        base = f"models/{model}/"
        features = store.dataset(f"{base}features/value").shape
        maps: tuple[int, ...] = ()
        if f"{base}maps/image" in store:
            channels = int(store.attributes(f"{base}maps")["channels"])
            maps = (*(len(store.dataset(f"{base}maps/{axis}")) for axis in ("image", "position")), channels)
        sizes = [" x ".join(f"{length:,}" for length in shape) or "-" for shape in (features, maps)]
        rows.append([model, _share(store.summary(model)), *sizes])
    sizes_note = store.noun.words("features: images x dimensions; maps: images x positions x channels.")
    notes = [*_warnings(store, models), sizes_note]
    return "\n".join(["", *align(rows), "", *notes])


def _leaks(store: Store, models: Sequence[str]) -> list[str]:
    """Say for each model which of its classes leaks most, and by which concept; with the meaning of that figure."""
    found = [(model, largest_leak(store, model)) for model in models]
    lines = [
        f"{clean(model)}: {clean(leak.name)} leaks most, by {clean(leak.concept)}: {leak.size:.2f} degrees"
        + (" (q < .05)" if leak.significant else "")
        for model, leak in found
        if leak is not None
    ]
    return [*lines, store.noun.words(LEAK_NOTE)] if lines else []


def _warnings(store: Store, models: Sequence[str]) -> list[str]:
    """Return one line for each model that has warnings."""
    found = [("stored embeddings", store.attributes("clip").get("warnings"))]
    found += [(model, store.attributes(f"models/{model}").get("warnings")) for model in models]
    return [f"WARNING, {clean(name)}: {clean(str(text))}" for name, text in found if text]


def align(rows: list[list[str]]) -> list[str]:
    """Format rows of cells as lines: the first column aligned to the left, the others to the right."""
    rows = [[visible(cell) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def fit_width(rows: list[list[str]], width: int | None = None) -> list[str]:
    """Format rows of cells as lines, transposed if they are wider than the terminal.

    Args:
        rows: The first row holds the titles.
        width: Columns of the terminal; None to ask for it.
    """
    lines = align(rows)
    fits = len(lines[0]) <= (width or shutil.get_terminal_size((100, 24)).columns)
    return lines if fits else align([list(row) for row in zip(*rows, strict=True)])
