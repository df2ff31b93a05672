"""Report in one line what a user's own code raises: its error, and the place in the user's file. Shared by models and images."""

import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sing_compute.errors import OtherRankError, SingError, StoppedError

LONGEST = 240
"""Most characters of an error's text in a message; torch's errors can list whole networks."""
_MEMORY = ("can't allocate memory", "out of memory", "not enough memory")
"""Parts of torch's messages about a failed allocation, for errors without a type of their own."""
_LIBRARIES = ("site-packages", "dist-packages")
_NOT_THE_USERS = (str(Path(__file__).parent), *{sysconfig.get_path(name) for name in ("stdlib", "platstdlib")})


def describe_error(error: BaseException) -> str:
    """Return type, text and place of an error in one line, such as `ValueError: too small, at nets.py:12`.

    Args:
        error: As it was raised; the text of a `SingError` is returned as it is.
    """
    if isinstance(error, SingError):
        return str(error)
    text, place = error_text(error), place_in_users_file(error)
    kind = type(error).__name__
    return (f"{kind}: {text}" if text else kind) + (f", at {place}" if place else "")


def error_text(error: BaseException) -> str:
    """Return the first line of an error's text; with the next one if the first is only its heading."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = " ".join(lines[: 2 if lines and lines[0].endswith(":") else 1])
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def place_in_users_file(error: BaseException) -> str:
    """Return `FILE:LINE` of the last call that is neither of a library nor of this program; empty if there is none."""
    if isinstance(error, SyntaxError) and error.filename and _is_users(error.filename):
        return f"{Path(error.filename).name}:{error.lineno}"
    place, link = "", error.__traceback__
    while link is not None:
        file = link.tb_frame.f_code.co_filename
        if _is_users(file):
            place = f"{Path(file).name}:{link.tb_lineno}"
        link = link.tb_next
    return place


def _is_users(file: str) -> bool:
    if file.startswith("<") or any(part in _LIBRARIES for part in Path(file).parts):
        return False
    return not any(Path(file).is_relative_to(folder) for folder in _NOT_THE_USERS)


def is_out_of_memory(error: BaseException) -> bool:
    """Return True if an allocation failed, on the CPU or on a GPU."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(part in str(error).lower() for part in _MEMORY)


@contextmanager
def guarding(task: str, kind: type[SingError] = SingError) -> Iterator[None]:
    """Turn an error of a user's code into one of this program, of one line.

    Our own errors, signals and failed allocations pass unchanged.

    Args:
        task: Begins the message: the part that failed, such as `mine: the network failed`.
        kind: Class of the error that is raised.
    """
    try:
        yield
    except (SingError, StoppedError, OtherRankError):
        raise
    except (Exception, SystemExit) as error:  # the user's own code may raise anything, and call sys.exit
        if is_out_of_memory(error):
            raise
        raise kind(f"{task} ({describe_error(error)})") from error
