"""Find out, without the tool, why the logits of a network are not those of one linear layer."""

import torch
from torch import Tensor, nn

SMALL = 1e-4
"""Largest difference, over the spread of the logits, of a sum that gives them."""


@torch.no_grad()
def confirm_refusal(network: nn.Module, images: Tensor, classes: int, logits: Tensor) -> str:
    """Return in words how the logits follow from the layers that have as many outputs as there are classes.

    Args:
        network: In evaluation mode.
        images: A batch for it.
        classes: Number of logits.
        logits: What it returns for the batch, (image, classes).
    """
    outputs: dict[str, Tensor] = {}
    hooks = []
    for name, module in network.named_modules():
        size = getattr(module, "out_features", getattr(module, "out_channels", None))
        if isinstance(module, nn.Linear | nn.Conv2d) and size == classes:

            def keep(module: nn.Module, _: object, output: Tensor, name: str = name) -> None:
                channels = 1 if isinstance(module, nn.Conv2d) else -1
                outputs[name] = output.movedim(channels, -1).reshape(len(output), -1, classes).mean(1)

            hooks.append(module.register_forward_hook(keep))
    network(images)
    for hook in hooks:
        hook.remove()
    if not outputs:
        return f"checked: it has no layer of {classes} outputs"
    names = list(outputs)
    columns = torch.stack([outputs[name].double().flatten() for name in names], dim=1)
    weights = torch.linalg.lstsq(columns, logits.double().flatten()[:, None], driver="gelsd").solution[:, 0]
    spread = float((logits.amax(1) - logits.amin(1)).mean())
    error = float((columns @ weights - logits.double().flatten()).abs().max()) / spread
    if error < SMALL and len(names) > 1:
        terms = " + ".join(f"{float(weight):.3g} {name}" for weight, name in zip(weights, names, strict=True))
        return f"checked: its logits are {terms}"
    return f"checked: no sum of {', '.join(names)} gives its logits ({error:.2g} of the spread off)"
