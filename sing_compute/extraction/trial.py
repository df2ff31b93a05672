"""Choose precision and batch size of a run by a trial on a few images."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from sing_compute.extraction.networks import CLIP, Network, Networks, default_batch_size
from sing_compute.extraction.precision_effect import effect_on_scores
from sing_compute.extraction.settings import Effect, Settings
from sing_compute.extraction.streams import Streams
from sing_compute.images.decoding import Batch
from sing_compute.linalg.null_space import HeadSplit
from sing_compute.precision import AUTO, FLOAT32, faster_precisions, keeping_weights
from sing_compute.process.progress import Progress

BATCH_SIZES = {"cpu": (8, 16, 32)}
OTHER_BATCH_SIZES = (32, 64, 128, 256)
"""Batch sizes that are tried, for each type of device and for all others."""
GAIN = 1.05
"""A choice must be faster by this factor to be preferred: smaller differences are noise."""


@torch.inference_mode()
def choose(
    networks: Networks,
    batches: Iterable[Batch],
    split: Callable[[str], HeadSplit],
    texts: Float[Tensor, "image clip"] | None,
    targets: Float[Tensor, "image clip"] | None,
    *,
    precision: str,
    batch_size: int | None,
    searching: bool,
    progress: Progress,
) -> Settings:
    """Choose precision and batch size on a few images.

    Args:
        networks: All networks, on their device.
        batches: The trial images.
        split: Gives the null space of a model's head by the model's name.
        texts: Unit text embedding of the class of each trial image; None for a run without an analysis. Such a run has no
            scores by which a precision can be judged, so `auto` is float32.
        targets: Stored embeddings of the trial images; None if there is a CLIP network.
        precision: `auto`, or what the user asked for.
        batch_size: None to choose it.
        searching: True to search for faster settings where the user has chosen none; False to use float32 there.
        progress: Shows how far a trial is.
    """
    networks.batch_size = batch_size or default_batch_size(networks.device)
    sizing = searching and batch_size is None
    if precision == AUTO:
        candidates = faster_precisions(networks.device) if searching and texts is not None else ()
    else:
        candidates = () if precision == FLOAT32 else (precision,)
    if not candidates and not sizing:
        models = [network.name for network in networks.all if network.name != CLIP]
        return Settings(networks.batch_size, dict.fromkeys(models, FLOAT32))
    rows: list[int] = []
    title = "precision and batch size, tried on few images"
    with (
        progress.task(title, None) as advance,
        keeping_weights(networks.device),
        Streams(networks.streams) as streams,
    ):
        trial = _Trial(networks, streams, candidates, dropping=precision == AUTO)
        for batch in batches:
            if batch.rows:
                trial.add(batch.tensors)
                rows += batch.rows
                advance(len(batch.rows))
                if not candidates:
                    break
        if texts is None:
            found = trial.without_effect(FLOAT32 if precision == AUTO else precision)
        else:
            stored = None if targets is None else targets[rows]
            found = trial.choose(split, texts[rows], stored, asked=None if precision == AUTO else precision)
        return trial.with_batch_size(found) if sizing else found


class _Trial:
    """Results and times of the trial images under every network, in every precision that may be chosen."""

    def __init__(self, networks: Networks, streams: Streams, candidates: Sequence[str], *, dropping: bool) -> None:
        self._networks, self._streams, self._dropping = networks, streams, dropping
        self._clip = next((network for network in networks.all if network.name == CLIP), None)
        self._models = [network for network in networks.all if network is not self._clip]
        self._open = {network.name: [FLOAT32, *candidates] for network in networks.all}
        self._outputs: dict[tuple[str, str], list[dict[str, Tensor]]] = {}
        self._seconds: dict[tuple[str, str], list[float]] = {}
        self._last: Sequence[Tensor] = ()

    def add(self, tensors: Sequence[Tensor]) -> None:
        """Try one batch. A precision that is not faster than float32 on the first batch is not tried again."""
        first = not self._last
        if first:  # a first pass, which is not timed, prepares kernels, buffers and rounded weights
            self._pass([tensor[: self._networks.batch_size * self._streams.count] for tensor in tensors])
            self._seconds.clear()
            self._outputs.clear()
        self._pass(tensors)
        if first and self._dropping:
            for network in self._networks.all:
                plain, others = self._seconds_per_image(network, FLOAT32), self._open[network.name][1:]
                faster = [each for each in others if self._seconds_per_image(network, each) * GAIN < plain]
                self._open[network.name] = [FLOAT32, *faster]
        self._last = tensors

    def without_effect(self, precision: str) -> Settings:
        """Return settings with one precision for all models, without measuring its effect."""
        seconds = sum(self._seconds_per_image(model, precision) for model in self._models)
        chosen = {model.name: precision for model in self._models}
        return Settings(self._networks.batch_size, chosen, seconds=seconds)

    def choose(
        self, split: Callable[[str], HeadSplit], texts: Tensor, targets: Tensor | None, *, asked: str | None
    ) -> Settings:
        """Choose CLIP's precision, then with it each model's: the fastest with a small effect, or what was asked for."""
        exact = targets if self._clip is None else self._concatenated(CLIP, FLOAT32, CLIP)
        assert exact is not None

        def effect(model: Network, precision: str, clip: str) -> Effect:
            predictions = [
                self._concatenated(model.name, each, f"{model.name}/prediction") for each in (FLOAT32, precision)
            ]
            flips = int((predictions[0] != predictions[1]).sum())
            if not split(model.name).nullity:
                return Effect(precision, flips=flips, images=len(exact))
            plain, other = (
                self._concatenated(model.name, each, f"{model.name}/features") for each in (FLOAT32, precision)
            )
            changed = exact if clip == FLOAT32 else self._concatenated(CLIP, clip, CLIP)
            moved = effect_on_scores((plain, exact), (other, changed), split(model.name), texts)
            return Effect(precision, *moved, flips=flips, images=len(exact))

        def small(precision: str) -> bool:
            """Return True if CLIP may compute in this precision; models without a null space have no scores to change."""
            return all(effect(model, FLOAT32, precision).small for model in self._models if split(model.name).nullity)

        clip = FLOAT32
        if self._clip:
            clip = asked or next(each for each in self._fastest(self._clip) if each == FLOAT32 or small(each))
        chosen: dict[str, str] = {}
        effects: dict[str, Effect] = {}
        for model in self._models:
            for precision in [asked] if asked else self._fastest(model):
                if (precision, clip) != (FLOAT32, FLOAT32):
                    effects[model.name] = effect(model, precision, clip)
                if asked or precision == FLOAT32 or effects[model.name].small:
                    chosen[model.name] = precision
                    break
            if (chosen[model.name], clip) == (FLOAT32, FLOAT32):
                effects.pop(model.name, None)
        seconds = sum(self._seconds_per_image(model, chosen[model.name]) for model in self._models)
        seconds += self._seconds_per_image(self._clip, clip) if self._clip else 0.0
        return Settings(self._networks.batch_size, chosen, clip, effects, seconds)

    def with_batch_size(self, settings: Settings) -> Settings:
        """Return the settings with the smallest batch size that is about as fast as the fastest."""
        sizes = BATCH_SIZES.get(self._networks.device.type, OTHER_BATCH_SIZES)
        seconds: dict[int, float] = {}
        for size in sizes:
            self._seconds.clear()
            self._networks.batch_size = size
            for network, tensor in zip(self._networks.all, self._last, strict=True):
                count = size * self._streams.count
                batch = tensor.repeat(-(-count // len(tensor)), 1, 1, 1)[:count]
                for _ in range(3):
                    self._run_timed(network, batch, settings.of(network.name))
                    if self._networks.batch_size < size:  # this size did not fit into memory
                        return self._best(settings, seconds)
            seconds[size] = sum(
                self._seconds_per_image(network, settings.of(network.name)) for network in self._networks.all
            )
        return self._best(settings, seconds)

    @staticmethod
    def _best(settings: Settings, seconds: Mapping[int, float]) -> Settings:
        if not seconds:
            return settings
        least = min(seconds.values())
        size = min(size for size, each in seconds.items() if each <= least * GAIN)
        return replace(settings, batch_size=size, seconds=seconds[size])

    def _pass(self, tensors: Sequence[Tensor]) -> None:
        for network, tensor in zip(self._networks.all, tensors, strict=True):
            for precision in self._open[network.name]:
                self._run_timed(network, tensor, precision)

    def _run_timed(self, network: Network, tensor: Tensor, precision: str) -> None:
        """Run and time one batch."""
        found, seconds = self._networks.run_timed(self._streams, network, self._networks.put(tensor), precision)
        key = network.name, precision
        self._seconds.setdefault(key, []).append(seconds)
        self._outputs.setdefault(key, []).extend(
            {name: values.float().cpu() for name, values in piece.items() if not name.endswith("/maps")}
            for piece in found
        )

    def _seconds_per_image(self, network: Network, precision: str) -> float:
        """Return the shortest time of all batches: other work on the machine disturbs it least."""
        return min(self._seconds[network.name, precision])

    def _fastest(self, network: Network) -> list[str]:
        return sorted(self._open[network.name], key=lambda precision: self._seconds_per_image(network, precision))

    def _concatenated(self, network: str, precision: str, name: str) -> Tensor:
        return torch.cat([piece[name] for piece in self._outputs[network, precision]])
