"""What a damaged file keeps from being done becomes a line on the screen."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from sing_compute.errors import SingError
from sing_compute.store.text import one_line
from sing_tui.filters import FilterError


class Speaker(Protocol):
    """A screen with a status line."""

    def say(self, message: str) -> None:
        """Show a message there."""


P = ParamSpec("P")
S = TypeVar("S", bound=Speaker)


def spoken(act: Callable[Concatenate[S, P], None]) -> Callable[Concatenate[S, P], None]:
    """Say an error of the file instead of ending the program; what is wrong with a filter is the caller's to show."""

    @wraps(act)
    def guarded(self: S, /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            act(self, *args, **kwargs)
        except FilterError:
            raise
        except SingError as error:
            self.say(in_one_line(error))

    return guarded


def in_one_line(error: Exception) -> str:
    """What went wrong; errors that were not written for people say at least that the file was the matter."""
    text = one_line(error) or type(error).__name__
    return text if isinstance(error, SingError) else f"the file does not hold what its schema promises ({text})"
