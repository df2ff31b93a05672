"""Compute control scores: the same scores when something else than the null part is removed (after SING, Fig. 9).

Each control replaces the removed vector Pi_n f of each image:

- `random subspace`: by the projection on a random subspace of the null space's dimension. It removes most of the
  feature, so the removed length and the flips are computed, too.
- `same norm`: by the projection on a random subspace that removes as much of the features' energy as the null space.
- `random vector`: by a vector of the same length in a random direction, another one for each image.
- `null direction`: by a vector of the same length along one random null direction for all images. No logit changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sing_compute.linalg.null_space import HeadSplit
from sing_compute.scores.shifts import NullRemoval, attribute_score, image_score

CONTROLS = ("null space", "random subspace", "same norm", "random vector", "null direction")
"""The removal of the null part itself, then its controls."""
PERTURBATIONS = ("null", "random", "principal")
"""Spaces in which the direction of a perturbation is drawn: the null space, feature space, the principal space."""
LENGTHS = (0.25, 0.5, 1.0, 2.0)
"""Lengths of the perturbations, over the length of the image's null part."""
REFERENCE = "random vector"
"""The control that scores are divided by: it has the length of the null part, and depends on no head and no data."""


def random_subspace(dim: int, size: int, generator: torch.Generator) -> Float[Tensor, "dim size"]:
    """Return orthonormal columns that span a uniformly drawn subspace, float64."""
    drawn = torch.randn(dim, size, generator=generator, dtype=torch.float64)
    columns: Tensor = torch.linalg.qr(drawn)[0]
    return columns


def random_units(count: int, dim: int, generator: torch.Generator) -> Float[Tensor, "count dim"]:
    """Return uniformly drawn unit vectors, one per row, float64."""
    return torch.nn.functional.normalize(torch.randn(count, dim, generator=generator, dtype=torch.float64), dim=1)


