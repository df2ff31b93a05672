"""The program ends while a file is still being read."""

import sys
from pathlib import Path

from stores import write_store
from terminal import Terminal

HANGS = """
import sys, threading
from sing_tui import opening
opening.open_first = lambda *arguments: threading.Event().wait()
from sing_tui.cli import main
main([sys.argv[1], "--no-state"])
"""


def test_q_leaves_though_a_thread_never_ends(tmp_path: Path) -> None:
    path = write_store(tmp_path / "results.h5")
    with Terminal([sys.executable, "-c", HANGS, str(path)]) as terminal:
        terminal.wait_for("results.h5")
        terminal.send("q")
        assert terminal.wait_end() == 0
        assert "error" not in terminal.text()
