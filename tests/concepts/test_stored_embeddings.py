import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from sing_compute.concepts.stored_embeddings import StoredEmbeddings
from sing_compute.errors import ConceptsError

KEYS = ["cat/1.png", "dog/2.png", "owl/3.png"]
VECTORS = np.array([[3.0, 4.0], [0.0, 2.0], [-1.0, 0.0]])


def written(folder: Path, **arrays: object) -> Path:
    content = {"keys": np.array(KEYS), "embeddings": VECTORS} | arrays
    np.savez(folder / "e.npz", **{name: array for name, array in content.items() if array is not None})
    return folder / "e.npz"


def test_rows_are_found_by_key_in_the_order_asked_for(tmp_path: Path) -> None:
    stored = StoredEmbeddings.read(written(tmp_path))
    found = stored.lookup(["owl/3.png", "cat/1.png", "owl/3.png"], "images")
    assert torch.allclose(found, torch.tensor([[-1.0, 0.0], [0.6, 0.8], [-1.0, 0.0]]))


def test_the_order_of_the_file_does_not_matter(tmp_path: Path) -> None:
    there = StoredEmbeddings.read(written(tmp_path)).lookup(KEYS, "images")
    back = StoredEmbeddings.read(written(tmp_path, keys=np.array(KEYS[::-1]), embeddings=VECTORS[::-1]))
    assert torch.equal(back.lookup(KEYS, "images"), there)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_rows_become_float32_of_unit_length_whatever_they_were(dtype: type, scale: float, tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(3, 40)) * scale
    stored = StoredEmbeddings.read(written(tmp_path, embeddings=vectors.astype(dtype)))
    assert stored.vectors.dtype == torch.float32
    assert torch.allclose(stored.vectors.norm(dim=1), torch.ones(3), atol=1e-6)
    cosine = (stored.vectors.numpy() * vectors).sum(1) / np.linalg.norm(vectors, axis=1)
    assert cosine == pytest.approx(1, abs=1e-6)


def test_tag_and_fingerprint_are_those_of_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, tag=np.array("ViT-B-32/openai"))
    stored = StoredEmbeddings.read(path)
    assert stored.tag == "ViT-B-32/openai"
    assert stored.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert StoredEmbeddings.read(written(tmp_path)).tag == ""


NAN = np.array([[1.0, np.nan], [0.0, 1.0], [np.inf, 0.0]])
FAULTS: dict[str, tuple[dict[str, object], str]] = {
    "no keys": ({"keys": None}, "needs the arrays keys and embeddings, has embeddings$"),
    "no embeddings": ({"embeddings": None, "vectors": VECTORS}, "needs the arrays .*, has keys, vectors$"),
    "repeated": ({"keys": np.array(["a", "b", "a"])}, "1 keys are in it more than once; they must be unique$"),
    "zero row": ({"embeddings": VECTORS * [[1], [0], [1]]}, "1 rows are zero or not finite: dog/2.png$"),
    "not finite": ({"embeddings": NAN}, "2 rows are zero or not finite: cat/1.png, owl/3.png$"),
    "fewer rows": ({"embeddings": VECTORS[:2]}, r"3 keys but embeddings of shape \(2, 2\); one row per key is needed$"),
    "flat": ({"embeddings": VECTORS[:, 0]}, r"3 keys but embeddings of shape \(3,\)"),
    "one key": ({"keys": np.array("a")}, r"not a readable .npz of keys and embeddings \("),
    "words": ({"embeddings": np.array([["a", "b"]] * 3)}, r"not a readable .npz of keys and embeddings \(.*convert"),
    "pickled keys": ({"keys": np.array([*KEYS[:2], None], dtype=object)}, r"not a readable .npz .*allow_pickle=False"),
    "pickled rows": ({"embeddings": np.array([{}, {}, {}])}, r"not a readable .npz .*allow_pickle=False"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_with_a_fault_is_refused_with_its_name(fault: str, tmp_path: Path) -> None:
    arrays, message = FAULTS[fault]
    with pytest.raises(ConceptsError, match=f"^{tmp_path}/e.npz: {message}") as caught:
        StoredEmbeddings.read(written(tmp_path, **arrays))
    assert "\n" not in str(caught.value)


def test_files_that_are_no_archives_are_refused_in_one_line(tmp_path: Path) -> None:
    whole = written(tmp_path).read_bytes()
    np.save(tmp_path / "rows.npy", VECTORS)
    for name, content in {"text.npz": b"keys", "empty.npz": b"", "torn.npz": whole[: len(whole) // 2]}.items():
        (tmp_path / name).write_bytes(content)
    for name in ("rows.npy", "text.npz", "empty.npz", "torn.npz", "absent.npz", "."):
        with pytest.raises(ConceptsError, match=r"not a readable .npz of keys and embeddings") as caught:
            StoredEmbeddings.read(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_damaged_bytes_inside_an_archive_are_refused(tmp_path: Path) -> None:
    np.savez_compressed(
        tmp_path / "e.npz", keys=np.array(KEYS), embeddings=np.random.default_rng(0).normal(size=(3, 500))
    )
    content = bytearray((tmp_path / "e.npz").read_bytes())
    middle = len(content) // 2
    content[middle : middle + 40] = bytes(40)
    (tmp_path / "e.npz").write_bytes(content)
    with pytest.raises(ConceptsError, match=r"not a readable .npz"):
        StoredEmbeddings.read(tmp_path / "e.npz")


def test_missing_keys_are_counted_and_listed_beside_keys_that_are_there(tmp_path: Path) -> None:
    stored = StoredEmbeddings.read(written(tmp_path))
    with pytest.raises(ConceptsError) as caught:
        stored.lookup(["cat/1.png", "1.png", "2.png"], "images")
    assert str(caught.value) == (
        f"{tmp_path}/e.npz: no embedding for 2 of 3 images: 1.png, 2.png; its keys look like cat/1.png, dog/2.png"
    )


def test_of_many_missing_keys_five_are_named(tmp_path: Path) -> None:
    stored = StoredEmbeddings.read(written(tmp_path))
    with pytest.raises(ConceptsError, match="no embedding for 9 of 9 concepts: 0, 1, 2, 3, 4; its keys"):
        stored.lookup([str(number) for number in range(9)], "concepts")


def test_rows_of_two_scales_are_said_and_rows_of_one_are_not(tmp_path: Path) -> None:
    assert StoredEmbeddings.read(written(tmp_path)).warning == (
        "e.npz: 1 of 3 rows have unit length, the others 2 to 5: do all of them come from one network?"
    )
    unit = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
    for sound in (unit, unit.astype(np.float16), 7 * unit, 2 * VECTORS):
        assert StoredEmbeddings.read(written(tmp_path, embeddings=sound)).warning == ""


def test_unit_vectors_of_a_network_stay_bit_for_bit(tmp_path: Path) -> None:
    made = torch.nn.functional.normalize(torch.randn(300, 512, generator=torch.Generator().manual_seed(0)), dim=1)
    keys = [str(row) for row in range(300)]
    stored = StoredEmbeddings.read(written(tmp_path, keys=np.array(keys), embeddings=made.numpy()))
    assert stored.vectors.numpy().tobytes() == made.numpy().tobytes()
    assert StoredEmbeddings.of("embeddings", keys, made.numpy()).vectors.numpy().tobytes() == made.numpy().tobytes()
    longer = StoredEmbeddings.of("embeddings", keys, 3 * made.numpy())
    assert torch.allclose(longer.vectors, made, atol=1e-7)
