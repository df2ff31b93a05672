"""Read labels and groups of images from label files and from columns of tables, and make the texts of classes."""

import csv
from collections.abc import Sequence
from pathlib import Path
from unicodedata import normalize

from sing_compute.concepts.vocabulary import read_text
from sing_compute.errors import ImagesError, SingError
from sing_compute.imagenet import is_wnid, wnid_wordings
from sing_compute.images.compact_text import Texts
from sing_compute.images.label_files import labels_of
from sing_compute.store.text import clean

TEMPLATE = "a photo of a {}"


def read_labels(keys: Texts, text: str, option: str) -> list[str]:
    """Return the label of each image by a file, or by a column of a table.

    Args:
        keys: Keys of the images, sorted.
        text: A label file as `--labels` of a run takes it, or FILE:COLUMN for a table with the columns `path` and COLUMN.
        option: Name of the option, for messages.

    Raises:
        ImagesError: The file cannot be read, or an image has no label.
    """
    file, colon, column = text.rpartition(":")
    if not colon or Path(text).is_file():
        try:
            labels, _ = labels_of(keys, Path(text))
        except ImagesError as error:
            raise ImagesError(str(error).replace("--labels", option, 1)) from error
        return [labels[row] for row in range(len(keys))]
    where = f"{option} {clean(text)}"
    lines = read_text(Path(file), where).split("\n")
    rows = csv.DictReader(lines, delimiter="\t" if Path(file).suffix.lower() == ".tsv" else ",")
    names = [name.strip() for name in rows.fieldnames or ()]
    if "path" not in names or column not in names:
        raise ImagesError(f"{where}: the first line must name the columns path and {column}, found {','.join(names)}")
    rows.fieldnames = names
    known = {normalize("NFC", row["path"] or ""): (row[column] or "").strip() for row in rows}
    found = [known.get(normalize("NFC", key), "") for key in keys]
    missing = [key for key, label in zip(keys, found, strict=True) if not label]
    if missing:
        raise ImagesError(f"{where}: {len(missing):,} of {len(keys):,} images have no label, the first is {missing[0]}")
    return found


def class_texts(names: Sequence[str], templates: Sequence[str], option: str = "--template") -> list[list[str]]:
    """Return the texts of each class: its name in each template; of a WordNet id its first name.

    Args:
        names: Names of the classes.
        templates: Texts with {} in the place of the name.
        option: Name of the option, for messages.

    Raises:
        SingError: A template has no place for the name.
    """
    for template in templates:
        if "{}" not in template:
            raise SingError(f"{option} {clean(template)!r}: write {{}} where the name of a class goes")
    words = [next(iter(wnid_wordings(name)), name) if is_wnid(name) else name.replace("_", " ") for name in names]
    return [[template.replace("{}", word) for template in templates] for word in words]


def read_prompts(file: Path) -> dict[str, list[str]]:
    """Read texts of classes: lines `CLASS<tab>TEXT`, several for a class if its embeddings are to be averaged.

    Args:
        file: The file.

    Raises:
        SingError: The file cannot be read, a line has another form, or there are fewer than two classes.
    """
    found: dict[str, list[str]] = {}
    for number, line in enumerate(read_text(file, f"--prompts {file}").split("\n"), 1):
        if not line.strip():
            continue
        name, tab, text = line.partition("\t")
        if not tab or not name.strip() or not text.strip():
            raise SingError(f"--prompts {file}, line {number}: write CLASS, a tab and a text")
        found.setdefault(name.strip(), []).append(text.strip())
    if len(found) < 2:
        raise SingError(f"--prompts {file}: texts of {len(found)} classes, wanted at least two")
    return found
