"""Where the photograph of a key is: below the folder that the user names, else where it was measured, and nowhere else."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from drawings import RED, save

from sing_compute.errors import SingError
from sing_compute.store import Store
from sing_tui import photographs


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory, store_path: Path) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("located")
    path = Path(shutil.copy(store_path, folder))
    with h5py.File(path, "r+") as file:
        file["images"].attrs["root"] = np.bytes_(folder / "images")
    for name in ("images/cat/1.png", "elsewhere/cat/1.png", "secret.png"):
        save(folder / name, [[RED]])
    (folder / "images/loop").symlink_to(folder / "images/loop")
    (folder / "images/out.png").symlink_to(folder / "secret.png")
    with Store(path) as store:
        yield store


class TestLocate:
    def test_an_image_is_below_the_folder_given_else_where_it_was_computed(self, stored: Store) -> None:
        assert photographs.locate(stored, "cat/1.png", None) == stored.path.parent / "images/cat/1.png"
        assert (
            photographs.locate(stored, "cat/1.png", stored.path.parent / "elsewhere")
            == stored.path.parent / "elsewhere/cat/1.png"
        )

    @pytest.mark.parametrize("folder", [None, "elsewhere"])
    @pytest.mark.parametrize(
        "key", ["", ".", "..", "../secret.png", "cat/../../secret.png", "/secret.png", "{}/secret.png"]
    )
    def test_a_key_does_not_lead_out(self, stored: Store, key: str, folder: str | None) -> None:
        with pytest.raises(SingError):
            photographs.locate(stored, key.format(stored.path.parent), folder and stored.path.parent / folder)

    @pytest.mark.parametrize("key", ["cat/2.png", "cat", "cat/\0.png", "x" * 5000, "loop", "\ud800.png"])
    def test_what_is_not_there_is_a_line_that_says_what_to_do(self, stored: Store, key: str) -> None:
        with pytest.raises(SingError, match=r"--images DIR|x\.\.\.$"):
            photographs.locate(stored, key, None)

    def test_links_out_of_the_folder_count_where_the_user_named_it(self, stored: Store) -> None:
        with pytest.raises(SingError, match="link out of"):
            photographs.locate(stored, "out.png", None)
        assert photographs.locate(stored, "out.png", stored.path.parent / "images").is_file()

    def test_a_file_without_a_folder_asks_for_one(self, store: Store) -> None:
        with pytest.raises(SingError, match="--images DIR"):
            photographs.locate(store, "cat/1.png", None)