@dataclass(slots=True)
class Controls:
    """Scores of all controls over the images of one model, added batch by batch.

    Args:
        split: The head's null space.
        weight: Weight of the head, for the logits.
        bias: Bias of the head.
        folds: The translators, one per fold.
        share: Mean ||Pi_n f||^2 over mean ||f||^2, for `same norm`.
        draws: Number of draws of each control.
        seed: Seed of all draws. They are made on the CPU, so that every device gets the same.
        centred: Measure logits minus their mean, which is all that the softmax depends on.
    """

    split: HeadSplit
    weight: Float[Tensor, "classes dim"]
    bias: Float[Tensor, " classes"]
    folds: Sequence[NullRemoval]
    share: float
    draws: int
    seed: int
    centred: bool = False
    _generator: torch.Generator = field(init=False)
    _scores: list[Tensor] = field(default_factory=list)
    """Scores of each batch (case, figure, image), cases in the order of `_cases`."""
    _logits: list[Tensor] = field(default_factory=list)
    """Changes of the logits of each batch (perturbation and length, figure, image)."""
    _labels: list[Tensor] = field(default_factory=list)
    _cases: list[str] = field(init=False)
    """Name of the control of each case: every control once for each draw, the null space itself once."""
    _weight: Tensor = field(init=False)
    _keep: list[Tensor] = field(init=False)
    _take: list[Tensor] = field(init=False)
    _directions: Tensor = field(init=False)

    def __post_init__(self) -> None:
        device, dim = self.weight.device, self.weight.shape[1]
        self._generator = torch.Generator().manual_seed(self.seed)
        self._cases = [name for draw in range(self.draws) for name in CONTROLS[draw > 0 :]]
        self._weight = self.weight.double().T
        removed = min(dim, max(1, round(self.share * dim)))
        self._keep = [random_subspace(dim, self.split.rank, self._generator).to(device) for _ in range(self.draws)]
        self._take = [random_subspace(dim, removed, self._generator).to(device) for _ in range(self.draws)]
        drawn = random_units(self.draws, self.split.nullity, self._generator).to(device)
        self._directions = drawn @ self.split.null_basis.double()

    def add(
        self,
        features: Float[Tensor, "image dim"],
        before: Float[Tensor, "image clip"],
        texts: Float[Tensor, "image clip"],
        folds: Int[Tensor, " image"],
        labels: Int[Tensor, " image"],
    ) -> None:
        """Add a batch of images.

        Args:
            features: Features in float64.
            before: T(f), by the translator fitted without the image's fold.
            texts: Text embedding of each image's class.
            folds: Fold of each image.
            labels: Class of each image.
        """
        null = self.split.null_part(features)
        length = null.norm(dim=1, keepdim=True)
        logits = features @ self._weight + self.bias.double()
        spread, predicted = logits.amax(1) - logits.amin(1), logits.argmax(1)
        cases = []
        for draw in range(self.draws):
            keep, take, direction = self._keep[draw], self._take[draw], self._directions[draw]
            removed = {
                "null space": null,
                "random subspace": features - features @ keep @ keep.T,
                "same norm": features @ take @ take.T,
                "random vector": length * self._units(len(features)),
                "null direction": length * direction,
            }
            for name in CONTROLS[draw > 0 :]:
                part = removed[name]
                after = self._moved(before, part, folds)
                figures = [
                    attribute_score(before, after, texts),
                    image_score(before, after),
                    part.norm(dim=1) / features.norm(dim=1),
                    (logits - part @ self._weight).argmax(1) != predicted,
                ]
                cases.append(torch.stack([figure.float() for figure in figures]))
        pairs = []
        for kind in PERTURBATIONS:
            change = self._perturbation(kind, len(features)) @ self._weight * length
            if self.centred:
                change = change - change.mean(1, keepdim=True)
            moved = change.abs().mean(1) / spread
            for scale in LENGTHS:
                flipped = (logits + scale * change).argmax(1) != predicted
                pairs.append(torch.stack([scale * moved, flipped.double()]))
        self._scores.append(torch.stack(cases).cpu())
        self._logits.append(torch.stack(pairs).cpu())
        self._labels.append(labels.cpu())

    def _units(self, count: int) -> Tensor:
        return random_units(count, self.weight.shape[1], self._generator).to(self.weight.device)

    def _perturbation(self, kind: str, count: int) -> Tensor:
        drawn = self._units(count)
        null = self.split.null_part(drawn)
        chosen = {"null": null, "random": drawn, "principal": drawn - null}[kind]
        return torch.nn.functional.normalize(chosen, dim=1)

    def _moved(self, before: Tensor, removed: Tensor, folds: Tensor) -> Tensor:
        after = before.clone()
        for fold, removal in enumerate(self.folds):
            rows = (folds == fold).nonzero().squeeze(1)
            after[rows] -= removed[rows] @ removal.whole.weight.T
        return after

    def finish(self) -> dict[str, Float[Tensor, " control"]]:
        """Return the figures of each control: medians over images, then the mean over draws.

        Returns:
            By store name: scores in degrees, their standard deviations over draws (`_std`, n - 1), the removed length over
            the feature's, and the share of flips.
        """
        results: dict[str, list[float]] = {}
        scores = torch.cat(self._scores, dim=2)
        for name in CONTROLS:
            runs = scores[self._draws_of(name)]
            medians = torch.stack([run.double().abs().nanquantile(0.5, dim=1) for run in runs])
            spread = medians.std(dim=0) if len(runs) > 1 else torch.zeros(medians.shape[1], dtype=torch.float64)
            figures = {
                "attribute_score_abs": medians[:, 0].mean(),
                "attribute_score_abs_std": spread[0],
                "image_score": medians[:, 1].mean(),
                "image_score_std": spread[1],
                "removed": medians[:, 2].mean(),
                "flips": runs[:, 3].double().mean(),
            }
            for figure, value in figures.items():
                results.setdefault(figure, []).append(float(value))
        return {figure: torch.tensor(values, dtype=torch.float64) for figure, values in results.items()}

    def validation(self) -> dict[str, Float[Tensor, "perturbation length"]]:
        """Return the mean logit change over the logit spread, and the share of flips, of perturbations (SING, Fig. 9)."""
        figures = torch.cat(self._logits, dim=2).reshape(len(PERTURBATIONS), len(LENGTHS), 2, -1)
        return {"logit_change": figures[:, :, 0].nanmean(dim=2), "flips": figures[:, :, 1].mean(dim=2)}

    def by_class(self, classes: int) -> dict[str, Float[Tensor, " classes"]]:
        """Return median |AS| and IS of each class under the `REFERENCE` control, all draws together.

        Args:
            classes: Number of classes.

        Returns:
            Degrees by store name; NaN for a class without images.
        """
        chosen = self._draws_of(REFERENCE)
        scores = torch.cat([batch[chosen, :2] for batch in self._scores], dim=2).transpose(0, 1).abs()
        labels, order = torch.cat(self._labels).long().sort(stable=True)
        counts = torch.bincount(labels, minlength=classes).tolist()
        result = torch.full((2, classes), torch.nan, dtype=torch.float64)
        for label, part in enumerate(torch.split(scores[:, :, order], counts, dim=2)):
            if part.shape[2]:
                result[:, label] = part.flatten(1).double().nanquantile(0.5, dim=1)
        return {"attribute_score_abs_control": result[0], "image_score_control": result[1]}

    def _draws_of(self, name: str) -> list[int]:
        """Return the numbers of the cases of one control."""
        return [place for place, case in enumerate(self._cases) if case == name]
