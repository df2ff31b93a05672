"""Pictures of equivalent features beside the photograph, from the results file, with their angles and what they prove."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from driving import handled, lines, press, screen_text, until
from picture_figures import COLORS, write_pictures
from stores import write_store
from test_photo_screen import Host, complete, painted

from sing_compute.errors import StoreError
from sing_compute.formats import UNICODE
from sing_compute.store import Place, Store, open_table
from sing_compute.store.pictures import MOST_BYTES, pairs_of_image, read_pair
from sing_compute.store.verify import verify
from sing_tui.photographs.pictures import pairs_of_row
from sing_tui.screens.photograph import PhotographScreen
from sing_tui.store_catalog import StoreCatalog
from sing_tui.widgets.photographs import Neighbours

G = "models/alpha/renders/"


@pytest.fixture
def with_pictures(tmp_path: Path) -> Path:
    path = write_store(tmp_path / "results.h5", seed=3)
    write_pictures(path, "alpha")
    return path


def screen_of(store: Store, table: str, row: int) -> PhotographScreen:
    place = Place.of(table, model="alpha")
    return PhotographScreen(store, place, row, StoreCatalog(store).neighbours(place), glyphs=UNICODE)


def test_the_file_that_these_tests_read_is_sound(with_pictures: Path) -> None:
    with Store(with_pictures) as store:
        assert verify(store)[0] == []
        table = open_table(store, Place.of("pairs", model="alpha"))
        assert table.column("difference").values.all().tolist() == ["beyond noise", "within noise"] * 2
        models = open_table(store, Place.of("rendered_models"))
        share = models.column("beyond_share").values.all()
        assert (share[0], np.isnan(share[1])) == (1.0, True)


def test_a_pair_is_read_with_its_pictures_and_angles(with_pictures: Path) -> None:
    with Store(with_pictures) as store:
        assert pairs_of_image(store, "alpha", 30) == [2, 3]
        assert pairs_of_image(store, "alpha", 1) == pairs_of_image(store, "beta", 0) == []
        pair = read_pair(store, "alpha", 2)
        assert (pair.row, pair.image, pair.kind, pair.state) == (30, "dog/00030.png", "equivalent", "beyond noise")
        assert [each.seed for each in (*pair.before, *pair.after)] == [0, 1, 2, 3] * 2
        assert {each.kind for each in pair.before} == {"translated"}
        assert all(each.jpeg[:3] == b"\xff\xd8\xff" for each in (*pair.before, *pair.after))
        assert pair.vector_angle == pytest.approx(store.array("models/alpha/images/image_score")[30], abs=1e-3)
        with pytest.raises(StoreError):
            read_pair(store, "alpha", 4)


def test_the_pairs_of_a_row_begin_with_its_own(with_pictures: Path) -> None:
    with Store(with_pictures) as store:
        for table, row, wanted in (
            ("images", 0, [0, 1]), ("images", 5, []), ("pairs", 1, [1, 0]), ("pairs", 2, [2, 3]),
            ("pictures", 0, [0, 1]), ("pictures", 9, [1, 0]), ("pictures", 16, [2, 3]), ("classes", 0, []),
        ):  # fmt: skip
            assert pairs_of_row(store, Place.of(table, model="alpha"), row) == wanted


@pytest.mark.asyncio
class TestScreen:
    async def test_pictures_stand_beside_the_row_and_a_key_leads_to_the_next_pair(self, with_pictures: Path) -> None:
        with Store(with_pictures) as store:
            app = Host()
            async with app.run_test(size=(100, 30)) as pilot:
                app.push_screen(screen_of(store, "pairs", 0))
                await complete(pilot)
                text = screen_text(app)
                assert "T(f): back" in text
                assert "equivalent: beyond noise;" in text
                assert "seed 0:" in text
                assert "r pictures" in text
                counts = [painted_nearly(app, color) for color in COLORS]
                assert counts[0] == counts[1] > 200
                assert counts[2] == 0
                await press(pilot, "r")
                await until(lambda: "true: within noise;" in screen_text(app), app)
                await handled(pilot.app)
                counts = [painted_nearly(app, color) for color in COLORS]
                assert counts[0] == counts[2] > 200
                assert counts[1] == 0

    async def test_of_an_image_the_nearest_ones_come_first(self, with_pictures: Path) -> None:
        with Store(with_pictures) as store:
            app = Host()
            async with app.run_test(size=(100, 30)) as pilot:
                app.push_screen(screen_of(store, "images", 30))
                await complete(pilot)
                assert "images nearest to T(f)" in screen_text(app)
                for wanted in ("equivalent: beyond noise", "true: within noise", "images nearest to T(f)"):
                    await press(pilot, "r")
                    await until(lambda wanted=wanted: wanted in screen_text(app), app)

    async def test_a_row_without_pictures_offers_none(self, with_pictures: Path) -> None:
        with Store(with_pictures) as store:
            app = Host()
            async with app.run_test(size=(100, 30)) as pilot:
                app.push_screen(screen_of(store, "images", 5))
                await complete(pilot)
                await press(pilot, "r")
                await complete(pilot)
                text = screen_text(app)
                assert "r pictures" not in text
                assert "images nearest to T(f)" in text

    @pytest.mark.parametrize("kind", ["no JPEG", "large", "edges", "long", "kind"])
    async def test_damaged_pictures_are_said_in_their_place(self, with_pictures: Path, kind: str) -> None:
        change, words = DAMAGES[kind]
        with h5py.File(with_pictures, "r+") as file:
            change(file[G])
        with Store(with_pictures) as store:
            app = Host()
            async with app.run_test(size=(120, 30)) as pilot:
                app.push_screen(screen_of(store, "pairs", 0))
                await complete(pilot)
                assert letters(words) in letters(near_text(app))


def near_text(app: Host) -> str:
    """The text at the right of the photograph, line by line."""
    area = app.screen.query_one(Neighbours).region
    return "\n".join(line[area.x : area.right] for line in lines(app)[area.y : area.bottom])


def letters(text: str) -> str:
    """The letters and digits of a text, which is broken into lines anywhere."""
    return "".join(sign for sign in text if sign.isalnum())


def painted_nearly(app: Host, color: tuple[int, int, int]) -> int:
    """Half-cells of a colour at the right, which a JPEG file has changed a little."""
    shades = {color, tuple(min(part, 254) for part in color)}
    return sum(painted(app, shade, slice(50, 100)) for shade in shades)


def _bytes(group: h5py.Group, content: bytes) -> None:
    """Put other content into the place of the first picture."""
    data, edges = group["pictures/jpeg"], group["pictures/edge"]
    start, stop = int(edges[0]), int(edges[1])
    data[start:stop] = np.frombuffer(content.ljust(stop - start, b"\0")[: stop - start], np.uint8)


def _large(group: h5py.Group) -> None:
    """Let the header of the first picture claim 4,000 x 4,000 pixels."""
    data = group["pictures/jpeg"][()]
    at = data.tobytes().index(b"\xff\xc0") + 5
    data[at : at + 4] = [0x0F, 0xA0, 0x0F, 0xA0]
    group["pictures/jpeg"][...] = data


def _edge(group: h5py.Group, value: int) -> None:
    edges = group["pictures/edge"][()]
    edges[1] = value
    group["pictures/edge"][...] = edges


def _kind(group: h5py.Group) -> None:
    group["pairs/kind"][...] = np.full(4, 7)


DAMAGES: dict[str, tuple[Callable[[h5py.Group], object], str]] = {
    "no JPEG": (lambda group: _bytes(group, b"GIF89a"), "is not an image"),
    "large": (_large, "4,000"),
    "edges": (lambda group: _edge(group, -5), "is no file of at most"),
    "long": (lambda group: _edge(group, MOST_BYTES + 99), "is no file of at most"),
    "kind": (_kind, "names a kind that is not there"),
}
