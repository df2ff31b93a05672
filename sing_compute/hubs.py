"""Model hubs within reach or not: found out once, within seconds, without the retries of huggingface_hub and their lines."""

import functools
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.error import URLError
from urllib.parse import urlsplit

SECONDS = 5.0
"""Longest wait for a sign of life, and for any other server once the hub gave none."""


@functools.cache
def unreachable() -> str:
    """Why the hub does not answer; empty where it does. Proxies, certificates and HF_ENDPOINT count as in a download."""
    from huggingface_hub import constants, get_session

    outcome: list[str] = []

    def ask() -> None:
        try:
            get_session().head(constants.ENDPOINT, timeout=SECONDS)
            outcome.append("")
        except Exception as error:  # every layer below a request has its own types
            outcome.append(first_line(error))

    asking = threading.Thread(target=ask, daemon=True)  # a name server that is silent has no timeout of its own
    asking.start()
    asking.join(SECONDS)
    return outcome[0] if outcome else f"no answer within {SECONDS:.0f} s"


@contextmanager
def hub_access(*, wanted: bool = True) -> Iterator[None]:
    """Load from the hub in here. Where it cannot be reached its cache alone is used, and what is not in it fails at once.

    Args:
        wanted: Whether what is loaded may lie on the hub; otherwise nobody is asked.
    """
    from huggingface_hub import constants

    offline, silent, timeout = constants.HF_HUB_OFFLINE, logging.root.manager.disable, socket.getdefaulttimeout()
    logging.disable(logging.ERROR)  # what is logged on the way to an exception is told by the exception
    if wanted and not offline and unreachable():
        constants.HF_HUB_OFFLINE = True
        socket.setdefaulttimeout(SECONDS)
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = offline
        logging.disable(silent)
        socket.setdefaulttimeout(timeout)


def no_connection(error: BaseException) -> str:
    """Why something on a hub cannot be had, if a missing connection is the reason; empty for every other error."""
    from huggingface_hub import constants
    from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled

    link: BaseException | None = error
    while link is not None:
        if isinstance(link, LocalEntryNotFoundError | OfflineModeIsEnabled):
            if constants.HF_HUB_OFFLINE:
                why = "HF_HUB_OFFLINE is set"
            else:
                why = f"{urlsplit(constants.ENDPOINT).hostname} cannot be reached: {unreachable() or first_line(error)}"
            return f"{why}, and it is not in the cache {constants.HF_HUB_CACHE}"
        if isinstance(link, URLError | TimeoutError):
            return first_line(link)
        link = link.__cause__ or link.__context__
    return ""


def first_line(error: BaseException) -> str:
    """The first line of what went wrong; its type where it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]
