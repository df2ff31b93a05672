"""Choose singular vectors of a named tower, and the factor of each: by concept, by place, by a task, or by judgements."""

import difflib
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from sing_compute.concepts.vocabulary import read_text
from sing_compute.errors import SingError
from sing_compute.questions.heads.named_vectors import NamedVectors, listed
from sing_compute.store.text import clean

SHARE = 0.45
"""Share of a pole's coefficients above which a vector counts as one of the concepts."""
FACTORS = {"suppress": 0.0, "amplify": 2.0}
"""Factor of a choice that names none."""
JUDGED = (1.0, 1.0, 0.0, 0.0, 0.0)
"""Factors of the judgements 1 to 5 (arXiv 2603.24653, section 5.1)."""
_PLACE = re.compile(r"\d+/\d+(/\d+)?")
_NEAR = 5


def chosen_factors(
    vectors: NamedVectors,
    suppress: Sequence[str],
    amplify: Sequence[str],
    *,
    share: float,
    say: Callable[[str], None] = lambda text: None,
) -> Float[np.ndarray, "layer head vector"]:
    """Return the factor of each singular value that `--suppress` and `--amplify` ask for.

    Concepts of one kind with one factor form a group: a vector is chosen if more than `share` of the coefficients of one of its
    poles belong to the group.

    Args:
        vectors: The tower.
        suppress: Each `CONCEPT[=FACTOR]`, several concepts with commas between them, `@FILE` with one a line,
            `LAYER/HEAD/VECTOR`, or `LAYER/HEAD` for a whole head.
        amplify: The same.
        share: Share of the coefficients, from 0 to below 1.
        say: Is given a line about words of a file that name no vector.

    Raises:
        SingError: A concept or vector is not there, a factor is not possible, or a vector is given two factors.
    """
    if not 0 <= share < 1:
        raise SingError(f"--share {share:g}: a number from 0 to below 1")
    factors = np.ones((*vectors.rank.shape, vectors.pick.shape[2]))
    chosen_by: list[tuple[Bool[np.ndarray, "layer head vector"], float, str]] = []
    for kind, texts in (("suppress", suppress), ("amplify", amplify)):
        groups: dict[float, list[int]] = {}
        for text in texts:
            body, factor = _factor(vectors, text, kind)
            if _PLACE.fullmatch(body):
                chosen_by.append((_at(vectors, body, kind), factor, f"--{kind} {clean(text)}"))
            else:
                groups.setdefault(factor, []).extend(_words(vectors, body, kind, say))
        for factor, group in groups.items():
            inside = (vectors.shares(group) > share).any(-1) & vectors.real
            names = listed([vectors.words[word] for word in dict.fromkeys(group)])
            chosen_by.append((inside, factor, f"--{kind} of {names}"))
    owner = np.full(factors.shape, -1)
    for number, (inside, factor, title) in enumerate(chosen_by):
        clash = inside & (owner >= 0) & (factors != factor)
        if clash.any():
            place = tuple(np.argwhere(clash)[0].tolist())
            other = chosen_by[int(owner[place])][2]
            raise SingError(
                f"vector {_place_text(vectors, place)} has two factors, by {other} and by {title}: a larger --share keeps them "
                "apart"
            )
        factors[inside], owner[inside] = factor, number
    if not any(inside.any() for inside, _, _ in chosen_by):
        largest = f"; a smaller --share than {share:g} chooses more" if share else ""
        raise SingError(f"no vector of layers {listed(vectors.layers)} is chosen: nothing is written{largest}")
    return factors


