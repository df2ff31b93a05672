"""Read the attributes that heads are checked with: groups of texts, of each of which one is true of an image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sing_compute.concepts.vocabulary import Vocabulary, read_text, read_vocabulary, vocabulary_of
from sing_compute.errors import ConceptsError, SingError
from sing_compute.imagenet import folded
from sing_compute.images.listing import ImageList
from sing_compute.process.progress import Progress
from sing_compute.store import Store
from sing_compute.store.text import clean

FORM = "one attribute a line, `shape: circle, square, star`; or a vocabulary with the columns name, kind, prompt between tabs"


@dataclass(frozen=True, slots=True)
class Attributes:
    """Attributes with their texts."""

    groups: Mapping[str, Sequence[str]]
    """Texts of each attribute, as tables show them."""
    prompts: Mapping[str, str]
    """The text that CLIP embeds, of each text."""
    source: str
    """Where they come from, in words."""

    @property
    def names(self) -> list[str]:
        """Names of the attributes."""
        return list(self.groups)

    @property
    def texts(self) -> list[str]:
        """All texts, by attribute."""
        return [text for texts in self.groups.values() for text in texts]

    @property
    def owners(self) -> list[int]:
        """Attribute of each text."""
        return [position for position, texts in enumerate(self.groups.values()) for _ in texts]


def read_attributes(store: Store, given: Path | None, images: ImageList, progress: Progress) -> Attributes:
    """Return the attributes of a user's file; else the kinds of the results file's concepts; else its classes; else the folders.

    Args:
        store: The results file.
        given: A file of attributes (`FORM`).
        images: The images, whose folders are the last resort.
        progress: Is given a line about what is used.

    Raises:
        SingError: The file cannot be used, or there are no texts at all.
    """
    found = _of_file(given) if given is not None else _of_store(store, progress) or _of_names(store, images)
    counted = ", ".join(f"{clean(name)} ({len(texts):,})" for name, texts in list(found.groups.items())[:8])
    more = f" and {len(found.groups) - 8} more" if len(found.groups) > 8 else ""
    progress.say(f"attributes: {found.source}: {counted}{more}")
    return found


def _of_file(path: Path) -> Attributes:
    where = f"--texts {clean(str(path))}"
    lines = [line for line in read_text(path, where).split("\n") if line.strip() and not line.lstrip().startswith("#")]
    if any("\t" in line for line in lines):
        found = read_vocabulary(path)
        if found.duplicates:
            raise ConceptsError(
                f"{where}: {clean(found.duplicates[0])} is in it twice; a text belongs to one attribute"
            )
        return _grouped(found, str(path), where)
    names, texts = [], []
    for line in lines:
        name, colon, rest = line.partition(":")
        own = [" ".join(text.split()) for text in rest.split(",") if text.strip()]
        if not colon or not name.strip() or not own:
            raise ConceptsError(f"{where}: no attribute in the line {clean(line.strip())[:60]!r}; write {FORM}")
        if name.strip() in names:
            raise ConceptsError(
                f"{where}: the attribute {clean(name.strip())!r} is in it twice; write its texts in one line"
            )
        names += [name.strip()] * len(own)
        texts += own
    if not texts:
        raise ConceptsError(f"{where}: it holds no attribute; write {FORM}")
    first: dict[str, int] = {}
    for position, text in enumerate(texts):
        earlier = first.setdefault(folded(text), position)
        if earlier != position:
            both = " and ".join(dict.fromkeys(clean(names[k]) for k in (earlier, position)))
            raise ConceptsError(f"{where}: {clean(text)!r} is twice in {both}; a text belongs to one attribute")
    words = vocabulary_of(texts)
    return _grouped(Vocabulary(words.names, tuple(names), words.prompts), str(path), where)


def _of_store(store: Store, progress: Progress) -> Attributes | None:
    """Return the kinds of the file's concepts as attributes, if there are two kinds with two concepts each."""
    if "concepts/kind" not in store:
        return None
    columns = (tuple(map(str, store.array(f"concepts/{part}"))) for part in ("name", "kind", "prompt"))
    concepts = Vocabulary(*columns)
    counts = {kind: concepts.kinds.count(kind) for kind in dict.fromkeys(concepts.kinds)}
    used = [kind for kind, count in counts.items() if count > 1]
    if len(used) < 2:
        return None
    if len(used) < len(counts):
        progress.say(
            f"kinds with one concept are left out: {clean(', '.join(k for k in counts if k not in used))[:200]}"
        )
    rows = [row for row, kind in enumerate(concepts.kinds) if kind in used]
    chosen = Vocabulary(
        *(tuple(column[row] for row in rows) for column in (concepts.names, concepts.kinds, concepts.prompts))
    )
    return _grouped(chosen, f"kinds of the concepts of {store.path}", str(store.path))


def _of_names(store: Store, images: ImageList) -> Attributes:
    """Return one attribute: the classes of the file, or the folders of the images."""
    if "classes/name" in store:
        names, source = [str(name) for name in store.array("classes/name")], f"the classes of {store.path}"
    else:
        names, source = images.labels.used_names, "the folders of the images"
    texts = vocabulary_of([name.replace("_", " ") for name in names if name.strip()]) if any(names) else None
    if texts is None or len(texts) < 2:
        raise SingError(f"there are no texts to check with: give some with --texts FILE, {FORM}")
    return Attributes({"class": texts.names}, dict(zip(texts.names, texts.prompts, strict=True)), source)


def _grouped(words: Vocabulary, source: str, where: str) -> Attributes:
    groups: dict[str, list[str]] = {}
    for name, kind in zip(words.names, words.kinds, strict=True):
        groups.setdefault(kind, []).append(name)
    for kind, texts in groups.items():
        if len(texts) < 2:
            raise ConceptsError(
                f"{where}: the attribute {clean(kind)!r} has one text; it needs two or more, of which one is true of an image"
            )
    return Attributes(groups, dict(zip(words.names, words.prompts, strict=True)), clean(source))
