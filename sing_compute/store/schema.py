"""The declared fields and the constants of the format under one name, for writers."""

from sing_compute.store.catalogue import FIELDS
from sing_compute.store.constants import *  # noqa: F403
from sing_compute.store.definition import Field

__all__ = ["FIELDS", "Field"]
