"""Read vocabularies: lists of concepts, each with a name for tables, a kind, and a prompt, the text that CLIP embeds."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize

from sing_compute import outside_files
from sing_compute.datafiles import data_path
from sing_compute.errors import ConceptsError
from sing_compute.open_clip_import import import_open_clip

BUILT_IN = {"attributes": "vocabularies/attributes.tsv", "words": "vocabularies/tokenizer_words.txt"}
"""Vocabularies that come with the package, by name, and their files below `data/`."""

MOST_BYTES = 4096
"""Most bytes of one concept; a results file holds no longer text."""
Concept = tuple[str, str, str]
"""Name, kind, prompt."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Concepts in the order of reading. No two share a name or a prompt, where case and white space do not count."""

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    prompts: tuple[str, ...]
    duplicates: tuple[str, ...] = ()
    """Names of the concepts that were left out as duplicates; with "(same prompt as ...)" where the names differ."""

    def __post_init__(self) -> None:
        """Refuse a text that no results file can hold: two of them might differ only behind its end."""
        for text in (*self.names, *self.kinds, *self.prompts):
            if len(text) > MOST_BYTES // 4 and len(text.encode("utf-8", "replace")) > MOST_BYTES:
                raise ConceptsError(
                    f"a concept, its kind and its prompt have at most {MOST_BYTES:,} bytes each; one begins {text[:40]!r}"
                )

    def __len__(self) -> int:
        return len(self.names)


