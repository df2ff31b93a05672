"""Writes tables of docs/ from declarations: `python docs/make_tables.py`.

store.md gets axes and datasets, tables.md the columns of every table in words, explorer.md the keys, directions.md what the
benchmarks of direction pairs have measured, reliability.md what the attack has tried.
"""

import re
from itertools import groupby
from pathlib import Path

from textual.binding import Binding

from sing_compute.charts.maps import mapped_columns
from sing_compute.charts.registry import titles
from sing_compute.store import catalogue
from sing_compute.store.definition import Analysis, Axis, Column, Field, TableSpec
from sing_compute.store.definitions.sing import SING
from sing_compute.store.place import Place
from sing_tui.actions import text_of
from sing_tui.key_list import BINDINGS, key_name

STORE = Path(__file__).with_name("store.md")
TABLES = Path(__file__).with_name("tables.md")
EXPLORER = Path(__file__).with_name("explorer.md")
DIRECTIONS = Path(__file__).with_name("directions.md")
RELIABILITY = Path(__file__).with_name("reliability.md")
RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results"
DIRECTION_RESULTS = (
    *("direction_pairs", "direction_trust", "direction_correction", "direction_marks", "direction_networks"),
    "direction_speed",
)
MARK = "<!-- tables: python docs/make_tables.py -->\n"


def row(field: Field) -> str:
    """One dataset as a line of a Markdown table."""
    meaning = field.description.replace("||", "‖").replace("|AS|", "abs AS")
    limits = f"of {field.of}" if field.of else field.range.words or ("" if field.dtype == "text" else "finite")
    if field.of and field.range.low < 0:
        limits += " or -1"
    cells = (f"`{field.path}`", field.dtype, ", ".join(field.axes) or "-", field.unit, limits, field.level, meaning)
    return f"| {' | '.join(cells)} |"


def axis_row(axis: Axis) -> str:
    """One axis as a line of a Markdown table."""
    return f"| {axis.name} | {axis.meaning} |"


def analysis_tables(analysis: Analysis) -> str:
    """The axes and datasets of one analysis, the datasets in a table for each group."""
    parts = [f"## {analysis.title[0].upper()}{analysis.title[1:]}"]
    if analysis.axes:
        parts.append("\n".join(["| axis | meaning |", "|---|---|", *map(axis_row, analysis.axes)]))
    for group, fields in groupby(analysis.fields, key=lambda field: field.path.rpartition("/")[0]):
        lines = [
            f"### `{group}`",
            "",
            "| path | type | axes | unit | range | | meaning |",
            "|---|---|---|---|---|---|---|",
        ]
        parts.append("\n".join([*lines, *map(row, fields)]))
    return "\n\n".join(parts)


def store_tables() -> str:
    """The datasets of every analysis."""
    return "\n\n".join(analysis_tables(analysis) for analysis in catalogue.analyses())


def column_words(column: Column) -> str:
    """One column in words: name, title, unit, what it says and does not say, where it is defined."""
    field = catalogue.FIELDS.get(column.field)
    unit = column.unit or (field.unit if field else "text")
    words = column.explanation
    parts = [f"**`{column.name}`** ({escaped(column.title)}; {unit})"]
    parts += [f"`{words.formula}`"] if words.formula else []
    parts += [escaped(text) for text in (words.meaning or column.description, words.caution) if text]
    parts += [f"*{escaped(words.source)}*"] if words.source else []
    return "- " + "  \n  ".join(parts)


def escaped(text: str) -> str:
    """Text whose signs Markdown leaves alone."""
    return text.replace("*", "\\*").replace("<", "&lt;").replace("_", "\\_")


def column_pages() -> str:
    """Every table of every analysis."""
    parts = []
    for analysis in catalogue.analyses():
        for spec in analysis.tables:
            within = f", within {' and '.join(spec.within)}" if spec.within else ""
            parts.append(f"## {spec.name}\n\nOne {spec.rows} on each row{within}. Part of: {analysis.title}.")
            lines = [column_words(column) for column in spec.columns]
            lines += [
                f"- **`{each.name}`** ({each.title}; text)  \n  Histogram of {each.description}."
                for each in spec.distributions
            ]
            parts.append("\n".join(lines))
    return "\n\n".join(parts)


class DeclaredTables:
    """The declared tables, as the key map asks for them, without a file."""

    has_photographs = True
    files = ("first", "second")

    def words(self, text: str) -> str:
        """Texts as they are declared: for images."""
        return text

    def tables(self) -> list[TableSpec]:
        """Every declared table."""
        return [spec for analysis in catalogue.analyses() for spec in analysis.tables]

    def table(self, name: str) -> TableSpec:
        """One of them."""
        return catalogue.table(name)

    def axis(self, name: str) -> Axis:
        """One of the axes."""
        return catalogue.axis(name)

    def is_mapped(self, spec: TableSpec) -> bool:
        """Return True if a map can show figures of a table."""
        return bool(mapped_columns(spec))


def key_meanings(binding: Binding) -> str:
    """The effect of a key in each table of SING, if it depends on the table; empty if it is the same in all."""
    declared = DeclaredTables()
    found = {}
    for spec in SING.tables:
        place = Place(spec.name).at(**dict.fromkeys((*spec.within, *spec.options), 0))
        found[spec.name] = text_of(binding, place, declared, {name: title for _, name, title in titles(spec)})
    meanings = set(found.values())
    if len(meanings) == 1:
        return "" if meanings == {binding.description} else str(meanings.pop() or "none").replace("|", "\\|")
    words = [f"{name}: {text}" if text != binding.description else name for name, text in found.items() if text]
    return "; ".join(words)


def key_row(binding: Binding) -> str:
    """One action as a line of a Markdown table."""
    keys = " ".join(f"`{key_name(key)}`" for key in binding.key.split(","))
    return f"| {keys} | {binding.description.replace('|', chr(92) + '|')} | {key_meanings(binding)} | `{binding.id}` |"


def key_tables() -> str:
    """The keys of a table screen, grouped as in its help."""
    groups: dict[str, list[Binding]] = {}
    for binding in BINDINGS:
        groups.setdefault(binding.tooltip, []).append(binding)
    lines = ["| key | does | in the tables of SING | name in `[keys]` |", "|---|---|---|---|"]
    for group, bindings in groups.items():
        lines += [f"| **{group}** | | | |", *map(key_row, bindings)]
    return "\n".join(lines)


def direction_results() -> str:
    """The tables of the benchmarks of direction pairs, one section each."""
    parts = []
    for name in DIRECTION_RESULTS:
        title, _, rest = (RESULTS / f"{name}.md").read_text(encoding="utf-8").partition("\n")
        deeper = re.sub(r"^## ", "#### ", rest.strip(), flags=re.MULTILINE)
        parts.append(f"###{title.removeprefix('#')}\n\n`python benchmarks/{name}.py`\n\n{deeper}")
    return "\n\n".join(parts)


def attack_results() -> str:
    """The table of the longest attack that was kept."""
    return (RESULTS / "attack.md").read_text(encoding="utf-8").partition("\n")[2].strip()


def main() -> None:
    """Replace everything below the mark of each page."""
    pages = {
        STORE: store_tables,
        TABLES: column_pages,
        EXPLORER: key_tables,
        DIRECTIONS: direction_results,
        RELIABILITY: attack_results,
    }
    for page, made in pages.items():
        tables = made()
        text = page.read_text(encoding="utf-8").partition(MARK)[0]
        page.write_text(f"{text}{MARK}\n{tables}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
