"""Say which images of a list are missing: paths may be wrong, or a disk may not be there."""

from collections.abc import Sequence
from pathlib import Path

from sing_compute.errors import ImagesError

MOST = 10_000
"""Images that are looked for to say how many are missing; of more images, so many evenly spread ones."""


def missing_images(root: Path, keys: Sequence[str]) -> str:
    """Count the images that are missing, and name the first of them.

    Args:
        root: The image root, a folder that exists.
        keys: Path of each image below it.

    Returns:
        One line for the user, with the ways out.
    """
    step = -(-len(keys) // MOST)
    looked = range(0, len(keys), step)
    missing = [row for row in looked if not (root / keys[row]).exists()]
    first = f", first {root / keys[missing[0]]}" if missing else ""
    among = "" if step == 1 else f" that were looked for, of {len(keys):,},"
    return (
        f"{len(missing):,} of {len(looked):,} images{among} are missing{first}: are the paths right (those of a table are "
        "relative to its own folder), and is their disk there? Finished work is kept, the same command goes on"
    )


def check_folders(root: Path, keys: Sequence[str]) -> None:
    """Check that the folder of each image exists.

    Args:
        root: The image root.
        keys: Path of each image below it.

    Raises:
        ImagesError: A folder is missing; the message says how many images are.
    """
    folders = dict.fromkeys(key.rpartition("/")[0] for key in keys)
    if not all((root / folder).exists() for folder in folders):
        raise ImagesError(missing_images(root, keys))
