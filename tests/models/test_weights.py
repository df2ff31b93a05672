import hashlib
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from sing_compute.errors import WeightsError
from sing_compute.fingerprints import file_sha256, state_sha256
from sing_compute.models.weights import load_strictly, read_state


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(OrderedDict(conv=nn.Conv2d(3, 4, 1), norm=nn.BatchNorm2d(4), fc=nn.Linear(4, 2)))


def saved(folder: Path, content: object) -> Path:
    torch.save(content, folder / "net.pt")
    return folder / "net.pt"


def prefixed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"module.{name}": tensor for name, tensor in state.items()}


WRITERS: dict[str, Callable[[Path, dict[str, Tensor]], Path]] = {
    "plain .pt": saved,
    "nested in state_dict": lambda folder, state: saved(folder, {"epoch": 3, "state_dict": state}),
    "of a DataParallel": lambda folder, state: saved(folder, prefixed(state)),
    "nested twice, of a DataParallel": lambda folder, state: saved(folder, {"model": {"state_dict": prefixed(state)}}),
    "safetensors": lambda folder, state: (save_file(state, folder / "n.safetensors"), folder / "n.safetensors")[1],
}


@pytest.mark.parametrize("kind", WRITERS)
def test_a_checkpoint_written_by_one_network_makes_another_its_equal(kind: str, tmp_path: Path) -> None:
    source, target = network(0), network(1)
    path = WRITERS[kind](tmp_path, dict(source.state_dict()))
    assert state_sha256(source) != state_sha256(target)
    load_strictly(target, read_state(path), str(path))
    assert state_sha256(source) == state_sha256(target)


def test_counts_of_batches_may_be_absent_but_nothing_else() -> None:
    state = {name: value for name, value in network(0).state_dict().items() if "num_batches" not in name}
    target = network(1)
    load_strictly(target, state, "net.pt")
    assert torch.equal(target.norm.running_mean, state["norm.running_mean"])
    del state["norm.running_mean"]
    with pytest.raises(WeightsError, match=r"^net.pt does not fit Sequential: missing norm.running_mean$"):
        load_strictly(target, state, "net.pt")


def test_a_misfit_names_missing_unexpected_and_misshapen_tensors_and_changes_nothing() -> None:
    state = dict(network(0).state_dict())
    state["head.weight"] = state.pop("fc.weight")
    state["fc.bias"] = torch.zeros(7)
    target = network(1)
    before = state_sha256(target)
    with pytest.raises(WeightsError) as caught:
        load_strictly(target, state, "net.pt")
    assert str(caught.value) == (
        "net.pt does not fit Sequential: missing fc.weight; unexpected head.weight; fc.bias is (7,), wanted (2,)"
    )
    assert state_sha256(target) == before


def test_many_missing_tensors_are_counted_after_the_first_three() -> None:
    with pytest.raises(WeightsError, match=r"missing conv.bias, conv.weight, fc.bias and 5 more"):
        load_strictly(network(), {}, "net.pt")


class Exploit:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


def test_a_checkpoint_that_would_run_code_is_refused_and_does_not_run_it(tmp_path: Path) -> None:
    path = saved(tmp_path, {"fc.weight": Exploit(tmp_path / "ran")})
    with pytest.raises(WeightsError, match=r"not a readable checkpoint of tensors \(.*\); save it as .safetensors"):
        read_state(path)
    assert not (tmp_path / "ran").exists()


def test_a_pickled_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="not a readable checkpoint of tensors"):
        read_state(saved(tmp_path, network()))


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, {"weights": {"a": torch.zeros(1)}}, {0: torch.zeros(1)}])
def test_a_file_without_a_state_dict_is_refused(content: object, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"net.pt: holds no state dict \(names to tensors\)"):
        read_state(saved(tmp_path, content))


@pytest.mark.parametrize("name", ["net.pt", "net.safetensors"])
@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"\x08\x00\x00\x00\x00\x00\x00\x00{}"])
def test_a_file_that_is_no_checkpoint_is_refused_in_one_line(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=f"--weights .*{name}: not a readable checkpoint of tensors") as caught:
        read_state(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["absent.pt", "absent.safetensors", "."])
def test_a_missing_checkpoint_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"--weights .*: no such file"):
        read_state(tmp_path / name)


def test_a_networks_fingerprint_depends_on_values_names_and_dtypes_only() -> None:
    reference = state_sha256(network())
    assert state_sha256(network().eval()) == reference
    assert state_sha256(network().to(memory_format=torch.channels_last)) == reference
    changed = network()
    with torch.no_grad():
        changed.fc.bias[1] = torch.nextafter(changed.fc.bias[1], torch.tensor(9.0))
    renamed = network()
    renamed.head = renamed.fc
    del renamed.fc
    counted = network()
    counted.norm.num_batches_tracked += 1
    prints = {state_sha256(changed), state_sha256(renamed), state_sha256(counted), state_sha256(network().bfloat16())}
    assert len(prints | {reference}) == 5


def test_a_fingerprint_tells_shapes_and_dtypes_of_equal_bytes_apart() -> None:
    class Holder(nn.Module):
        def __init__(self, *shape: int, dtype: torch.dtype = torch.float32) -> None:
            super().__init__()
            self.register_buffer("value", torch.zeros(shape, dtype=dtype))

    holders = [Holder(2, 3), Holder(3, 2), Holder(6), Holder(6, dtype=torch.int32)]
    assert len({state_sha256(holder) for holder in holders}) == 4


@pytest.mark.parametrize("content", [b"", b"abc" * 100_000])
def test_a_files_fingerprint_is_that_of_its_bytes(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    assert file_sha256(tmp_path / "file") == hashlib.sha256(content).hexdigest()


def test_a_dict_that_holds_itself_is_refused_and_not_followed_for_ever(tmp_path: Path) -> None:
    circle: dict[str, object] = {}
    circle["model"] = circle
    torch.save(circle, tmp_path / "circle.pt")
    with pytest.raises(WeightsError, match="holds no state dict"):
        read_state(tmp_path / "circle.pt")
