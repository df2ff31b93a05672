"""Marks, and what is put side by side: models in one column, classes by their concepts, one class or concept across the file."""

from dataclasses import replace

from sing_tui.place import MEASURE, Beside, Place
from sing_tui.screens.spoken import spoken
from sing_tui.screens.typed import TypingPage

_NO_MEASURE = ("index", "count")
"""Numbers that are the same in every model."""


class ComparePage(TypingPage):
    """A page whose rows can be marked, and whose table can stand beside that of other models or classes."""

    def action_mark(self) -> None:
        """Mark or unmark the row, and step down."""
        identity = self.identity
        if identity is None:
            return
        self.marks ^= {identity}
        self.table.repaint(self.table.cursor)
        if self.table.cursor == self.table.lines - 1:
            self.draw_status()
        self.table.move(1)

    def action_unmark(self) -> None:
        """Clear all marks."""
        self.marks.clear()
        self.table.refresh()
        self.draw_status()

    def models_to_compare(self, first: str) -> tuple[str, ...]:
        """The models that were marked, or all; `first` in front, the others are compared with it."""
        store, marks = self.store, self.explorer.tables[0].marks
        chosen = [store.models[k] for k in sorted(marks) if k < len(store.models)] if len(marks) > 1 else store.models
        return (first, *(name for name in chosen if name != first))

    @spoken
    def action_beside(self) -> None:
        """Put models, or the marked classes, side by side in the column under the cursor; once more goes back."""
        place, store = self.place, self.store
        if place.beside is not None:
            self.stand_alone()
        elif place.level == "classes" and len(self.marks) > 1:
            classes = tuple(sorted(self.marks))
            beside = Beside(MEASURE["concepts"], classes=classes)
            self.enter(Place("concepts", place.model, classes[0], beside=beside))
        elif len(store.models) < 2:
            self.say("this file holds one model; mark two classes (space) to compare their concepts")
        elif place.level == "models":
            if place.class_index is not None or self.identity is None:
                self.say("here the models stand below one another: go back for all their figures side by side")
            else:
                first = store.models[self.identity]
                models = self.models_to_compare(first)
                self.enter(Place("models", first, beside=Beside("", models)))
        elif place.concept is not None:
            self.say("one concept is shown in all classes: go back to compare models")
        else:
            measure = self.column_under_cursor() or MEASURE[place.level]
            self.stand_beside(measure, Beside(models=self.models_to_compare(place.model)))

    def stand_beside(self, measure: str, beside: Beside) -> None:
        """Put models or classes side by side; a table that is sorted is sorted by what is compared."""
        arrangement = self.arrangement
        sort = measure if arrangement.sort else ""
        self.arrangements[self.place.level] = replace(arrangement, sort=sort)
        self.go_to(replace(self.place, beside=replace(beside, measure=measure)))

    def column_under_cursor(self) -> str:
        """The name of the numeric column under the cursor; empty for text."""
        columns = self.table.columns
        if not columns or columns[self.table.column].is_text:
            return ""
        name = columns[self.table.column].name
        return "" if name in _NO_MEASURE else name

    def stand_alone(self) -> None:
        """Back to the plain table; a screen that was opened for the comparison closes."""
        if self.place.level == "models" or (self.place.beside is not None and self.place.beside.classes):
            self.dismiss(self.place.plain)
            return
        self.go_to(self.place.plain)

    @spoken
    def action_measure(self, step: int) -> None:
        """Compare in the next or previous numeric column of the plain table."""
        beside = self.place.beside
        if beside is None or not beside.measure:
            here = "nothing stands side by side here: = puts models beside one another"
            self.say(here if beside is None else "all figures of these models stand here already")
            return
        from sing_tui.place import open_table

        plain = open_table(self.store, self.place.plain)
        names = [column.name for column in plain.columns if not column.is_text and column.name not in _NO_MEASURE]
        ends = {end for column in plain.columns for end in column.interval or ()}
        names = [name for name in names if name not in ends]
        at = (names.index(beside.measure) + step) % len(names) if beside.measure in names else 0
        self.stand_beside(names[at], beside)

    @spoken
    def action_across(self) -> None:
        """One class in all models, or one concept in all classes."""
        identity, place = self.identity, self.place
        if identity is None:
            return
        if place.level == "classes":
            if place.concept is not None:
                self.enter(place.to("concepts", class_index=identity), select=place.concept)
            else:
                here = self.store.models.index(place.model) if place.model in self.store.models else None
                self.enter(Place("models", "", identity, place.subset), select=here)
        elif place.level == "concepts":
            self.enter(Place("classes", place.model, concept=identity), select=place.class_index)

    @spoken
    def action_step_concept(self, step: int) -> None:
        """The next or previous concept in place."""
        if self.place.level == "concepts":
            self.table.move(step)
            return
        concept = self.place.concept
        if concept is None:
            self.say("these are all concepts taken together: open a class, or choose one with a")
        elif not 0 <= concept + step < len(self.store.concept_names):
            self.say("this is the last concept" if step > 0 else "this is the first concept")
        else:
            self.place = replace(self.place, concept=concept + step)
            self.load(self.identity)

    def go_to(self, place: Place) -> None:
        """Show another table in place; the cursor stays on its item."""
        same = place.level == self.place.level
        self.place = place
        self.load(self.identity if same else None)

    def enter(self, place: Place, *, select: int | None = None) -> None:
        """Open a place above this one, the cursor on an item."""
        raise NotImplementedError
