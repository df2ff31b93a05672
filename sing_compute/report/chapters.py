"""The chapters of a report: the tables and figures that a file can give, in the order of the page."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sing_compute.errors import SingError
from sing_compute.figures.choosing import (
    CLASS_RULE,
    RULE,
    STRINGS,
    Choice,
    chosen_classes,
    chosen_models,
    largest_first,
)
from sing_compute.figures.contents import KINDS, Absent, figures
from sing_compute.figures.drawing import Drawable
from sing_compute.figures.figure import PaperFigure
from sing_compute.figures.style import WIDTHS
from sing_compute.formats import UNICODE, fit
from sing_compute.number_words import row_texts
from sing_compute.report.class_findings import CLASS_COLUMNS
from sing_compute.report.facts import brief
from sing_compute.report.inline_svg import Letters, inline_svg
from sing_compute.report.tables import ROWS, PageTable, TableMaker, explorer_command
from sing_compute.store import Place, Store, Table, catalogue, open_table
from sing_compute.store.place import Key

MODELS = 3
"""Models of a file up to which all are described in full; of more, the one that leaks most, and those that the user names."""
LARGEST = 12_000_000
"""Bytes of figures from which on no more are drawn: a page has at most 25 MB."""
_HEAVY = 600_000
"""Bytes of a figure (one with pictures) from which on phones get the one of computers."""
_TITLE = 120
"""Letters of a title at most."""
CONCEPTS = 10
"""Concepts of a class at most."""


@dataclass(frozen=True, slots=True)
class PageFigure:
    """One figure of the page."""

    id: str
    title: str
    reading: str
    wide: str
    """For screens of a computer and for paper, SVG."""
    narrow: str
    """For phones; empty where they get the same."""
    numbers: PageTable


@dataclass(frozen=True, slots=True)
class Words:
    """Every number of one row in words: title, value and the id of its explanation."""

    title: str
    rows: tuple[tuple[str, str, str], ...]


@dataclass(slots=True)
class Chapter:
    """One chapter; the page shows its parts in this order."""

    id: str
    title: str
    intro: str = ""
    parts: list[PageTable | PageFigure] = field(default_factory=list)
    words: list[Words] = field(default_factory=list)


def described(store: Store, named: Sequence[str]) -> list[str]:
    """Return the models that the report describes in full, the one that leaks most first.

    Args:
        store: The results file.
        named: Models that the user names; without, all of a small file, or the one that leaks most.

    Raises:
        SingError: The file holds no such model.
    """
    if named:
        return chosen_models(store, Choice(tuple(named)))
    if not store.models:
        return []
    if len(store.models) > MODELS:
        return chosen_models(store, Choice())
    return [store.models[row] for row in largest_first(open_table(store, Place("models")), RULE)]


class Chapters:
    """Makes the chapters of one page."""

    def __init__(self, store: Store, models: Sequence[str]) -> None:
        """Prepare the chapters.

        Args:
            store: The results file.
            models: The models that are described in full.
        """
        self.store = store
        self.models = models
        self.file = store.path.name
        self.maker = TableMaker(self.file)
        self.letters = Letters()
        self.absent: list[tuple[str, str]] = []
        """Names of figures that the file cannot give, and the reasons."""
        self._count = 0
        self._size = 0

    def make(self) -> list[Chapter]:
        """Return the chapters for which the file holds numbers."""
        found = [self._models()] if self.store.models else []
        found += [self._model(number, name) for number, name in enumerate(self.models, start=1)]
        found += [self._towers(), self._others()]
        return [chapter for chapter in found if chapter.parts]

    def _figure(self, figure: PaperFigure, shape: Drawable, kind: str, of: str) -> PageFigure:
        self._count += 1
        name = f"figure-{self._count}"

        def drawn(size: str, width: str) -> str:
            return inline_svg(
                shape, self.letters, name=f"{name}-{size}", title=figure.title, description=figure.reading,
                width=WIDTHS[width],
            )  # fmt: skip

        wide = drawn("wide", "page")
        narrow = drawn("narrow", "column") if len(wide) < _HEAVY else ""
        self._size += len(wide) + len(narrow)
        command = ["sing-compute", "figures", self.file, "-o", "figures", "--only", kind]
        command += [f"--model={UNICODE.text(of)}"] if of else []
        title = fit(UNICODE.text(figure.title), _TITLE).rstrip()
        caption = f"Numbers of: {title}"
        numbers = self.maker.make(figure.table, caption, shlex.join(command), names=figure.columns, most=8)
        return PageFigure(name, title, figure.reading, wide, narrow, numbers)

    def _figures(self, *kinds: str, of: str = "") -> list[PageFigure]:
        """Draw the figures of these kinds; `of` is a model, for kinds that have a figure for each."""
        found = []
        for each in figures(self.store, Choice((of,) if of else ()), kinds):
            if isinstance(each, Absent):
                if (each.name, each.reason) not in self.absent:
                    self.absent.append((each.name, each.reason))
            elif each.shape is not None and self._size > LARGEST:
                self.absent.append((each.name, "the page is large already; sing-compute figures draws it"))
            elif each.shape is not None:
                kind = next(kind for kind in kinds if each.name.startswith(kind))
                found.append(self._figure(each, each.shape, kind, of))
        return found

    def _models(self) -> Chapter:
        table = open_table(self.store, Place("models"))
        order = largest_first(table, RULE)
        chapter = Chapter("models", "Models", "Scores are medians in degrees; small numbers are 95 % intervals.")
        chapter.parts.append(
            self.maker.make(
                table, "Scores of every model", explorer_command(self.file, "models", {}), order=order, rows=64,
                names=_MODEL_COLUMNS, sort=_sort(table),
            )
        )  # fmt: skip
        chapter.parts += self._figures(*_OF_FILE)
        wanted = [row for row in order if self.store.models[row] in self.models]
        chapter.words = [self._words(table, row, self.store.models[row]) for row in wanted]
        return chapter

    def _words(self, table: Table, row: int, name: str) -> Words:
        texts = row_texts(table, row, self.store.noun.plural)
        rows = ((text.column.title, text.value, self.maker.glossary.entry(text.column).id) for text in texts[1:])
        return Words(f"Every number of {brief(name)} in words", tuple(rows))

    def _model(self, number: int, model: str) -> Chapter:
        chapter = Chapter(f"model-{number}", f"Model {brief(model)}")
        whole: dict[str, Key] = {"model": model}
        self._add(chapter, "classes", whole, f"Classes of {brief(model)}", CLASS_RULE, names=CLASS_COLUMNS)
        chapter.parts += self._figures("violins", "strings", of=model)
        for index in self._classes(model):
            caption = f"Concepts along which {brief(self.store.class_names[index])} moves most in {brief(model)}"
            keys = whole | {"class": index}
            self._add(chapter, "concepts", keys, caption, ("attribute_score_abs",), rows=CONCEPTS)
        self._add(chapter, "null_modes", whole, f"Null directions of {brief(model)} in words")
        chapter.parts += self._figures("words", of=model)
        self._add(chapter, "directions", whole, f"Direction pairs of {brief(model)}", ("null_share",))
        chapter.parts += self._figures("directions", "validation", "steering", "spectrum", of=model)
        return chapter

    def _classes(self, model: str) -> list[int]:
        try:
            return chosen_classes(self.store, model, Choice(), STRINGS)
        except SingError:
            return []

    def _add(
        self,
        chapter: Chapter,
        name: str,
        keys: Mapping[str, Key],
        caption: str,
        order: Sequence[str] = (),
        *,
        rows: int = ROWS,
        names: Sequence[str] = (),
    ) -> None:
        """Add a table to a chapter, if the file holds it: its rows by the first column of `order`, the largest number first."""
        if catalogue.table(name) not in catalogue.tables(self.store):
            return
        try:
            table = open_table(self.store, Place(name).at(**keys))
        except SingError:
            return
        sort = next((each for each in order if any(column.name == each for column in table.columns)), "")
        command, sorted_rows = explorer_command(self.file, name, keys), largest_first(table, order)
        made = self.maker.make(table, caption, command, order=sorted_rows, sort=sort, rows=rows, names=names)
        if made.rows:
            chapter.parts.append(made)

    def _towers(self) -> Chapter:
        chapter = Chapter("heads", "Attention heads of CLIP in words")
        self._add(chapter, "towers", {}, "Image towers")
        chapter.parts += self._figures("heads")
        return chapter

    def _others(self) -> Chapter:
        """Draw the kinds of figures that have no place of their own."""
        names = [kind.name for kind in KINDS if kind.name not in ("models", "heads", *_OF_FILE, *_OF_MODEL)]
        return Chapter("more", "More figures", parts=[*self._figures(*names)] if names else [])


_OF_FILE = ("scatter", "ratios", "parts", "translator")
_OF_MODEL = ("violins", "strings", "words", "directions", "validation", "steering", "spectrum")
_MODEL_COLUMNS = (
    *("model", "attribute_score_abs_over_control", "attribute_score_abs", "attribute_score_centred_abs", "image_score"),
    *("image_score_over_control", "ratio_images", "accuracy", "nullity", "null_energy", "significant"),
)


def _sort(table: Table) -> str:
    names = {column.name for column in table.columns}
    return next((name for name in RULE if name in names), "")
