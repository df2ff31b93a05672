"""Put a linear head on a network that ends in features: one from a file (`--head`), or one fitted on labels (`--probe`)."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sing_compute.errors import HeadError, WeightsError
from sing_compute.fingerprints import file_sha256
from sing_compute.models.weights import read_state


@dataclass(frozen=True, slots=True, eq=False)
class HeadValues:
    """Weight and bias of a linear head in memory, in the place of a file."""

    weight: Tensor
    bias: Tensor

    def __str__(self) -> str:
        return f"in memory: weight {tuple(self.weight.shape)}, SHA-256 {self.sha256}"

    @property
    def sha256(self) -> str:
        """SHA-256 of shapes, types and values."""
        digest = hashlib.sha256()
        for tensor in (self.weight, self.bias):
            digest.update(f"{tensor.dtype} {tuple(tensor.shape)}\n".encode())
            digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
        return digest.hexdigest()


HeadSource = Path | HeadValues
"""A file with a head, or a head in memory."""


class HeadedBackbone(nn.Module):
    """A network that gives one feature vector per image, and a linear head on it. Until it has a head it returns the features.

    A head that reads as many values as the network's own feature reads that feature. A head that reads twice as many
    reads the class token and, after it, the mean of the patch tokens (DINOv2's linear evaluation).
    """

    def __init__(self, backbone: nn.Module, *, tokens: bool = False) -> None:
        """Wrap a network.

        Args:
            backbone: Returns features (image, dim).
            tokens: Until there is a head, return class token and mean patch token in place of the network's own
                feature.
        """
        super().__init__()
        self._tokens = tokens
        self.backbone = backbone
        self.head: nn.Linear | None = None
        self._source = ""

    def put(self, weight: Float[Tensor, "classes dim"], bias: Float[Tensor, " classes"], source: str) -> None:
        """Put a head on the backbone.

        Args:
            weight: Its weight.
            bias: Its bias.
            source: Name of the head in messages.
        """
        head = nn.Linear(weight.shape[1], len(weight))
        head.load_state_dict({"weight": weight.float(), "bias": bias.float()})
        self.head, self._source = head.eval(), source

    @property
    def uses_tokens(self) -> bool:
        """True if the feature is the class token followed by the mean patch token."""
        width = getattr(self.backbone, "num_features", None)
        if width is None or getattr(self.backbone, "cls_token", None) is None:
            return False
        return self._tokens if self.head is None else self.head.in_features == 2 * width

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (image, classes), or features (image, dim) until there is a head.

        Args:
            images: Transformed images (image, channel, height, width).

        Raises:
            HeadError: The head reads features of another length, or the network does not give one vector per image.
        """
        if self.uses_tokens:
            tokens = self.backbone.forward_features(images)  # type: ignore[operator]
            first = int(getattr(self.backbone, "num_prefix_tokens", 1))
            features = torch.cat([tokens[:, 0], tokens[:, first:].mean(dim=1)], dim=1)
        else:
            features = self.backbone(images)
        if not isinstance(features, Tensor) or features.ndim != 2:
            shaped = isinstance(features, Tensor)
            what = f"a tensor of shape {tuple(features.shape)}" if shaped else f"a {type(features).__name__}"
            raise HeadError(f"the network gives {what}, not one feature vector per image, for a head to read")
        if self.head is None:
            return features
        if features.shape[1] != self.head.in_features:
            raise HeadError(
                f"the head of {self._source} reads {self.head.in_features} features, the network gives {features.shape[1]}"
            )
        logits: Tensor = self.head(features)
        return logits


def read_head(source: HeadSource) -> tuple[Float[Tensor, "classes dim"], Float[Tensor, " classes"]]:
    """Read weight and bias of a linear head, in the precision they are stored in.

    Args:
        source: A checkpoint of two tensors, `weight` and `bias`, whose names may share any prefix; or the values.

    Raises:
        WeightsError: No such file, other tensors than one weight and one bias, or shapes that do not fit each other.
    """
    if isinstance(source, HeadValues):
        return _matching(source.weight, source.bias, "head")
    state = read_state(source, option="--head")
    parts = {name.rpartition(".")[2]: tensor for name, tensor in state.items()}
    if len(state) != 2 or parts.keys() != {"weight", "bias"} or len({name.rpartition(".")[0] for name in state}) > 1:
        shown = ", ".join(sorted(state)[:3]) + (f" and {len(state) - 3} more" if len(state) > 3 else "")
        raise WeightsError(
            f"--head {source}: needs the tensors weight (classes x dim) and bias, found {shown or 'none'}"
        )
    return _matching(parts["weight"], parts["bias"], f"--head {source}")


def head_facts(source: HeadSource) -> dict[str, str | int | float]:
    """Return the provenance of a head that is not the network's own.

    Args:
        source: Its file, or its values.
    """
    if isinstance(source, HeadValues):
        return {"head_file": "in memory", "head_sha256": source.sha256}
    return {"head_file": source.name, "head_sha256": file_sha256(source)}


def _matching(weight: Tensor, bias: Tensor, origin: str) -> tuple[Tensor, Tensor]:
    """Return weight (classes, dim) and bias if their shapes fit each other."""
    if weight.ndim == 4 and weight.shape[2:] == (1, 1):
        weight = weight.flatten(1)
    if not (weight.is_floating_point() and bias.is_floating_point()):
        raise WeightsError(f"{origin}: weight is {weight.dtype} and bias {bias.dtype}, not real floating-point numbers")
    if weight.ndim != 2 or bias.shape != weight.shape[:1]:
        raise WeightsError(
            f"{origin}: weight {tuple(weight.shape)} and bias {tuple(bias.shape)} do not go together; "
            "weight is classes x dim, bias has one value per class"
        )
    return weight, bias
