"""Sealed files come back bit for bit, and none that has changed is believed."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save
from torch import Tensor

from sing_compute.sealed_file import SealError, open_sealed, sealed

TENSORS = {
    "rows": torch.arange(3),
    "half": torch.randn(2, 3).T.bfloat16(),
    "none": torch.zeros(0, 4),
    "one": torch.tensor(2.5),
    "bits": torch.tensor([True, False]),
}
FACTS = {"plan": "abc", "failed": [[3, "torn\n\t☃ \ud800"]]}


def read(path: Path) -> tuple[dict[str, object], dict[str, Tensor]]:
    with open_sealed(path) as file:
        file.check()
        return file.facts, {name: file.tensor(name) for name in file.names}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype and torch.equal(one[name], other[name]) for name in one
    )


def test_tensors_and_facts_come_back_bit_for_bit(tmp_path: Path) -> None:
    path = tmp_path / "sealed"
    path.write_bytes(sealed(TENSORS, FACTS))
    facts, tensors = read(path)
    assert facts == FACTS
    assert same(tensors, TENSORS)
    assert tensors["rows"].data_ptr() % 8 == 0


def test_a_flipped_bit_anywhere_is_found_or_changes_nothing(tmp_path: Path) -> None:
    """Only the blanks that fill up the header are worth nothing."""
    path, whole = tmp_path / "sealed", sealed(TENSORS, FACTS)
    header = int.from_bytes(whole[:8], "little")
    believed = []
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            facts, tensors = read(path)
        except SealError:
            continue
        believed.append(place)
        assert facts == FACTS
        assert same(tensors, TENSORS)
    assert all(8 <= place < 8 + header and whole[place : place + 1] in b' "' for place in believed), believed


@pytest.mark.parametrize("kept", [0, 5, 8, 40, -1])
def test_a_file_that_ends_early_is_found(kept: int, tmp_path: Path) -> None:
    path = tmp_path / "sealed"
    path.write_bytes(sealed(TENSORS, FACTS)[:kept])
    with pytest.raises(SealError, match=r"^damaged \("):
        read(path)


def test_a_file_that_was_never_sealed_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "plain.safetensors"
    path.write_bytes(save({"rows": torch.arange(3)}, {"failed": "[]"}))
    with pytest.raises(SealError, match=r"^of a version that did not write down what it holds$"):
        read(path)


@pytest.mark.parametrize(
    "header",
    [
        b'{"__metadata__": 3}',
        b"[]",
        b'{"a": {"dtype": "F32", "shape": [1000000000], "data_offsets": [0, 4000000000]}, "__metadata__": {}}',
        b'{"a": {"dtype": "F32", "shape": [-1, -1], "data_offsets": [0, 4]}, "__metadata__": {"seal": ""}}',
        b"[" * 100_000,
    ],
)
def test_a_header_that_means_nothing_is_refused_before_memory_is_taken(header: bytes, tmp_path: Path) -> None:
    path = tmp_path / "sealed"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(SealError):
        read(path)
