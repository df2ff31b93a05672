"""`sing-tui FILE`: check the arguments, then the screen, or with --csv the same table without one."""

import os
import sys
from pathlib import Path
from typing import Any

import click

from sing_compute.errors import SingError

_SIGNATURE = b"\x89HDF\r\n\x1a\n"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--model", help="Start at this model's classes.")
@click.option("--class", "class_name", metavar="CLASS", help="Start at this class: its name, index or WordNet id.")
@click.option("--subset", help="Images that the class table counts: all, right, wrong, group:NAME.")
@click.option(
    "--table", type=click.Choice(["models", "classes", "concepts", "images"]), help="The table to show or write."
)
@click.option("--sort", metavar="COLUMN", help="Sort by this column: numbers from the largest, text from A.")
@click.option("--reverse", is_flag=True, help="Sort the other way round.")
@click.option(
    "--filter", "filter_text", metavar="EXPR", default="", help="Rows to keep: 'is > 20 and abs(as) < 3', or a word."
)
@click.option(
    "--csv", "csv_path", metavar="PATH", help="No screen: write the table as CSV to PATH, or - for standard output."
)
@click.option("--force", is_flag=True, help="With --csv: replace PATH if it exists.")
@click.option("--ascii", "ascii_only", is_flag=True, help="Paint with ASCII characters alone.")
@click.option("--no-mouse", is_flag=True, help="Leave the mouse to the terminal.")
@click.option("--debug", is_flag=True, help="Show the whole traceback of an error.")
def main(debug: bool, **options: Any) -> None:
    """Explore a results file of sing-compute: models, classes, concepts, images. Press ? there for help."""
    try:
        if options["csv_path"] is None:
            _screen(**options)
        else:
            _headless(**options)
    except BrokenPipeError:
        # the reader (head, less) has seen enough; Python would complain once more when it flushes at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (SingError, OSError) as error:
        if debug:
            raise
        _fail(error)


def _fail(error: object) -> None:
    from sing_compute.store.text import one_line

    click.echo(f"sing-tui: error: {one_line(error)}", err=True)
    raise SystemExit(2)


def _headless(
    file: Path, model: str | None, class_name: str | None, subset: str | None, table: Any, sort: str | None,
    reverse: bool, filter_text: str, csv_path: str, force: bool, **_: Any,
) -> None:  # fmt: skip
    from sing_compute.store import Store
    from sing_tui.export import save, write_rows
    from sing_tui.place import Wish, find_place, open_table
    from sing_tui.view import Arrangement, arrange, column_named, first_direction

    with Store(file) as store:
        found = open_table(store, find_place(store, Wish(table, model, class_name, subset)))
        wanted = Arrangement(filter_text)
        if sort is not None:
            column = column_named(found, sort)
            wanted = Arrangement(filter_text, column.name, first_direction(column) != reverse)
        view = arrange(found, wanted)
        if csv_path == "-":
            sys.stdout.reconfigure(encoding="utf-8", newline="")  # type: ignore[union-attr]
            write_rows(view, sys.stdout)
            sys.stdout.flush()
            return
        target = Path(csv_path)
        if target.exists() and not force:
            raise SingError(f"{target} exists; --force replaces it")
        count = save(view, target, replace=force)
        click.echo(f"{count:,} rows in {target}", err=True)


def _screen(
    file: Path, model: str | None, class_name: str | None, subset: str | None, table: Any, sort: str | None,
    reverse: bool, filter_text: str, ascii_only: bool, no_mouse: bool, **_: Any,
) -> None:  # fmt: skip
    _check_file(file)
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise SingError("this is no terminal; for the table itself use: sing-tui FILE --table models --csv -")
    if os.environ.get("TERM", "") in ("", "dumb"):
        raise SingError("this terminal cannot place text (TERM=dumb); use: sing-tui FILE --table models --csv -")
    from sing_tui.app import Explorer, Start
    from sing_tui.place import Wish

    ascii_only = ascii_only or "utf" not in (sys.stdout.encoding or "").lower()
    start = Start(Wish(table, model, class_name, subset), filter_text, sort, reverse)
    explorer = Explorer(file, start, ascii_only=ascii_only)
    explorer.run(mouse=not no_mouse)
    if explorer.failure is not None:
        raise explorer.failure


def _check_file(file: Path) -> None:
    """A first look that needs no h5py, so that the screen can be painted before the file is opened."""
    if not file.is_file():
        raise SingError(f"{file} does not exist; sing-compute writes such a file (-o {file.name})")
    with open(file, "rb") as opened:
        head = opened.read(8)
        places = (opened.seek(512 << k) and opened.read(8) for k in range(12))
        if head != _SIGNATURE and _SIGNATURE not in places:
            raise SingError(f"{file} is not an HDF5 file; sing-tui reads what sing-compute writes")
