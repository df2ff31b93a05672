"""Keep the state of an unfinished search for directions in the work folder, so that the same command goes on from there."""

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from sing_compute.atomic_write import write_bytes, write_failure
from sing_compute.errors import SingError
from sing_compute.sealed_file import SealError, open_sealed, sealed
from sing_compute.store.text import one_line

_NUMBERS, _OF = "numbers", "of"


@dataclass(frozen=True, slots=True)
class SearchState:
    """A file that holds the state of one search."""

    path: Path
    plan_sha256: str = ""
    """SHA-256 of the plan of the search; a state of another one is not loaded."""

    def load(self) -> dict[str, Tensor | int] | None:
        """Return the state saved last; None if there is none, or if the file is damaged: the search then begins again."""
        if not self.path.exists():
            return None
        try:
            with open_sealed(self.path) as file:
                if (file.facts.get(_OF), _NUMBERS in file.facts) != (self._identity, True):
                    raise SealError("of another search")
                tensors: dict[str, Tensor | int] = {name: file.tensor(name) for name in file.names}
                numbers: dict[str, int] = file.facts[_NUMBERS]
        except OSError as error:
            raise SingError(f"cannot read {self.path}: {error.strerror or one_line(error)}") from error
        except SealError:
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
            write_bytes(self.path, sealed(tensors, {_NUMBERS: numbers, _OF: self._identity}))
        except OSError as error:
            raise SingError(write_failure(self.path, error)) from error

    @property
    def _identity(self) -> list[str]:
        """Plan and name of the search: a state that took the place of another is found."""
        return [self.plan_sha256, self.path.stem]
