"""The fixtures of the pictures, for the tests of this folder."""

from rendered_files import known, rendered_folder, results

__all__ = ["known", "rendered_folder", "results"]
