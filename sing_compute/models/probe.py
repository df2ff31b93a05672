"""Fit a linear head on labels by multinomial logistic regression; the result is fixed for one machine and thread count."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

ITERATIONS = 300
"""Most iterations of LBFGS."""
Head = tuple[Float[Tensor, "classes dim"], Float[Tensor, " classes"]]
"""Weight and bias."""


@torch.no_grad()
def fit_probe(features: Float[Tensor, "image dim"], labels: Int[Tensor, " image"], *, classes: int) -> Head:
    """Fit weight and bias that minimise the summed cross entropy + ||W||^2 / 2 by LBFGS, like scikit-learn's default.

    The features are first centred and divided by their root mean square, so that their scale does not matter; the
    result is for the features as they are given. The rows of the weight sum to zero.

    Args:
        features: Features in any precision; the fit is in float64.
        labels: Class of each image, from 0.
        classes: Number of classes.

    Returns:
        Weight and bias in the precision of the features.
    """
    inputs = features.double()  # in float32 rounding stops the line search long before it converges
    mean = inputs.mean(dim=0)
    scale = (inputs - mean).square().mean().sqrt().clamp_min(torch.finfo(features.dtype).tiny)
    inputs = (inputs - mean) / scale
    true = labels.long()[:, None]
    weight, bias = inputs.new_zeros(classes, inputs.shape[1]), inputs.new_zeros(classes)
    optimizer = torch.optim.LBFGS(
        [weight, bias],
        max_iter=ITERATIONS,
        history_size=20,
        tolerance_grad=1e-6,
        tolerance_change=1e-12,
        line_search_fn="strong_wolfe",
    )

    def loss() -> Tensor:
        logs = functional.log_softmax(inputs @ weight.T + bias, dim=1)
        excess = logs.exp().scatter_add_(1, true, -torch.ones_like(true, dtype=logs.dtype)) / len(inputs)
        weight.grad = excess.T @ inputs + weight / len(inputs)
        bias.grad = excess.sum(dim=0)
        return weight.square().sum() / (2 * len(inputs)) - logs.gather(1, true).mean()

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    fitted = weight / scale
    return fitted.to(features.dtype), (bias - fitted @ mean).to(features.dtype)


def out_of_fold_accuracy(
    features: Float[Tensor, "image dim"], labels: Int[Tensor, " image"], folds: Int[Tensor, " image"], *, classes: int
) -> float:
    """Return the share of images that a head fitted without their fold assigns to their class.

    Args:
        features: As for `fit_probe`.
        labels: Class of each image.
        folds: Fold of each image.
        classes: Number of classes.

    Returns:
        A share from 0 to 1; NaN if all images are in one fold.
    """
    correct = 0
    for fold in sorted(set(folds.tolist())):
        held = folds == fold
        if held.all():
            return float("nan")
        weight, bias = fit_probe(features[~held], labels[~held], classes=classes)
        correct += int(((features[held] @ weight.T + bias).argmax(dim=1) == labels[held]).sum())
    return correct / len(features)
