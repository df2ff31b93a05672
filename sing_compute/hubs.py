"""Find out once, within seconds, if the model hub can be reached: huggingface_hub alone retries for minutes."""

import functools
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.error import URLError
from urllib.parse import urlsplit

SECONDS = 5.0
"""Longest wait for the hub, and for any other server if the hub does not answer."""


@functools.cache
def why_unreachable() -> str:
    """Return why the hub does not answer, or an empty text; proxies, certificates and HF_ENDPOINT are used as in downloads."""
    from huggingface_hub import constants, get_session

    outcome: list[str] = []

    def ask() -> None:
        try:
            get_session().head(constants.ENDPOINT, timeout=SECONDS)
            outcome.append("")
        except Exception as error:  # every layer of a request raises its own types
            outcome.append(first_line(error))

    thread = threading.Thread(target=ask, daemon=True)  # in a thread: a name server that does not answer has no timeout
    thread.start()
    thread.join(SECONDS)
    return outcome[0] if outcome else f"no answer within {SECONDS:.0f} s"


NOT_ASKED = "the hub is not asked for what only a results file names"
_cached_alone = False


@contextmanager
def cache_alone(alone: bool) -> Iterator[None]:
    """Load nothing from any server while the block runs, but what is in a cache.

    Args:
        alone: False to do nothing.
    """
    global _cached_alone

    def refuse(*arguments: object, **options: object) -> list[object]:
        raise socket.gaierror(socket.EAI_FAIL, NOT_ASKED)

    before, look_up = _cached_alone, socket.getaddrinfo
    _cached_alone |= alone
    if alone:
        socket.getaddrinfo = refuse  # type: ignore[assignment]
    try:
        yield
    finally:
        _cached_alone, socket.getaddrinfo = before, look_up


@contextmanager
def hub_access(*, wanted: bool = True) -> Iterator[None]:
    """Load from the hub while the block runs. If it cannot be reached, only its cache is used, and anything else fails at once.

    Args:
        wanted: False if nothing that is loaded can be on the hub; the hub is then not asked.
    """
    from huggingface_hub import constants

    offline, silent, timeout = constants.HF_HUB_OFFLINE, logging.root.manager.disable, socket.getdefaulttimeout()
    logging.disable(logging.ERROR)  # the exception will say what is logged on the way to it
    if _cached_alone or (wanted and not offline and why_unreachable()):
        constants.HF_HUB_OFFLINE = True
        socket.setdefaulttimeout(SECONDS)
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = offline
        logging.disable(silent)
        socket.setdefaulttimeout(timeout)


def connection_problem(error: BaseException) -> str:
    """Return why something cannot be loaded from a hub, if the connection is the reason; an empty text for any other error.

    Args:
        error: The error that was raised while loading.
    """
    from huggingface_hub import constants
    from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled

    link: BaseException | None = error
    while link is not None:
        if isinstance(link, LocalEntryNotFoundError | OfflineModeIsEnabled):
            if _cached_alone:
                reason = NOT_ASKED
            elif constants.HF_HUB_OFFLINE:
                reason = "HF_HUB_OFFLINE is set"
            else:
                reason = f"{urlsplit(constants.ENDPOINT).hostname} cannot be reached: {why_unreachable() or first_line(error)}"
            return f"{reason}, and it is not in the cache {constants.HF_HUB_CACHE}"
        if isinstance(link, URLError | TimeoutError):
            return first_line(link)
        link = link.__cause__ or link.__context__
    return ""


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message; the name of its type if it has none."""
    return (str(error).splitlines() or [type(error).__name__])[0]
