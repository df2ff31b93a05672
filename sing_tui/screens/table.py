"""The table screen: what every key does, and the way from place to place."""

from dataclasses import replace
from typing import ClassVar, Literal

from textual import on
from textual.binding import Binding, BindingType

from sing_compute.store.text import clean
from sing_tui.actions import BINDINGS, applies, key_name
from sing_tui.place import Level, Place, measured_classes
from sing_tui.screens.spoken import spoken
from sing_tui.screens.typed import TypingPage
from sing_tui.view import Arrangement, first_direction
from sing_tui.widgets.detail import DetailPane
from sing_tui.widgets.lines import KeyLine, TypingLine
from sing_tui.widgets.score_table import ScoreTable


class TableScreen(TypingPage):
    """A table of any level, with all its keys (listed in `actions`)."""

    BINDINGS: ClassVar[list[BindingType]] = [*BINDINGS]

    def classes_around(self) -> list[int]:
        """Classes in the order of the class table below this screen, or all measured ones."""
        below = self.app.screen_stack[-2] if len(self.app.screen_stack) > 1 else None
        if isinstance(below, TableScreen) and below.place.level == "classes" and below.view is not None:
            shown = [below.view.identity(line) for line in range(len(below.view))]
            if below.place.model == self.place.model and self.place.class_index in shown:
                return shown
        return measured_classes(self.explorer.store) if self.explorer.store is not None else []

    def enter(self, place: Place) -> None:
        """Open a place above this one; coming back, this screen follows where the user went there."""
        self.app.push_screen(TableScreen(place), self.follow)

    def follow(self, place: Place | None) -> None:
        """Take over model and class from the screen that was just left."""
        store = self.explorer.store
        if place is None or store is None:
            return
        if self.place.level == "models":
            wanted = store.models.index(place.model) if place.model in store.models else None
        else:
            wanted = place.class_index
            if place.model != self.place.model:
                self.place = self.place.to("classes", model=place.model)
                self.load(wanted)
                return
        line = None if wanted is None or self.view is None else self.view.line_of_identity(wanted)
        if line is not None:
            self.table.go(line)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer a key only on the levels where it means something (Textual asks)."""
        written = f"{action}({parameters[0]!r})" if parameters else action
        return applies(written, self.place.level)

    def key_list(self) -> list[tuple[str, Binding]]:
        """The keys that work at this level and what they do, in the order of the bindings."""
        found = [binding for binding in BINDINGS if applies(binding.action, self.place.level)]
        return [(" ".join(key_name(key) for key in binding.key.split(",")), binding) for binding in found]

    def show_keys(self) -> None:
        """Offer the most useful keys in the lowest line."""
        root = len(self.app.screen_stack) <= 2
        self.query_one(KeyLine).offer(
            tuple(
                (
                    binding.key_display or binding.key,
                    "quit" if binding.action == "leave" and root else binding.description,
                )
                for _, binding in self.key_list()
                if binding.show
            )
        )

    def action_move(self, step: int) -> None:
        """Move the cursor by lines."""
        self.table.move(step)

    def action_turn(self, share: float) -> None:
        """Move by a share of a page: through the table, or through the details where they fill the screen."""
        if self.body == "detail":
            self.query_one(DetailPane).turn(share)
        else:
            self.table.turn(share)

    def action_go(self, line: int) -> None:
        """Go to a line; -1 is the last one."""
        self.table.go(line if line >= 0 else self.table.lines - 1)

    def action_column(self, step: int) -> None:
        """Move the column cursor."""
        self.table.move_column(step)

    @on(ScoreTable.Chosen)
    def action_choose(self) -> None:
        """Open what the cursor stands on: a model, a class; the details of a concept or an image."""
        identity, store = self.identity, self.explorer.store
        if identity is None or store is None:
            return
        if self.place.level == "models":
            self.enter(self.place.to("classes", model=store.models[identity]))
        elif self.place.level == "classes":
            self.enter(self.place.to("concepts", class_index=identity))
        else:
            self.action_details()

    def action_swap(self, level: Level) -> None:
        """Go to the images or the concepts of what the cursor or the screen is about."""
        identity, store = self.identity, self.explorer.store
        if store is None:
            return
        if self.place.level == "models":
            if identity is not None:
                self.enter(self.place.to("images", model=store.models[identity]))
        elif self.place.level == "classes":
            if identity is not None:
                self.enter(self.place.to("images", class_index=identity))
        elif self.place.class_index is None:
            self.say("concepts are shown for one class: go back and open a class")
        else:
            self.place = self.place.to(level, class_index=self.place.class_index)
            self.load()

    @spoken
    def action_step_class(self, step: int) -> None:
        """Show the next or previous class in place; filter and sort stay."""
        classes, current = self.classes_around(), self.place.class_index
        if current is None or not classes:
            self.say("these are the images of all classes: there is no next class")
            return
        at = classes.index(current) if current in classes else -step
        if not 0 <= at + step < len(classes):
            self.say("this is the last class" if step > 0 else "this is the first class")
            return
        self.place = replace(self.place, class_index=classes[at + step])
        self.load(self.identity if self.place.level == "concepts" else None)

    def action_step_model(self, step: int) -> None:
        """Show the next or previous model in place."""
        store = self.explorer.store
        if store is None or self.place.model not in store.models:
            return
        if len(store.models) == 1:
            self.say("this file holds one model")
            return
        at = (store.models.index(self.place.model) + step) % len(store.models)
        self.place = replace(self.place, model=store.models[at])
        self.load(self.identity)

    @spoken
    def action_subset(self) -> None:
        """Count the next subset of images."""
        if self.explorer.store is not None:
            subsets = self.explorer.store.subsets
            at = subsets.index(self.place.subset) if self.place.subset in subsets else -1
            self.place = replace(self.place, subset=subsets[(at + 1) % len(subsets)])
            self.load(self.identity)

    def action_back(self) -> None:
        """Close one layer: what is typed, the plot, the filter, then the screen."""
        if self.query_one(TypingLine).purpose:
            self.give_up_typing()
        elif self.body != "table":
            self.show_body("table")
        elif self.arrangement.filter:
            self.action_clear()
        else:
            self.action_up()

    def action_up(self) -> None:
        """Back to the level above."""
        if self.body != "table":
            self.show_body("table")
        elif len(self.app.screen_stack) > 2:
            self.dismiss(self.place)

    def action_leave(self) -> None:
        """Back to the level above; at the first one, quit."""
        if self.body == "table" and len(self.app.screen_stack) <= 2:
            self.app.exit()
        else:
            self.action_up()

    def action_sort(self) -> None:
        """Sort by the column under the cursor; once more turns it round."""
        if self.view is None or not self.table.columns:
            return
        column = self.table.columns[self.table.column]
        same = column.name == self.arrangement.sort
        falling = not self.arrangement.descending if same else first_direction(column)
        self.rearrange(replace(self.arrangement, sort=column.name, descending=falling))

    @on(ScoreTable.SortAsked)
    def sort_by_click(self) -> None:
        """A click on a header sorts like the key."""
        self.action_sort()

    def action_reverse(self) -> None:
        """Turn the sort round."""
        if self.arrangement.sort:
            self.rearrange(replace(self.arrangement, descending=not self.arrangement.descending))
        else:
            self.say("nothing is sorted: choose a column with the arrow keys, then s")

    def action_unsort(self) -> None:
        """Back to the order of the file."""
        self.rearrange(Arrangement(self.arrangement.filter))

    def action_clear(self) -> None:
        """Drop the filter."""
        self.rearrange(replace(self.arrangement, filter=""))

    def action_details(self) -> None:
        """Step through the ways to see details: beside the table, alone, not at all."""
        if not self.wide:
            self.show_body("table" if self.body == "detail" else "detail")
        elif self.body == "detail":
            self.beside = False
            self.show_body("table")
        elif self.beside and self.body == "table":
            self.show_body("detail")
        else:
            self.beside = True
            self.show_body("table")

    def action_plot(self) -> None:
        """Give the whole screen to the plot, or back to the table."""
        self.show_body("table" if self.body == "plot" else "plot")

    def show_body(self, body: Literal["table", "detail", "plot"]) -> None:
        """Fill the screen with the table, the details or the plot."""
        self.body = body
        self.lay_out()
        if body == "table":
            self.table.focus()

    @spoken
    def action_copy(self) -> None:
        """Send the row to the terminal's clipboard."""
        if self.view is None or not len(self.view):
            return
        row = self.view.order[self.table.cursor : self.table.cursor + 1]
        text = "\t".join(clean(str(column.values.take(row)[0])) for column in self.view.table.columns)
        self.app.copy_to_clipboard(text)
        self.say(f"copied {len(text.encode())} bytes through the terminal (OSC 52); if nothing arrives, use e")

    def action_reload(self) -> None:
        """Open the file again."""
        self.explorer.open_file(again=True)

    def action_help(self) -> None:
        """Show keys and columns."""
        from sing_tui.screens.help import help_text
        from sing_tui.screens.sheet import Sheet

        self.app.push_screen(Sheet(help_text(self), ascii_only=self.explorer.glyphs.ascii_only))

    @spoken
    def action_words(self) -> None:
        """Say every number of the row in words, the one under the cursor first."""
        if self.view is None or not len(self.view) or not self.table.columns:
            self.say("there is no row to put into words")
            return
        from sing_tui.screens.sheet import Sheet
        from sing_tui.words import told, word_text

        rows, chosen = told(self.view, self.table.cursor), self.table.columns[self.table.column].name
        rows.sort(key=lambda row: row.column.name != chosen)
        first = self.view.table.columns[0].values.take(self.view.order[self.table.cursor : self.table.cursor + 1])[0]
        glyphs = self.explorer.glyphs
        self.app.push_screen(Sheet(word_text(str(first), rows, glyphs), ascii_only=glyphs.ascii_only))

    def action_palette(self) -> None:
        """Offer every command by name."""
        from sing_tui.screens.palette import Palette

        self.app.push_screen(Palette(self), self.run_command)

    async def run_command(self, action: str | None) -> None:
        """Run what was chosen in the palette."""
        if action is not None:
            await self.run_action(action)
