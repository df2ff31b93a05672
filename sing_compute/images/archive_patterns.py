"""Expand a pattern of archives such as `train-{000..146}.tar`, as the shell does, and never to more names than are listed."""

import re
from collections.abc import Sequence
from pathlib import Path

from sing_compute.errors import ImagesError

MOST_ARCHIVES = 100_000
"""Most archives that a pattern may name."""
_MOST_BRACES, _MOST_DIGITS = 16, 12
_BRACES, _SPAN = re.compile(r"\{([^{}]*)\}"), re.compile("([0-9]+)[.][.]([0-9]+)")


def expanded_pattern(source: Path) -> list[Path]:
    """Return the paths of a pattern with {000..146} or {a,b}, as the shell expands it.

    Args:
        source: The pattern; a path without braces stands for itself.

    Raises:
        ImagesError: It is too long, has too many braces, or names too many archives.
    """
    texts = [str(source)]
    for _ in range(_MOST_BRACES):
        expanded = _one_pair_expanded(texts)
        if expanded is None:
            break
        if expanded == texts:
            return [Path(text) for text in texts]
        texts = expanded
    raise ImagesError(
        f"--images {source}: a pattern names at most {MOST_ARCHIVES:,} archives, with at most {_MOST_BRACES} braces and numbers "
        f"of at most {_MOST_DIGITS} digits"
    )


def _one_pair_expanded(texts: Sequence[str]) -> list[str] | None:
    """Return the texts with the first pair of braces of each expanded; None if these are too many."""
    expanded: list[str] = []
    for text in texts:
        found = _BRACES.search(text)
        parts = [""] if found is None else _parts(found[1])
        if parts is None or len(expanded) + len(parts) > MOST_ARCHIVES:
            return None
        start, end = (len(text), len(text)) if found is None else found.span()
        expanded += [text[:start] + part + text[end:] for part in parts]
    return expanded


def _parts(text: str) -> Sequence[str] | None:
    """Return what braces name; None if that is too much."""
    span = _SPAN.fullmatch(text)
    if span is None:
        return text.split(",")
    numbers = span.groups()
    if max(map(len, numbers)) > _MOST_DIGITS or int(span[2]) - int(span[1]) >= MOST_ARCHIVES:
        return None
    width = max(map(len, numbers)) if any(number.startswith("0") for number in numbers) else 0
    return [f"{number:0{width}d}" for number in range(int(span[1]), int(span[2]) + 1)]
