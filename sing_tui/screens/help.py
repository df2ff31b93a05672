"""Help: the keys of the screen below, from its bindings, and what each of its columns means, from the file's schema."""

from typing import TYPE_CHECKING

from rich.text import Text

if TYPE_CHECKING:
    from sing_tui.screens.table import TableScreen

_FILTER_HELP = (
    "cat                      a word in any text column",
    "Cat                      with a capital, case counts",
    "is > 20 and abs(as) < 3  numbers: + - * / abs, and or not, brackets",
    "class ~ cat              text that contains; !~ does not",
    'class = "cat"            text that is; != is not',
    "is_centred > 3           columns by title or by name",
    "accuracy < 90%           shares also as percent",
)


def help_text(about: "TableScreen") -> Text:
    """Keys, filters and columns of a table screen."""
    glyphs = about.explorer.glyphs
    text = Text()
    text.append(f"{about.place.level}: keys and columns", style="bold")
    text.append("    j k scroll, Esc closes\n")
    groups: dict[str, list[str]] = {}
    for keys, binding in about.key_list():
        groups.setdefault(binding.tooltip, []).append(f"  {keys:<13} {binding.description}\n")
    for group, lines in groups.items():
        text.append(f"\n{group}\n", style="bold")
        text.append("".join(lines))
    text.append("\nfilters\n", style="bold")
    text.append("".join(f"  {line}\n" for line in _FILTER_HELP))
    if about.view is not None:
        text.append("\ncolumns\n", style="bold")
        for column in about.view.table.columns:
            unit = "" if column.unit in ("text", "1") else f" [{column.unit}]"
            text.append(f"  {glyphs.text(column.title)}", style="bold")
            text.append(f"  {column.name}{unit}\n      {glyphs.text(column.description)}\n")
    return text
