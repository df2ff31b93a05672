"""The page of a report: sound HTML that allows nothing from outside, harmless texts, the explorer's numbers, the same bytes."""

import builtins
import csv
import io
import os
import re
import shutil
import stat
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import h5py
import numpy as np
import pytest
from direction_figures import write_directions
from ended_commands import Ended
from html_pages import Page, sound
from stores import write_store

from sing_compute.charts.shapes import Pairs, Scatter
from sing_compute.errors import SingError
from sing_compute.formats import UNICODE
from sing_compute.report import chapters, page
from sing_compute.report.class_findings import CLASS_COLUMNS
from sing_compute.report.inline_svg import Letters, inline_svg
from sing_compute.report.page import report_page
from sing_compute.store import Place, Store, open_table
from sing_compute.table_text import WholeTable, write_rows

Command = Callable[..., Ended]


def sketch(shape: object, letters: object, *, name: str, title: str, description: str, width: float) -> str:
    """A figure without its drawing, which takes most of the time of a page."""
    parts = (("title", title), ("desc", description))
    said = "".join(f'<{tag} id="{name}-{tag}">{escape(UNICODE.text(text))}</{tag}>' for tag, text in parts)
    return f'<svg role="img" aria-labelledby="{name}-title {name}-desc">{said}</svg>'


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chapters, "inline_svg", sketch)


@pytest.fixture(scope="module")
def whole_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write_store(tmp_path_factory.mktemp("report") / "whole.h5", concepts=12)
    write_directions(path)
    return path


@pytest.fixture(scope="module")
def text(whole_path: Path) -> str:
    with pytest.MonkeyPatch.context() as patch, Store(whole_path) as store:
        patch.setattr(chapters, "inline_svg", sketch)
        return report_page(store)


def test_the_page_is_sound_and_has_every_part(text: str) -> None:
    found = sound(text)
    for part in ("summary", "models", "model-1", "method", "words", "provenance", "absent"):
        assert part in found.ids
    assert "Which model leaks most?" in found.text
    assert found.tags["figure"] >= 8
    assert found.tags["title"] == 1 + 2 * found.tags["figure"]  # of the page, and of each figure for computer and phone


def test_the_same_file_gives_the_same_bytes(undrawn: None, whole_path: Path, tmp_path: Path, text: str) -> None:
    copied = Path(shutil.copy(whole_path, tmp_path))
    with Store(copied) as store:
        assert report_page(store) == text


def test_numbers_are_those_of_the_explorers_export(whole_path: Path, text: str) -> None:
    with Store(whole_path) as store:
        order = chapters.described(store, ())
        table = open_table(store, Place.of("classes", model=order[0]))
        stream = io.StringIO()
        write_rows(WholeTable(table), stream)
    exported = {row["class"]: row for row in csv.DictReader(io.StringIO(stream.getvalue()))}
    found = Page(text)
    wanted = [name for name in CLASS_COLUMNS if name in next(iter(exported.values()))]
    expected = {name: [row[column] for column in wanted] for name, row in exported.items()}
    full = [{row[0]: [cell.partition("|")[0] for cell in row] for row in rows[1:]} for rows in found.cells.values()]
    assert expected in full
    score = wanted.index("attribute_score_abs_q50")
    for row in list(found.cells.values())[full.index(expected)][1:]:
        value, _, rounded = row[score].partition("|")
        assert rounded.split()[0] == f"{float(value):.2f}"
    saved = [unquote(link.partition(",")[2]) for link in found.links if link.startswith("data:text/csv")]
    assert stream.getvalue() in saved


HOSTILE = (
    "<script>alert(1)</script>",
    "</style></svg>]]><img src=x onerror=alert(1)>",
    "\"'`><a href=javascript:alert(1)>{{ 7 * 7 }}{% raw %}",
    '=HYPERLINK("http://x")\u202egnp\u200b\x1b[31m-->',
)


