"""Read a plain list of words or phrases, up to millions of lines: one concept a line, used as it is written."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize

from sing_compute.concepts.vocabulary import MOST_BYTES, read_text
from sing_compute.errors import ConceptsError


@dataclass(frozen=True, slots=True)
class WordList:
    """Concepts in the order of the file, each once."""

    words: tuple[str, ...]
    blank: int
    """Blank lines that were left out."""
    duplicates: int
    """Lines that were left out because an earlier one is the same; case and white space do not count."""

    @property
    def left_out(self) -> str:
        """The lines that were left out, counted in words; empty if there were none."""
        parts = [_counted(self.blank, "blank line")] if self.blank else []
        parts += [_counted(self.duplicates, "repeated line")] if self.duplicates else []
        return " and ".join(parts)


def read_words(path: Path) -> WordList:
    """Read a list of concepts.

    Only a newline ends a line: U+2028 and the like are white space within a concept. White space is cleaned up.

    Args:
        path: A text file in UTF-8.

    Raises:
        ConceptsError: The file is missing, is not UTF-8, has a line that is too long, or holds fewer than two concepts.
    """
    lines = read_text(path, f"--words {path}").split("\n")
    if lines and not lines[-1]:
        lines.pop()  # the end of the last line
    words: list[str] = []
    known: set[str] = set()
    blank = duplicates = 0
    for number, line in enumerate(lines, start=1):
        word = " ".join(normalize("NFC", line).split())
        if not word:
            blank += 1
        elif len(word.encode()) > MOST_BYTES:
            raise ConceptsError(f"--words {path}, line {number}: a concept has at most {MOST_BYTES:,} bytes")
        elif (folded := word.casefold()) in known:
            duplicates += 1
        else:
            known.add(folded)
            words.append(word)
    if len(words) < 2:
        raise ConceptsError(f"--words {path}: {len(words)} concepts; names need at least two, one a line")
    return WordList(tuple(words), blank, duplicates)


def texts_sha256(texts: Iterable[str]) -> str:
    """Return the SHA-256 of texts in their order, each with a newline behind it."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(f"{text}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number > 1)}"
