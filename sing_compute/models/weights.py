"""Read checkpoints, and load them into networks strictly: no tensor may be missing or left over."""

from pathlib import Path

import torch
from torch import Tensor, nn

from sing_compute.errors import WeightsError

WRAPPERS = ("state_dict", "model", "model_state_dict", "state_dict_ema", "net")
"""Keys under which checkpoints nest their state dict."""


def read_state(path: Path, *, option: str = "--weights") -> dict[str, Tensor]:
    """Read the tensors of a checkpoint: .safetensors, or a torch file of tensors and plain containers only.

    Args:
        path: The file.
        option: Option that gave the file, for messages.

    Returns:
        Tensors by name, on the CPU.

    Raises:
        WeightsError: No such file, not a checkpoint, or a torch file that would run code when loaded.
    """
    if not path.is_file():
        raise WeightsError(f"{option} {path}: no such file")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state: dict[str, Tensor] = load_file(path)
            return state
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can raise anything, and torch's text advises to run it
        known = isinstance(error, OSError) or path.suffix == ".safetensors"
        reason = (
            str(error).splitlines()[0] if known and str(error) else "damaged, or it holds other objects than tensors"
        )
        raise WeightsError(
            f"{option} {path}: not a readable checkpoint of tensors ({reason}); save it as .safetensors"
        ) from error
    for _ in WRAPPERS:  # no further: a pickled dict can hold itself
        if isinstance(content, dict):
            content = next((content[key] for key in WRAPPERS if isinstance(content.get(key), dict)), content)
    if not isinstance(content, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()
    ):
        raise WeightsError(f"{option} {path}: holds no state dict (names to tensors)")
    return {name.removeprefix("module."): value for name, value in content.items()}


def load_strictly(network: nn.Module, state: dict[str, Tensor], source: str) -> None:
    """Load a state dict into a network; names and shapes of all tensors must agree.

    Args:
        network: Gets the tensors.
        state: Tensors by name.
        source: Name of the checkpoint in messages.

    Raises:
        WeightsError: Missing, unexpected or differently shaped tensors; the message names the first of each.
    """
    own = network.state_dict()
    missing = sorted(own.keys() - state.keys() - {key for key in own if key.endswith("num_batches_tracked")})
    unexpected = sorted(state.keys() - own.keys())
    shaped = sorted(key for key in own.keys() & state.keys() if own[key].shape != state[key].shape)
    problems = [f"{title} {_some(keys)}" for title, keys in (("missing", missing), ("unexpected", unexpected)) if keys]
    problems += [f"{key} is {tuple(state[key].shape)}, wanted {tuple(own[key].shape)}" for key in shaped[:2]]
    if problems:
        raise WeightsError(f"{source} does not fit {type(network).__name__}: {'; '.join(problems)}")
    network.load_state_dict({**{key: own[key] for key in own.keys() - state.keys()}, **state}, strict=True)


def _some(names: list[str], limit: int = 3) -> str:
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")
