"""Read checkpoints, and load them into networks strictly: no tensor may be missing or left over."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from sing_compute.array_files import check_tensors, load_tensors
from sing_compute.errors import WeightsError
from sing_compute.hubs import first_line
from sing_compute.models.checkpoint_files import checkpoint_files
from sing_compute.outside_files import UnfitFileError

AVERAGED = ("state_dict_ema", "model_ema", "ema_state_dict", "ema_model", "ema_network", "ema_net", "ema")
"""Keys under which checkpoints nest averaged weights (exponential moving average, EMA), timm's first; Lightning puts them
before the names of tensors."""
WRAPPERS = ("state_dict", "model", "model_state_dict", "net", "network", "module")
"""Keys under which checkpoints nest their state dict."""
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.", "online_model.")
"""Beginnings of the names of all tensors, from DDP, torch.compile, and Lightning."""
COMPILED = "_orig_mod."
"""Part of the names inside a network that torch.compile has wrapped."""
COUNTERS = ("n_averaged", "initted", "step")
"""Counters that torch's AveragedModel and others store next to averaged weights."""
UNNAMED = "(names without a prefix)"
"""Key of weights whose names have no prefix, beside averaged ones that have one."""
_DEPTH = 4
"""Most levels of nested dicts that are searched: a pickled dict can hold itself."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The weights of a checkpoint, and where in the file they are."""

    state: dict[str, Tensor]
    """Tensors by name, on the CPU."""
    key: str = ""
    """Keys that lead to the weights, joined by `/`; empty if the file holds nothing else."""
    others: tuple[str, ...] = ()
    """The same for each other set of weights in the file."""
    averaged: bool = False
    """True if these are averaged weights (EMA)."""


def read_checkpoint(
    path: Path, *, ema: bool | None = None, option: str = "--weights", own: Collection[str] = ()
) -> Checkpoint:
    """Read the tensors of a checkpoint: .safetensors, or a torch file of tensors and plain containers only.

    Args:
        path: The file, or the index, folder or any shard of a checkpoint in several files.
        ema: True for averaged weights, False for the others; None for averaged ones if the file has both, as timm does.
        option: Option that gave the file, for messages.
        own: Names of the network's tensors, where they are known: a part of the network may be called `ema`.

    Raises:
        WeightsError: No such file, not a checkpoint, a torch file that would run code when loaded, or a checkpoint without
            the weights that `ema` asks for.
    """
    files = checkpoint_files(path, option=option)
    content = _content(files[0], option)
    for file in files[1:]:
        content = {**content, **_content(file, option)}
    found = [part for each in _state_dicts(content) for part in _by_prefix(each, own)]
    averaged = [each for each in found if each.averaged]
    plain = [each for each in found if not each.averaged]
    if not found:
        raise WeightsError(f"{option} {path}: holds no state dict (names to tensors)")
    if ema is not None and not (averaged if ema else plain):
        has = ", ".join(each.key for each in found if each.key) or "one state dict"
        wanted, way_out = ("averaged", "--ema") if ema else ("other than averaged", "--no-ema")
        raise WeightsError(f"{option} {path}: holds no {wanted} weights; it has {has}: leave {way_out} out")
    taken = (averaged if averaged and ema is not False else plain)[0]
    try:
        check_tensors(taken.state)
    except UnfitFileError as error:
        raise WeightsError(f"{option} {path}: {error}") from error
    others = tuple(each.key for each in found if each is not taken)
    return Checkpoint(taken.state, taken.key, others, taken.averaged)


def read_state(path: Path, *, option: str = "--weights") -> dict[str, Tensor]:
    """Return the tensors of a checkpoint by name; arguments and errors as `read_checkpoint`."""
    return read_checkpoint(path, option=option).state


def _content(path: Path, option: str) -> Any:
    try:
        return load_tensors(path)
    except Exception as error:  # a damaged pickle can raise anything, and torch's text advises to run it
        known = isinstance(error, OSError) or path.suffix == ".safetensors"
        reason = first_line(error) if known else "damaged, or it holds other objects than tensors"
        raise WeightsError(
            f"{option} {path}: not a readable checkpoint of tensors ({reason}); save it as .safetensors"
        ) from error


