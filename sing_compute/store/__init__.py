"""The results file: schema, reading, writing, checking. h5py and numpy only (docs/store.md defines the format).

Its parts are imported when they are first asked for: a text of a file can be cleaned without h5py.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sing_compute.store.beside import class_across_models, classes_beside, figures_beside, models_beside
    from sing_compute.store.columns import Column, Table
    from sing_compute.store.concepts import concept_across_classes, concept_table
    from sing_compute.store.read import Store
    from sing_compute.store.schema import FIELDS, SCHEMA_VERSION, Field
    from sing_compute.store.tables import class_table, image_table, model_table
    from sing_compute.store.write import Writer, replace_store

__all__ = [
    "FIELDS",
    "SCHEMA_VERSION",
    "Column",
    "Field",
    "Store",
    "Table",
    "Writer",
    "class_across_models",
    "class_table",
    "classes_beside",
    "concept_across_classes",
    "concept_table",
    "figures_beside",
    "image_table",
    "model_table",
    "models_beside",
    "replace_store",
]
_PARTS = {
    "beside": ("class_across_models", "classes_beside", "figures_beside", "models_beside"),
    "columns": ("Column", "Table"),
    "concepts": ("concept_across_classes", "concept_table"),
    "read": ("Store",),
    "schema": ("FIELDS", "SCHEMA_VERSION", "Field"),
    "tables": ("class_table", "image_table", "model_table"),
    "write": ("Writer", "replace_store"),
}


def __getattr__(name: str) -> Any:
    for part, names in _PARTS.items():
        if name in names:
            return getattr(import_module(f"sing_compute.store.{part}"), name)
    raise AttributeError(f"module 'sing_compute.store' has no attribute {name!r}")
