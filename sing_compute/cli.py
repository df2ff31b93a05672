"""Define the command sing-compute. A user's mistake ends it with one line and exit code 2."""

import os
import shlex
import shutil
import signal
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from sing_compute import __version__
from sing_compute.allocator import share_one_heap
from sing_compute.errors import OtherRankError, SingError, StoppedError, visible
from sing_compute.openmp import settle_threads
from sing_compute.options import with_options
from sing_compute.process.interruption import outlive_terminal
from sing_compute.process.speaking import guard_standard_error, show, show_text
from sing_compute.user_folders import cache_remark, settle_caches
from sing_compute.verbs import VERBS

DEMO_OPTIONS = {
    *("output", "device", "batch_size", "workers", "fresh", "seed"),
    *("precision", "ridge", "invariance", "null_space", "compare_translators"),
    *("maps", "maps_grid", "maps_limit"),
}
"""Names of the options that can be used with --demo."""
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


@click.group(invoke_without_command=True, context_settings=CONTEXT)
@click.version_option(__version__, prog_name="sing-compute")
@with_options
@click.pass_context
def cli(context: click.Context, /, demo: bool, debug: bool, **options: Any) -> None:
    """What does this image classifier ignore? Measure the null space of its head, in words, into one results file.

    \b
    sing-compute --demo
    sing-compute --model resnet50 --images photos/ -o results.h5
    sing-compute verify results.h5
    sing-tui results.h5
    """  # noqa: D301 -- click reads the control character itself
    context.obj = debug
    if context.invoked_subcommand is not None:
        if not debug:  # of odd numbers in a results file; what becomes of them, NaN or inf, is in the answer
            context.with_resource(warnings.catch_warnings())
            warnings.filterwarnings("ignore", category=RuntimeWarning)
        return
    if demo:
        _demo(context, options)
        return
    dry_run = options.pop("dry_run")
    if not options["models"] and not options["preset"] and not options["features"]:
        if len(sys.argv) > 1:
            raise SingError(
                "--model is missing: a timm name such as resnet50, or module:factory; --help lists all options"
            )
        show_text(context.get_help())
        return
    if dry_run:
        _forecast(options)
        return
    if output := _compute(options):
        show("", f"{output} is written. Explore it: {_explorer(output)}")


for verb in VERBS:
    cli.add_command(verb)


def _demo(context: click.Context, options: dict[str, Any]) -> None:
    from sing_compute.demo.run import OUTPUT, closing_lines, prepare
    from sing_compute.store import Store

    given = [name for name in options if context.get_parameter_source(name) == ParameterSource.COMMANDLINE]
    surplus = [parameter for parameter in context.command.params if parameter.name in set(given) - DEMO_OPTIONS]
    if surplus:
        raise SingError(f"--demo has its own models, drawings and concepts; leave {surplus[0].opts[-1]} out")
    output = Path(options["output"] if "output" in given else OUTPUT)
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise SingError("--demo is too small for several processes: start it without torchrun")
    del options["dry_run"]
    _compute(options | {"output": str(output)} | prepare(output))
    with Store(output) as store:
        show_text(closing_lines(store, _explorer(output)))


def _forecast(options: dict[str, Any]) -> None:
    from sing_compute.pipeline.forecast import forecast
    from sing_compute.pipeline.plan import make_plan
    from sing_compute.pipeline.wording import noun_of
    from sing_compute.process.progress import Progress

    plan = make_plan(**options, command=shlex.join(["sing-compute", *sys.argv[1:]]))
    names, noun = [spec.name for spec in plan.models], noun_of(plan)
    rows = [[noun.words(text, names=names) for text in row] for row in forecast(plan, Progress())]
    show("", *(f"{title:9} {text}" for title, text in rows))


def _compute(options: dict[str, Any]) -> Path | None:
    """Run with these options, and return the results file; None if another process of this run writes it."""
    from sing_compute.pipeline.closing_table import closing_table, outputs_table
    from sing_compute.pipeline.plan import make_plan
    from sing_compute.pipeline.run import refuse_unscored, run
    from sing_compute.process.progress import Progress
    from sing_compute.process.ranks import Ranks
    from sing_compute.store import Store

    with Ranks.from_environment() as ranks:
        with ranks.agreeing():
            command = shlex.join(["sing-compute", *sys.argv[1:]])
            plan = make_plan(**options, local_rank=ranks.local, command=command)
        progress = Progress(ranks.rank)
        if remark := cache_remark():
            progress.say(remark)
        measured = run(plan, progress, ranks)
        if not ranks.first:
            return None
    with Store(plan.output) as store:
        if plan.only is not None:
            progress.result(outputs_table(store, measured))
            return plan.output
        progress.result(closing_table(store, measured))
        refuse_unscored(store, measured, kept=True)
    return plan.output


def _explorer(store: Path) -> str:
    """Return the command that opens a results file, as it can be typed here."""
    neighbour = Path(sys.argv[0]).with_name("sing-tui")
    found = shutil.which("sing-tui") or not neighbour.is_file()
    return shlex.join(["sing-tui" if found else str(neighbour), str(store)])


def main() -> None:
    """Run the command and exit: code 0, 2 for a user's mistake, 128 + the number of a signal that stopped the run."""
    guard_standard_error()
    settle_threads()
    outlive_terminal()
    share_one_heap()
    debug = "--debug" in sys.argv
    try:
        settle_caches()
        code = cli.main(standalone_mode=False)
    except (SingError, click.ClickException) as error:
        if debug:
            show_text(traceback.format_exc(), err=True)
        message = error.format_message() if isinstance(error, click.ClickException) else str(error)
        show(f"sing-compute: error: {visible(message)}", err=True)
        sys.exit(2)
    except OtherRankError:
        sys.exit(2)
    except OSError as error:  # the system's answer about a file; where the cause is known better, it is a SingError
        if error.filename is None or error.errno is None:
            raise
        if debug:
            show_text(traceback.format_exc(), err=True)
        line = (
            f"cannot use {error.filename}: {error.strerror or error}; finished work is kept, the same command goes on"
        )
        show(f"sing-compute: error: {visible(line)}", err=True)
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort, StoppedError) as stop:
        print("sing-compute: interrupted; the same command goes on where it was", file=sys.stderr)
        sys.exit(128 + (stop.signum if isinstance(stop, StoppedError) else signal.SIGINT))
    sys.exit(code if isinstance(code, int) else 0)