def judged_factors(vectors: NamedVectors, file: Path, rule: Sequence[float]) -> Float[np.ndarray, "layer head vector"]:
    """Return the factors that a file of judgements asks for.

    Args:
        vectors: The tower.
        file: One judgement from 1 to 5 a line, in the order of layers, heads and vectors (the official judges' format).
        rule: Factor of each judgement.

    Raises:
        SingError: The file cannot be read, has another number of lines, or a line is no judgement.
    """
    lines = [line.strip() for line in read_text(file, f"--scores {file}").split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    shape = vectors.pick.shape[:3]
    for number, line in enumerate(lines, 1):
        if line not in ("1", "2", "3", "4", "5"):
            raise SingError(f"--scores {file}, line {number}: {clean(line)[:40]!r} is no judgement from 1 to 5")
    if len(lines) != math.prod(shape):
        raise SingError(
            f"--scores {file}: {len(lines):,} judgements, wanted {math.prod(shape):,}: one a line for {shape[0]} layers "
            f"({listed(vectors.layers)}) of {shape[1]} heads with {shape[2]} vectors; --layers chooses others"
        )
    judged = np.array([int(line) for line in lines]).reshape(shape)
    factors = np.asarray(rule, dtype=np.float64)[judged - 1]
    return np.where(vectors.real, factors, 1.0)


def task_factors(
    vectors: NamedVectors, likeness: Float[np.ndarray, " word"], *, least: float = 0.8, shift: float = 0.3
) -> Float[np.ndarray, "layer head vector"]:
    """Return factors by the relevance of a vector to a task: max(0.8, R + 0.3) (arXiv 2603.24653, section 5.3).

    R is the sum over the words of a pole of coefficient times largest cosine to a word of the task; of both poles, the larger R.

    Args:
        vectors: The tower.
        likeness: Largest cosine of each word of the tower to a word of the task.
        least: Smallest factor.
        shift: Added to the relevance.
    """
    weights = np.where(vectors.pick >= 0, np.asarray(likeness)[vectors.pick], 0.0)
    relevance = (vectors.coefficient * weights).sum(-1).max(-1)
    return np.where(vectors.real, np.maximum(least, relevance + shift), 1.0)


def listed_words(text: str, option: str) -> list[str]:
    """Return the words of an option: with commas between them, or one a line of `@FILE`.

    Args:
        text: The text of the user.
        option: Name of the option, for messages.

    Raises:
        SingError: The file cannot be read, or there are no words.
    """
    parts = text.split(",")
    if text.startswith("@"):
        parts = read_text(Path(text[1:]), f"{option} {text}").split("\n")
    found = [" ".join(part.split()) for part in parts]
    found = [part for part in found if part]
    if not found:
        raise SingError(f"{option} {clean(text)!r} names nothing")
    return found


def _factor(vectors: NamedVectors, text: str, kind: str) -> tuple[str, float]:
    """Split a choice into its concepts or place, and its factor."""
    body, sign, number = text.rpartition("=")
    if not sign or text.strip().casefold() in {word.casefold() for word in vectors.words}:
        return text.strip(), FACTORS[kind]
    try:
        factor = float(number)
    except ValueError:
        factor = math.nan
    allowed = factor <= 1 if kind == "suppress" else factor >= 1
    if not math.isfinite(factor) or not allowed:
        bound = "at most 1" if kind == "suppress" else "at least 1"
        raise SingError(f"--{kind} {clean(text)}: the factor behind = is a number of {bound}")
    return body.strip(), factor


def _words(vectors: NamedVectors, text: str, kind: str, say: Callable[[str], None]) -> list[int]:
    """Return the indices of the words that a choice names; of a file, words that name no vector are left out."""
    known = {word.casefold(): index for index, word in enumerate(vectors.words)}
    names = [text] if text.casefold() in known else listed_words(text, f"--{kind}")
    missing = [name for name in names if name.casefold() not in known]
    if missing and (not text.startswith("@") or len(missing) == len(names)):
        near = difflib.get_close_matches(missing[0].casefold(), list(known), n=_NEAR, cutoff=0.6)
        hint = f"; near: {listed([vectors.words[known[word]] for word in near])}" if near else ""
        raise SingError(
            f"--{kind} {clean(missing[0])[:60]!r}: no vector of the tower {vectors.tower!r} is named with this; "
            f"{len(known):,} words are used{hint}"
        )
    if missing:
        say(f"{clean(text)}: {len(missing):,} of {len(names):,} words name no vector and are left out")
    return [known[name.casefold()] for name in names if name.casefold() in known]


def _at(vectors: NamedVectors, text: str, kind: str) -> Bool[np.ndarray, "layer head vector"]:
    """Find the vector or the whole head at a place."""
    layer, head, *rest = (int(part) for part in text.split("/"))
    _, heads, count = vectors.pick.shape[:3]
    there = f"layers {listed(vectors.layers)}, heads 0 to {heads - 1} and vectors 0 to {count - 1}"
    if layer not in vectors.layers or head >= heads or (rest and rest[0] >= count):
        raise SingError(f"--{kind} {text}: there is no such vector; the tower {vectors.tower!r} has {there}")
    row = list(vectors.layers).index(layer)
    inside = np.zeros(vectors.pick.shape[:3], dtype=bool)
    inside[(row, head, *rest)] = True
    inside &= vectors.real
    if not inside.any():
        rank = int(vectors.rank[row, head])
        raise SingError(f"--{kind} {text}: this head has only {rank} vectors above rounding")
    return inside


def _place_text(vectors: NamedVectors, place: tuple[int, ...]) -> str:
    return "/".join(str(part) for part in (vectors.layers[place[0]], *place[1:]))
