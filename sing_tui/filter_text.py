"""The text of a filter, without any table: plain words or an expression, and two filters in one. No numpy."""

import re

_EXPRESSION = re.compile(r"[<>=~()\"]|(^|\s)(and|or|not)\s", re.IGNORECASE)
"""Signs of an expression: without them a filter is plain words."""


def is_expression(text: str) -> bool:
    """Return True if a filter is an expression, False if it is plain words."""
    return _EXPRESSION.search(text) is not None


def narrowed(text: str, condition: str) -> str:
    """Return the filter that keeps the rows which pass a filter and a condition.

    Args:
        text: The filter; it may be empty.
        condition: The condition, without `or` outside brackets.
    """
    text = text.strip()
    if not text:
        return condition
    return f"({text}) and {condition}" if is_expression(text) else f'"{text}" and {condition}'
