"""Check on the first images that a network is a function of one image, and choose the memory format in which it is one."""

import torch
from torch import Tensor, nn

from sing_compute.errors import HeadError
from sing_compute.foreign_code import describe_error, is_out_of_memory
from sing_compute.models.head import AGREEMENT, RANDOM, logits_of

CONTIGUOUS, CHANNELS_LAST = "contiguous", "channels_last"
MEMORY_FORMATS = {CONTIGUOUS: torch.contiguous_format, CHANNELS_LAST: torch.channels_last}
"""Orders of an image's values in memory, by the names under which they are stored."""
FLOATS_NEEDED = (
    "the transform gives {dtype} pixels, and the network needs floats: end it with "
    "transforms.ConvertImageDtype(torch.float32), or v2.ToDtype(torch.float32, scale=True)"
)


@torch.inference_mode()
def check_function(network: nn.Module, batch: Tensor) -> tuple[str, Tensor]:
    """Refuse a network whose result for an image depends on anything else; it costs three passes of a few images.

    Compared are contiguous images with channels last, and the first image alone with the same image in the batch. Results are
    equal if they differ by less than `AGREEMENT`, over the spread of the logits: the order of sums, which may change with
    the memory format and the number of images, stays far below it. `find_head` compares one more pass.

    Args:
        network: Is set to evaluation mode and left in the memory format that was chosen.
        batch: Transformed images (image, channel, height, width), on the network's device.

    Returns:
        The memory format, a key of `MEMORY_FORMATS`: channels last if it gives the results of contiguous images, because it is
        faster; and the logits in it.

    Raises:
        HeadError: The network fails, is random, keeps values of other images or is in training mode; the message says which.
    """
    network.eval()
    chosen, logits, buffers = _choose_format(network, batch)
    training = [(name, module) for name, module in network.named_modules() if module.training]
    if training:
        name, module = training[0]
        raise HeadError(
            f"its layer {name or 'as a whole'} ({type(module).__name__}) is in training mode although the network was set to "
            "evaluation; does its own `train` or `forward` switch it on?"
        )
    _check_alone(network, batch, chosen, logits)
    for name, buffer in network.named_buffers():
        before = buffers.get(name)
        if before is not None and before.shape == buffer.shape and not torch.equal(before, buffer):
            raise HeadError(
                f"its buffer {name} changes with every batch, so that results depend on the images before; update it only if "
                "self.training"
            )
    return chosen, logits


def lay_out(batch: Tensor, memory_format: str) -> Tensor:
    """Return a batch in a memory format; only images (image, channel, height, width) have channels last."""
    return batch.contiguous(memory_format=MEMORY_FORMATS[memory_format]) if batch.ndim == 4 else batch


def convert(network: nn.Module, memory_format: str) -> None:
    """Convert the weights of a network to a memory format."""
    # Ordinary weights must not become tensors of inference mode: a head could not be fitted on their features.
    inference = any(parameter.is_inference() for parameter in network.parameters())
    with torch.inference_mode(inference):
        network.to(memory_format=MEMORY_FORMATS[memory_format])


def _choose_format(network: nn.Module, batch: Tensor) -> tuple[str, Tensor, dict[str, Tensor]]:
    """Return memory format, logits, and the buffers of floats as they are after the first pass, in which caches are filled."""
    plain = _run(network, batch, CONTIGUOUS)
    buffers = {name: value.clone() for name, value in network.named_buffers() if value.is_floating_point()}
    other = _run(network, batch, CHANNELS_LAST) if batch.ndim == 4 else plain
    if isinstance(plain, BaseException):
        if isinstance(other, BaseException):
            raise HeadError(_failure(plain, batch)) from plain
        return CHANNELS_LAST, other, buffers
    if not isinstance(other, BaseException) and not _differ(other, plain, plain):
        return (CHANNELS_LAST if batch.ndim == 4 else CONTIGUOUS), other, buffers
    again = _run(network, batch, CONTIGUOUS)
    if isinstance(again, BaseException):
        raise HeadError(f"the network fails the second time for the same images ({describe_error(again)})") from again
    if _differ(again, plain, plain):
        raise HeadError(RANDOM)
    return CONTIGUOUS, plain, buffers


def _check_alone(network: nn.Module, batch: Tensor, memory_format: str, logits: Tensor) -> None:
    """Refuse a network that gives an image another result alone than among others."""
    if len(batch) == 1:
        pair = _run(network, torch.cat([batch, batch.flip(-1)]), memory_format)
        if isinstance(pair, BaseException):
            raise HeadError(f"it takes one image only ({describe_error(pair)}); it must take a batch") from pair
        together = pair[:1]
    else:
        together = logits[:1]
    try:
        alone = _run(network, batch[:1], memory_format)
    except HeadError as error:
        raise HeadError(f"for one image alone {error}; does it squeeze the axis of images?") from error
    if isinstance(alone, BaseException):
        raise HeadError(
            f"it fails for one image alone ({describe_error(alone)}), though not for {len(batch)}: batch statistics in "
            "evaluation, or a fixed number of images?"
        ) from alone
    if _differ(alone, together, logits):
        raise HeadError(
            "the result for an image depends on the other images of its batch: batch statistics in evaluation? Batch norm "
            "needs its running statistics, F.batch_norm training=self.training"
        )


def _run(network: nn.Module, batch: Tensor, memory_format: str) -> Tensor | BaseException:
    """Return the logits, or the network's own error. An output of the wrong kind, or want of memory, is raised."""
    try:
        convert(network, memory_format)
        output = network(lay_out(batch, memory_format))
    except HeadError:
        raise
    except (Exception, SystemExit) as error:  # the user's own code may raise anything, and call sys.exit
        if is_out_of_memory(error):
            raise HeadError(f"there is no memory for the first {len(batch)} images; take a smaller model") from error
        return error
    return logits_of(output).clone()


def _differ(left: Tensor, right: Tensor, reference: Tensor) -> bool:
    """Return True if logits differ by more than rounding. Logits without a spread, or not finite, are left to `find_head`."""
    spread = float((reference.amax(1) - reference.amin(1)).mean()) if reference.isfinite().all() else 0.0
    if left.shape == right.shape and spread == 0:
        return False
    return left.shape != right.shape or not float((left - right).abs().max()) <= AGREEMENT * spread


def _failure(error: BaseException, batch: Tensor) -> str:
    if not batch.is_floating_point():
        needed = FLOATS_NEEDED.format(dtype=str(batch.dtype).removeprefix("torch."))
        return f"{needed} ({describe_error(error)})"
    size = "x".join(str(side) for side in batch.shape[1:])
    return f"the network failed on the first images ({describe_error(error)}); its transform makes them {size}"
