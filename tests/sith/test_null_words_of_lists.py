"""`sing-compute words` with other concepts than those of the file: they are embedded by the file's CLIP."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from heads_files import DEMO, typed

from sing_compute.errors import SingError
from sing_compute.store import Store

BASE = "models/clean/null_words/"


def test_the_vocabulary_of_the_file_gives_the_names_of_its_stored_embeddings(folder: Path) -> None:
    shutil.copy("run.h5", "again.h5")
    typed("words", "run.h5")
    typed("words", "again.h5", "--vocabulary", DEMO / "concepts.tsv")
    with Store("run.h5") as stored, Store("again.h5") as embedded:
        assert stored.attributes(BASE[:-1])["pool_sha256"] == embedded.attributes(BASE[:-1])["pool_sha256"]
        for name in ("classes/pick", "modes/pick", "words/name"):
            assert np.array_equal(stored.array(BASE + name), embedded.array(BASE + name)), name
        weights = [store.array(f"{BASE}classes/coefficient") for store in (stored, embedded)]
        np.testing.assert_allclose(*weights, atol=1e-5)
        assert stored.array(f"{BASE}classes/images").sum() == 60


def test_a_list_names_with_its_words_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    typed("words", "run.h5", "--words", "words.txt", "--sizes", "1,2")
    assert "words.txt: left out" in capsys.readouterr().err
    with Store("run.h5") as store:
        facts = store.attributes(BASE[:-1])
        assert (facts["pool"], facts["pool_count"]) == ("words.txt", 5)
        assert set(store.array(f"{BASE}words/name").tolist()) <= {"striped", "plain", "dotted", "red fox", "green"}
        assert store.array(f"{BASE}sizes/concepts").tolist() == [1, 2]


def test_another_clip_than_that_of_the_file_is_refused(folder: Path) -> None:
    with h5py.File("run.h5", "r+") as file:
        file["clip"].attrs["state_sha256"] = np.bytes_("0" * 64)
    before = Path("run.h5").read_bytes()
    with pytest.raises(SingError, match=r"has other weights than the CLIP of run\.h5"):
        typed("words", "run.h5", "--words", "words.txt")
    assert Path("run.h5").read_bytes() == before
