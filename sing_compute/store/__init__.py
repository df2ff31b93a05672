"""The results file: schema, reading, writing, checking. h5py and numpy only (docs/store.md defines the format)."""

from sing_compute.store.columns import Column, Table
from sing_compute.store.read import Store
from sing_compute.store.schema import FIELDS, SCHEMA_VERSION, Field
from sing_compute.store.tables import class_table, concept_table, image_table, model_table
from sing_compute.store.verify import verify
from sing_compute.store.write import Writer, replace_store

__all__ = [
    "FIELDS",
    "SCHEMA_VERSION",
    "Column",
    "Field",
    "Store",
    "Table",
    "Writer",
    "class_table",
    "concept_table",
    "image_table",
    "model_table",
    "replace_store",
    "verify",
]
