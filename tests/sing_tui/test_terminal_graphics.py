"""Drawing by Kitty's protocol and in sixels, decoded again, and how a terminal is asked for either."""

import base64
import io
import os
import re
import threading
from pathlib import Path

import numpy as np
import pytest
from drawings import BLUE, GREEN, RED, WHITE, gradient, rastered, save, unpacked
from PIL import Image

from sing_tui import photographs


class TestSequences:
    def test_kitty_gets_the_pixels_of_the_file(self, tmp_path: Path) -> None:
        pixels = np.random.default_rng(0).integers(0, 255, (60, 90, 3))
        sequence = photographs.kitty(save(tmp_path / "a.png", pixels), 30, 20)
        keys, data = unpacked(sequence)
        assert (np.asarray(Image.open(io.BytesIO(data))) == pixels).all()
        assert keys == {"a": "T", "f": "100", "q": "2", "C": "1", "i": keys["i"], "c": "30", "r": "10"}
        assert f"i={keys['i']}," in photographs.kitty_clear()
        assert sequence.count("\x1b_G") == -(-len(base64.b64encode(data)) // 4096) > 1

    def test_through_tmux_the_same_sequences_come_out(self, tmp_path: Path) -> None:
        path = save(tmp_path / "a.png", np.random.default_rng(0).integers(0, 255, (60, 90, 3)))
        wrapped = re.findall(r"\x1bPtmux;((?:[^\x1b]|\x1b\x1b)*)\x1b\\", photographs.kitty(path, 30, 20, tmux=True))
        assert "".join(wrapped).replace("\x1b\x1b", "\x1b") == photographs.kitty(path, 30, 20)

    def test_large_photographs_are_sent_in_the_size_of_their_cells(self, tmp_path: Path) -> None:
        keys, data = unpacked(photographs.kitty(save(tmp_path / "a.png", np.zeros((3000, 1500, 3))), 30, 20))
        assert Image.open(io.BytesIO(data)).size == (200, 400)
        assert (keys["c"], keys["r"]) == ("20", "20")

    def test_a_sixel_decoder_sees_the_photograph(self, tmp_path: Path) -> None:
        pixels = gradient(100, 70).round()
        shown = rastered(photographs.sixel(save(tmp_path / "a.png", pixels), 10, 7, (10, 10)))
        assert shown.shape == (70, 100, 3)
        error = np.abs(shown * 2.55 - pixels)
        assert error.mean() < 8  # 128 colours for a plane of 7,000
        assert error.max() < 40

    def test_few_colours_are_kept_by_sixels(self, tmp_path: Path) -> None:
        flag = np.repeat(np.repeat([[RED, GREEN], [BLUE, WHITE]], 20, axis=0), 20, axis=1)
        sequence = photographs.sixel(save(tmp_path / "a.png", flag), 4, 2)
        assert (rastered(sequence) == flag / 2.55).all()
        assert len(sequence) < 400  # runs

    @pytest.mark.parametrize(("environ", "expected"), [
        ({"TERM": "xterm-256color"}, "cells"), ({}, "cells"), ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "kitty"), ({"TERM_PROGRAM": "WezTerm"}, "kitty"),
        ({"TERM_PROGRAM": "ghostty"}, "kitty"), ({"KONSOLE_VERSION": "220401"}, "kitty"),
        ({"KONSOLE_VERSION": "210800"}, "cells"), ({"TERM": "foot"}, "sixel"),
        ({"TERM": "mlterm"}, "sixel"), ({"TERM": "yaft-sixel"}, "sixel"),
        ({"TERM": "xterm-kitty", "TMUX": "x"}, "cells"), ({"TERM": "screen", "KITTY_WINDOW_ID": "1"}, "cells"),
        ({"TERM": "foot", "STY": "1"}, "cells"),
    ])  # fmt: skip
    def test_the_environment_says_what_the_terminal_draws(self, environ: dict[str, str], expected: str) -> None:
        assert photographs.graphics(environ) == expected


class TestAsking:
    @pytest.mark.parametrize(("answers", "expected"), [
        ((b"\x1b_Gi=31;OK\x1b\\", b"\x1b[?62;c"), "kitty"),
        ((b"\x1b_Gi=31;ENOTSUPPORTED\x1b\\\x1b[?62;22c",), "cells"),
        ((b"\x1b[?62;4;22c",), "sixel"),
        ((b"\x1b[?6", b"2;4c"), "sixel"),
        ((b"\x1b[?62;14;22c",), "cells"),
        ((), "cells"),
    ])  # fmt: skip
    def test_a_terminal_is_asked_and_left_as_it_was(self, answers: tuple[bytes, ...], expected: str) -> None:
        import termios

        ours, theirs = os.openpty()
        asked = b""

        def answer() -> None:
            nonlocal asked
            while not asked.endswith(b"\x1b[c"):
                asked += os.read(ours, 1024)
            for part in answers:
                os.write(ours, part)

        before = termios.tcgetattr(theirs)
        terminal = threading.Thread(target=answer)
        terminal.start()
        try:
            assert photographs.ask_terminal(theirs, theirs, timeout=60.0 if answers else 0.1) == expected
            assert termios.tcgetattr(theirs) == before
        finally:
            terminal.join()
            os.close(ours)
            os.close(theirs)
        assert asked.startswith(b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;")

    def test_what_is_no_terminal_is_not_asked(self, tmp_path: Path) -> None:
        with open(tmp_path / "file", "w+b") as file:
            assert photographs.ask_terminal(file.fileno(), file.fileno()) == "cells"
            assert file.tell() == 0
