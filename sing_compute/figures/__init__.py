"""Figures for paper and page, from the numbers of charts and tables alone; drawn by matplotlib, an optional extra.

style, labels → rows, plots, cards → drawing → page_svg, and saving with latex; choosing → contents list the figures of a file.
"""

from sing_compute.errors import SingError


def require_matplotlib() -> None:
    """Check that matplotlib can be imported.

    Raises:
        SingError: It cannot; the message says how to install it.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise SingError(f"figures need matplotlib ({error}); pip install 'sing-explorer[figures]'") from error
