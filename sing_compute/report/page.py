"""Make the page of a report: one HTML file with its style, script and figures inside, whose policy allows nothing else."""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from sing_compute.atomic_write import refusal, write_text
from sing_compute.errors import SingError
from sing_compute.figures.contents import by_reason
from sing_compute.report.chapters import Chapters, PageFigure, described
from sing_compute.report.facts import brief
from sing_compute.report.findings import findings
from sing_compute.report.provenance import dates, provenance
from sing_compute.report.run_warnings import warnings_of
from sing_compute.report.word_findings import word_findings
from sing_compute.store import Store, catalogue
from sing_compute.store.text import clean

ENDINGS = (".html", ".htm")
_FOLDER = Path(__file__).parent


def report_page(store: Store, named: Sequence[str] = ()) -> str:
    """Return the page of a results file; the same file gives the same page.

    Args:
        store: The results file.
        named: Models that are described in full; without, all of a small file, or the one that leaks most.

    Returns:
        The HTML.

    Raises:
        SingError: The file holds no such model.
    """
    models = described(store, named)
    chapters = Chapters(store, models)
    answers = [*findings(store, models, chapters.maker), *word_findings(store, models)]
    made = chapters.make()
    style, script = ((_FOLDER / name).read_text("utf-8") for name in ("page.css", "page.js"))
    page = _environment(store).get_template("page.html.j2")
    first, last = dates(store)
    return page.render(
        title=f"SING report: {store.path.name}",
        file=store.path.name,
        first=first,
        last=last,
        policy=_policy(style, script),
        style=Markup(style),
        script=Markup(script),
        letters=Markup(chapters.letters.definitions()),
        findings=answers,
        warnings=warnings_of(store),
        chapters=made,
        others=[brief(name) for name in store.models if name not in models],
        absent=by_reason(chapters.absent),
        glossary=chapters.maker.glossary.entries,
        provenance=provenance(store),
        held={spec.name for spec in catalogue.tables(store)},
        is_figure=lambda part: isinstance(part, PageFigure),
    )


def write_report(store: Store, target: Path, named: Sequence[str] = (), *, replace: bool = False) -> int:
    """Write the page of a results file in one step.

    Args:
        store: The results file.
        target: The file to write.
        named: Models that are described in full.
        replace: True to replace a file of this name.

    Returns:
        Bytes of the page.

    Raises:
        SingError: The target exists and `replace` is False, or cannot be written, or the file holds no such model.
    """
    if target.is_dir():
        raise SingError(f"cannot write {target}: it is a folder; name a file: {target / 'report.html'}")
    if target.exists() and target.samefile(store.path):
        raise SingError(f"{target} is the results file itself; name another file")
    if target.suffix.lower() not in ENDINGS:
        raise SingError(f"cannot write {target}: the page is HTML; name a file that ends in {ENDINGS[0]}")
    if problem := refusal(target, force=replace):
        raise SingError(problem)
    page = report_page(store, named)
    try:
        write_text(target, page, durable=False)
    except OSError as error:
        raise SingError(f"cannot write {target}: {error.strerror or error}") from error
    return len(page.encode())


def _environment(store: Store) -> Environment:
    """Return the templates; every text that they are given loses its invisible characters, and is escaped."""

    def harmless(value: object) -> object:
        return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    found = Environment(
        loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        finalize=harmless, keep_trailing_newline=True,
    )  # fmt: skip
    found.filters["said"] = store.noun.words
    return found


def _policy(style: str, script: str) -> str:
    """Return a content security policy that allows this style and this script alone, and pictures inside the page."""
    hashes = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script))
    allowed = (f"'sha256-{each}'" for each in hashes)
    rules = zip(("style-src", "script-src"), allowed, strict=True)
    return "; ".join(
        ["default-src 'none'", *map(" ".join, rules), "img-src data:", "base-uri 'none'", "form-action 'none'"]
    )
