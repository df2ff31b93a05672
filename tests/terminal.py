"""A program in a pseudo-terminal, driven and timed: keys in, bytes and frames out. The standard library alone."""

import contextlib
import fcntl
import math
import os
import pty
import re
import select
import signal
import struct
import termios
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from terminal_text import Cells, visible

_FRAME_BEGIN, _FRAME_END = b"\x1b[?2026h", b"\x1b[?2026l"
_QUERY = re.compile(rb"\x1b\[\?(\d+)\$p|\x1b\[(0?c|>0?c|6n|5n|18t|14t|16t)|\x1b\](1[01]);\?(?:\x07|\x1b\\)")
_CELL = (16, 8)
"""Height and width of a cell in pixels."""

KEYS = {
    "up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D", "home": "\x1b[H", "end": "\x1b[F",
    "pageup": "\x1b[5~", "pagedown": "\x1b[6~", "f1": "\x1bOP", "enter": "\r", "tab": "\t", "shift+tab": "\x1b[Z",
    "escape": "\x1b[27u", "backspace": "\x7f", "space": " ", "delete": "\x1b[3~",
    "slash": "/", "ampersand": "&", "question_mark": "?", "colon": ":", "equals_sign": "=", "comma": ",",
    "full_stop": ".", "minus": "-", "plus": "+", "asterisk": "*", "semicolon": ";", "number_sign": "#",
    "left_square_bracket": "[", "right_square_bracket": "]", "left_curly_bracket": "{", "right_curly_bracket": "}",
    "left_parenthesis": "(", "right_parenthesis": ")", "exclamation_mark": "!", "tilde": "~", "at": "@",
}  # fmt: skip
"""Bytes that a terminal sends for Textual's names of keys; single characters and ctrl+letter need no entry. Escape is sent as the
kitty protocol has it, which Textual asks for: a bare ESC byte is held back for ESCDELAY (100 ms), as it may begin a key."""
BARE_ESCAPE = b"\x1b"


def sent(key: str) -> bytes:
    """Return the bytes that a terminal sends for a key of Textual."""
    if key.startswith("ctrl+") and len(key) == 6:
        return bytes([ord(key[-1].upper()) - 64])
    if key not in KEYS and len(key) > 1:
        raise ValueError(f"no terminal sequence is known for the key {key!r}: add it to KEYS")
    return KEYS.get(key, key).encode()


@dataclass(frozen=True, slots=True)
class Answer:
    """Output of the program between a key and the next pause. Seconds are counted from the key."""

    first: float
    """Until the first frame (without synchronised updates: the first piece) had arrived; NaN where nothing was written."""
    last: float
    """Until the last byte had arrived; NaN where nothing was written."""
    size: int
    """Bytes."""
    frames: int


