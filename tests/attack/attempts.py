"""One attempt of the attack, and how it ended."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

TROUBLE = re.compile(r"Traceback|Segmentation|core dumped|Fatal Python")
CONTROL = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)  # the newline alone may come


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt: what was tried, how it ended, and what is wrong with that; an empty `problem` says that nothing is."""

    part: str
    number: int
    kind: str
    end: str
    problem: str = ""


def drawn(seed: int, part: str, number: int) -> random.Random:
    """Return the random numbers of one attempt: they depend on nothing else."""
    return random.Random(f"{seed} {part} {number}")


def badly_ended(code: int, lines: Sequence[str]) -> str:
    """Say what is wrong with the end of a command: it must be 0, or 2 with one line, and never a traceback."""
    text = "\n".join(lines)
    if TROUBLE.search(text):
        return f"a traceback: {text[-1500:]}"
    if code not in (0, 2):
        return f"exit code {code}: {text[-600:]}"
    errors = [line for line in lines if line.startswith("sing-compute: error: ")]
    if len(errors) != (code == 2):
        return f"exit code {code} and {len(errors)} lines of error: {text[-600:]}"
    if found := CONTROL.search(text):
        return f"a control character: {text[max(0, found.start() - 30) : found.end() + 30]!r}"
    return ""
