"""Show text on standard output and standard error. Nothing that a name or a message of a library holds controls the terminal."""

import io
import re
import sys

import click

from sing_compute.errors import escaped, visible

_STEPS = re.compile("(^\r|\n|\t)")
"""Control characters that progress bars of libraries need: back to the start of the line, line ends, tabs."""
_LONGEST_LINE = 100_000


def show(*lines: object, err: bool = False) -> None:
    """Print each text as one line, in which control characters are written as escapes.

    Args:
        lines: The lines.
        err: Print to standard error instead of standard output.
    """
    click.echo("\n".join(visible(line, longest=_LONGEST_LINE) for line in lines), err=err)


def show_text(text: str, *, err: bool = False) -> None:
    """Print a text of several lines, such as a table, as `show` prints each of them."""
    show(*text.split("\n"), err=err)


class HarmlessStream(io.TextIOWrapper):
    """A text stream for libraries that print by themselves: control characters become escapes, except line ends and tabs."""

    def write(self, text: str) -> int:
        """Write a text, and return its length."""
        if not (text.isascii() and text.isprintable()):
            parts = _STEPS.split(text)  # every second part is a step
            parts[::2] = map(escaped, parts[::2])
            super().write("".join(parts))
        else:
            super().write(text)
        return len(text)

    def write_unchanged(self, text: str) -> None:
        """Write a text with control sequences of our own."""
        super().write(text)


def draw(text: str) -> None:
    """Write our own control sequences, with harmless text between them, to standard error."""
    stream = sys.stderr
    if isinstance(stream, HarmlessStream):
        stream.write_unchanged(text)
    else:
        stream.write(text)
    stream.flush()


def guard_standard_error() -> None:
    """Let warnings, log lines and tracebacks of every library go through a HarmlessStream, for the rest of the process."""
    stream = sys.stderr
    if stream is sys.__stderr__ and isinstance(stream, io.TextIOWrapper):
        stream.flush()
        sys.stderr = HarmlessStream(
            open(stream.fileno(), "wb", closefd=False),  # noqa: SIM115 -- stays open to the end
            encoding=stream.encoding,
            errors="backslashreplace",
            line_buffering=True,
        )
