"""Errors that damaged files lead to, in one line for the screen."""

from sing_compute.errors import SingError
from sing_compute.store.text import one_line


def in_one_line(error: Exception) -> str:
    """Say an error in one line; errors that were not written for people say at least that the file was the matter."""
    text = one_line(error) or type(error).__name__
    return text if isinstance(error, SingError) else f"the file does not hold what its schema promises ({text})"
