"""Check the configuration of a model that somebody else wrote: its numbers, the network it describes, and that it has no code."""

import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sing_compute.array_files import check_weights_file
from sing_compute.errors import SingError
from sing_compute.outside_files import UnfitFileError, read_json, size_text

if TYPE_CHECKING:
    from torch import Tensor, nn

LARGEST_SIDE = 4096
"""Most pixels of a side of the images that a network reads."""
_MOST_LAYERS, _MOST = 1_000, 2**31
_LAYERS = ("layers", "depth", "depths", "num_layers", "num_hidden_layers", "num_blocks")
_SIDES = (
    "image_size",
    "img_size",
    "input_size",
    "test_input_size",
    "crop_size",
    "size",
    "shortest_edge",
    "longest_edge",
    "sample_size",
)
_STEPS, _MOST_STEPS = ("num_train_timesteps",), 100_000
_WIDTHS = ("width", "hidden_size", "embed_dim", "d_model")
_HARMLESS = 2**26
"""Numbers that a network may always have."""
_MOST_UNKNOWN = 2**33
"""Most numbers of a network whose weights are not here yet."""
_CODE = ("trust_remote_code", "custom_pipelines", "use_kernels")
"""Settings with which a library runs Python code that a repository brings."""
_TOKENIZER = ("clean", "strip_sep_token", "language")
"""Settings of a tokenizer that open_clip's own configurations have."""


def check_folder(folder: Path, where: str) -> int | None:
    """Check the files of a folder that a library will read by itself: regular ones, and JSON of bounded depth without code.

    Args:
        folder: The folder.
        where: Names it in messages, with its option.

    Returns:
        Bytes of its files of weights; None if it has none.

    Raises:
        SingError: A file is none, or a configuration cannot be used.
    """
    weights, configs = 0, list[dict[str, Any]]()
    if not folder.is_dir():
        return None  # the library that reads it says so
    try:
        for path in sorted(folder.iterdir()):
            state = path.stat() if path.exists() else None
            if state is None or stat.S_ISDIR(state.st_mode):
                continue
            if not stat.S_ISREG(state.st_mode):
                raise UnfitFileError(f"{path.name} is no regular file")
            if path.suffix in (".safetensors", ".bin", ".pt", ".pth"):
                check_weights_file(path)
                weights += state.st_size
            if path.suffix == ".json":
                configs += _read(path)
    except OSError as error:
        raise SingError(f"{where}: {error.strerror or error}") from error
    for config in configs:
        check_config(config, where, weights=weights or None)
    return weights or None


def check_config_file(path: Path, where: str, *, weights: int | None = None) -> None:
    """Check one configuration, such as one of the hub's cache; arguments and errors as `check_folder` and `check_config`."""
    try:
        configs = _read(path)
    except OSError as error:
        raise SingError(f"{where}: {path.name}: {error.strerror or error}") from error
    for config in configs:
        check_config(config, where, weights=weights)


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        content = read_json(path)
    except ValueError as error:
        if "nested" in str(error):
            raise UnfitFileError(f"{path.name} is nested too deeply") from error
        return []  # the library that reads it says what is wrong
    return [content] if isinstance(content, dict) and path.name != "tokenizer.json" else []


def check_config(config: Mapping[str, Any], where: str, *, weights: int | None = None) -> None:
    """Refuse a configuration that asks for code of a repository, or for a network that no file of weights could fill.

    Args:
        config: Its content.
        where: Names it in messages, with its option.
        weights: Bytes of the weights; None if they are not known yet.

    Raises:
        SingError: The configuration cannot be used.
    """
    for part in _parts(config):
        for name in _CODE:
            if part.get(name):
                raise SingError(
                    f"{where}: its configuration has {name}, and code of a repository is never run; remove it there"
                )
        surplus = [str(name) for name in part.get("tokenizer_kwargs") or {} if name not in _TOKENIZER]
        if surplus:
            raise SingError(
                f"{where}: its configuration gives its tokenizer {surplus[0][:50]}, which may run code; remove it there"
            )
        if any("/" in str(part.get(name) or "") for name in ("attn_implementation", "_attn_implementation")):
            raise SingError(f"{where}: its configuration takes kernels from a repository, and such code is never run")
        _check_numbers(part, where, weights)


