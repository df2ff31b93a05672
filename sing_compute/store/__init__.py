"""The results file: schema, reading, writing, checking. h5py and numpy only (docs/store.md defines the format).

Its parts are imported when they are first asked for: a text of a file can be cleaned without h5py.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sing_compute.store.catalogue import FIELDS
    from sing_compute.store.columns import Column, Table
    from sing_compute.store.constants import SCHEMA_VERSION
    from sing_compute.store.definition import Field
    from sing_compute.store.place import Comparison, Place
    from sing_compute.store.read import Store
    from sing_compute.store.tables import class_table, concept_table, image_table, model_table, open_table
    from sing_compute.store.write import Writer, replace_store

__all__ = [
    "FIELDS",
    "SCHEMA_VERSION",
    "Column",
    "Comparison",
    "Field",
    "Place",
    "Store",
    "Table",
    "Writer",
    "class_table",
    "concept_table",
    "image_table",
    "model_table",
    "open_table",
    "replace_store",
]
_PARTS = {
    "catalogue": ("FIELDS",),
    "columns": ("Column", "Table"),
    "constants": ("SCHEMA_VERSION",),
    "definition": ("Field",),
    "place": ("Comparison", "Place"),
    "read": ("Store",),
    "tables": ("class_table", "concept_table", "image_table", "model_table", "open_table"),
    "write": ("Writer", "replace_store"),
}


def __getattr__(name: str) -> Any:
    for part, names in _PARTS.items():
        if name in names:
            return getattr(import_module(f"sing_compute.store.{part}"), name)
    raise AttributeError(f"module 'sing_compute.store' has no attribute {name!r}")
