"""Finding the rooms of analyses: each registers its charts and details when it is imported."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

_PACKAGE = "sing_tui.analyses"


@cache
def load_rooms() -> None:
    """Import every room of the package of analyses, once."""
    package = import_module(_PACKAGE)
    for room in iter_modules(package.__path__):
        import_module(f"{_PACKAGE}.{room.name}")
