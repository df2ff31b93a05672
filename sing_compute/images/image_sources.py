"""Which of its forms `--images` has."""

import os
from functools import partial
from pathlib import Path

from sing_compute.errors import ImagesError
from sing_compute.images.archives import archives_of, list_archives
from sing_compute.images.folders import list_tree
from sing_compute.images.listing import ImageList
from sing_compute.images.listing_cache import listed_once
from sing_compute.images.table_files import list_standard_input, list_table


def list_images(source: Path) -> ImageList:
    """Images of a class folder tree, a table, tar archives (a folder, one, a pattern) or a list on standard input (`-`).

    Raises:
        ImagesError: No such file or folder, no images in it, or it cannot be used.
    """
    if str(source) == "-":
        return list_standard_input()
    archives = archives_of(source)
    if archives:
        root = Path(os.path.commonpath([path.parent for path in archives]))
        names = [path.relative_to(root).as_posix() for path in archives]
        return listed_once(root, "\n".join(names), partial(list_archives, root, names))
    if source.is_dir():
        return listed_once(source, "tree", partial(list_tree, source))
    if not source.exists():
        raise ImagesError(f"--images {source}: no such file or folder")
    if source.is_file() and source.suffix.lower() in (".csv", ".tsv"):
        return list_table(source)
    raise ImagesError(
        f"--images {source}: give a folder with one subfolder per class, a .csv of path,label[,group], or .tar archives"
    )
