"""The place of the user and the effect of the keys there: frozen states and functions from state to state. No Textual.

`state` holds the data, `catalog` what the functions ask about a file; `moves`, `comparison` and `arranging` are the keys,
`lookup` is what a command line names, `route` the way to a place, `names` the words for it. Each function returns a new
`Session`, or raises `Refused` with one line for the status bar.
"""

from sing_tui.session.state import CONTENTS, Refused, Session, Visit

__all__ = ["CONTENTS", "Refused", "Session", "Visit"]
