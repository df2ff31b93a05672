"""Compare the CLIP image encoder of a decoder with the CLIP of a results file: pictures need one and the same space."""

from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from sing_compute.errors import SingError
from sing_compute.rendering.decoder_files import DecoderFiles, explaining

_SAME = 0.01
"""Largest difference of the projection's numbers over the largest of them: half precision rounds by less."""
_PROJECTION = "visual_projection.weight"


def check_space(files: DecoderFiles, visual: nn.Module, clip: str, dim: int, where: str) -> str:
    """Refuse a decoder that reads the embeddings of another CLIP.

    Compared are the length of the embeddings, width, depth and patch size of the image tower, and the numbers of its last
    projection: two CLIPs of one architecture differ in these.

    Args:
        files: The decoder.
        visual: The image tower of the file's CLIP.
        clip: Name of this CLIP.
        dim: Length of the file's embeddings.
        where: Names the decoder in messages.

    Returns:
        What was compared, in words.

    Raises:
        SingError: The spaces differ; the message says in what.
    """
    with explaining(where):
        config = files.config("image_encoder")
        own: Any = config.get("vision_config") if isinstance(config.get("vision_config"), dict) else config
        theirs = {
            "dimensions": config.get("projection_dim", own.get("projection_dim")),
            "width": own.get("hidden_size"),
            "layers": own.get("num_hidden_layers"),
            "patch size": own.get("patch_size"),
        }
        projection = _projection(files)
    ours = {"dimensions": dim, **_tower(visual)}
    for name, value in theirs.items():
        if value != ours[name]:
            raise SingError(
                f"{where} reads another CLIP than {clip}, that of the file: its image encoder has {name} {value}, the file's "
                f"{ours[name] if ours[name] is not None else 'another architecture'}"
            )
    matrix = getattr(visual, "proj", None)
    if projection is None or not isinstance(matrix, Tensor):
        return f"{', '.join(f'{name} {value}' for name, value in ours.items())}; the weights could not be compared"
    apart = float((projection - matrix.detach().float().cpu().T).abs().max() / matrix.detach().abs().max())
    if not apart <= _SAME:
        raise SingError(
            f"{where} reads another CLIP than {clip}, that of the file: the architecture is the same, the weights of the image "
            "projection are not"
        )
    return f"{', '.join(f'{name} {value}' for name, value in ours.items())}; image projection equal to {apart:.1e}"


def _tower(visual: nn.Module) -> dict[str, int | None]:
    """Return width, depth and patch size of a tower of open_clip; None each for another architecture than theirs."""
    first, blocks = getattr(visual, "conv1", None), getattr(getattr(visual, "transformer", None), "resblocks", None)
    if not isinstance(first, nn.Conv2d) or blocks is None:
        return {"width": None, "layers": None, "patch size": None}
    return {"width": first.out_channels, "layers": len(blocks), "patch size": int(first.kernel_size[0])}


def _projection(files: DecoderFiles) -> Tensor | None:
    """Read the last projection of a decoder's image encoder alone."""
    for path in files.weights("image_encoder"):
        with safe_open(path, "pt") as file:
            if _PROJECTION in file.keys():  # noqa: SIM118 -- not a dict
                found: Tensor = file.get_tensor(_PROJECTION)
                return found.to(torch.float32)
    return None
