"""The noun for the rows of a file: images, or what the file says they are (`--item sound`). Imports nothing of the store.

Declared texts are written for images. `Noun.words` says them of the file's own items, so no text is declared twice. Names of
columns, tables, datasets and options keep their spelling, because programs read them.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

LONGEST = 40
"""Most characters of a noun."""
_IMAGE = re.compile(r"(?:\b([Aa]n) )?(?<![\w/`.{-])([Ii]mage|[Pp]hotograph)(s?)(?![\w/`}]|\.\w)")
"""The noun in a declared text, with its article. Paths (`images/key`), options (`--images`) and identifiers are no words."""
_LETTERS_WITH_A_VOWEL = frozenset("aefhilmnorsx")
_LIKE_A_CONSONANT = ("eu", "uni", "use", "one", "ubi")
_SILENT_H = ("hour", "honest", "honour", "heir")


@dataclass(frozen=True, slots=True)
class Noun:
    """A noun in the singular and the plural."""

    singular: str = "image"
    plural: str = "images"

    @classmethod
    def parse(cls, text: str) -> "Noun":
        """Read `NOUN` or `NOUN/PLURAL`; without a plural it is made by rule.

        Args:
            text: Argument of `--item`.

        Raises:
            ValueError: It is empty, too long, or holds characters that cannot be printed; the text says which.
        """
        singular, separator, several = (part.strip() for part in text.partition("/"))
        noun = cls(singular, several if separator else plural_of(singular))
        problem = noun.problem
        if problem:
            raise ValueError(problem)
        return noun

    @property
    def problem(self) -> str:
        """Reason why this is no noun; empty if it is one."""
        for word in (self.singular, self.plural):
            if not word or not word.isprintable() or not word[0].isalpha() or len(word) > LONGEST:
                return f"{word[:LONGEST]!a} is no noun: 1 to {LONGEST} printable characters that begin with a letter"
            if "/" in word or " ".join(word.split()) != word:
                return f"{word!a} is no noun: write NOUN, or NOUN/PLURAL"
        return ""

    @property
    def is_image(self) -> bool:
        """True for images, of which there may be photographs."""
        return self == IMAGE

    @property
    def with_article(self) -> str:
        """The singular behind its indefinite article: `a sound`."""
        return f"{_article(self.singular)} {self.singular}"

    def words(self, text: str, *, names: Iterable[str] = ()) -> str:
        """Return a text that was declared for images, with this noun in its place.

        Args:
            text: A text of this program.
            names: Names that a user gave and that may be part of the text; they keep their spelling.
        """
        if self.is_image:
            return text
        kept = sorted({name for name in names if _IMAGE.search(name)}, key=len, reverse=True)
        parts = re.split(f"({'|'.join(map(re.escape, kept))})", text) if kept else [text]
        return "".join(part if part in kept else _IMAGE.sub(self._replaced, part) for part in parts)

    def _replaced(self, match: re.Match[str]) -> str:
        article, written, several = match.groups()
        word = self.plural if several else self.singular
        word = word[0].upper() + word[1:] if written[0].isupper() else word
        if article is None:
            return word
        own = _article(self.singular)
        return f"{own.capitalize() if article[0] == 'A' else own} {word}"


IMAGE = Noun()


def plural_of(word: str) -> str:
    """Return the regular plural of an English noun: sounds, speeches, categories."""
    lower = word.lower()
    if lower.endswith(("s", "x", "z", "ch", "sh")):
        return f"{word}es"
    if lower.endswith("y") and lower[-2:-1] not in ("", *"aeiou"):
        return f"{word[:-1]}ies"
    return f"{word}s"


def _article(word: str) -> str:
    """Return the indefinite article of a word by its first sound: an utterance, a unit, an hour, an ECG, a clip."""
    first = re.split(r"[\s-]", word)[0]
    if len(first) == 1 or (first.isupper() and len(first) < 5):  # letters are spelled
        return "an" if first[0].lower() in _LETTERS_WITH_A_VOWEL else "a"
    lower = word.lower()
    if lower.startswith(_SILENT_H):
        return "an"
    return "a" if lower.startswith(_LIKE_A_CONSONANT) or lower[0] not in "aeiou" else "an"
