"""Find the files of `data/`: in the installed package, or next to the package in a source checkout."""

from pathlib import Path

from sing_compute.errors import SingError

PACKAGE = Path(__file__).resolve().parent


def data_path(name: str) -> Path:
    """Return the path of one file or folder of `data/`.

    Args:
        name: Path below `data/`, such as `vocabularies/attributes.tsv`.

    Raises:
        SingError: It does not exist.
    """
    root = next((root for root in (PACKAGE / "data", PACKAGE.parent / "data") if root.is_dir()), PACKAGE / "data")
    path = root / name
    if not path.exists():
        raise SingError(
            f"this installation has no {path}; install sing-explorer again (from a clone: git restore data)"
        )
    return path
