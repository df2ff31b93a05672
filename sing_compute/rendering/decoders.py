"""Decode CLIP image embeddings to pictures: one protocol, and the two pipelines of diffusers behind it.

Both pipelines read the embedding as their own CLIP image encoder gives it: projected, not scaled to length 1. Karlo adds it to
the time embedding and to the text states of its decoder; Stable unCLIP standardises it by stored means and deviations first. So
the caller gives embeddings of the length that `encode` has for a photograph.

The noise of a picture comes from one generator of its own, seeded by the picture's seed: start, noise of the steps and
super-resolution alike. Pictures of one seed differ by their embeddings alone, whatever else is in the batch.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_type_hints, runtime_checkable

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from sing_compute.errors import SingError
from sing_compute.foreign_code import describe_error, is_out_of_memory
from sing_compute.model_configs import check_described, without_foreign_code
from sing_compute.rendering.decoder_files import KARLO, STABLE, DecoderFiles, explaining

Memory = Literal["normal", "low"]
_DEPRECATED = "has been deprecated and will not receive bug fixes"
"""Part of the one warning of diffusers that is silenced: Karlo's pipeline gets no more features there."""
_STEPS, _SUPER_RESOLUTION = {KARLO: 25, STABLE: 20}, 7
"""The pipelines' own numbers of steps; Karlo's super-resolution never takes more than its own."""


@runtime_checkable
class Decoder(Protocol):
    """A model that draws a picture of a CLIP image embedding."""

    @property
    def facts(self) -> Mapping[str, str | int | float]:
        """Facts that its pictures depend on, beside embedding and seed."""

    @property
    def side(self) -> int:
        """Pixels of a side of its pictures."""

    @property
    def usual_norm(self) -> float:
        """Length of a typical embedding by the decoder's own statistics; NaN if it has none."""

    def encode(self, images: Sequence[Image.Image]) -> Float[Tensor, "image clip"]:
        """Return the embeddings of photographs by the decoder's own CLIP image encoder, not scaled, float32."""

    def decode(self, embeddings: Float[Tensor, "picture clip"], seeds: Sequence[int]) -> list[Image.Image]:
        """Draw one picture of each embedding.

        Args:
            embeddings: Embeddings of the length that `encode` gives.
            seeds: Seed of each picture's noise.
        """


@dataclass(frozen=True, slots=True)
class PipelineDecoder:
    """A pipeline of diffusers as a `Decoder`."""

    pipeline: Any
    options: Mapping[str, Any]
    """Options of each call: numbers of steps."""
    files: DecoderFiles
    side: int

    @property
    def facts(self) -> dict[str, str | int | float]:
        """Precision and the numbers of steps."""
        dtype = str(self.pipeline.image_encoder.dtype).removeprefix("torch.")
        return {"decoder_precision": dtype, **self.options}

    @property
    def usual_norm(self) -> float:
        """Root of the mean squared length by the stored means and deviations; NaN for Karlo, which stores none."""
        normalizer = getattr(self.pipeline, "image_normalizer", None)
        if normalizer is None:
            return float("nan")
        with torch.no_grad():
            return float((normalizer.mean.float().square() + normalizer.std.float().square()).sum().sqrt())

    @torch.no_grad()
    def encode(self, images: Sequence[Image.Image]) -> Float[Tensor, "image clip"]:
        """Return embeddings as the pipeline makes them of a photograph."""
        encoder = self.pipeline.image_encoder
        pixels = self.pipeline.feature_extractor(images=list(images), return_tensors="pt").pixel_values
        found: Tensor = encoder(pixels.to(device=self.pipeline._execution_device, dtype=encoder.dtype)).image_embeds
        return found.float().cpu()

    def decode(self, embeddings: Float[Tensor, "picture clip"], seeds: Sequence[int]) -> list[Image.Image]:
        """Draw one picture of each embedding; the noise comes from the CPU, so it is the same on every device.

        Raises:
            SingError: The pipeline cannot, such as with this number of steps.
        """
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        dtype, device = self.pipeline.image_encoder.dtype, self.pipeline._execution_device
        given = embeddings.to(device=device, dtype=dtype)
        if self.files.pipeline == KARLO:
            inputs: dict[str, Any] = {"image_embeddings": given}
        else:
            inputs = {"image_embeds": given, "prompt": [""] * len(seeds)}
        try:
            found: list[Image.Image] = self.pipeline(**inputs, **self.options, generator=generators).images
        except Exception as error:  # parts that do not fit each other lead to many types
            if is_out_of_memory(error):
                raise
            raise SingError(f"--decoder {self.files.name} cannot draw: {describe_error(error)}") from error
        return found


