"""The report of a results file: one page of HTML that needs nothing else, from its tables, charts and figures alone.

glossary → tables → facts → inline_svg, provenance, class_findings → findings →
chapters, word_findings, run_warnings → page, which renders the template and writes the file.
"""

from sing_compute.errors import SingError


def require_extra() -> None:
    """Check that the packages that a report needs can be imported.

    Raises:
        SingError: One cannot; the message says how to install it.
    """
    try:
        import jinja2  # noqa: F401
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise SingError(
            f"a report needs Jinja2 and matplotlib ({error}); pip install 'sing-explorer[figures]'"
        ) from error
