"""Find the rooms of analyses: each registers something when it is imported, its charts here, its details in the explorer."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules


@cache
def load_rooms(package: str) -> None:
    """Import every module of a package, once.

    Args:
        package: Its full name.
    """
    for room in iter_modules(import_module(package).__path__):
        import_module(f"{package}.{room.name}")