def test_texts_of_a_stranger_are_harmless(undrawn: None, tmp_path: Path) -> None:
    model = ("<b onclick=x>" + "m" * 255)[:255]
    path = write_store(
        tmp_path / "<img>&.h5", models=(model,), class_names=HOSTILE, images_per_class=(6, 6, 6, 6), concepts=12
    )
    with h5py.File(path, "r+") as file:
        for where in (f"models/{model}", "clip"):
            for name in ("warnings", "note", "significance_note", "command", "tag"):
                file[where].attrs[name] = np.bytes_(" ".join(HOSTILE).replace("\x1b", "").encode())
        names = np.array([text.encode() for text in (HOSTILE * 3)])
        del file["concepts/name"]
        file["concepts/name"] = names
    plain = write_store(tmp_path / "plain.h5", models=("m",), images_per_class=(6, 6, 6, 6), concepts=12)
    with Store(path) as store, Store(plain) as other:
        hostile, harmless = report_page(store), report_page(other)
    found, expected = sound(hostile), sound(harmless)
    assert found.tags.keys() <= expected.tags.keys() | {"li", "strong", "ul"}
    assert found.attributes.keys() == expected.attributes.keys()
    assert not re.search("[\u200b\u202a-\u202e\u2066-\u2069\x00-\x08\x0b-\x1f]", hostile)
    assert "alert(1)</script>" in found.text
    assert "{{ 7 * 7 }}" in found.text
    for link in found.links:
        if link.startswith("data:text/csv"):
            cells = [cell for row in csv.reader(io.StringIO(unquote(link.partition(",")[2]))) for cell in row]
            assert not [cell for cell in cells if cell.startswith(("=", "@", "\t"))]


def test_a_file_of_sounds_speaks_of_sounds(undrawn: None, tmp_path: Path) -> None:
    path = write_store(tmp_path / "sounds.h5", models=("m",), concepts=6)
    with h5py.File(path, "r+") as file:
        for name, noun in (("item", b"sound"), ("items", b"sounds")):
            file["images"].attrs[name] = np.bytes_(noun)
    with Store(path) as store:
        text = sound(report_page(store)).text
    assert "43 sounds" in text
    assert not re.search(r"(?i)(?<![\w/])images?(?![\w/])", text)


def test_a_page_has_a_largest_size(undrawn: None, whole_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chapters, "LARGEST", 500)
    monkeypatch.setattr(chapters, "_HEAVY", 10)
    with Store(whole_path) as store:
        found = sound(report_page(store))
    assert 0 < found.tags["figure"] < 5
    assert found.tags["svg"] == 1 + found.tags["figure"]
    assert "the page is large already" in found.text


def test_many_classes_are_bounded_and_say_so(undrawn: None, tmp_path: Path) -> None:
    names = [f"class {number}" for number in range(60)]
    path = write_store(tmp_path / "many.h5", models=("m",), class_names=names, images_per_class=[2] * 60, concepts=30)
    with Store(path) as store:
        text = report_page(store)
    assert "Shown are 25 of 60 rows" in text
    assert "Shown are 10 of 30 rows" in text
    assert len(text) < 2_000_000


def test_a_head_without_null_space_is_drawn_twice_alike(tmp_path: Path) -> None:
    path = write_store(tmp_path / "full.h5", models=("m",), null_space=False)
    with Store(path) as store:
        text = report_page(store)
        assert report_page(store) == text
    found = sound(text)
    assert found.tags["path"] > 20
    assert "leak most" not in found.text
    assert "What this file does not show" in found.text


