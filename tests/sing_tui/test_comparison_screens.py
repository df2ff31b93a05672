"""Marks and comparisons on the screen: models, classes, one class or one concept across the file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from catalogs import place
from driving import AT, arrangement_of, drawn, lines, numbers, on_screen, places, press, shown, status, wish

from sing_compute.store import Store
from sing_compute.store.place import Comparison
from sing_tui.app import Explorer
from sing_tui.start import Start

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("soon")]

MODELS = ("alpha", "beta", "gamma")
SIZE = (99, 30)
"""Room for all columns that are compared, and none for details beside them."""


def marked(app: Explorer) -> list[str]:
    """The first words of the lines that bear a mark."""
    sign = app.glyphs.mark
    return [line[1:].split("  ")[0].strip() for line in lines(app)[3:-2] if line.startswith(sign)]


# marks


async def test_space_marks_and_steps_down_and_u_clears(three_path: Path) -> None:
    app = Explorer(three_path, AT["concepts"], ascii_only=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await press(pilot, "o", "g", "space", "down", "space")
        assert marked(app) == ["concept 0", "concept 2"]
        assert app.screen.table.cursor == 3
        assert "2 marked" in status(app)
        await press(pilot, "up", "space")
        assert marked(app) == ["concept 0"]
        await press(pilot, "G", "space")
        assert app.screen.table.cursor == 23
        assert app.page.session.here.marks == (0, 23)
        assert "2 marked" in status(app)
        await press(pilot, "right", "s", "f", *"concept ~ 23", "enter")
        assert marked(app) == ["concept 23"]
        await press(pilot, "F", "right_square_bracket", "u")
        assert marked(app) == []
        assert "marked" not in status(app)
        assert on_screen(app).isascii()


# side by side


async def test_values_differences_and_rank_changes_are_painted(three_path: Path) -> None:
    """`tests/store/comparison` has the numbers of every table."""
    with Store(three_path) as store:
        known = [store.array(f"models/{model}/concepts/attribute_score")[1].astype(float) for model in MODELS]
        names = store.concept_names
    app = Explorer(three_path, Start(wish("concepts", class_="dog", compare="attribute_score")))
    async with app.run_test(size=(220, 40)) as pilot:
        await drawn(app)
        await press(pilot, "d", "d", "o")
        await drawn(app)
        for row, name in enumerate(names):
            first, second, third = (values[row] for values in known)
            expected = [first, second, third, second - first, third - first]
            expected += [places(known[0])[row] - places(values)[row] for values in known[1:]]
            assert numbers(app, str(name))[-7:] == pytest.approx(expected, abs=0.0051)


async def test_figures_stand_beside_one_another_with_intervals_and_differences(three_path: Path) -> None:
    app = Explorer(three_path)
    async with app.run_test(size=SIZE) as pilot:
        await drawn(app)
        await press(pilot, "down", "equals_sign")
        assert app.screen.place == replace(
            place("models"), comparison=Comparison("model", ("beta", "alpha", "gamma"), "")
        )
        assert "figures of 3 models" in lines(app)[0]
        with Store(three_path) as store:
            figures = [store.summary(model) for model in ("beta", "alpha", "gamma")]
        names = app.screen.view.table.column("name").values.all().tolist()
        for name in ("image_score", "nullity", "null_energy", "r_squared", "flips"):
            row = names.index(name)
            values = [shown(app, f"value.{model}")[0][row] for model in ("beta", "alpha", "gamma")]
            assert values == pytest.approx([float(figure[name]) for figure in figures])
            for model, value in zip(("alpha", "gamma"), values[1:], strict=True):
                assert shown(app, f".{model}.difference")[0][row] == pytest.approx(value - values[0])
        line = next(line for line in lines(app) if line.startswith(" IS "))
        assert f" {figures[1]['image_score']:.3f} " in line
        await press(pilot, "enter")
        assert app.page.session.here.body == "details"
        await press(pilot, "escape", "i")
        assert "figures of models" in status(app)
        await press(pilot, "full_stop")
        assert "all figures of these models are here already" in status(app)
        await press(pilot, "escape")
        assert app.screen.place == place("models")
        assert app.screen.identity == 1


async def test_one_layer_back_is_the_plain_table_with_the_same_row_and_sort(three_path: Path) -> None:
    app = Explorer(three_path, AT["images"])
    async with app.run_test(size=SIZE) as pilot:
        await drawn(app)
        screen, plain, depth = app.screen, app.screen.place, len(app.page.session.visits)
        await press(pilot, "down", "right", "right", "s")
        item, measure = screen.identity, arrangement_of(app).sort
        for key in ("equals_sign", "escape"):
            await press(pilot, "equals_sign")
            assert len(app.page.session.visits) == depth
            assert screen.place.comparison == Comparison("model", MODELS, measure)
            assert (screen.identity, arrangement_of(app).sort) == (item, f"{measure}.alpha")
            await press(pilot, key)
            assert len(app.page.session.visits) == depth
            assert (screen.place, screen.identity, arrangement_of(app).sort) == (plain, item, measure)


async def test_two_classes_of_one_model_by_their_concepts(three_path: Path) -> None:
    app = Explorer(three_path, AT["classes"])
    async with app.run_test(size=SIZE) as pilot:
        await drawn(app)
        await press(pilot, "down", "space", "space", "equals_sign")
        assert app.screen.place == replace(
            place("concepts", model="alpha", class_=1), comparison=Comparison("class", (1, 2), "attribute_score")
        )
        assert "AS of 2 classes, by concepts" in lines(app)[0]
        with Store(three_path) as store:
            score = store.array("models/beta/concepts/attribute_score").astype(float)
        await press(pilot, "right_curly_bracket", "left_square_bracket")
        assert app.screen.place.comparison.items == (0, 2)
        assert shown(app, "owl.difference")[0] == pytest.approx(score[2] - score[0], abs=1e-6)
        await press(pilot, "right_square_bracket", "right_square_bracket")  # owl stands there already
        assert "last class" in status(app)
        await press(pilot, "full_stop")
        assert app.screen.place.comparison == Comparison("class", (1, 2), "attribute_score_abs")
        await press(pilot, "comma", "escape")
        assert (app.page.place, app.page.identity, app.page.session.here.marks) == (
            place("classes", model="beta"),
            1,
            (1, 2),
        )


async def test_model_class_and_concept_step_in_place_and_the_comparison_stays(three_path: Path) -> None:
    app = Explorer(three_path, AT["concepts"])
    async with app.run_test(size=SIZE) as pilot:
        await drawn(app)
        await press(pilot, "equals_sign", "down")
        item, measure = app.screen.identity, app.screen.place.comparison.measure
        for key, class_index, models in (
            ("right_square_bracket", 1, MODELS),
            ("right_curly_bracket", 1, ("beta", "alpha", "gamma")),
            ("left_square_bracket", 0, ("beta", "alpha", "gamma")),
            ("left_curly_bracket", 0, ("alpha", "beta", "gamma")),
        ):
            await press(pilot, key)
            assert app.screen.place == replace(
                place("concepts", model=models[0], class_=class_index), comparison=Comparison("model", models, measure)
            )
            assert app.screen.identity == item
            with Store(three_path) as store:
                known = store.array(f"models/{models[1]}/concepts/{measure}")[class_index]
                assert shown(app, f"{measure}.{models[1]}")[0] == pytest.approx(known)
        line = app.screen.table.cursor
        await press(pilot, "right_parenthesis")
        assert app.screen.table.cursor == line + 1
        await press(pilot, "left_parenthesis", "left_parenthesis")
        assert app.screen.table.cursor == line - 1


async def test_sorting_and_filtering_by_what_is_compared(three_path: Path) -> None:
    app = Explorer(three_path, AT["concepts"])
    with Store(three_path) as store:
        one, two = (
            store.array(f"models/{model}/concepts/attribute_score_abs")[0].astype(float) for model in MODELS[:2]
        )
    async with app.run_test(size=SIZE) as pilot:
        await drawn(app)
        screen = app.screen
        await press(pilot, "equals_sign")
        names = [column.name for column in screen.table.columns]
        screen.table.move_column(names.index("attribute_score_abs.beta.difference") - screen.table.column)
        await press(pilot, "s")
        assert [screen.view.identity(k) for k in range(24)] == np.argsort(one - two, kind="stable").tolist()
        assert f"sort {screen.table.columns[screen.table.column].title} ▼" in status(app)
        await press(pilot, "r")
        assert [screen.view.identity(k) for k in range(24)] == np.argsort(two - one, kind="stable").tolist()
        screen.table.move_column(names.index("attribute_score_abs.gamma.rank_change") - screen.table.column)
        await press(pilot, "s")
        moved = shown(app, "gamma.rank_change")[0][screen.view.order]
        assert moved.tolist() == sorted(moved.tolist(), reverse=True)
        for text, mask in (
            ("attribute_score_abs.beta.difference > 0.2", two - one > 0.2),
            ("attribute_score_abs.alpha > 2 * attribute_score_abs.beta", one > 2 * two),
            ("abs(attribute_score_abs.beta.rank_change) <= 3", abs(places(one) - places(two)) <= 3),
        ):
            await press(pilot, "f")
            screen.query_one("Input").value = text
            await press(pilot, "enter")
            assert sorted(screen.view.order.tolist()) == np.flatnonzero(mask).tolist(), text
            assert 0 < len(screen.view) < 24
        await press(pilot, "escape", "escape")
        assert screen.place.comparison is None


async def test_where_nothing_can_be_compared_a_line_says_so(bare_path: Path, store_path: Path) -> None:
    app = Explorer(bare_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await press(pilot, "equals_sign")
        assert "this file holds one model" in status(app)
        await press(pilot, "enter", "equals_sign")
        assert "this file holds one model; mark two classes" in status(app)
        await press(pilot, "right_curly_bracket")
        assert "this file holds one model" in status(app)
        await press(pilot, "space", "space", "equals_sign")
        assert app.screen.place.comparison.items == (0, 1)
        assert app.screen.view is None
        assert "no concept shifts" in on_screen(app)
        await press(pilot, "full_stop", "right_square_bracket", "s", "space", "escape")
        assert app.screen.place == place("classes", model="vgg")
    app = Explorer(store_path, Start(wish(class_="empty", compare="attribute_score")))
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
    assert "no image of empty was measured" in str(app.failure)


# one class or one concept across the file


async def test_one_class_in_all_models_and_back(three_path: Path) -> None:
    app = Explorer(three_path, Start(wish(model="beta")))
    async with app.run_test(size=SIZE) as pilot:
        await drawn(app)
        depth = len(app.page.session.visits)
        await press(pilot, "down", "a")
        assert (app.screen.place, app.screen.identity) == (place("classes", along="model", class_=1), 1)
        with Store(three_path) as store:
            low, high = store.offsets[1:3]
            for model in MODELS:
                median = np.median(store.array(f"models/{model}/images/image_score")[low:high])
                assert f"{median:.2f}" in next(line for line in lines(app) if line.startswith(f" {model} "))
        await press(pilot, "equals_sign")
        assert "are rows of one table" in status(app)
        await press(pilot, "right_square_bracket")
        assert app.screen.place.index("class") == 2
        await press(pilot, "down", "enter")
        assert app.screen.place == place("concepts", model="gamma", class_=2)
        await press(pilot, "escape")
        assert (app.screen.place.index("class"), app.screen.identity) == (2, 2)
        await press(pilot, "escape")
        assert len(app.page.session.visits) == depth
        assert (app.page.place, app.page.identity) == (place("classes", model="beta"), 2)


async def test_one_concept_in_all_classes_and_back(three_path: Path) -> None:
    app = Explorer(three_path, Start(wish(model="beta", class_="dog")))
    async with app.run_test(size=SIZE) as pilot:
        await drawn(app)
        depth = len(app.page.session.visits)
        await press(pilot, "o", "G", "up", "a")
        assert app.screen.place == place("concepts", along="class", model="beta", concept=22)
        assert app.screen.identity == 1  # on the class that one came from
        with Store(three_path) as store:
            score = store.array("models/beta/concepts/attribute_score")
        for name, value in zip(("cat", "dog", "owl"), score[:3, 22], strict=True):
            assert numbers(app, name)[1] == pytest.approx(value, abs=0.0051)
        await press(pilot, "equals_sign")
        assert "one concept is shown in all classes" in status(app)
        await press(pilot, "right_parenthesis", "right_parenthesis")
        assert app.screen.place.index("concept") == 23
        assert "last concept" in status(app)
        assert numbers(app, "owl")[1] == pytest.approx(score[2, 23], abs=0.0051)
        await press(pilot, "down", "enter")
        assert app.screen.place == place("concepts", model="beta", class_=2)
        assert app.screen.identity == 23  # the concept is found again
        await press(pilot, "right_curly_bracket", "escape")
        assert app.screen.place == place("concepts", along="class", model="gamma", concept=23)
        await press(pilot, "left_curly_bracket", "escape")
        assert len(app.page.session.visits) == depth
        assert (app.page.place, app.page.identity) == (place("concepts", model="beta", class_=1), 23)
