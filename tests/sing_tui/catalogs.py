"""Catalogues without a file: the tables of SING, and those of an invented analysis of layers, heads and vectors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sing_compute.errors import SingError
from sing_compute.store import catalogue
from sing_compute.store.definition import Analysis, Axis, Column, TableSpec
from sing_compute.store.definitions.images_and_classifiers import CLASSIFIERS, IMAGES
from sing_compute.store.definitions.null_words import NULL_WORDS
from sing_compute.store.definitions.sing import SING
from sing_compute.store.definitions.sith import SITH
from sing_compute.store.definitions.steering import STEERING
from sing_compute.store.place import Key, Place
from sing_tui.session.catalog import CONTENTS_AXIS, CONTENTS_SPEC, row_axis
from sing_tui.session.counted import COUNTS, COUNTS_AXIS, COUNTS_SPEC, Counted
from sing_tui.session.route import route
from sing_tui.session.state import CONTENTS, Session


@dataclass
class FakeCatalog:
    """A catalogue of declared analyses, with items made up here."""

    analyses: tuple[Analysis, ...]
    names: Mapping[str, Sequence[str]]
    """Names of the items of each axis."""
    without_rows: Mapping[str, frozenset[int]] = field(default_factory=dict)
    """Items of an axis that have no rows in the axis' table."""
    absent: frozenset[str] = frozenset()
    """Declared tables that the file does not hold."""
    numbers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Columns that can be compared, by table."""

    files: tuple[str, ...] = ("results",)
    maps: frozenset[str] = frozenset({"concepts"})
    """Tables with a figure of every pair of two items."""

    has_photographs: bool = True

    def words(self, text: str) -> str:
        return text

    @property
    def declared(self) -> dict[str, TableSpec]:
        return {spec.name: spec for analysis in self.analyses for spec in analysis.tables}

    def tables(self) -> list[TableSpec]:
        return [spec for spec in self.declared.values() if spec.name not in self.absent]

    def table(self, name: str) -> TableSpec:
        if name == CONTENTS:
            return CONTENTS_SPEC
        if name == COUNTS:
            return COUNTS_SPEC
        if name not in self.declared:
            raise SingError(f"no table {name!r}; there are: {', '.join(self.declared)}")
        return self.declared[name]

    def axis(self, name: str) -> Axis:
        known = {axis.name: axis for analysis in self.analyses for axis in analysis.axes} | {
            CONTENTS: CONTENTS_AXIS,
            COUNTS: COUNTS_AXIS,
        }
        if name not in known:
            raise SingError(f"no axis {name!r}")
        return known[name]

    def items(self, axis: str, place: Place | None) -> Sequence[str]:
        if axis == CONTENTS:
            return [spec.name for spec in self.tables() if not spec.within]
        return self.names[axis]

    def count(self, axis: str, place: Place | None) -> int:
        return len(self.items(axis, place))

    def label(self, axis: str, key: Key, place: Place | None) -> str:
        names = self.items(axis, place)
        return key if isinstance(key, str) else names[key] if key < len(names) else "-"

    def find(self, axis: str, text: str, place: Place | None) -> Key:
        names = [name.casefold() for name in self.items(axis, place)]
        wanted = text.casefold()
        if self.axis(axis).group:
            if text in self.items(axis, place):
                return text
            raise SingError(f"no {axis} {text!r} in results.h5")
        if wanted in names:
            return names.index(wanted)
        if text.isdecimal() and int(text) < len(names):
            return int(text)
        raise SingError(f"no {axis} {text!r} in results.h5")

    def rows(self, place: Place) -> Sequence[int]:
        axis = self.table(place.table).rows
        hidden = self.without_rows.get(axis, frozenset())
        return [position for position in range(self.count(axis, place)) if position not in hidden]

    def row_names(self, place: Place, identities: Sequence[int]) -> list[str]:
        if isinstance(place, Counted):
            return [self.condition(place, row) for row in identities]
        names = self.items(row_axis(place, self), place)
        return [names[row] if row < len(names) else "" for row in identities]

    def rows_named(self, place: Place, names: Sequence[str]) -> list[int | None]:
        known = list(self.items(row_axis(place, self), place))
        return [known.index(name) if known.count(name) == 1 else None for name in names]

    def condition(self, place: Counted, row: int) -> str:
        known = [f"{name} = {row}" for name in place.by]
        return " and ".join([*([f"({place.filter})"] if place.filter else []), *known])

    def is_mapped(self, spec: TableSpec) -> bool:
        return spec.name in self.maps

    def measures(self, place: Place) -> Sequence[str]:
        return self.numbers[place.table]

    def column(self, place: Place, name: str) -> str:
        for column in self.table(place.table).columns:
            if name.lower() in (column.name, column.title.lower()):
                return column.name
        raise SingError(f"no column {name!r}")


SING_NUMBERS = {
    "classes": ("attribute_score_q50", "attribute_score_abs_q50", "image_score_q50", "ratio", "accuracy"),
    "concepts": ("attribute_score", "attribute_score_abs", "z", "q"),
    "images": ("attribute_score", "image_score", "confidence"),
}


def sing(models: Sequence[str] = ("alpha", "beta", "gamma"), **changes: object) -> FakeCatalog:
    """A file of three classifiers, four classes of which one has no image, and 24 concepts."""
    names = {
        "model": models,
        "class": ("cat", "dog", "owl", "empty"),
        "concept": tuple(f"concept {k}" for k in range(24)),
        "image": tuple(f"image {k}" for k in range(21)),
        "subset": ("all", "right", "wrong", "group:clean"),
    }
    known = {"analyses": (IMAGES, CLASSIFIERS, SING), "names": names, "without_rows": {"class": frozenset({3})}}
    return FakeCatalog(**{**known, "numbers": SING_NUMBERS, **changes})


def sing_in_words(**changes: object) -> FakeCatalog:
    """The same file with null directions in words: tables that open behind those of SING."""
    known = sing()
    tables = tuple(catalogue.table(spec.name) for spec in SING.tables)
    analyses = (*known.analyses[:2], replace(SING, tables=tables), SITH, NULL_WORDS)
    names = {**known.names, "null_mode": ("mode 0", "mode 1"), "null_direction": ("direction 0", "direction 1")}
    names |= {"null_word": ("red", "round"), "null_size": ("3 concepts", "5 concepts"), "tower": ()}
    return sing(**{"analyses": analyses, "names": names, **changes})


def sing_with_steering() -> FakeCatalog:
    """The same file with steering of each class toward each class: a second table of a class that has a map."""
    known = sing_in_words()
    names = {**known.names, "target": known.names["class"]}
    return replace(known, analyses=(*known.analyses, STEERING), names=names, maps=frozenset({"concepts", "steering"}))


LAYERS = Analysis(
    "layers",
    1,
    "layers, heads and their vectors",
    "file",
    (),
    (
        Axis("layer", "layers from the input", field="layers/name", labels="layers/name"),
        Axis("head", "heads of each layer", length=3),
        Axis("vector", "vectors of a head, the strongest first", length=5),
        Axis("word", "words of the vocabulary", field="words/name", labels="words/name"),
    ),
    (
        TableSpec("layers", "layer", (), "layer", (Column("layer", "layer", "text", role="label"),), opens=("heads",)),
        TableSpec(
            "heads",
            "head",
            ("layer",),
            "head",
            (Column("head", "head", "index", role="index"), Column("strength", "strength", "figure")),
            opens=("vectors", "words"),
            sort="+strength",
            measure="strength",
        ),
        TableSpec(
            "vectors",
            "vector",
            ("layer", "head"),
            "vector",
            (Column("vector", "vector", "index", role="index"), Column("strength", "strength", "figure")),
            opens=("words",),
            sort="strength",
            measure="strength",
            naming=("vector",),
            charts=("arrows", "lengths"),
        ),
        TableSpec(
            "words",
            "word",
            ("layer", "head"),
            "word",
            (Column("word", "word", "text", role="label"), Column("weight", "weight", "figure")),
            opens=("vectors",),
            measure="weight",
        ),
    ),
)
"""An analysis that no program knows: its keys are positions, none of its axes is a group."""


def layers(**changes: object) -> FakeCatalog:
    """A file of three layers with three heads each, of which one has no vectors."""
    names = {
        "layer": ("stem", "middle", "top"),
        "head": ("0", "1", "2"),
        "vector": tuple(map(str, range(5))),
        "word": ("red", "blue", "round"),
    }
    numbers = {"heads": ("strength",), "vectors": ("strength", "angle", "share"), "words": ("weight",)}
    return FakeCatalog(**{"analyses": (LAYERS,), "names": names, "numbers": numbers, **changes})


def both() -> FakeCatalog:
    """A file with classifiers and layers: two first tables."""
    one, other = sing(), layers()
    return FakeCatalog(
        (*one.analyses, *other.analyses),
        {**one.names, **other.names},
        one.without_rows,
        numbers={**one.numbers, **other.numbers},
    )


def place(table: str, along: str = "", **keys: Key) -> Place:
    """A place; `class_=1` names an item of the axis `class`."""
    return Place.of(table, along=along, **{axis.rstrip("_"): key for axis, key in keys.items()})


def at(catalog: FakeCatalog, there: Place, row: int | None = 0, **changes: object) -> Session:
    """The session of a user who came to a place step by step, the cursor on a row."""
    session = Session(route(catalog, there))
    return session.now(replace(session.here, identity=row, **changes))
