"""Find the image file of a row on this machine. A results file may come from a stranger: it names no file outside its folder."""

from pathlib import Path, PurePosixPath

from sing_compute.errors import SingError
from sing_compute.store.read import Store
from sing_compute.store.text import one_line


def locate(store: Store, key: str, folder: Path | None, *, option: str = "--images") -> Path:
    """Find the file of an image on this machine.

    Args:
        store: The results file; its attributes name the folder that it was computed from.
        key: The image's key: its path below the folder of images.
        folder: The folder of images that the user gave; None for the one that the results file names.
        option: The option that gives a folder, for messages.

    Returns:
        The path of a regular file.

    Raises:
        SingError: No folder is known, the key leads out of the folder, or there is no regular file at that path.
    """
    stored = store.attributes("images").get("root")
    if folder is None and not (isinstance(stored, str) and stored):
        raise SingError(f"{store.path.name} does not say where its images are: {option} DIR does")
    root = Path(str(stored)) if folder is None else folder
    parts = PurePosixPath(key)
    if not parts.parts or parts.is_absolute() or ".." in parts.parts:
        raise SingError(one_line(f"{key!r} is no path below a folder of images; it is not opened"))
    path = root / key
    try:
        if folder is None and not path.resolve().is_relative_to(root.resolve()):
            raise SingError(one_line(f"{path} is a link out of {root}: {option} {root} says that you trust it"))
        found = path.is_file()
    except (OSError, RuntimeError, ValueError):  # a loop of links, a name that no file system takes
        found = False
    if not found:
        raise SingError(one_line(f"{path} is not on this machine: {option} DIR says where the images are"))
    return path
