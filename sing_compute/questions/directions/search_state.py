"""Keep the state of an unfinished search for directions in the work folder, so that the same command goes on from there."""

import json
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from sing_compute.atomic_write import write_bytes, write_failure
from sing_compute.errors import SingError
from sing_compute.store.text import one_line

_NUMBERS = "numbers"


@dataclass(frozen=True, slots=True)
class SearchState:
    """A file that holds the state of one search."""

    path: Path

    def load(self) -> dict[str, Tensor | int] | None:
        """Return the state saved last; None if there is none, or if the file is damaged: the search then begins again."""
        if not self.path.exists():
            return None
        try:
            with safe_open(self.path, "pt") as file:
                tensors: dict[str, Tensor | int] = {name: file.get_tensor(name).clone() for name in set(file.keys())}
                numbers: dict[str, int] = json.loads(file.metadata()[_NUMBERS])
        except OSError as error:
            raise SingError(f"cannot read {self.path}: {error.strerror or one_line(error)}") from error
        except (SafetensorError, KeyError, TypeError, ValueError):
            self.path.unlink(missing_ok=True)
            return None
        return tensors | numbers

    def save(self, state: dict[str, Tensor | int]) -> None:
        """Keep a state in the place of the one before, in one step.

        Raises:
            SingError: It cannot be written.
        """
        tensors = {name: part.contiguous().cpu() for name, part in state.items() if isinstance(part, Tensor)}
        numbers = {name: part for name, part in state.items() if not isinstance(part, Tensor)}
        try:
            write_bytes(self.path, save(tensors, {_NUMBERS: json.dumps(numbers)}))
        except OSError as error:
            raise SingError(write_failure(self.path, error)) from error
