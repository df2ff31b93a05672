"""A linear head put on a network that ends in features: a file's (`--head`), or one fitted on the labels (`--probe`)."""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sing_compute.errors import HeadError, WeightsError
from sing_compute.models.weights import read_state


class HeadedBackbone(nn.Module):
    """A network that gives one feature vector per image, and the linear head on it.

    Without a head yet it gives the features. The head's size decides between the network's own feature and, for twice that
    size, its class token beside the mean of its patch tokens (DINOv2's linear evaluation).
    """

    def __init__(self, backbone: nn.Module, *, tokens: bool = False) -> None:
        """Wrap a network; `tokens`: without a head, give the mean patch token beside the class token."""
        super().__init__()
        self._tokens = tokens
        self.backbone = backbone
        self.head: nn.Linear | None = None
        self._source = ""

    def put(self, weight: Float[Tensor, "classes dim"], bias: Float[Tensor, " classes"], source: str) -> None:
        """Put the head on; `source` names it in messages."""
        head = nn.Linear(weight.shape[1], len(weight))
        head.load_state_dict({"weight": weight.float(), "bias": bias.float()})
        self.head, self._source = head.eval(), source

    @property
    def uses_tokens(self) -> bool:
        """Whether the feature is the class token and the mean patch token."""
        width = getattr(self.backbone, "num_features", None)
        if width is None or getattr(self.backbone, "cls_token", None) is None:
            return False
        return self._tokens if self.head is None else self.head.in_features == 2 * width

    def forward(self, images: Tensor) -> Tensor:
        """Logits, or features as long as there is no head.

        Raises:
            HeadError: The head reads features of another size, or the network gives no single vector per image.
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


def read_head(path: Path) -> tuple[Float[Tensor, "classes dim"], Float[Tensor, " classes"]]:
    """Weight and bias of a linear head, in the precision they were stored in; a common prefix of their names does not matter.

    Raises:
        WeightsError: No such file, other tensors than one weight and one bias, or sizes that do not go together.
    """
    state = read_state(path, option="--head")
    parts = {name.rpartition(".")[2]: tensor for name, tensor in state.items()}
    if len(state) != 2 or parts.keys() != {"weight", "bias"} or len({name.rpartition(".")[0] for name in state}) > 1:
        shown = ", ".join(sorted(state)[:3]) + (f" and {len(state) - 3} more" if len(state) > 3 else "")
        raise WeightsError(f"--head {path}: needs the tensors weight (classes x dim) and bias, found {shown or 'none'}")
    weight, bias = parts["weight"], parts["bias"]
    if weight.ndim == 4 and weight.shape[2:] == (1, 1):
        weight = weight.flatten(1)
    if weight.ndim != 2 or bias.shape != weight.shape[:1]:
        raise WeightsError(
            f"--head {path}: weight {tuple(weight.shape)} and bias {tuple(bias.shape)} do not go together; "
            "weight is classes x dim, bias has one value per class"
        )
    return weight, bias