def test_figures_in_the_page_have_no_style_and_share_their_letters() -> None:
    letters = Letters()
    rows = Pairs((HOSTILE[0], HOSTILE[1]), (1.0, 2.0), (float("nan"), 4.0), -1)
    dots = Scatter(np.array([1.0, 2.0]), np.array([3.0, 4.0]), HOSTILE[2], HOSTILE[0])
    drawn = [
        inline_svg(shape, letters, name=f"f{number}", title=HOSTILE[1], description=HOSTILE[3], width=84)
        for number, shape in enumerate((rows, dots, rows))
    ]
    found = Page("".join([letters.definitions(), *drawn]))
    assert found.references <= set(found.ids)
    assert len(found.ids) == len(set(found.ids))
    assert not {"style", "onerror"} & found.attributes.keys()
    assert not {"script", "style", "img", "a"} & found.tags.keys()
    assert HOSTILE[1] in found.text
    assert "\u202e" not in "".join(drawn)
    assert drawn[0].replace("f0-", "f2-") == drawn[2]
    assert "#0072b2" in drawn[0]


def test_small_and_incomplete_files(undrawn: None, tmp_path: Path) -> None:
    path = write_store(
        tmp_path / "one.h5", models=("m",), class_names=("cat", "dog"), images_per_class=(3, 0), concepts=6
    )
    with h5py.File(path, "r+") as file:
        for name in ("attribute_score_abs_over_control", "attribute_score_centred_abs", "cosine"):
            file[f"models/m/summary/{name}"][()] = np.nan
        file["models/m/classes/attribute_score_abs_control"][...] = np.nan
    with Store(path) as store:
        found = sound(report_page(store))
    assert "does the model leak" not in found.text
    assert "times its control" not in found.text
    assert "What this file does not show" in found.text


def test_a_file_without_models(undrawn: None, tmp_path: Path) -> None:
    path = write_store(tmp_path / "towers.h5", models=())
    with Store(path) as store:
        found = sound(report_page(store))
    assert "models" not in found.ids


@pytest.fixture
def sing(tmp_path: Path, whole_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command) -> Command:
    shutil.copy(whole_path, tmp_path / "whole.h5")
    monkeypatch.chdir(tmp_path)
    return command


def test_the_command_writes_a_page_and_replaces_none_unasked(
    sing: Command, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "report_page", lambda *_: text)
    ended = sing("report", "whole.h5", "-o", "page.html")
    assert (ended.code, ended.err) == (0, "")
    assert re.fullmatch(r"page\.html is written: \d\.\d MB\n", ended.out)
    assert Path("page.html").read_text("utf-8") == text
    assert sing("report", "whole.h5", "-o", "page.html").error == "page.html exists; --force replaces it"
    assert sing("report", "whole.h5", "-o", "page.html", "--force").code == 0
    assert "it is a folder" in sing("report", "whole.h5", "-o", ".", "--force").error
    assert "no folder" in sing("report", "whole.h5", "-o", "no/page.html").error
    assert "results file itself" in sing("report", "whole.h5", "-o", "whole.h5", "--force").error
    assert "ends in .html" in sing("report", "whole.h5", "-o", "page.pdf").error
    os.mkfifo("pipe.html")
    assert "it is no regular file" in sing("report", "whole.h5", "-o", "pipe.html", "--force").error
    assert stat.S_ISFIFO(Path("pipe.html").stat().st_mode)
    assert "does not exist" in sing("report", "none.h5", "-o", "other.html").error


def test_an_unknown_model_and_a_missing_extra_end_in_one_line(sing: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no model 'gamma'" in sing("report", "whole.h5", "-o", "page.html", "--model", "gamma").error
    plain = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "jinja2":
            raise ModuleNotFoundError("No module named 'jinja2'")
        return plain(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    error = sing("report", "whole.h5", "-o", "page.html").error
    assert error == (
        "a report needs Jinja2 and matplotlib (No module named 'jinja2'); pip install 'sing-explorer[figures]'"
    )
    assert not Path("page.html").exists()


def test_a_disk_that_fails_leaves_no_page(tmp_path: Path, whole_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(page, "report_page", lambda *_: "x")
    monkeypatch.setattr(page, "write_text", full)
    with Store(whole_path) as store, pytest.raises(SingError, match=r"cannot write .*: No space left on device"):
        page.write_report(store, tmp_path / "page.html")
