"""Lines of several styles in few bytes: between two segments only the colours that change are sent."""

from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style
from textual.strip import Strip

_SYSTEMS = {"standard": ColorSystem.STANDARD, "256": ColorSystem.EIGHT_BIT, "truecolor": ColorSystem.TRUECOLOR}


class ThriftyStrip(Strip):
    """A strip that a terminal shows as any other one, sent in fewer bytes.

    Textual resets all attributes behind each segment. On a table line of three coloured cells that is most of its bytes.
    """

    __slots__ = ()

    def render(self, console: Console) -> str:
        """Render the strip into terminal sequences.

        Args:
            console: The console; its colour system counts.

        Returns:
            The text with its sequences, all attributes reset at the end.
        """
        system = _SYSTEMS.get(console.color_system or "", ColorSystem.TRUECOLOR)
        parts: list[str] = []
        last: Style | None = None
        for text, style, _ in self:
            if style is None or style.link:
                if last is not None:
                    parts.append("\x1b[0m")
                parts.append(text if style is None else self.render_style(style, text, system))
                last = None
                continue
            if style != last:
                parts.append(_change(last, style, system))
                last = style
            parts.append(text)
        if last is not None:
            parts.append("\x1b[0m")
        return "".join(parts)


def _change(last: Style | None, style: Style, system: ColorSystem) -> str:
    """Return the sequence from one style to another; from None it is that of the whole style."""
    if last is None or last.without_color != style.without_color or style.color is None or style.bgcolor is None:
        whole = Strip.render_ansi(style, system)
        return f"\x1b[{whole if last is None else ';'.join(filter(None, ('0', whole)))}m"
    codes: list[str] = []
    if last.color != style.color:
        codes += style.color.downgrade(system).get_ansi_codes()
    if last.bgcolor != style.bgcolor:
        codes += style.bgcolor.downgrade(system).get_ansi_codes(foreground=False)
    return f"\x1b[{';'.join(codes)}m"
