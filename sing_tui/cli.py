"""`sing-tui FILE`: check the arguments, then the screen, or with --csv or --json the same table without one."""

import os
import sys
import warnings
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from sing_compute.atomic_write import followed, refusal
from sing_compute.errors import SingError, visible
from sing_tui.process import begin
from sing_tui.start import ALIASES, THEMES, WITH_ALIASES, Start, Wish, named_once, takes_unicode

if TYPE_CHECKING:
    from sing_tui.settings import Config

GRAPHICS = ("kitty", "sixel", "cells", "ask")
_SIGNATURE = b"\x89HDF\r\n\x1a\n"


class _Command(click.Command):
    """A command whose messages about wrong options are harmless lines."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments."""
        try:
            return super().parse_args(ctx, args)
        except click.ClickException as error:
            raise click.UsageError(visible(error.format_message()), ctx) from error


@click.command(cls=_Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("other", type=click.Path(path_type=Path), required=False, metavar="[FILE2]")
@click.option("--table", help="The table to show or write; with --class, models of that class.")
@click.option(
    "--at", metavar="AXIS=ITEM", multiple=True, help="Start at this item: a name, an index or a code. Repeatable."
)
@click.option("--model", help="Start at this model's classes.")
@click.option("--class", metavar="CLASS", help="Start at this class: its name, index or WordNet id.")
@click.option("--concept", metavar="CONCEPT", help="Start at one concept in all classes: its name or index.")
@click.option("--subset", help="Images that the class table counts: all, right, wrong, group:NAME.")
@click.option(
    "--compare",
    metavar="COLUMN",
    help="Models side by side in this column, the others against --model. With FILE2: both files in it, "
    "figures: all of one row, -: FILE alone.",
)
@click.option(
    "--with", metavar="AXIS=ITEM", multiple=True, help="Compare with this item; all if not given. Repeatable."
)
@click.option("--with-model", metavar="MODEL", multiple=True, help="Compare with this model; all if not given.")
@click.option("--with-class", metavar="CLASS", multiple=True, help="Compare concepts of --class with this one.")
@click.option(
    "--sort",
    metavar="COLUMN",
    help="Sort by it: numbers from the largest, text from A; A,B or A,-B: equal rows by B; -: as in the file.",
)
@click.option("--reverse", is_flag=True, help="Sort the other way round.")
@click.option(
    "--filter", "filter_text", metavar="EXPR", default="", help="Rows to keep: 'is > 20 and abs(as) < 3', or a word."
)
@click.option(
    "--count-by", metavar="A,B,...", default="", help="Count the rows by these columns; is/5 counts in bins of 5."
)
@click.option("--having", metavar="EXPR", default="", help="With --count-by: counts to keep: 'count > 3'.")
@click.option(
    "--look", metavar="COLUMN[,COLUMN]", default="", help="Start with figures of a column, or of two, or write them."
)
@click.option("--columns", metavar="A,B,...", default="", help="Columns to show or write; all if not given.")
@click.option("--view", "view_name", metavar="NAME", help="Open the view that was kept under this name (key W).")
@click.option("--top", metavar="N", type=click.IntRange(1), help="Write the first N rows; on a screen, mark them.")
@click.option("--row", type=click.IntRange(1), default=1, help="Put the cursor on this line.")
@click.option("--chart", "--picture", "chart", metavar="CHART", help="Start with this chart, or write its numbers.")
@click.option(
    "--csv", "csv_path", metavar="PATH", help="No screen: write the table as CSV to PATH, - for standard output."
)
@click.option("--json", "json_path", metavar="PATH", help="No screen: the same as JSON, one object a row.")
@click.option(
    "--all-models", is_flag=True, help="With --csv or --json: the rows of every model, with a column of its name."
)
@click.option(
    "--provenance", is_flag=True, help="With PATH: write PATH.provenance.json, which says what the rows are of."
)
@click.option("--force", is_flag=True, help="With --csv or --json: replace PATH if it exists.")
@click.option("--images", type=click.Path(path_type=Path), help="Folder of the photographs on this machine.")
@click.option("--graphics", type=click.Choice(GRAPHICS), help="How photographs are drawn; ask: what the terminal says.")
@click.option("--theme", help="Colours: textual-dark, textual-light, ansi-dark, ansi-light, nord ...")
@click.option("--ascii", "ascii_only", is_flag=True, help="Paint with ASCII characters alone.")
@click.option("--no-mouse", is_flag=True, help="Leave the mouse to the terminal.")
@click.option("--no-state", is_flag=True, help="Neither take up the last place nor remember this one.")
@click.option("--debug", is_flag=True, help="Show the whole traceback of an error.")
def main(debug: bool, **options: Any) -> None:
    """Explore the tables of a results file of sing-compute; with FILE2 those of two files side by side. Press ? for help."""
    click.get_current_context().with_resource(warnings.catch_warnings())
    warnings.simplefilter("default" if debug else "ignore", RuntimeWarning)  # of odd numbers in a file
    try:
        start = _start(options)
        if options["view_name"] is not None:
            if options["all_models"]:
                raise SingError("--view and --all-models do not go together: a view says its model")
            start = _kept(options["file"], options["view_name"], start, pair=options["other"] is not None)
        if options["csv_path"] is not None or options["json_path"] is not None:
            _headless(options["file"], start, options)
        else:
            _screen(options["file"], start, options)
    except BrokenPipeError:
        # the reader (head, less) has seen enough; Python would complain once more when it flushes at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (SingError, OSError) as error:
        if debug:
            raise
        _fail(error)


def _fail(error: object) -> None:
    click.echo(f"sing-tui: error: {visible(error)}", err=True)
    raise SystemExit(2)


def _start(options: dict[str, Any]) -> Start:
    named = [f"{axis}={options[axis]}" for axis in ALIASES if options[axis] is not None]
    others = [f"{axis}={item}" for axis in WITH_ALIASES for item in options[f"with_{axis}"]]
    for text in (*options["at"], *options["with"]):
        if not all(text.partition("=")):
            raise SingError(f"--at and --with take AXIS=ITEM, not {text!r}")
    at = named_once((*named, *options["at"]))
    if options["reverse"] and options["sort"] == "-":
        raise SingError("--reverse turns a sort round; --sort - asks for the order of the file")
    columns, count_by, look = (
        tuple(name.strip() for name in options[several].split(",") if name.strip())
        for several in ("columns", "count_by", "look")
    )
    if look and options["chart"] is not None:
        raise SingError("--look and --chart do not go together")
    if options["top"] and options["chart"] is not None:
        raise SingError("--top and --chart do not go together: a chart is of all rows")
    if options["having"] and not count_by:
        raise SingError("--having keeps counts: name columns with --count-by, or use --filter")
    return Start(
        Wish(options["table"], at, options["compare"], (*others, *options["with"])),
        options["filter_text"],
        options["sort"],
        options["reverse"],
        options["row"],
        columns,
        options["chart"],
        count_by,
        options["having"],
        look,
        options["top"] or 0,
    )


def _kept(file: Path, name: str, start: Start, *, pair: bool) -> Start:
    """Return the view that was kept under a name."""
    from sing_tui.named_views import find_view, views_path
    from sing_tui.settings import state_path

    if replace(start, row=1, top=0) != Start():
        raise SingError("--view says place, filter, sort, columns and chart: leave those options out")
    return replace(find_view(views_path(state_path(os.environ)), file, name, pair=pair), row=start.row, top=start.top)


def _headless(file: Path, start: Start, options: dict[str, Any]) -> None:
    from sing_compute.table_text import write_tables
    from sing_tui.exporting import save_views
    from sing_tui.headless import headless_view, headless_views, with_item
    from sing_tui.opening import open_again
    from sing_tui.provenance import provenance_path, write_provenance

    if options["csv_path"] is not None and options["json_path"] is not None:
        raise SingError("one of --csv and --json at a time")
    form: Literal["csv", "json"] = "csv" if options["json_path"] is None else "json"
    path = options["csv_path"] or options["json_path"] or "-"
    other = options["other"]
    with closing(open_again(file, None, other)) as catalog:
        if options["all_models"]:
            found, common = headless_views(catalog, start, "model")
            views = [with_item(view, "model", name) for name, view in found.items()]
            columns: tuple[str, ...] | None = ("model", *(name for name in common if name != "model"))
        else:
            view, columns = headless_view(catalog, start)
            views = [view]
            found = {}
        alone = [name for name in (catalog.items("model", None) if found else ()) if name not in found]
        if other is not None and alone:
            click.echo(visible(f"left out, not in both files: {', '.join(alone)}"), err=True)
        for note in dict.fromkeys(view.table.note for view in views if view.table.note):
            click.echo(visible(note), err=True)
        if path == "-":
            if options["provenance"]:
                raise SingError("--provenance writes a file next to the table: give --csv or --json a PATH")
            sys.stdout.reconfigure(encoding="utf-8", newline="")  # type: ignore[union-attr]
            write_tables(views, sys.stdout, form=form, columns=columns)
            sys.stdout.flush()
            return
        target = Path(path)
        places = [target, *([provenance_path(target)] if options["provenance"] else [])]
        for place in places:
            if problem := refusal(place, force=options["force"]):
                raise SingError(problem)
        count = save_views(views, target, replace=options["force"], columns=columns, form=form)
        click.echo(visible(f"{count:,} rows in {target}"), err=True)
        if options["provenance"]:
            place = provenance_path(target)
            write_provenance(
                place,
                file,
                start,
                views[0].table.spec.name,
                rows=count,
                every="model" if options["all_models"] else "",
                other=other,
            )
            click.echo(visible(f"where they are from: {place}"), err=True)


def _screen(file: Path, start: Start, options: dict[str, Any]) -> None:
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise SingError("this is no terminal; for the table itself use: sing-tui FILE --csv -")
    if os.environ.get("TERM", "") in ("", "dumb"):
        raise SingError("this terminal cannot place text (TERM=dumb); use: sing-tui FILE --csv -")
    _check_file(file)
    if options["other"] is not None:
        _check_file(options["other"], waits=False)
    begin()
    from sing_tui.app import Explorer
    from sing_tui.leaving import PATIENCE, REMOVAL_PATIENCE, leave
    from sing_tui.settings import read_state, state_path

    config = _config()
    memory = None if options["no_state"] else state_path(os.environ)
    theme = options["theme"] or config.theme or (None if memory is None else read_state(memory).theme)
    if theme is not None and theme not in THEMES:
        raise SingError(f"no theme {theme!r}; there are: {', '.join(THEMES)}")
    explorer = Explorer(
        file,
        start,
        ascii_only=options["ascii_only"] or bool(config.ascii) or not takes_unicode(os.environ, sys.stdout.encoding),
        theme=theme,
        images=options["images"] or config.images,
        graphics=_graphics(options["graphics"] or config.graphics),
        keys=config.keys,
        memory=memory,
        other=options["other"],
    )
    explorer.run(mouse=not options["no_mouse"] and config.mouse is not False)
    if explorer.failure is not None:
        raise explorer.failure
    writes = explorer.page is not None and bool(explorer.page.export_runner.writing)
    leave(0, patience=REMOVAL_PATIENCE if writes else PATIENCE)


def _config() -> "Config":
    """Read the user's settings; only where there are some, the names of keys are imported before the first frame."""
    from sing_tui.settings import Config, config_path, read_config

    path = config_path(os.environ)
    if not path.exists():
        return Config()
    from sing_tui.key_list import NAMES, present_names

    config = read_config(path, NAMES)
    return replace(config, keys=present_names(config.keys))


def _graphics(wanted: str | None) -> Literal["auto", "kitty", "sixel", "cells"]:
    """Choose how photographs are drawn: as wanted, as the terminal answers, or as its environment says."""
    if wanted not in (None, *GRAPHICS):
        raise SingError(f"graphics is one of {', '.join(GRAPHICS)}, not {wanted!r}")
    if wanted == "ask":
        from sing_tui.photographs import ask_terminal

        return ask_terminal(sys.stdin.fileno(), sys.stdout.fileno(), timeout=0.5)
    return wanted or "auto"  # type: ignore[return-value]


def _check_file(file: Path, *, waits: bool = True) -> None:
    """Check that this is an HDF5 file without h5py, so that the screen can be painted before the file is opened.

    With `waits`, a file that a run is still writing is accepted: the screen waits for it.
    """
    if file.exists() and not file.is_file():
        raise SingError(f"{file} is no regular file; sing-tui reads what sing-compute writes")
    if not file.is_file():
        written = followed(file)
        if waits and (written.with_name(written.name + ".work") / "progress.json").is_file():
            return  # a run is at work on it; the screen waits with it
        raise SingError(f"{file} does not exist; sing-compute writes such a file (-o {file.name})")
    with open(file, "rb") as opened:
        head = opened.read(8)
        places = (opened.seek(512 << k) and opened.read(8) for k in range(12))
        if head != _SIGNATURE and _SIGNATURE not in places:
            raise SingError(f"{file} is not an HDF5 file; sing-tui reads what sing-compute writes")
