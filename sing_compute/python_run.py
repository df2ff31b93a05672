"""Carry out a plan in the user's own process, such as the kernel of a notebook, and open its results."""

import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

from sing_compute.errors import StoppedError
from sing_compute.frames import Results
from sing_compute.pipeline.plan import Plan
from sing_compute.pipeline.run import refuse_unscored, run
from sing_compute.process.notebook import NotebookLine, Silence, in_notebook
from sing_compute.process.progress import Progress
from sing_compute.store import Store


def results_of(make: Callable[[str], Plan], output: str | Path | None, *, progress: bool) -> Results:
    """Carry out a plan and open the results.

    Args:
        make: Makes the plan for the path of a results file.
        output: Results file; None for a temporary one, which lives as long as the results.
        progress: Show how far the work is.

    Raises:
        SingError: Any error that the user can correct.
        KeyboardInterrupt: Ctrl-C, or the notebook's button; a temporary file is deleted.
    """
    folder = Path(tempfile.mkdtemp(prefix="sing-")) if output is None else None
    try:
        plan = make(str(output if folder is None else folder / "results.h5"))
        _carry_out(plan, progress=progress)
        return Results(plan.output) if folder is None else Results.temporary(plan.output)
    except BaseException as error:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        if not isinstance(error, StoppedError):
            raise
        if error.signum != signal.SIGINT:
            signal.raise_signal(error.signum)  # the run has only delayed it
        raise KeyboardInterrupt from None


def _carry_out(plan: Plan, *, progress: bool) -> None:
    line = NotebookLine() if progress and in_notebook() else None
    measured = run(plan, Progress(screen=line if progress else Silence()))
    if plan.only is None:
        with Store(plan.output) as store:
            refuse_unscored(store, measured, kept=not plan.in_memory)
    if line is not None:
        line.finish(f"{', '.join(measured)}: measured")
