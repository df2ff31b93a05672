"""Figures and report of the open file, written by `sing-compute` in a process of its own: the explorer loads nothing for them."""

import subprocess
import sys
from pathlib import Path
from typing import Literal

from sing_compute.errors import SingError
from sing_compute.store.text import clean
from sing_tui.search import Stop

What = Literal["figures", "report"]
_ENDINGS: dict[What, str] = {"figures": "", "report": ".html"}
_PATIENCE = 0.2
"""Seconds between two looks at whether the work is still wanted."""


def free_target(what: What, file: Path, folder: Path) -> Path:
    """Return a path in a folder that does not exist yet: FILE-figures or FILE-report.html, with a number where it is taken."""
    name, number = f"{file.stem}-{what}", 2
    target = folder / f"{name}{_ENDINGS[what]}"
    while target.exists():
        target = folder / f"{name}-{number}{_ENDINGS[what]}"
        number += 1
    return target


def publish(what: What, file: Path, target: Path, model: str | None, stop: Stop) -> str:
    """Write figures or a report.

    Args:
        what: The command of `sing-compute`.
        file: The results file.
        target: Folder of the figures, or path of the page.
        model: The model to describe; None for the one that the command chooses.
        stop: Returns True once nobody waits for it any more; the process is ended then.

    Returns:
        A line that says what was written; empty if it was stopped.

    Raises:
        SingError: The command has failed; the message is its last line.
    """
    command = [sys.executable, "-m", "sing_compute", what, str(file.absolute()), "-o", str(target.absolute())]
    command += [] if model is None else ["--model", model]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        while True:
            try:
                _, said = process.communicate(timeout=_PATIENCE)
                break
            except subprocess.TimeoutExpired:
                if stop():
                    process.kill()
                    return ""
    if process.returncode:
        last = (said.strip().splitlines() or [f"sing-compute {what} ended with {process.returncode}"])[-1]
        raise SingError(clean(last.removeprefix("sing-compute: error: ")))
    return f"{target} is written"
