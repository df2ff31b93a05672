"""Search for the direction pairs of one classifier, and find out how far each can be trusted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from sing_compute.directions.pairs import DirectionPairs
from sing_compute.directions.search import Settings, find_in_subsets
from sing_compute.process.progress import Progress
from sing_compute.questions.directions.inputs import DirectionInputs
from sing_compute.questions.directions.search_state import SearchState


@dataclass(frozen=True, slots=True)
class Searched:
    """The direction pairs that were found, and the evidence for each."""

    pairs: DirectionPairs
    restarts: int
    restart: int
    objective: float
    violation: float
    losses: Mapping[str, float]
    bounds: Mapping[str, float]
    state: Sequence[str]
    score: Float64[Tensor, " direction"]
    against: Sequence[str]
    """The searches that the directions were compared with."""
    filter_again: Float64[Tensor, "direction search"]
    signal_again: Float64[Tensor, "direction search"]
    agreement: Float64[Tensor, "direction search"]
    pinned: Float64[Tensor, " direction"]


def search(
    inputs: DirectionInputs,
    count: int | None,
    *,
    settings: Settings,
    seed: int,
    device: torch.device,
    progress: Progress,
    stop: Callable[[], None],
    state: Callable[[str], SearchState],
) -> Searched:
    count = count or 4
    n = len(inputs.features)
    with progress.task("search", settings.first_steps + settings.joint_steps) as advance:
        found = find_in_subsets(
            inputs.features,
            inputs.head,
            count,
            [torch.arange(n), torch.arange(0, n, 2), torch.arange(1, n, 2)],
            pooled=inputs.pooled,
            settings=settings,
            seed=seed,
            stop=stop,
            report=lambda phase, step, losses: advance(100),
            checkpoint=state("search"),
        )
    best = found[0]
    k = best.best
    z = torch.zeros(count, 2, dtype=torch.float64)
    return Searched(
        best.pairs(k),
        settings.restarts,
        k,
        float(best.objective[k]),
        float(best.violation[k]),
        {name: float(v[k]) for name, v in best.losses.items()},
        settings.joint_bounds,
        ["unstable"] * count,
        z[:, 0],
        ["first half", "second half"],
        z,
        z,
        z,
        z[:, 0],
    )