class Terminal:
    """A program running in a pseudo-terminal of `size` (columns, rows), which answers queries as a plain xterm does.

    Output is read only inside the waiting methods. Every one of them has a limit in seconds, after which it raises
    TimeoutError with the end of what is on the screen. Leaving the context kills the program.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        size: tuple[int, int] = (80, 24),
        environment: Mapping[str, str] | None = None,
        limit: float = 120.0,
    ) -> None:
        self.size, self.limit = size, limit
        self.output = bytearray()
        self.pieces: list[tuple[float, int]] = []
        """Arrival time and length of the output by then, for each piece that was read."""
        self.frames: list[tuple[float, int]] = []
        """The same for the end of each synchronised update."""
        self.status: int | None = None
        """Exit status of the program (negative: the signal that ended it); None while it runs."""
        self._answered = self._scanned = self._fed = 0
        self._cells = Cells(*size)
        surroundings = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TMUX", "COLUMNS", "LINES")}
        surroundings |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"} | dict(environment or {})
        window = struct.pack("HHHH", size[1], size[0], size[1] * _CELL[0], size[0] * _CELL[1])
        arguments = [os.fspath(part) for part in command]
        self.started = time.perf_counter()
        with warnings.catch_warnings():  # Python 3.12 warns of forks beside threads; this child only calls exec
            warnings.simplefilter("ignore", DeprecationWarning)
            self.pid, self._fd = pty.fork()
        if self.pid == 0:
            try:
                fcntl.ioctl(0, termios.TIOCSWINSZ, window)
                os.execvpe(arguments[0], arguments, surroundings)
            finally:
                os._exit(127)
        os.set_blocking(self._fd, False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def here(self) -> int:
        """The length of the output so far: a place to search from later."""
        return len(self.output)

    def send(self, keys: str | bytes) -> float:
        """Send what a keyboard would, in one piece; gives the moment."""
        data = keys.encode() if isinstance(keys, str) else keys
        moment = time.perf_counter()
        while data and self.status is None:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:
                self._read(0.05)  # the program reads nothing before its own output is taken
                if time.perf_counter() - moment > self.limit:
                    self._too_long("the program takes no more input")
            except OSError:
                break  # the program has ended
        return moment

    def wait(self, condition: Callable[[], bool], *, limit: float | None = None, what: str = "the condition") -> float:
        """Read until the condition holds; gives the arrival of the last piece."""
        end = time.perf_counter() + (self.limit if limit is None else limit)
        while not condition():
            left = end - time.perf_counter()
            if left <= 0 or not self._read(min(left, 0.25)):
                if condition():
                    break
                self._too_long(f"{what} did not come")
        return self.pieces[-1][0] if self.pieces else time.perf_counter()

    def wait_for(self, *markers: str | bytes, since: int = 0, limit: float | None = None) -> float:
        """Read until all texts stand in the output after `since`; gives the arrival of the last of them."""
        wanted = [marker.encode() if isinstance(marker, str) else marker for marker in markers]

        def there() -> bool:
            text = visible(bytes(self.output[since:]))
            return all(marker in text for marker in wanted)

        return self.wait(there, limit=limit, what=repr(markers))

    def wait_painted(self, *, limit: float | None = None) -> float:
        """Read until as many cells were written as the screen has (nine tenths of them); gives the moment."""
        cells = self.size[0] * self.size[1] * 9 // 10
        return self.wait(
            lambda: len(visible(bytes(self.output)).decode(errors="replace").replace("\n", "")) >= cells,
            limit=limit,
            what="a painted screen",
        )

    def wait_quiet(self, pause: float = 0.06, *, limit: float | None = None) -> None:
        """Read until nothing has arrived for `pause` seconds, counted from now."""
        end = time.perf_counter() + (self.limit if limit is None else limit)
        rest = time.perf_counter() + pause
        while (left := rest - time.perf_counter()) > 0:
            before = self.here
            if not self._read(left):
                return
            if self.here > before:
                rest = time.perf_counter() + pause
            if time.perf_counter() > end:
                self._too_long("the program does not stop writing")

    def wait_end(self, *, limit: float | None = None) -> int:
        """Read until the program has ended; gives its exit status."""
        self.wait(lambda: self.status is not None, limit=limit, what="the program's end")
        assert self.status is not None
        return self.status

    def press(self, key: str | bytes, *, pause: float = 0.06, limit: float | None = None) -> Answer:
        """Send a key by its Textual name (or bytes as they are) and read until the program has written nothing for `pause`
        seconds; up to `limit` (as long as the pause, unless it is given) for its first byte."""
        self._read(0)
        low, frames = self.here, len(self.frames)
        moment = self.send(sent(key) if isinstance(key, str) else key)
        try:
            self.wait(lambda: self.here > low, limit=pause if limit is None else limit)
        except TimeoutError:
            return Answer(math.nan, math.nan, 0, 0)
        self.wait_quiet(pause)
        size, painted = self.here - low, self.frames[frames:]
        first = painted[0][0] if painted else next(at for at, length in self.pieces if length > low)
        return Answer(first - moment, self.pieces[-1][0] - moment, size, len(painted))

    def text(self, since: int = 0) -> str:
        """Everything written after `since`, without escape sequences."""
        return visible(bytes(self.output[since:])).decode(errors="replace")

    def wait_screen(self, condition: Callable[[str], object], *, limit: float | None = None) -> None:
        """Read until the text on the screen, its lines joined, is as wanted."""
        self.wait(lambda: condition("\n".join(self.screen())), limit=limit, what="the expected screen")

    def screen(self) -> list[str]:
        """Return the lines on the screen, of a program that only places text, as Textual does.

        A frame that has not come as a whole does not count.
        """
        whole = self._whole()
        self._cells.write(bytes(self.output[self._fed : whole]))
        self._fed = whole
        return self._cells.lines()

    def _whole(self) -> int:
        """Length of the output without a frame, or outside frames an escape sequence, that may have come in part."""
        if self.status is not None:
            return self.here
        begun = self.output.find(_FRAME_BEGIN, self.frames[-1][1] if self.frames else 0)
        return max(self._fed, begun if begun >= 0 else self.output.rfind(b"\x1b"))

    def resize(self, columns: int, rows: int) -> None:
        """Give the window another size; the program gets SIGWINCH."""
        self.size, self._fed = (columns, rows), self.here
        self._cells = Cells(columns, rows)
        window = struct.pack("HHHH", rows, columns, rows * _CELL[0], columns * _CELL[1])
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, window)

    def memory(self) -> tuple[int, int]:
        """Resident memory of the program now and at its highest, in bytes (Linux)."""
        with open(f"/proc/{self.pid}/status") as opened:
            found = dict(line.split(":", 1) for line in opened)
        return tuple(int(found[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))  # type: ignore[return-value]

    def settings(self) -> int:
        """Local flags of the line discipline (termios): what the program left the terminal in."""
        return int(termios.tcgetattr(self._fd)[3])

    def close(self) -> None:
        """Kill the program, if it still runs, and all it started in its session."""
        if self._fd < 0:
            return
        if self.status is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self._fd)
        self._fd = -1

    def _read(self, seconds: float) -> bool:
        """Take one piece of output, waiting so long for it; False when the program has ended and nothing is left."""
        try:
            if not select.select([self._fd], [], [], seconds)[0]:
                return self.status is None
            piece = os.read(self._fd, 1 << 16)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:  # Linux says EIO once the last program has closed the terminal
            piece = b""
        if not piece:
            self._reap()
            return False
        self.output += piece
        self.pieces.append((time.perf_counter(), self.here))
        self._reply()
        while (end := self.output.find(_FRAME_END, self._scanned)) >= 0:
            self._scanned = end + len(_FRAME_END)
            self.frames.append((self.pieces[-1][0], self._scanned))
        return True

    def _reap(self) -> None:
        end = time.perf_counter() + self.limit  # its terminal may close a moment before it ends
        while self.status is None and time.perf_counter() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
            else:
                time.sleep(0.01)

    def _reply(self) -> None:
        """Answer the queries in the output as a terminal with synchronised updates does."""
        for query in _QUERY.finditer(self.output, self._answered):
            self._answered = query.end()
            mode, report, colour = (part.decode() if part else "" for part in query.groups())
            columns, rows = self.size
            replies = {
                "c": "\x1b[?62;22c", "0c": "\x1b[?62;22c", ">c": "\x1b[>0;0;0c", ">0c": "\x1b[>0;0;0c",
                "6n": "\x1b[1;1R", "5n": "\x1b[0n", "18t": f"\x1b[8;{rows};{columns}t",
                "14t": f"\x1b[4;{rows * _CELL[0]};{columns * _CELL[1]}t", "16t": f"\x1b[6;{_CELL[0]};{_CELL[1]}t",
            }  # fmt: skip
            if mode:
                self.send(f"\x1b[?{mode};{2 if mode == '2026' else 0}$y")
            elif colour:
                self.send(f"\x1b]{colour};rgb:{'ffff/ffff/ffff' if colour == '10' else '0000/0000/0000'}\x1b\\")
            else:
                self.send(replies[report])
        self._answered = max(self._answered, self.here - 32)  # a query may be cut by the end of a piece

    def _too_long(self, what: str) -> None:
        ended = "" if self.status is None else f" (the program ended with {self.status})"
        raise TimeoutError(f"{what}{ended}; the last output was {self.text(max(0, self.here - 3000))[-400:]!r}")