def _parts(content: object) -> Iterator[Mapping[str, Any]]:
    """Give all objects of a configuration, also those in others."""
    waiting = [content]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Mapping):
            yield part
            waiting += part.values()
        elif isinstance(part, list):
            waiting += [each for each in part if isinstance(each, Mapping | list)]


def _check_numbers(part: Mapping[str, Any], where: str, weights: int | None) -> None:
    sides = (*_SIDES, "height", "width") if "height" in part else _SIDES
    for name, value in part.items():
        most = _MOST_LAYERS if name in _LAYERS else LARGEST_SIDE if name in sides else _MOST
        most = _MOST_STEPS if name in _STEPS else most
        for number in _integers(value):
            if abs(number) > most:
                raise SingError(f"{where}: its configuration says {str(name)[:50]} {number:.3g}, more than {most:,}")
    if weights is None:
        return
    width = max((number for name in _WIDTHS for number in _integers(part.get(name))), default=0)
    layers = sum(number for name in _LAYERS for number in _integers(part.get(name)))
    rows = sum(number for name in ("num_classes", "num_labels") for number in _integers(part.get(name)))
    if "context_length" in part:  # of open_clip: elsewhere a vocabulary need not be that of a text tower
        rows = max(rows, sum(_integers(part.get("vocab_size"))))
    if max(2 * layers * width * width, rows * max(width, 1)) > max(weights, _HARMLESS):
        raise SingError(_too_large(where, weights))


def _too_large(where: str, weights: int | None) -> str:
    known = f"its files of {size_text(weights)} can hold" if weights is not None else f"{_MOST_UNKNOWN:,} numbers"
    return f"{where}: its configuration describes more weights than {known}"


def check_described(build: Callable[[], "nn.Module"], where: str, *, weights: int | None) -> None:
    """Refuse a network that no file of its weights could fill, before memory is taken for it.

    The network is built on torch's device `meta`, whose tensors have a shape and no values. A weight takes a byte or more in a
    file. A network that cannot be built in this way is not refused here.

    Args:
        build: Builds the network, without weights, from the configuration of somebody else.
        where: Names it in messages, with its option.
        weights: Bytes of its weights; None if they are not known.

    Raises:
        SingError: It has more parameters and buffers.
    """
    import torch
    from torch.nn.modules import module as registration

    most = _MOST_UNKNOWN if weights is None else max(weights, _HARMLESS)
    count = 0

    def add(_module: "nn.Module", _name: str, tensor: "Tensor | None") -> None:
        nonlocal count
        count += tensor.numel() if tensor is not None and tensor.is_meta else 0
        if count > 4 * most:  # a network may replace some of its parts while it is built
            raise SingError(_too_large(where, weights))

    hooks = (
        registration.register_module_parameter_registration_hook(add),
        registration.register_module_buffer_registration_hook(add),
    )
    try:
        with torch.device("meta"):
            network = build()
    except SingError:
        raise
    except Exception:  # perhaps it computes with values of its tensors; the library that builds it says what is wrong
        return
    finally:
        for hook in hooks:
            hook.remove()
    if sum(tensor.numel() for tensor in (*network.parameters(), *network.buffers())) > most:
        raise SingError(_too_large(where, weights))


def _integers(value: object) -> list[int]:
    values = value if isinstance(value, list) else [value]
    return [each for each in values if type(each) is int]


@contextmanager
def without_foreign_code() -> Iterator[None]:
    """Let transformers run no Python code of a repository while the block runs, whatever a configuration asks for.

    It neither asks the user for it, as it does by itself, nor loads it.
    """
    try:
        from transformers import dynamic_module_utils
    except ImportError:  # it is not installed
        yield
        return

    def refuse(*arguments: object, **options: object) -> None:
        raise ValueError("Python code of a repository is never run (trust_remote_code)")

    names = ("get_class_in_module", "get_cached_module_file")
    kept = {name: getattr(dynamic_module_utils, name) for name in (*names, "TIME_OUT_REMOTE_CODE")}
    try:
        for name in names:
            setattr(dynamic_module_utils, name, refuse)
        dynamic_module_utils.TIME_OUT_REMOTE_CODE = 0
        yield
    finally:
        for name, value in kept.items():
            setattr(dynamic_module_utils, name, value)
