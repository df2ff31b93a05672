"""Fuzzy matching of typed words with names: `gws` matches the great white shark.

Textual's own `FuzzySearch` looks at every way to place the letters, which for some names are billions, and a results file may
come from a stranger; here a name is passed a few times and no more.
"""

import re
from itertools import pairwise

Positions = tuple[int, ...]
"""Positions of the characters of a name that matched."""
Match = tuple[float, Positions]
"""Score and positions."""

NUMBER, SAME, WORD, FRONT, BEGINNING, STARTS, INSIDE = 10.0, 6.0, 5.0, 4.0, 3.0, 2.5, 2.0
"""Scores: the index or code itself; the whole name; a word of it; its front; the front of a word; letters at the fronts of words;
anywhere inside. Scattered letters score between 0 and 1, or as a front where they are most of the name (`str` of star)."""
_MOST = 2 / 3
"""Share of a name's letters that are most of it."""
_FRONTS = re.compile(r"(?<![^\W_])[^\W_]")


class Word:
    """One typed word; case counts only if it holds a capital."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.exact = text != text.lower()
        plain = text.isascii() and text.isdecimal() and len(text) < 19
        self.number = int(text) if plain and str(int(text)) == text else None
        escaped = re.escape(text)
        self._whole = re.compile(rf"(?<![^\W_]){escaped}(?![^\W_])")
        self._beginning = re.compile(rf"(?<![^\W_]){escaped}")
        self._scattered = re.compile(
            "".join(f"[^{re.escape(letter)}]*+{re.escape(letter)}" for letter in text), re.DOTALL
        )

    def match(self, text: str) -> Match | None:
        """Match the word against a text.

        Args:
            text: The text, in lower case unless case counts.

        Returns:
            The score and the positions of the letters that match; None if the text lacks a letter.
        """
        if self.text in text:
            return self._as_run(text)
        found = self._scattered.match(text)
        return None if found is None else self._as_letters(text, found.end())

    def _as_run(self, text: str) -> Match:
        if text == self.text:
            score, at = SAME, 0
        elif found := self._whole.search(text):
            score, at = WORD, found.start()
        elif text.startswith(self.text):
            score, at = FRONT, 0
        elif found := self._beginning.search(text):
            score, at = BEGINNING, found.start()
        else:
            score, at = INSIDE, text.find(self.text)
        return score, tuple(range(at, at + len(self.text)))

    def _as_letters(self, text: str, end: int) -> Match:
        """Take letters that begin words or follow each other, else those that end first, as near to each other as there are."""
        if positions := self._at_fronts(text):
            return STARTS, positions
        found: list[int] = []
        for letter in reversed(self.text):
            end = text.rindex(letter, 0, end)
            found.append(end)
        positions = tuple(reversed(found))
        if positions[0] == 0 and len(positions) >= _MOST * len(text):
            return FRONT, positions
        gaps = sum(after != before + 1 for before, after in pairwise(positions))
        return (len(positions) - gaps) / (len(positions) + 1), positions

    def _at_fronts(self, text: str) -> Positions:
        fronts = (found.start() for found in _FRONTS.finditer(text))
        positions: list[int] = []
        for letter in self.text:
            if positions and text[positions[-1] + 1 : positions[-1] + 2] == letter:
                positions.append(positions[-1] + 1)
                continue
            last = positions[-1] if positions else -1
            front = next((at for at in fronts if at > last and text[at] == letter), None)
            if front is None:
                return ()
            positions.append(front)
        return tuple(positions)


def joined(matches: list[Match]) -> Match:
    """Join the matches of several words in one text.

    Args:
        matches: The matches, one for each word.

    Returns:
        The worst score, a little better the better the others are, and all positions.
    """
    if not matches:
        return INSIDE, ()
    scores = [score for score, _ in matches]
    positions = tuple(sorted({place for _, found in matches for place in found}))
    return min(scores) + (sum(scores) / len(scores) - min(scores)) / 100, positions


def better(one: Match | None, other: Match | None) -> Match | None:
    """Return the match with the higher score; None if neither matches."""
    return max((match for match in (one, other) if match), key=lambda match: match[0], default=None)


def folded(text: str) -> str:
    """Return a text in lower case, letter for letter: of a letter that becomes two, the first."""
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(character.lower()[0] for character in text)
