"""Load classifiers. Whatever the source, the result is a network in evaluation mode with its head, transform and provenance."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sing_compute.errors import HeadError
from sing_compute.foreign_code import guarding
from sing_compute.linalg.null_space import stored_precision
from sing_compute.models.backbone import HeadedBackbone
from sing_compute.models.checkpoint_loading import Facts
from sing_compute.models.chosen_head import ChosenHead
from sing_compute.models.function_check import CHANNELS_LAST, check_function, lay_out
from sing_compute.models.head import FeatureTap, find_head, head_parameters, logits_of
from sing_compute.models.map_search import find_map
from sing_compute.models.preprocessing import Transform
from sing_compute.models.spatial_map import MapTap, even_positions
from sing_compute.models.spec import ModelSpec
from sing_compute.precision import FLOAT32, computing_in


@dataclass(slots=True)
class Classifier:
    """A network with a linear head. `attach` finds the head on a first batch; after that, a call gives features and logits."""

    name: str
    network: nn.Module
    transform: Transform
    """Makes a tensor (channel, height, width) of a PIL image; a user's own may return it in another form (`image_tensor`)."""
    provenance: Facts
    """Origin and fingerprints, as they are stored with the results."""
    labels: tuple[list[str], list[str] | None] | None = None
    """Class names and, where known, WordNet ids in logit order, from the checkpoint's own configuration."""
    declared: dict[str, torch.dtype] = field(default_factory=dict)
    """Dtype of each tensor in the checkpoint file, if one was read."""
    concurrent: bool = False
    """True if several threads may call the network at once. A user's own network may keep values between its layers."""
    map_tap: MapTap | None = None
    """Hook that keeps the last spatial map of each forward pass; None where no maps are stored."""
    memory_format: str = CHANNELS_LAST
    """Order of an image's values in memory in which the network runs, a key of `MEMORY_FORMATS`; `attach` chooses it."""
    remarks: list[str] = field(default_factory=list)
    """Lines that are said at the start: choices that were made for the user."""
    warnings: list[str] = field(default_factory=list)
    """Lines that are said, stored and repeated with the figures of the model."""
    chosen_head: ChosenHead | None = None
    """Hooks that make one head of several the network's answer; None where its own answer counts."""
    _tap: FeatureTap | None = None

    @property
    def headless(self) -> bool:
        """True if the network has no head yet, because one will be fitted."""
        return isinstance(self.network, HeadedBackbone) and self.network.head is None

    def attach(self, batch: Tensor, *, map_side: int | None = None) -> None:
        """Check that the network is a function of one image, and find its head, on a batch; on request also its last map.

        Head and memory format are recorded in the provenance.

        Args:
            batch: Transformed images (image, channel, height, width), on the network's device.
            map_side: Rows and columns of the stored positions of a map; None to store no maps.

        Raises:
            HeadError: The network fails or is no function of one image, no linear head gives its logits, or it has no spatial
                map before its head.
        """
        try:
            self.memory_format, logits = check_function(self.network, batch)
            batch = lay_out(batch, self.memory_format)
            name, module = find_head(self.network, batch, expected=logits)
            if self.chosen_head is not None:
                self.chosen_head.check_found(name)
                self.warnings = self.chosen_head.warnings()
        except HeadError as error:
            raise HeadError(f"{self.name}: {error}") from error
        self._tap = FeatureTap(module)
        precision = stored_precision(module.weight.detach().flatten(1), self.declared.get(f"{name}.weight"))
        self.provenance |= {
            "head": name,
            "memory_format": self.memory_format,
            "stored_precision": str(precision).removeprefix("torch."),
            "parameters": sum(parameter.numel() for parameter in self.network.parameters()),
            "input_size": "x".join(str(side) for side in batch.shape[1:]),
        }
        if map_side is not None:
            try:
                with guarding("the network failed while its spatial map was searched", HeadError):
                    place = find_map(self.network, module, name, batch)
            except HeadError as error:
                raise HeadError(f"{self.name}: {error}") from error
            tapped = self.network.get_submodule(place.module)
            self.map_tap = MapTap(tapped, place, even_positions(place, map_side))

    @property
    def head(self) -> tuple[Float[Tensor, "classes dim"], Float[Tensor, " classes"]]:
        """Weight and bias of the head, after `attach` has found it."""
        if self._tap is None:
            raise HeadError(f"{self.name}: attach the head on a first batch before asking for it")
        assert isinstance(self._tap.head, nn.Linear | nn.Conv2d)
        return head_parameters(self._tap.head)

    @property
    def stored_dtype(self) -> torch.dtype:
        """Precision that the head's weight was stored in."""
        dtype = getattr(torch, str(self.provenance["stored_precision"]))
        assert isinstance(dtype, torch.dtype)
        return dtype

    def __call__(
        self, batch: Tensor, precision: str = FLOAT32
    ) -> tuple[Float[Tensor, "image dim"], Float[Tensor, "image classes"]]:
        """Return features at the head's input and logits, both float32.

        Args:
            batch: Transformed images (image, channel, height, width), on the network's device.
            precision: Arithmetic inside the network. In float32 the logits are the network's own, otherwise W f + b.

        Raises:
            HeadError: `attach` has not been called, or the network failed or returned something else than logits.
        """
        if self._tap is None:
            raise HeadError(f"{self.name}: attach the head on a first batch before using it")
        with guarding(f"{self.name}: the network failed", HeadError), computing_in(precision, batch.device):
            output = self.network(lay_out(batch, self.memory_format))
        logits = logits_of(output)
        features = self._tap.take()
        if precision != FLOAT32:
            weight, bias = self.head
            logits = features @ weight.float().T + bias.float()
        return features, logits.float()


def load_classifier(spec: ModelSpec, *, probe: bool = False) -> Classifier:
    """Build a classifier and load its weights: on the CPU, in evaluation mode, in the precision of its parameters.

    Args:
        spec: The classifier that the user asked for.
        probe: Accept a backbone without a head; the result is then `headless` until a head has been fitted.

    Raises:
        SingError: Unknown model, function or checkpoint; a backbone without a head; or a head for a network that has
            one. The message says which, and what to do.
    """
    if spec.features is not None:
        from sing_compute.models.stored_features import load_stored

        return load_stored(spec)[0]
    if spec.is_factory:
        from sing_compute.models.factory_source import load_own

        return load_own(spec)
    from sing_compute.models.timm_source import load_timm
    from sing_compute.models.transformers_source import load_transformers, transformers_repository

    repository = transformers_repository(spec)
    if repository is not None:
        return load_transformers(spec, repository)

    return load_timm(spec, probe=probe)
