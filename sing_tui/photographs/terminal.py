"""Which way of drawing photographs a terminal understands: by its environment, or by its answer to a question."""

import os
import re
import select
import time
from collections.abc import Mapping
from typing import Literal

Graphics = Literal["kitty", "sixel", "cells"]
"""Kitty's protocol, sixels, or cells with two coloured halves."""

_KITTY_TERMINALS = frozenset(["ghostty", "wezterm", "kitty", "warpterminal"])
_KITTY_TERMS = frozenset(["xterm-kitty", "xterm-ghostty"])
_KONSOLE = 220_400
"""The first Konsole that draws Kitty's images."""
_LONGEST_ANSWER = 4096


def graphics(environ: Mapping[str, str]) -> Graphics:
    """Choose the way of drawing by the environment; inside tmux and screen only half-cells are safe.

    Args:
        environ: Environment variables.

    Returns:
        The best way that the environment promises.
    """
    term, program = environ.get("TERM", "").lower(), environ.get("TERM_PROGRAM", "").lower()
    if "TMUX" in environ or "STY" in environ or term.startswith(("tmux", "screen")):
        return "cells"
    konsole = environ.get("KONSOLE_VERSION", "")
    new_konsole = konsole.isdecimal() and int(konsole) >= _KONSOLE
    if "KITTY_WINDOW_ID" in environ or program in _KITTY_TERMINALS or term in _KITTY_TERMS or new_konsole:
        return "kitty"
    return "sixel" if "sixel" in term or term.startswith(("foot", "mlterm")) or program == "iterm.app" else "cells"


def ask_terminal(fd_in: int, fd_out: int, timeout: float = 1.0, *, inside_tmux: bool = False) -> Graphics:
    """Ask the terminal which way of drawing it understands; call this before the application starts.

    Args:
        fd_in: File descriptor that the terminal's answer is read from.
        fd_out: File descriptor of the terminal.
        timeout: Seconds that the terminal has to answer.
        inside_tmux: Ask for sixels alone: tmux would print the other question.

    Returns:
        The best way that the terminal claims to understand; half-cells where it does not answer.
    """
    import termios
    import tty

    question = b"" if inside_tmux else b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"
    try:
        before = termios.tcgetattr(fd_in)
    except (termios.error, OSError):
        return "cells"
    answer, attributes, end = b"", None, time.monotonic() + timeout
    try:
        tty.setraw(fd_in, termios.TCSANOW)
        os.write(fd_out, question + b"\x1b[c")
        while attributes is None and (left := end - time.monotonic()) > 0 and len(answer) < _LONGEST_ANSWER:
            if select.select([fd_in], [], [], left)[0]:
                answer += os.read(fd_in, 256)
            attributes = re.search(rb"\x1b\[\?([\d;]*)c", answer)
    except OSError:
        pass
    finally:
        termios.tcsetattr(fd_in, termios.TCSANOW, before)
    if b"\x1b_Gi=31;OK" in answer:
        return "kitty"
    return "sixel" if attributes is not None and b"4" in attributes[1].split(b";")[1:] else "cells"
