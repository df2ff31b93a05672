"""The paper's pictures against planted numbers: lengths, positions and axes are read back from what is drawn."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from rich.cells import cell_len
from scipy.stats import chi2, norm
from stores import write_store

from sing_compute.errors import SingError
from sing_compute.store import Store
from sing_compute.store.gate import Stored
from sing_tui.formats import ASCII, UNICODE, Glyphs
from sing_tui.gallery import EXHIBITS, Shown, exhibit
from sing_tui.pictures import Curves, Densities, Ellipse, Panels, Ratios, Scatter, Stacked, Strings
from sing_tui.place import Place
from sing_tui.plots import draw

NAMES = [one.name for one in EXHIBITS]
CLASSES = ("cat", "ネコ科の動物たち" * 4, "[red]=1+1\x1b[31m", "empty")
PERCENT = np.linspace(0, 1, 21)
Plant = Callable[..., Store]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = [*(f"tf_efficientnet_b{k}.ns_jft_in1k" for k in range(7)), "動物たちを見分ける網の名前", "last"]
    path = tmp_path_factory.mktemp("gallery") / "many.h5"
    return write_store(path, models=models, class_names=CLASSES, images_per_class=(30, 12, 5, 0), concepts=30)


@pytest.fixture
def many_models(written: Path) -> Iterator[Store]:
    with Store(written) as opened:
        yield opened


@pytest.fixture
def plant(store_path: Path, tmp_path: Path) -> Iterator[Plant]:
    """A store with other numbers in it (None: without them)."""
    opened: list[Store] = []

    def planted(values: dict[str, Any], source: Path = store_path) -> Store:
        path = shutil.copy(source, tmp_path / f"planted{len(opened)}.h5")
        with h5py.File(path, "r+") as file:
            for name, value in values.items():
                if value is None:
                    del file[name]
                else:
                    file[name][...] = value
        opened.append(Store(path))
        return opened[-1]

    yield planted
    for store in opened:
        store.close()


def shown(
    store: Store, name: str, place: Place | None = None, identity: int | None = 0, glyphs: Glyphs = ASCII
) -> Shown:
    return exhibit(store, place or Place(), name, identity=identity, glyphs=glyphs)


def attempted(store: Store, name: str, place: Place, identity: int) -> Shown | None:
    try:
        return shown(store, name, place, identity)
    except SingError:
        return None


def lines_of(picture: Any, width: int, height: int, glyphs: Glyphs = ASCII) -> list[str]:
    return [line.plain for line in draw(picture, width, height, glyphs)]


def cells(found: Shown, name: str) -> list[Any]:
    return found.table.column(name).values.all().tolist()


def heights(lines: list[str]) -> Callable[[int], float]:
    """The value at a line of a plot, by the numbers that stand at its left axis."""
    told = [(y, float(match[1])) for y, line in enumerate(lines) if (match := re.match(r" *([-\d.e]+)\+[^-]*", line))]
    (y0, v0), (y1, v1) = told[0], told[-1]
    return lambda y: v0 + (v1 - v0) * (y - y0) / (y1 - y0)


def test_every_picture_fits_and_is_ascii_where_asked_whatever_the_names(many_models: Store) -> None:
    model = many_models.models[3]
    places = [
        Place(),
        Place("classes", model),
        Place("concepts", model, 1),
        Place("images", model),
        Place("images", model, 2),
    ]
    for name in NAMES:
        for place in places:
            for glyphs in (ASCII, UNICODE):
                found = shown(many_models, name, place, 1, glyphs)
                assert found.title
                assert len(found.reading) < 330, (name, found.reading)
                assert found.table.length > 0
                for width, height in ((76, 16), (40, 10), (30, 10), (196, 44), (1, 1)):
                    if name in ("scatter", "spectrum", "validation") and place.level != "models":
                        continue  # the same picture
                    lines = lines_of(found.picture, width, height, glyphs)
                    assert len(lines) <= max(height, 2), (name, width)
                    assert max(map(cell_len, lines), default=0) <= width, (name, width)
                    text = "".join(lines)
                    assert "\x1b" not in text
                    assert text.isascii() or glyphs is UNICODE
                    assert lines or width <= 40, (name, width)


def test_each_picture_has_its_own_key_and_an_unknown_one_is_refused(store: Store) -> None:
    assert [one.key for one in EXHIBITS] == list("1234567")
    assert len(set(NAMES)) == 7
    with pytest.raises(SingError, match=r"no picture 'pie'; there are: scatter, .*parts"):
        shown(store, "pie")


def test_ellipse_points_lie_at_the_95_percent_quantile() -> None:
    mean, covariance = np.array([1.0, 20.0]), np.array([[4.0, 3.0], [3.0, 9.0]])
    away = Ellipse("A", "", mean, covariance).points() - mean
    form = np.einsum("ni,ij,nj->n", away, np.linalg.inv(covariance), away)
    assert form == pytest.approx(chi2.ppf(0.95, 2))
    flat = Ellipse("A", "", mean, np.zeros((2, 2))).points()
    assert flat == pytest.approx(np.tile(mean, (len(flat), 1)))


def test_scatter_says_the_planted_moments_and_marks_each_model_by_its_letter(plant: Plant) -> None:
    planted = {
        "models/alpha/summary/score_mean": [1.5, 12.0],
        "models/alpha/summary/score_covariance": [[4.0, 3.0], [3.0, 9.0]],
        "models/beta/summary/score_mean": [-1.0, 30.0],
        "models/beta/summary/score_covariance": [[1.0, 0.0], [0.0, 1.0]],
    }
    store = plant(planted)
    found = shown(store, "scatter")
    assert "alpha (A): AS +1.50 (sd 2.00) and IS 12.00 (sd 3.00)" in found.reading
    assert "correlation +0.50; number 2 of 2 models by mean IS" in found.reading
    assert cells(found, "covariance") == [3.0, 0.0]
    assert cells(found, "letter") == ["A", "B"]
    lines = lines_of(found.picture, 76, 24)
    assert ">A alpha" in lines[0]
    assert " B beta" in lines[1]
    plot = [line[:52] for line in lines]
    at = heights(plot)
    step = abs(at(1) - at(0))
    means = [y for y, line in enumerate(plot[:-3]) if "A" in line]
    assert [at(y) for y in means] == [pytest.approx(12, abs=1.5 * step)]
    rows = [at(y) for y, line in enumerate(plot) if "B" in line]  # its mean, and a point of its outline
    assert min(abs(row - 30) for row in rows) <= 1.5 * step
    assert all(abs(row - 30) <= np.sqrt(chi2.ppf(0.95, 2)) + 1.5 * step for row in rows)
    assert "B" not in "".join(lines_of(found.picture, 40, 24)[:-1])  # no room to say what the letter means


def test_a_large_file_gives_an_even_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_store(tmp_path / "many.h5", models=("one",), images_per_class=(2500, 500, 1, 0), concepts=20)
    read: dict[str, int] = {}
    plain = Stored._read

    def counted(self: Stored, *rows: int) -> Any:
        values = plain(self, *rows)
        read[self.path] = read.get(self.path, 0) + values.size
        return values

    monkeypatch.setattr(Stored, "_read", counted)
    with Store(path) as store:
        place = Place("classes", "one")
        for name in NAMES:
            found = shown(store, name, place, 1)
            if name == "scatter":
                assert "A dot is one image in 2;" in found.reading
                assert isinstance(found.picture, Scatter)
                whole = store.array("models/one/images/image_score")
                read.pop("models/one/images/image_score")
                assert found.picture.image_score.tolist() == whole[::2].tolist()
                read["models/one/images/attribute_score"] -= 1501
    columns = {path: cells for path, cells in read.items() if "/images/" in path or path.startswith("images/")}
    assert columns.pop("images/offsets", 0) <= 5
    assert set(columns.values()) <= {0}
    assert max(cells for path, cells in read.items() if "/concepts/" in path) <= 40  # rows, not matrices


def test_bars_of_ratios_are_in_proportion_and_carry_their_intervals() -> None:
    labels, nothing = ("a", "b", "c"), (np.nan, np.nan)
    images = ((80.0, 100.0), (45.0, 55.0), nothing)
    picture = Ratios(labels, (90.0, 50.0, 20.0), images, ((70.0, 95.0), nothing, nothing), 1)
    lines = picture.lines(121, 9, ASCII)
    start, room = lines[0].index("0"), 121 - lines[0].index("0")
    assert lines[0].split() == ["0", "IS/|AS|", "100"]

    def value(column: int) -> float:
        return 100 * (column - start) / (room - 1)

    first, second, under, last = lines[1], lines[3], lines[2], lines[5]
    assert [value(first.index(sign)) for sign in "[*]"] == pytest.approx([80, 90, 100], abs=0.51)
    assert [value(second.index(sign)) for sign in "[*]"] == pytest.approx([45, 50, 55], abs=0.51)
    assert [value(under.index(sign)) for sign in "()"] == pytest.approx([70, 95], abs=0.51)
    assert value(last.index("*")) == pytest.approx(20, abs=0.51)
    assert last.count("#") == last.index("*") - start
    assert [line[0] for line in lines[1:]] == [" ", " ", ">", " ", " ", " "]
    assert [line.split()[1] for line in (first, last)] == ["90.0", "20.0"]
    assert len(picture.lines(121, 6, ASCII)) == 4  # no room for the second lines


def test_ratios_are_sorted_and_the_reading_places_the_model(plant: Plant) -> None:
    names = [f"models/{model}/bootstrap/images_interval" for model in ("alpha", "beta")]
    store = plant({"models/alpha/summary/ratio_images": 4.0, "models/beta/summary/ratio_images": 8.0})
    row = store.array("models/beta/bootstrap/figure").tolist().index("ratio_images")
    ends = [store.array(name) for name in names]
    ends[0][1, row], ends[1][1, row] = (3.5, 4.5), (7.0, 9.0)
    store = plant(
        {
            **dict(zip(names, ends, strict=True)),
            "models/alpha/summary/ratio_images": 4.0,
            "models/beta/summary/ratio_images": 8.0,
        }
    )
    found = shown(store, "ratios", identity=1)
    assert cells(found, "model") == ["beta", "alpha"]
    assert cells(found, "ratio_images") == [8.0, 4.0]
    assert cells(found, "ratio_images_low") == [7.0, 3.5]
    assert cells(found, "ratio_images_high") == [9.0, 4.5]
    assert "beta is number 1 of 2 by IS/|AS|, 8.00, over images 7.00 to 9.00" in found.reading
    assert "the intervals of 1 of the 1 below it end under its own" in found.reading


def test_distributions_share_one_axis_and_mark_the_median(plant: Plant) -> None:
    middles = np.array([-3.0, 4.0, 0.5, np.nan])
    spread = norm.ppf(np.linspace(0.001, 0.999, 21))
    store = plant(
        {
            "models/alpha/classes/attribute_score_curve": middles[:, None] + spread,
            "models/alpha/classes/image_score_curve": 20 + middles[:, None] + spread,
        }
    )
    found = shown(store, "distributions", Place("classes", "alpha"), 2)
    assert cells(found, "class") == ["dog", "owl", "cat"]  # by falling median; the class without images has none
    assert found.table.ids is not None
    assert found.table.ids.tolist() == [1, 2, 0]
    assert cells(found, "attribute_score_p050") == pytest.approx([4.0, 0.5, -3.0])
    assert "owl is number 2 of 3 classes by median AS, +0.50 degrees" in found.reading
    lines = lines_of(found.picture, 60, 16)
    low, high = -3 + spread[0], 4 + spread[-1]
    start = lines[0].index(f"{low:.1f}")
    assert lines[0].endswith(f"{high:.1f}deg")
    width = (high - low) / (60 - start)
    for line, middle in zip(lines[1:], (4.0, 0.5, -3.0), strict=True):
        assert f"{middle:+.2f}" in line
        assert low + (line.index("|") - start + 0.5) * width == pytest.approx(middle, abs=0.51 * width + 1e-5)
        drawn = [k for k, sign in enumerate(line[start:]) if sign not in " |"]
        assert low + drawn[0] * width >= middle + spread[0] - width
        assert low + (drawn[-1] + 1) * width <= middle + spread[-1] + width
    assert lines[2].startswith("> owl")
    both = lines_of(found.picture, 100, 16)[0].split()
    assert [word for word in both if word in ("AS", "IS")] == ["AS", "IS"]


def test_an_even_distribution_is_drawn_even_and_classes_are_taken_from_first_to_last() -> None:
    curves = np.stack([PERCENT * 10 - k for k in range(100)])
    picture = Densities(tuple(f"class {k}" for k in range(100)), (("AS", curves),), -1)
    lines = picture.lines(60, 11, ASCII)
    assert [int(line.split()[1]) for line in lines[1:]] == [0, 11, 22, 33, 44, 55, 66, 77, 88, 99]
    alone = Densities(("one",), (("AS", PERCENT[None] * 10),), 0).lines(60, 5, ASCII)[1]
    assert set(alone[alone.index("+5.00") + 6 :]) == {"@", "|"}


def test_strings_run_from_the_angle_before_to_the_angle_after(plant: Plant) -> None:
    before, after = np.full((4, 60), 70.0), np.full((4, 60), 70.0)
    after[1, 7], after[1, 9], before[1, 5] = 60.0, 85.0, 75.0
    store = plant({"models/alpha/concepts/angle_before": before, "models/alpha/concepts/angle_after": after})
    found = shown(store, "strings", Place("classes", "alpha"), 1)
    assert cells(found, "concept")[:3] == ["concept 9", "concept 7", "concept 5"]
    assert (
        "dog comes nearer to 2 of 60 concepts; 15.00 degrees away from concept 9 (70.00 to 85.00), the most"
        in found.reading
    )
    lines = lines_of(found.picture, 70, 5)
    start, room = lines[0].index("60.0"), 70 - lines[0].index("60.0")
    for line, ends in zip(lines[1:4], ((70, 85), (70, 60), (75, 70)), strict=True):
        values = [60 + 25 * (line.index(sign, start) - start) / (room - 1) for sign in "o*"]
        assert values == pytest.approx(ends, abs=25 / room)
    chosen = shown(store, "strings", Place("concepts", "alpha", 1), 7)
    assert isinstance(chosen.picture, Strings)
    assert chosen.picture.labels[chosen.picture.chosen] == "concept 7"
    assert "10.00 degrees nearer to concept 7" in chosen.reading


def test_where_there_is_no_class_the_first_or_that_of_the_image_is_taken(store: Store) -> None:
    place = Place("images", "beta")
    row = int(store.offsets[1]) + 2
    assert shown(store, "strings").title.startswith("cat:")
    assert shown(store, "strings", place, row).title == "dog: angle to concepts, beta"
    assert shown(store, "strings", place, int(store.offsets[1]) - 1).title.startswith("cat:")
    for place, identity in ((Place(), 2), (Place("classes", "beta"), -1), (Place("images", "beta"), 43)):
        with pytest.raises(SingError, match=f"no row {identity} among its {place.level}"):
            shown(store, "strings", place, identity)
    with pytest.raises(SingError, match="no image of the class was measured"):
        shown(store, "strings", Place("classes", "beta"), 3)


def test_perturbations_stand_at_their_numbers_on_a_true_axis(plant: Plant) -> None:
    change = np.array([[0, 0, 0, 0], [0.1, 0.2, 0.4, 0.8], [0.3, 0.6, 1.2, 2.4]])
    flips = np.array([[0, 0, 0, 0], [0, 0, 0.05, 0.1], [0.1, 0.2, 0.3, 0.5]])
    base = "models/alpha/controls/"
    found = shown(plant({base + "logit_change": change, base + "perturbation_flips": flips}), "validation")
    assert cells(found, "logit_change") == change.ravel().tolist()
    assert cells(found, "perturbation") == np.repeat(["null", "random", "principal"], 4).tolist()
    assert "at 2.00 times" in found.reading
    assert "random 0.800 and 10.0% flips; principal 2.40 and 50.0% flips" in found.reading
    assert isinstance(found.picture, Panels)
    for panel, values in zip(found.picture.parts, (change, flips * 100), strict=True):
        lines = lines_of(panel, 60, 24)
        assert lines[1] == "n null  r random  p principal"
        plot = lines[2:-2]
        at = heights(plot)
        step = abs(at(1) - at(0))
        for letter, row in zip("rp", values[1:], strict=True):
            places = sorted((line.index(letter, pos), at(y)) for y, line in enumerate(plot)
                            for pos in [m.start() for m in re.finditer(letter, line)])  # fmt: skip
            assert len(places) == 4 or row[0] == row[1]
            assert [value for _, value in places][-2:] == pytest.approx(row[-2:], abs=1.1 * step)
            columns = np.array([column for column, _ in places])[-4:]
            if len(columns) == 4:  # lengths 0.25, 0.5, 1, 2 along the axis
                shares = (columns - columns[0]) / (columns[-1] - columns[0])
                assert shares == pytest.approx([0, 1 / 7, 3 / 7, 1], abs=0.05)


def test_singular_values_stand_on_a_true_logarithmic_axis_with_the_cut() -> None:
    values = np.array([100.0, 30.0, 10.0, 1e-3, 1e-4])
    picture = Curves(np.arange(1.0, 6), (("o", "head", values),), "position", "value", True, 0.01)
    lines = lines_of(picture, 60, 30)
    told = {}
    for y, line in enumerate(lines):
        if match := re.match(r" *([-\d.e]+)\+", line):
            told[y] = np.log10(float(match[1]))
    slope, start = np.polyfit(list(told), list(told.values()), 1)
    rows = [y for y, line in enumerate(lines[:-2]) if "o" in line and y > 0]
    assert [start + slope * y for y in rows] == pytest.approx(np.log10(values), abs=abs(slope))
    cut = next(y for y, line in enumerate(lines[:-3]) if line.count("-") > 20)
    assert start + slope * cut == pytest.approx(-2, abs=abs(slope))


def test_the_spectrum_says_rank_cut_and_how_many_directions_carry_the_null_space(plant: Plant) -> None:
    null = np.array([4.0, 2.0, 1.0, 0.5, 0.25, 0.1, 0.05, 0.01])
    head = [5.0, 2.0, 0.5, 1e-9]
    with_null = {"models/alpha/head/singular_values": head, "models/alpha/spectrum/singular_value": null}
    found = shown(
        plant({**with_null, "models/alpha/summary/cutoff": 1e-6, "models/alpha/summary/gap": 5e8}), "spectrum"
    )
    assert (
        "3 of 4 singular values of the head lie above the cut at 1.00e-06, from 5.00 to 0.500 (gap 5.00e+08)"
        in found.reading
    )
    share = np.cumsum(null**2) / np.sum(null**2)
    half, most = (int(np.argmax(share >= wanted)) + 1 for wanted in (0.5, 0.9))
    assert f"the first {half} make half of that movement, the first {most} nine tenths" in found.reading
    assert isinstance(found.picture, Panels)
    assert len(found.picture.parts) == 2
    assert cells(found, "singular_value")[:8] == null.tolist()
    assert np.isnan(cells(found, "singular_values")[4:]).all()


def test_parts_of_one_sign_add_up_and_others_stand_on_both_sides() -> None:
    picture = Stacked(("same", "turned", "both"), (4.0, -6.0, 2.0), (2.0, -2.0, -4.0), 2, ("common", "specific"))
    lines = picture.lines(100, 9, ASCII)
    zero = lines[1].index("|")
    half = (100 - zero) - 1
    assert "# common = specific" in lines[0]
    scale = half / 8
    wanted = ((0, 0, 4, 2), (6, 2, 0, 0), (0, 4, 2, 0))
    for line, lengths in zip(lines[1:], wanted, strict=True):
        left, right = line[zero - half : zero], line[zero + 1 :]
        counted = left.count("#"), left.count("="), right.count("#"), right.count("=")
        assert counted == pytest.approx([length * scale for length in lengths], abs=1)
    assert lines[1][zero + 1] == "#"  # the common part stands next to zero
    assert lines[2][zero - 1] == "#"
    assert ["+6.00" in lines[1], "-8.00" in lines[2], "-2.00" in lines[3]] == [True] * 3
    assert [line[0] for line in lines[1:]] == [" ", " ", ">"]


def test_common_part_is_the_score_minus_its_image_specific_part(store: Store) -> None:
    found = shown(store, "parts", Place("concepts", "beta", 1), 11)
    score, specific = (
        store.array(f"models/beta/concepts/{name}")[1] for name in ("attribute_score", "attribute_score_centred")
    )
    common = score.astype(float) - specific
    rows = found.table.ids
    assert rows is not None
    assert cells(found, "attribute_score_common") == pytest.approx(common[rows].tolist())
    assert sorted(rows.tolist()) == list(range(60))
    assert f"moves dog by {np.abs(common).mean():.2f} degrees" in found.reading
    assert (
        f"by {np.abs(specific).mean():.2f}. concept 11: AS {score[11]:+.2f}, common {common[11]:+.2f}" in found.reading
    )


def test_parts_of_models_run_from_the_whole_to_the_image_specific_median(plant: Plant) -> None:
    figures = {
        "attribute_score_abs": 2.0,
        "attribute_score_centred_abs": 0.5,
        "image_score": 16.0,
        "image_score_centred": 4.0,
    }
    store = plant({f"models/beta/summary/{name}": value for name, value in figures.items()})
    found = shown(store, "parts", identity=1)
    assert "beta: removing only what is specific to each image leaves IS 4.00 of 16.00 degrees (25%)" in found.reading
    assert "|AS| 0.50 of 2.00" in found.reading
    assert isinstance(found.picture, Panels)
    scores, shifts = found.picture.parts
    line, top = (lines_of(shifts, 60, 5)[k] for k in (2, 0))
    start, room = top.index("0.0"), 60 - top.index("0.0")
    assert line.startswith("> beta")
    most = max(16.0, cells(found, "image_score")[0])
    values = [most * (line.index(sign, start) - start) / (room - 1) for sign in "o*"]
    assert values == pytest.approx([16, 4], abs=most / room)
    assert "|AS|" in lines_of(scores, 60, 5)[0]


def test_a_head_without_null_space_shows_its_singular_values_and_nothing_else(bare_path: Path) -> None:
    with Store(bare_path) as store:
        found = shown(store, "spectrum")
        assert isinstance(found.picture, Panels)
        assert len(found.picture.parts) == 1
        for name in NAMES:
            if name != "spectrum":
                with pytest.raises(SingError, match="null space"):
                    shown(store, name)


@pytest.mark.parametrize(
    ("name", "lacking"),
    [("distributions", "classes/image_score_curve"), ("strings", "concepts/angle_after"), ("validation", "controls/logit_change"),
     ("parts", "summary/image_score_centred"), ("scatter", "summary/score_covariance")],
)  # fmt: skip
def test_what_was_not_computed_is_said_in_one_line(plant: Plant, name: str, lacking: str) -> None:
    with pytest.raises(SingError, match=r"this file holds no .* of alpha: it was not computed") as error:
        shown(plant({f"models/alpha/{lacking}": None}), name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("damage", [np.nan, np.inf, 1e300, -1e300, 0.0, -5.0])
def test_damaged_numbers_are_drawn_or_refused_and_never_crash(plant: Plant, damage: float) -> None:
    with h5py.File(plant({}).path) as file:
        paths: list[str] = []
        file["models/alpha"].visititems(
            lambda name, item: paths.append(name) if isinstance(item, h5py.Dataset) else None
        )
        floats = [f"models/alpha/{name}" for name in paths if file[f"models/alpha/{name}"].dtype.kind == "f"]
    with np.errstate(all="ignore"):
        whole = plant({path: damage for path in floats if not path.endswith("offsets")})
        some = {}
        with h5py.File(whole.path) as file, h5py.File(plant({}).path) as good:
            for path in floats:
                values = good[path][()]
                if np.ndim(values):
                    values.flat[0] = file[path][()].flat[0]
                    some[path] = values
    drawn = 0
    for store in (whole, plant(some)):
        for name in NAMES:
            for place, identity in ((Place(), 0), (Place("classes", "alpha"), 0), (Place("concepts", "alpha", 1), 0)):
                found = attempted(store, name, place, identity)
                if found is None:
                    continue
                assert len(found.reading) < 330
                lines = lines_of(found.picture, 76, 16)
                assert max(map(len, lines), default=0) <= 76
                drawn += bool(lines)
    assert drawn > 10  # one bad number does not take the picture away


def test_pictures_from_letters_do_not_load_the_plotting_package(store_path: Path) -> None:
    code = (
        "import sys; from sing_compute.store import Store; from sing_tui.gallery import exhibit\n"
        "from sing_tui.place import Place; from sing_tui.plots import draw; from sing_tui.formats import UNICODE\n"
        "store = Store(sys.argv[1])\n"
        "for name in ('ratios', 'distributions', 'strings', 'parts'):\n"
        "    assert draw(exhibit(store, Place(), name, identity=0).picture, 76, 16, UNICODE), name\n"
        "assert not {'plotext', 'torch', 'pandas', 'timm'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code, str(store_path)], check=True)
