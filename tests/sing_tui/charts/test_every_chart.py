"""Every chart at every table: it fits, it is plain where wanted, and neither lacking nor damaged numbers break it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from charting import MODELS, NAMES, Plant, attempted, classes, concepts, images, lines_of, made
from rich.cells import cell_len
from stores import write_store

from sing_compute.charts.registry import titles
from sing_compute.charts.shapes import Scatter
from sing_compute.errors import SingError
from sing_compute.formats import ASCII, UNICODE
from sing_compute.store import Store, catalogue
from sing_compute.store.stored import Stored

CLASSES = ("cat", "ネコ科の動物たち" * 4, "[red]=1+1\x1b[31m", "empty")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = [*(f"tf_efficientnet_b{k}.ns_jft_in1k" for k in range(7)), "動物たちを見分ける網の名前", "last"]
    path = tmp_path_factory.mktemp("charts") / "many.h5"
    return write_store(path, models=models, class_names=CLASSES, images_per_class=(30, 12, 5, 0), concepts=30)


@pytest.fixture
def many_models(written: Path) -> Iterator[Store]:
    with Store(written) as opened:
        yield opened


def test_every_chart_fits_and_is_ascii_where_asked_whatever_the_names(many_models: Store) -> None:
    model = many_models.models[3]
    places = [
        MODELS,
        classes(model),
        concepts(model, 1),
        images(model),
        images(model, 2),
    ]
    for name in NAMES:
        for place in places:
            for glyphs in (ASCII, UNICODE):
                found = made(many_models, name, place, 1, glyphs)
                assert found.title
                assert len(found.reading) < 330, (name, found.reading)
                assert found.table.length > 0
                for width, height in ((76, 16), (40, 10), (30, 10), (196, 44), (1, 1)):
                    if name in ("scatter", "spectrum", "validation") and place.table != "models":
                        continue  # the same chart
                    lines = lines_of(found.shape, width, height, glyphs)
                    assert len(lines) <= max(height, 2), (name, width)
                    assert max(map(cell_len, lines), default=0) <= width, (name, width)
                    text = "".join(lines)
                    assert "\x1b" not in text
                    assert text.isascii() or glyphs is UNICODE
                    assert lines or width <= 40, (name, width)


def test_each_chart_has_its_own_key_and_an_unknown_one_is_refused(store: Store) -> None:
    for spec in catalogue.tables(store):
        assert [key for key, _, _ in titles(spec)] == list("1234567")
        assert [name for _, name, _ in titles(spec)] == list(spec.charts)
    assert len(set(NAMES)) == 7
    with pytest.raises(SingError, match=r"no chart 'pie'; there are: scatter, .*parts"):
        made(store, "pie")


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
        place = classes("one")
        for name in NAMES:
            found = made(store, name, place, 1)
            if name == "scatter":
                assert "A dot is one image in 2;" in found.reading
                assert isinstance(found.shape, Scatter)
                whole = store.array("models/one/images/image_score")
                read.pop("models/one/images/image_score")
                assert found.shape.y.tolist() == whole[::2].tolist()
                read["models/one/images/attribute_score"] -= 1501
    columns = {path: cells for path, cells in read.items() if "/images/" in path or path.startswith("images/")}
    assert columns.pop("images/offsets", 0) <= 5
    assert set(columns.values()) <= {0}
    assert max(cells for path, cells in read.items() if "/concepts/" in path) <= 40  # rows, not matrices


@pytest.mark.parametrize(
    ("name", "lacking"),
    [("distributions", "classes/image_score_curve"), ("strings", "concepts/angle_after"), ("validation", "controls/logit_change"),
     ("parts", "summary/image_score_centred"), ("scatter", "summary/score_covariance")],
)  # fmt: skip
def test_what_was_not_computed_is_said_in_one_line(plant: Plant, name: str, lacking: str) -> None:
    with pytest.raises(SingError, match=r"this file holds no .* of alpha: it was not computed") as error:
        made(plant({f"models/alpha/{lacking}": None}), name)
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
            for place, identity in ((MODELS, 0), (classes("alpha"), 0), (concepts("alpha", 1), 0)):
                found = attempted(store, name, place, identity)
                if found is None:
                    continue
                assert len(found.reading) < 330
                lines = lines_of(found.shape, 76, 16)
                assert max(map(len, lines), default=0) <= 76
                drawn += bool(lines)
    assert drawn > 10  # one bad number does not take the chart away


def test_charts_from_letters_do_not_load_the_plotting_package(store_path: Path) -> None:
    code = (
        "import sys; from sing_compute.store import Place, Store; from sing_compute.charts.registry import chart\n"
        "from sing_tui.charts.drawing import draw; from sing_compute.formats import UNICODE\n"
        "store = Store(sys.argv[1])\n"
        "for name in ('ratios', 'distributions', 'strings', 'parts'):\n"
        "    assert draw(chart(store, Place('models'), name, identity=0).shape, 76, 16, UNICODE), name\n"
        "assert not {'plotext', 'textual', 'torch', 'pandas', 'timm'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code, str(store_path)], check=True)