def read_vocabulary(source: str | Path) -> Vocabulary:
    """Read a built-in vocabulary or a user's file, and leave out duplicates.

    A file is UTF-8 with one concept a line: `name`, `name<TAB>kind` or `name<TAB>kind<TAB>prompt`. Blank lines and
    lines that start with `#` are skipped. Without a kind it is the file's name without its ending, without a prompt it
    is `an image of {name}`.

    Args:
        source: `attributes`, `words`, or a file (`./words` for a file of that name).

    Raises:
        ConceptsError: The file is missing, is not UTF-8, holds no concept, or has a line of another form.
    """
    if isinstance(source, str) and source in BUILT_IN:
        path, kind = data_path(BUILT_IN[source]), source.removesuffix("s")
    else:
        path, kind = Path(source), Path(source).stem
    # Universal newlines alone end a line: str.splitlines would also break at U+2028 or U+0085 and shift line numbers.
    lines = read_text(path).split("\n")
    concepts = [
        _concept(line.rstrip(), kind, f"{path}, line {number}")
        for number, line in enumerate(lines, start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not concepts:
        raise ConceptsError(f"{path} holds no concept; write one a line: name, or name<TAB>kind<TAB>prompt")
    return _without_duplicates(concepts)


def vocabulary_of(concepts: Iterable[str], kind: str = "concept") -> Vocabulary:
    """Make a vocabulary of a list of concepts, and leave out duplicates; prompts are as in a file without them.

    Args:
        concepts: Names of concepts.
        kind: Kind of all of them.

    Raises:
        ConceptsError: A concept is no text, or empty.
    """
    names = list(concepts)
    bad = next((name for name in names if not isinstance(name, str) or not name.strip()), None)
    if bad is not None:
        raise ConceptsError(f"concepts: {bad!r} is no concept; give texts")
    return _without_duplicates(_concept(name.replace("\t", " "), kind, "concepts") for name in names)


def merge_vocabularies(vocabularies: Iterable[Vocabulary]) -> Vocabulary:
    """Join vocabularies in their order; of concepts with the same name or the same prompt, the first is used.

    Args:
        vocabularies: At least one.
    """
    vocabularies = list(vocabularies)
    concepts = [c for v in vocabularies for c in zip(v.names, v.kinds, v.prompts, strict=True)]
    return _without_duplicates(concepts, [name for v in vocabularies for name in v.duplicates])


def tokenizer_words() -> list[str]:
    """Return the whole words of the CLIP tokenizer in its order, frequent words first: the content of tokenizer_words.txt.

    A word is a token that ends a word (`</w>`), of three or more letters a-z, with a vowel (aeiouy) and no letter three
    times in a row. Word endings such as `ation` are left out by a count over all such tokens: a token that ends at
    least 5 others whose rest is not a token itself (so `house` in `farmhouse` does not count), and that begins at most
    a quarter as many. This rule also removes some real words (`city`, `king`), and fragments, names and hashtags
    remain. It loads torch, because open_clip does; it is called only to make the file and to test it.
    """
    tokenizer = import_open_clip().SimpleTokenizer()
    ending = re.compile("[a-z]{3,}</w>")
    tokens = [token.removesuffix("</w>") for token in tokenizer.encoder if ending.fullmatch(token)]
    known = set(tokens)
    begins = Counter(token[:cut] for token in tokens for cut in range(3, len(token)))
    ends = Counter(token[cut:] for token in tokens for cut in range(1, len(token) - 2) if token[:cut] not in known)
    return [
        token
        for token in tokens
        if re.search("[aeiouy]", token)
        and not re.search(r"(.)\1\1", token)
        and not (ends[token] >= 5 and 4 * begins[token] <= ends[token])
    ]


def read_text(path: Path, name: str = "") -> str:
    """Read the text of a file, with newlines as its only line ends.

    Args:
        path: The file.
        name: Its name in messages, with the option that names it; empty for a vocabulary.

    Raises:
        ConceptsError: The file is missing or is not UTF-8.
    """
    where = name or str(path)
    try:
        text = outside_files.read_text(path)
    except FileNotFoundError:
        if name:
            raise ConceptsError(f"{name}: no such file; give a text file with one concept a line") from None
        raise ConceptsError(f"no vocabulary file {path}; give a text file, or one of: {', '.join(BUILT_IN)}") from None
    except UnicodeDecodeError as error:
        raise ConceptsError(
            f"{where} is not UTF-8 (byte {error.start}: {error.reason}); save it as UTF-8 text"
        ) from None
    except OSError as error:
        what = name or f"vocabulary {path}"
        raise ConceptsError(f"cannot read {what}: {error.strerror or error}; give a readable text file") from None
    if "\0" in text:
        raise ConceptsError(f"{where} is not UTF-8 text (it has zero bytes, as UTF-16 has); save it as UTF-8 text")
    return text


def _concept(line: str, kind: str, where: str) -> Concept:
    """Read one line as a concept; an empty column counts as missing."""
    columns = [" ".join(normalize("NFC", column).split()) for column in line.split("\t")]
    if len(columns) > 3:
        raise ConceptsError(f"{where}: {len(columns)} columns; at most 3, between tabs: name, kind, prompt")
    name, own_kind, prompt = columns + [""] * (3 - len(columns))
    if not name:
        raise ConceptsError(f"{where}: no name before the first tab; write name, or name<TAB>kind<TAB>prompt")
    return name, own_kind or kind, prompt or f"an image of {name}"


def _without_duplicates(concepts: Iterable[Concept], known_duplicates: Iterable[str] = ()) -> Vocabulary:
    """Use the first of concepts with the same name or prompt, and add the others to the known duplicates."""
    used: list[Concept] = []
    duplicates = list(known_duplicates)
    names: set[str] = set()
    by_prompt: dict[str, str] = {}
    for name, kind, prompt in concepts:
        if _key(name) in names:
            duplicates.append(name)
        elif _key(prompt) in by_prompt:
            duplicates.append(f"{name} (same prompt as {by_prompt[_key(prompt)]})")
        else:
            used.append((name, kind, prompt))
            names.add(_key(name))
            by_prompt[_key(prompt)] = name
    return Vocabulary(
        names=tuple(name for name, _, _ in used),
        kinds=tuple(kind for _, kind, _ in used),
        prompts=tuple(prompt for _, _, prompt in used),
        duplicates=tuple(duplicates),
    )


def _key(text: str) -> str:
    """Return a text without its case and white space, by which concepts are compared."""
    return " ".join(text.split()).casefold()