def load_decoder(
    files: DecoderFiles, *, steps: int | None, device: torch.device, memory: Memory, where: str
) -> PipelineDecoder:
    """Load a decoder, every tensor from its files.

    Args:
        files: Its files, checked.
        steps: Steps of the diffusion; None for the pipeline's own number.
        device: A GPU computes in half precision, the CPU in float32.
        memory: `low` keeps parts on the CPU while they are not used, and computes attention in slices.
        where: Names the decoder in messages.

    Raises:
        SingError: A part cannot be built, or has other weights than its class.
    """
    import diffusers

    kind = getattr(diffusers, files.pipeline)
    dtype = torch.float16 if device.type == "cuda" else torch.float32
    wanted = get_type_hints(kind.__init__)
    with explaining(where), _quiet(), without_foreign_code():
        parts = {part: _loaded(files, part, wanted[part], dtype, where) for part in files.classes}
        pipeline = kind(**parts)
    pipeline.set_progress_bar_config(disable=True)
    with explaining(where):
        if memory == "low":
            pipeline.enable_attention_slicing()
            if hasattr(pipeline, "vae"):
                pipeline.vae.enable_slicing()
        if memory == "low" and device.type == "cuda":
            pipeline.enable_model_cpu_offload(device=device)
        else:
            pipeline.to(device)
    count = steps or _STEPS[files.pipeline]
    if files.pipeline == KARLO:
        given = {"decoder_num_inference_steps": count, "super_res_num_inference_steps": min(count, _SUPER_RESOLUTION)}
        side = int(pipeline.super_res_first.config.sample_size)
    else:
        given = {"num_inference_steps": count}
        side = int(pipeline.unet.config.sample_size) * int(pipeline.vae_scale_factor)
    return PipelineDecoder(pipeline, given, files, side)


def _loaded(files: DecoderFiles, part: str, wanted: Any, dtype: torch.dtype, where: str) -> Any:
    """Build one part of a pipeline."""
    import diffusers

    folder, name = files.folder / part, files.classes[part]
    if part.endswith("scheduler"):
        known = getattr(diffusers, name, None)
        if not isinstance(known, type) or not issubclass(known, diffusers.SchedulerMixin):
            raise SingError(f"{where}: its {part} is a {name[:60]}, which is no scheduler of diffusers")
        return known.from_pretrained(folder, local_files_only=True)  # type: ignore[attr-defined]
    if part in ("tokenizer", "feature_extractor"):
        return wanted.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if name != wanted.__name__:
        raise SingError(f"{where}: its {part} is a {name[:60]}, not a {wanted.__name__}")
    described = files.config(part)
    is_diffusers = issubclass(wanted, diffusers.ModelMixin)
    check_described(
        lambda: wanted.from_config(described) if is_diffusers else wanted(wanted.config_class.from_dict(described)),
        f"{where}, {part}",
        weights=sum(path.stat().st_size for path in files.weights(part)),
    )
    options = {"local_files_only": True, "use_safetensors": True, "output_loading_info": True}
    built, info = wanted.from_pretrained(folder, **options, **{_dtype_option(wanted): dtype})
    lost = [*info["missing_keys"], *(str(each[0]) for each in info["mismatched_keys"])]
    lost = [key for key in lost if not key.endswith("position_ids")]
    if lost:
        raise SingError(f"{where}: its {part} has no weights for {len(lost)} tensors, such as {lost[0]}")
    return built.eval()


def _dtype_option(kind: Any) -> str:
    """Return the name of the option that sets the precision: transformers changed it in 4.56."""
    if not kind.__module__.startswith("transformers"):
        return "torch_dtype"
    import transformers

    major, minor = (int(part) for part in transformers.__version__.split(".")[:2])
    return "dtype" if (major, minor) >= (4, 56) else "torch_dtype"


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the one warning that Karlo's pipeline is old, and the progress bars and reports of transformers."""
    from transformers.utils import logging as transformers_logging

    logger = logging.getLogger("diffusers.pipelines.pipeline_utils")
    level, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()

    def keep(record: logging.LogRecord) -> bool:
        return _DEPRECATED not in record.getMessage()

    logger.addFilter(keep)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        logger.removeFilter(keep)
        transformers_logging.set_verbosity(level)
        restore: Callable[[], None] = (
            transformers_logging.enable_progress_bar if bars else transformers_logging.disable_progress_bar
        )
        restore()
