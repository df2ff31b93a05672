"""Weights that are not plain numbers, or are bombs: refused in one line by the name of the tensor."""

import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from sing_compute import outside_files
from sing_compute.array_files import check_weights_file
from sing_compute.concepts.stored_embeddings import StoredEmbeddings
from sing_compute.errors import SingError
from sing_compute.models.backbone import read_head
from sing_compute.models.stored_features import StoredFeatures
from sing_compute.models.weights import load_strictly, read_state
from sing_compute.questions.heads.image_mean import read_mean
from sing_compute.translator.translator_file import read_translator

WEIGHTS: dict[str, tuple[Callable[[], torch.Tensor], str]] = {
    "sparse": (lambda: torch.eye(2).to_sparse(), "is sparse"),
    "sparse rows": (lambda: torch.eye(2).to_sparse_csr(), "is sparse"),
    "without values": (lambda: torch.empty(2, 2, device="meta"), "has no values"),
    "quantised": (lambda: torch.quantize_per_tensor(torch.eye(2), 0.1, 0, torch.qint8), "is quantised"),
    "expanded": (lambda: torch.zeros(1).expand(10**9, 2), "repeats values"),
}


# torch.save looks for the scheme of quantised weights in every loaded module; torch.utils.mkldnn, where a test before has loaded
# it, then builds its TorchScript classes and warns of them.
@pytest.mark.filterwarnings(
    "ignore::UserWarning", "ignore::DeprecationWarning", "ignore:.*torch.jit.script_method:FutureWarning"
)
@pytest.mark.parametrize("kind", WEIGHTS)
def test_weights_that_are_not_plain_numbers_are_refused(kind: str, tmp_path: Path) -> None:
    make, said = WEIGHTS[kind]
    torch.save({"weight": make(), "bias": torch.zeros(2)}, tmp_path / "a.pt")
    for read in (read_state, read_head):
        with pytest.raises(SingError, match=f"its tensor weight {said}|not a readable checkpoint"):
            read(tmp_path / "a.pt")  # type: ignore[operator]
    with pytest.raises(SingError):
        read_translator(tmp_path / "a.pt", clip="x", dim=2, clip_dim=2)
    torch.save(make(), tmp_path / "b.pt")
    with pytest.raises(SingError):
        read_mean(tmp_path / "b.pt")


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_complex_weights_do_not_lose_their_imaginary_part(suffix: str, tmp_path: Path) -> None:
    state: dict[str, Any] = {"weight": torch.ones(2, 2, dtype=torch.complex64), "bias": torch.zeros(2)}
    path = tmp_path / f"a.{suffix}"
    save_file(state, path) if suffix == "safetensors" else torch.save(state, path)
    with pytest.raises(SingError, match="weight is complex, and the network would lose the imaginary part"):
        load_strictly(torch.nn.Linear(2, 2), read_state(path), str(path))
    with pytest.raises(SingError, match="not real floating-point numbers"):
        read_head(path)
    with pytest.raises(outside_files.UnfitFileError, match="its tensor weight is complex"):
        check_weights_file(path)
    np.savez(tmp_path / "a.npz", keys=np.array(["a"]), embeddings=np.array([[1j, 1]]), features=np.array([[1j, 1]]))
    for read in (StoredEmbeddings.read, StoredFeatures.read):
        with pytest.raises(SingError, match="complex"):
            read(tmp_path / "a.npz")  # type: ignore[operator]


def test_a_compressed_checkpoint_is_not_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "b.pt", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("b/data.pkl", pickle.dumps({}))
        with archive.open("b/data/0", "w") as member:
            for _ in range(65):
                member.write(bytes(2**20))
    with pytest.raises(SingError, match=r"it unpacks to 65 MB from .* KB; write it with torch\.save"):
        read_state(tmp_path / "b.pt")


def test_a_pickle_that_would_run_code_is_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    (tmp_path / "a.pt").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(SingError):
        read_state(tmp_path / "a.pt")
    assert not (tmp_path / "ran").exists()


def test_metadata_of_features_that_is_nested_too_deeply(tmp_path: Path) -> None:
    save_file({"features": torch.zeros(1, 2)}, tmp_path / "a.safetensors", {"keys": "[" * 100_000})
    with pytest.raises(SingError, match="not a readable"):
        StoredFeatures.read(tmp_path / "a.safetensors")
    save_file({"features": torch.zeros(1, 2)}, tmp_path / "a.safetensors", {"keys": json.dumps(5)})
    with pytest.raises(SingError):
        StoredFeatures.read(tmp_path / "a.safetensors")
