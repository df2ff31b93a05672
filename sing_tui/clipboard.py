"""Copying a text to the clipboard of the machine where the user sits, over SSH and out of tmux, and to a file on this machine."""

import base64
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from sing_compute.atomic_write import write_bytes

MOST = 74_994
"""Bytes of the longest text that is sent: many terminals cut what is longer than 100,000 signs once encoded."""
FILE = "clipboard.txt"
_PATIENCE = 2.0
"""Seconds that tmux has to take a text."""
_SCREEN_CHUNK = 240
"""GNU screen passes on strings up to 256 bytes."""


def copy(text: str, *, write: Callable[[str], None], environ: Mapping[str, str], folder: Path) -> str:
    """Send a text to the user's clipboard, and write it to a file too.

    Args:
        text: The text.
        write: Takes escape sequences to the terminal.
        environ: Environment variables: they say what is between this program and the terminal.
        folder: Where the file is written.

    Returns:
        One line that says what was done. A terminal does not answer, so a text that went there is "sent", not "copied".
    """
    data = text.encode("utf-8", "replace")
    size = f"{len(data):,} byte{'s' if len(data) != 1 else ''}"
    problem = _save(data, folder)
    place = _short(folder / FILE, environ)
    if len(data) > MOST:
        long = f"{size} are too many for a terminal's clipboard (at most {MOST:,})"
        return (
            f"not copied: {long}, and {place} cannot be written: {problem}"
            if problem
            else f"{long}: they are in {place}"
        )
    if "TMUX" in environ and _tmux_takes(data, environ):
        done = f"copied {size} (tmux)"
    else:
        write(_osc52(data, environ))
        done = f"sent {size} (OSC 52)"
    return f"{done}; {place} cannot be written: {problem}" if problem else f"{done}; also in {place}"


def through_tmux(sequences: str) -> str:
    """Wrap escape sequences so that tmux passes them on to the terminal outside (its option allow-passthrough must be on)."""
    parts = re.split(r"(?<=\x1b\\)", sequences)
    return "".join("\x1bPtmux;" + part.replace("\x1b", "\x1b\x1b") + "\x1b\\" for part in parts if part)


def _tmux_takes(data: bytes, environ: Mapping[str, str]) -> bool:
    """Return True if tmux took the text into a buffer and, by -w, to the clipboard outside; before 3.2 it knows no -w."""
    try:
        done = subprocess.run(
            ["tmux", "load-buffer", "-w", "-"], input=data, capture_output=True, timeout=_PATIENCE, env=dict(environ)
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


def _osc52(data: bytes, environ: Mapping[str, str]) -> str:
    """Return the sequence that terminals take into the clipboard, wrapped for tmux or GNU screen where they are in between."""
    sequence = f"\x1b]52;c;{base64.b64encode(data).decode()}\x07"
    if "TMUX" in environ:  # a tmux that cannot be reached: it takes one or the other, by version and settings
        return sequence + through_tmux(sequence)
    if "STY" in environ:
        chunks = range(0, len(sequence), _SCREEN_CHUNK)
        return "".join(f"\x1bP{sequence[start : start + _SCREEN_CHUNK]}\x1b\\" for start in chunks)
    return sequence


def _save(data: bytes, folder: Path) -> str:
    """Write the file in one step, for its owner alone; return the reason if that failed, else the empty text."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_bytes(folder / FILE, data, permissions=0o600, durable=False)
    except OSError as error:
        return error.strerror or type(error).__name__
    return ""


def _short(path: Path, environ: Mapping[str, str]) -> str:
    home = environ.get("HOME", "")
    return f"~/{path.relative_to(home)}" if home not in ("", "/") and path.is_relative_to(home) else str(path)