def _state_dicts(content: object, keys: tuple[str, ...] = ()) -> Iterator[Checkpoint]:
    """Yield every state dict that is nested in a checkpoint under a known key."""
    if not isinstance(content, dict) or len(keys) > _DEPTH:
        return
    if content and all(isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()):
        yield Checkpoint(content, "/".join(keys), averaged=any(key in AVERAGED for key in keys))
        return
    for key in (*AVERAGED, *WRAPPERS):
        yield from _state_dicts(content.get(key), (*keys, key))


def _by_prefix(found: Checkpoint, own: Collection[str]) -> list[Checkpoint]:
    """Separate two sets of weights that are side by side in one state dict, as Lightning modules with averaged weights have.

    Names such as `model.fc.weight` and `ema_model.fc.weight` are two sets if each averaged tensor has a counterpart, and the
    network itself has no part of that name.
    """
    if found.averaged:
        return [found]
    for part in AVERAGED:
        averaged = {name.removeprefix(f"{part}."): v for name, v in found.state.items() if name.startswith(f"{part}.")}
        averaged = _without_prefix({name: v for name, v in averaged.items() if name not in COUNTERS})
        if not averaged or any(name.startswith(f"{part}.") for name in own):
            continue
        others = {
            name: v for name, v in found.state.items() if not name.startswith(f"{part}.") and name not in COUNTERS
        }
        key = "/".join(filter(None, (found.key, part)))
        if not others:
            return [Checkpoint(averaged, key, averaged=True)]
        for prefix in ("", *PREFIXES):
            if all(prefix + name in others for name in averaged):
                plain = Checkpoint(others, "/".join(filter(None, (found.key, prefix[:-1]))) or UNNAMED)
                return [Checkpoint(averaged, key, averaged=True), plain]
    return [found]


def _without_prefix(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Remove the prefixes that all names have."""
    while prefix := next((each for each in PREFIXES if state and all(name.startswith(each) for name in state)), None):
        state = {name.removeprefix(prefix): value for name, value in state.items()}
    return dict(state)


def fit_names(state: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Remove what DDP, torch.compile and Lightning put before the names of tensors, as far as the network lacks it.

    Args:
        state: Tensors by name.
        network: Its own names decide which prefixes are removed.

    Returns:
        The same tensors by the network's names; a name that remains unknown is left to `load_strictly`.
    """
    own = {name.replace(COMPILED, ""): name for name in network.state_dict()}
    found = dict(state)
    if COUNTERS[0] not in own:
        found.pop(COUNTERS[0], None)
    found = {name.replace(COMPILED, ""): value for name, value in found.items()}
    while found and not own.keys() & found.keys():
        prefix = next((each for each in PREFIXES if all(name.startswith(each) for name in found)), None)
        if prefix is None:
            break
        found = {name.removeprefix(prefix): value for name, value in found.items()}
    return {own.get(name, name): value for name, value in found.items()}


def load_strictly(network: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load a state dict into a network; names and shapes of all tensors must agree, except for known prefixes.

    Args:
        network: Gets the tensors.
        state: Tensors by name.
        source: Name of the checkpoint in messages.

    Raises:
        WeightsError: Missing, unexpected or differently shaped tensors; the message names the first of each.
    """
    own, state = network.state_dict(), fit_names(state, network)
    missing = sorted(own.keys() - state.keys() - {key for key in own if key.endswith("num_batches_tracked")})
    unexpected = sorted(state.keys() - own.keys())
    shaped = sorted(key for key in own.keys() & state.keys() if own[key].shape != state[key].shape)
    problems = [f"{title} {_some(keys)}" for title, keys in (("missing", missing), ("unexpected", unexpected)) if keys]
    problems += [
        f"{key} is complex, and the network would lose the imaginary part"
        for key in sorted(own.keys() & state.keys())
        if state[key].is_complex() and not own[key].is_complex()
    ][:2]
    problems += [f"{key} is {tuple(state[key].shape)}, wanted {tuple(own[key].shape)}" for key in shaped[:2]]
    if problems:
        raise WeightsError(f"{source} does not fit {type(network).__name__}: {'; '.join(problems)}")
    network.load_state_dict({**{key: own[key] for key in own.keys() - state.keys()}, **state}, strict=True)


def _some(names: list[str], limit: int = 3) -> str:
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")
