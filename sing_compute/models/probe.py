"""A linear head fitted on labels: multinomial logistic regression, deterministic for a machine and a thread count."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

ITERATIONS = 300
Head = tuple[Float[Tensor, "classes dim"], Float[Tensor, " classes"]]


@torch.no_grad()
def fit_probe(features: Float[Tensor, "image dim"], labels: Int[Tensor, " image"], *, classes: int) -> Head:
    """Weight and bias that minimise the summed cross entropy + ||W||^2 / 2 by LBFGS, as scikit-learn's default does.

    The features are centred and divided by their mean standard deviation first, so that their scale does not matter; weight
    and bias are given for the features as they are. The rows of the weight sum to zero.
    """
    inputs = features.double()  # in float32 the line search fights with rounding long before it converges
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
    """Share of images that a head fitted without their fold puts into their class."""
    right = 0
    for fold in sorted(set(folds.tolist())):
        held = folds == fold
        if held.all():
            return float("nan")
        weight, bias = fit_probe(features[~held], labels[~held], classes=classes)
        right += int(((features[held] @ weight.T + bias).argmax(dim=1) == labels[held]).sum())
    return right / len(features)
