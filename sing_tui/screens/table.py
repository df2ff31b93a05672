"""The table screen: what every key does, and the way from place to place."""

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from textual import on
from textual.binding import Binding, BindingType

from sing_tui.actions import BINDINGS, applies, key_name
from sing_tui.place import Place, measured_classes
from sing_tui.screens.spoken import spoken
from sing_tui.screens.taken import TakingPage
from sing_tui.start import Level
from sing_tui.view import Arrangement, first_direction
from sing_tui.widgets.detail import DetailPane
from sing_tui.widgets.lines import KeyLine, TypingLine
from sing_tui.widgets.score_table import ScoreTable

if TYPE_CHECKING:
    from sing_tui.finder import Hit


class TableScreen(TakingPage):
    """A table of any level, with all its keys (listed in `actions`)."""

    BINDINGS: ClassVar[list[BindingType]] = [*BINDINGS]

    def classes_around(self) -> list[int]:
        """Classes in the order of the class table below this screen, or all measured ones."""
        below = self.app.screen_stack[-2] if len(self.app.screen_stack) > 1 else None
        if isinstance(below, TableScreen) and below.place.level == "classes" and below.view is not None:
            shown = [below.view.identity(line) for line in range(len(below.view))]
            if self.place.model in ("", below.place.model) and self.place.class_index in shown:
                return shown
        return measured_classes(self.store)

    def enter(self, place: Place, *, select: int | None = None) -> None:
        """Open a place above this one; coming back, this screen follows where the user went there."""
        self.app.push_screen(TableScreen(place, select=select, columns=self.columns), self.follow)

    def follow(self, place: Place | None) -> None:
        """Take over model, class and concept from the screen that was just left, where they are rows of this one."""
        here, models = self.place, self.store.models
        if place is None:
            return
        wanted: int | None = None
        if here.level == "models" and here.beside is None:
            wanted = models.index(place.model) if place.model in models else None
        elif here.level == "classes":
            wanted = place.class_index
            if place.level in ("concepts", "images") and place.model != here.model:
                self.place = _of_model(here, place.model)
                self.load(wanted)
                return
        elif here.level == "concepts":
            wanted = place.concept
        line = None if wanted is None or self.view is None else self.view.line_of_identity(wanted)
        if line is not None:
            self.table.go(line)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer a key only on the levels where it means something (Textual asks)."""
        written = f"{action}({parameters[0]!r})" if parameters else action
        return applies(written, self.place.level)

    def key_list(self) -> list[tuple[str, Binding]]:
        """The keys that work at this level and what they do; the user's own where there are some."""
        keys = self.explorer.keys
        found = [binding for binding in BINDINGS if applies(binding.action, self.place.level)]
        return [
            (" ".join(key_name(key.strip()) for key in keys.get(binding.id or "", binding.key).split(",")), binding)
            for binding in found
        ]

    def show_keys(self) -> None:
        """Offer the most useful keys in the lowest line."""
        if self.body != "table":
            keys = (("esc", "back to the table"), ("j k", "other rows"), ("1-7", "pictures"), ("e", "export"))
            self.query_one(KeyLine).offer((*keys, ("?", "help")))
            return
        root = len(self.app.screen_stack) <= 2
        self.query_one(KeyLine).offer(
            tuple(
                (
                    keys.partition(" ")[0] if binding.id in self.explorer.keys else binding.key_display or binding.key,
                    "quit" if binding.action == "leave" and root else binding.description,
                )
                for keys, binding in self.key_list()
                if binding.show
            )
        )

    def action_move(self, step: int) -> None:
        """Move the cursor by lines."""
        self.table.move(step)
        self.status_follows()

    def action_turn(self, share: float) -> None:
        """Move by a share of a page: through the table, or through the details where they fill the screen."""
        if self.body == "detail":
            self.query_one(DetailPane).turn(share)
        else:
            self.table.turn(share)
            self.status_follows()

    def action_go(self, line: int) -> None:
        """Go to a line; -1 is the last one."""
        self.table.go(line if line >= 0 else self.table.lines - 1)
        self.status_follows()

    def action_column(self, step: int) -> None:
        """Move the column cursor."""
        self.table.move_column(step)

    @on(ScoreTable.Chosen)
    @spoken
    def action_choose(self) -> None:
        """Open what the cursor stands on: a model, a class; the details of a concept or an image."""
        identity, place = self.identity, self.place
        if identity is None:
            return
        if place.level == "models" and place.beside is not None:
            self.action_details()
        elif place.level == "models":
            model = self.store.models[identity]
            level: Level = "classes" if place.class_index is None else "concepts"
            self.enter(Place(level, model, place.class_index))
        elif place.level == "classes":
            self.enter(place.to("concepts", class_index=identity), select=place.concept)
        else:
            self.action_details()

    @spoken
    def action_swap(self, level: Level) -> None:
        """Go to the images or the concepts of what the cursor or the screen is about."""
        identity, place = self.identity, self.place
        if place.level == "models":
            if place.beside is not None:
                self.say("these are figures of models: go back and open one")
            elif identity is not None:
                self.enter(Place("images", self.store.models[identity], place.class_index))
        elif place.level == "classes":
            if identity is not None:
                self.enter(place.to("images", class_index=identity))
        elif place.class_index is None:
            self.say("concepts are shown for one class: go back and open a class")
        else:
            self.place = place.to(level, class_index=place.class_index)
            self.load()

    @spoken
    def action_step_class(self, step: int) -> None:
        """Show the next or previous class in place; filter and sort stay."""
        current, beside = self.place.class_index, self.place.beside
        others = () if beside is None else beside.classes[1:]
        classes = [index for index in self.classes_around() if index not in others]
        if current is None or not classes:
            self.say("this table is of all classes: there is no next class")
            return
        at = classes.index(current) if current in classes else -step
        if not 0 <= at + step < len(classes):
            self.say("this is the last class" if step > 0 else "this is the first class")
            return
        if beside is not None and beside.classes:
            beside = replace(beside, classes=(classes[at + step], *others))
        self.place = replace(self.place, class_index=classes[at + step], beside=beside)
        self.load(self.identity if self.place.level != "images" else None)

    @spoken
    def action_step_model(self, step: int) -> None:
        """Show the next or previous model in place."""
        models = self.store.models
        if self.place.model not in models:
            return
        if len(models) == 1:
            self.say("this file holds one model")
            return
        model = models[(models.index(self.place.model) + step) % len(models)]
        self.place = _of_model(self.place, model)
        self.load(self.identity)

    @spoken
    def action_subset(self) -> None:
        """Count the next subset of images."""
        subsets = self.store.subsets
        at = subsets.index(self.place.subset) if self.place.subset in subsets else -1
        self.place = replace(self.place, subset=subsets[(at + 1) % len(subsets)])
        self.load(self.identity)

    def action_back(self) -> None:
        """Close one layer: what is typed, the plot, the filter, what stands beside, then the screen."""
        if self.query_one(TypingLine).purpose:
            self.give_up_typing()
        elif self.body != "table":
            self.show_body("table")
        elif self.arrangement.filter:
            self.action_clear()
        elif self.place.beside is not None and self.place.level != "models" and not self.place.beside.classes:
            self.stand_alone()
        else:
            self.action_up()

    def action_up(self) -> None:
        """Back to the level above."""
        if self.body != "table":
            self.show_body("table")
        elif len(self.app.screen_stack) > 2:
            self.dismiss(self.place)

    async def action_leave(self) -> None:
        """Back to the level above; at the first one, quit."""
        if self.body == "table" and len(self.app.screen_stack) <= 2:
            await self.app.action_quit()
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
        """Give the whole screen to the picture of the row, or back to the table."""
        self.show_picture(None)

    def action_exhibit(self, name: str) -> None:
        """Give the whole screen to a picture of the gallery, or back to the table."""
        self.show_picture(name)

    def show_picture(self, name: str | None) -> None:
        """Fill the screen with a picture; the one that is there already gives way to the table."""
        same = self.body == "plot" and self.picture == name
        self.picture = name
        if self.body != "table":
            self.query_one(DetailPane).show(None, mode="plot")
        self.show_body("table" if same else "plot")

    def show_body(self, body: Literal["table", "detail", "plot"]) -> None:
        """Fill the screen with the table, the details or the plot."""
        self.body = body
        if body != "plot":
            self.picture = None
        self.lay_out()
        self.show_keys()
        if body == "table":
            self.table.focus()

    def action_finder(self) -> None:
        """Find classes, concepts, images and models by name, index or WordNet id."""
        from sing_tui.screens.finder import FinderScreen

        self.app.push_screen(FinderScreen(self.explorer.finder, glyphs=self.glyphs), self.go_to_hit)

    @spoken
    def go_to_hit(self, hit: "Hit | None") -> None:
        """Go where a hit stands: classes of a model, concepts of a class, a concept in all classes, an image in its class."""
        if hit is None:
            return
        model = self.place.model or self.store.model(None)
        if hit.kind == "model":
            self.enter(Place("classes", self.store.models[hit.identity]))
        elif hit.kind == "class":
            self.enter(Place("concepts", model, hit.identity))
        elif hit.kind == "concept":
            self.enter(Place("classes", model, concept=hit.identity))
        else:
            index = int(self.store.offsets.searchsorted(hit.identity, side="right")) - 1
            self.enter(Place("images", model, index), select=hit.identity)

    def action_reload(self) -> None:
        """Open the file again."""
        self.say("reading the file again ...")
        self.explorer.open_file(again=True)

    def action_help(self) -> None:
        """Show keys and columns."""
        from sing_tui.screens.help import HelpScreen

        self.app.push_screen(HelpScreen(self))

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
        glyphs = self.glyphs
        self.app.push_screen(Sheet(word_text(str(first), rows, glyphs), ascii_only=glyphs.ascii_only))

    def action_palette(self) -> None:
        """Offer every command by name."""
        from sing_tui.screens.palette import Palette

        self.app.push_screen(Palette(self), self.run_command)

    async def run_command(self, action: str | None) -> None:
        """Run what was chosen in the palette."""
        if action is None:
            return
        if action.isdecimal():
            self.table.go(int(action) - 1)
        else:
            await self.run_action(action)


def _of_model(place: Place, model: str) -> Place:
    """The same table of another model; what stands side by side is compared with it."""
    beside = place.beside
    if beside is not None and beside.models:
        beside = replace(beside, models=(model, *(name for name in beside.models if name != model)))
    return replace(place, model=model, beside=beside)
