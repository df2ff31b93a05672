"""Reading of photographs in threads: the image file of a row drawn for its room, its figures, and what is near to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from textual.strip import Strip

from sing_compute.formats import Glyphs
from sing_compute.store import Store, catalogue
from sing_compute.store.pictures import Picture, read_pair
from sing_compute.store.place import Place
from sing_compute.store.read import located
from sing_tui import photographs
from sing_tui.captions import Figure, figures
from sing_tui.error_reporting import in_one_line
from sing_tui.photographs.files import Source
from sing_tui.photographs.pictures import angle_text, pairs_of_row, picture_of_row, titles
from sing_tui.screens.terminal_drawing import TerminalDrawing, cell_pixels
from sing_tui.view import View
from sing_tui.widgets.photograph_room import ACROSS
from sing_tui.widgets.photographs import Rendering

Rows = tuple[tuple[Rendering, ...], ...]
_NOTE = 0.6
"""Width over height of the room for a note in the place of a photograph."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PhotographReader:
    """Draws the photographs of the rows of one table; whatever a damaged file leads to is said in its place."""

    store: Store
    place: Place
    view: View | None
    """The table, for the figures of a row; None for none."""
    glyphs: Glyphs
    folder: Path | None
    """Folder of the photographs on this machine."""
    terminal: TerminalDrawing

    def file_name(self, row: int) -> str:
        """Return the name of a row's photograph.

        Raises:
            StoreError: The file is damaged.
        """
        labels = catalogue.axis(catalogue.table(self.place.table).rows).labels
        return str(self.store.dataset(located(labels, self.place))[row])

    def ratio(self, row: int) -> float:
        """Return width over height of a row's photograph; where it cannot be read, that of a narrow note."""
        try:
            width, height = photographs.size_of(photographs.locate(self.store, self.file_name(row), self.folder))
            return width / height
        except Exception:  # it is said in the place of the photograph
            return _NOTE

    def figures(self, row: int) -> list[Figure]:
        """Return every figure of a row in words; none where the file is damaged."""
        try:
            line = None if self.view is None else self.view.line_of(row)
            return [] if self.view is None or line is None else figures(self.view, line, self.glyphs)
        except Exception:  # the photograph is shown without them
            return []

    def rendered(
        self,
        row: int,
        width: int,
        height: int,
        colors: photographs.Colors,
        how: photographs.Graphics,
        *,
        brief: bool = False,
        number: int = 0,
        stored: bool = False,
    ) -> Rendering:
        """Draw the photograph of a row.

        Args:
            row: Position of the row on its axis.
            width: Cells across.
            height: Lines; without any only the name is read.
            colors: The colours that the terminal has.
            how: The way of drawing.
            brief: Say without its path why a photograph cannot be shown.
            number: Number of the photograph among those that Kitty's protocol draws on the screen.
            stored: Draw the picture that the row itself is, if it is one that the results file holds.
        """
        name = "-"
        try:
            name = self.file_name(row)
            if height < 1:
                return Rendering(name)
            found = picture_of_row(self.store, self.place, row) if stored else None
            path: Source = photographs.locate(self.store, name, self.folder) if found is None else found
            if how == "cells":
                drawn = photographs.half_cells(path, width, height, colors=colors, ascii_only=self.glyphs.ascii_only)
                return Rendering(name, tuple(Strip(line) for line in drawn))
            wide = photographs.fitted(photographs.size_of(path), width, 2 * height)[0]
            if how == "kitty":
                sequence = photographs.kitty(path, width, height, tmux=self.terminal.tmux, number=number)
            else:
                sequence = photographs.sixel(path, width, height, cell_pixels())
            return Rendering(name, sequence=sequence, width=wide)
        except Exception as error:  # whatever a damaged file leads to is said in its place
            note = in_one_line(error)
            return Rendering(name, note=note.rpartition(name)[2].strip() or note if brief else note)

    def neighbours(self, path: str, row: int) -> list[int]:
        """Return the rows that a dataset names as near to a row."""
        try:
            return [int(found) for found in self.store.dataset(path)[row]][:ACROSS] if path in self.store else []
        except Exception:  # a damaged file: there are no neighbours to show
            return []

    def pairs(self, row: int) -> list[int]:
        """Return the pairs of pictures of the image of a row."""
        try:
            return pairs_of_row(self.store, self.place, row)
        except Exception:  # a damaged file: there are no pictures to show
            return []

    def pictures(self, pair: int, width: int, height: int, colors: photographs.Colors) -> tuple[Sequence[str], Rows]:
        """Draw the pictures of a pair, those of T(f) in the first row, with the title of each row; without height only names."""
        try:
            found = read_pair(self.store, str(self.place.key("model")), pair)
        except Exception as error:  # whatever a damaged file leads to is said in its place
            return ("pictures", ""), ((Rendering(note=in_one_line(error)),), ())
        rows = [
            tuple(self._picture(each, width, height, colors) for each in pictures[:ACROSS])
            for pictures in (found.before, found.after)
        ]
        return titles(found, self.glyphs.degree), tuple(rows)

    def _picture(self, picture: Picture, width: int, height: int, colors: photographs.Colors) -> Rendering:
        name = picture.nearest or f"seed {picture.seed}: {angle_text(picture.back, self.glyphs.degree, digits=0)}"
        if height < 1:
            return Rendering(name)
        try:
            drawn = photographs.half_cells(
                picture.jpeg, width, height, colors=colors, ascii_only=self.glyphs.ascii_only
            )
            return Rendering(name, tuple(Strip(line) for line in drawn))
        except Exception as error:  # whatever a damaged file leads to is said in its place
            return Rendering(name, note=in_one_line(error))
