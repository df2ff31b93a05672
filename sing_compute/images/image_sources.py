"""List the images that `--images` names, whichever kind of source it is."""

import os
from functools import partial
from pathlib import Path

from sing_compute.errors import ImagesError
from sing_compute.images.archives import find_archives, list_archives
from sing_compute.images.folders import list_tree
from sing_compute.images.listing import ImageList
from sing_compute.images.listing_cache import cached_list
from sing_compute.images.table_files import list_standard_input, list_table


def list_images(source: Path) -> ImageList:
    """List the images of a source.

    Args:
        source: A folder with one subfolder per class, a .csv or .tsv table, tar archives (one, a folder of them, or a
            pattern with braces), or `-` for a list on standard input.

    Raises:
        ImagesError: No such file or folder, no images in it, or it cannot be used.
    """
    if str(source) == "-":
        return list_standard_input()
    archives = find_archives(source)
    if archives:
        root = Path(os.path.commonpath([path.parent for path in archives]))
        names = [path.relative_to(root).as_posix() for path in archives]
        return cached_list(root, "\n".join(names), partial(list_archives, root, names))
    if os.path.isdir(source):
        return cached_list(source, "tree", partial(list_tree, source))
    if not os.path.exists(source):
        raise ImagesError(f"--images {source}: no such file or folder")
    if os.path.isfile(source) and source.suffix.lower() in (".csv", ".tsv"):
        return list_table(source)
    kind = "" if os.path.isfile(source) else "this is no regular file; "
    raise ImagesError(
        f"--images {source}: {kind}give a folder with one subfolder per class, a .csv of path,label[,group], or .tar archives"
    )
