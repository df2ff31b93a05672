"""Search for the direction pairs of one classifier, and find out how far each can be trusted."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float64
from torch import Tensor

from sing_compute.allocator import keeping_memory
from sing_compute.directions.alignment import LinearHead
from sing_compute.directions.automatic import Finding, counts_to_try, find_count, find_trusted
from sing_compute.directions.pairs import DirectionPairs
from sing_compute.directions.search import FIRST_PHASE
from sing_compute.directions.settings import Settings
from sing_compute.directions.trust import Trust
from sing_compute.process.progress import Advance, Progress
from sing_compute.questions.directions.inputs import DirectionInputs
from sing_compute.questions.directions.search_state import SearchState

AGAINST = ("another restart", "first half", "second half")
"""Searches that directions are compared with: the restart that is most like the chosen one, and those on either half."""
MOST_AUTOMATIC = 32
"""Largest number of directions that is tried where the number is not given."""
ROUNDS = 2
"""Most rounds of restarts."""


@dataclass(frozen=True, slots=True)
class Searched:
    """The direction pairs that were found, and the evidence for each."""

    pairs: DirectionPairs
    restarts: int
    """Number of restarts on all images."""
    restart: int
    """The chosen one."""
    objective: float
    violation: float
    losses: Mapping[str, float]
    bounds: Mapping[str, float]
    state: Sequence[str]
    score: Float64[Tensor, " direction"]
    detector: Float64[Tensor, " direction"]
    filters: Float64[Tensor, "direction search"]
    """Correlation of logits with the direction most alike in each of `AGAINST`."""
    signals: Float64[Tensor, "direction search"]
    positives: Float64[Tensor, "direction search"]
    steady: Float64[Tensor, " direction"]
    """Cosine of each signal vector and the one among the negatives."""
    pinned: Float64[Tensor, " direction"]
    twice: bool
    """A second restart has found the same directions."""


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
    """Search with a number of directions, or with the number of which most are found again.

    Args:
        inputs: Features and head.
        count: Number of directions; None finds it.
        settings: How to look.
        seed: Seed of starts, batches and halves.
        device: Device of the search; results are on the CPU.
        progress: Shows how far each search is.
        stop: Is called before each step; it raises an error to stop.
        state: Gives the place that keeps the state of a search, by its name.

    Raises:
        DirectionsError: The features, or the number, are of no use.
    """
    head = LinearHead(inputs.head.weight.to(device), inputs.head.bias.to(device), inputs.head.sigmoid)
    features, pooled = inputs.features.to(device), inputs.pooled.to(device)
    steps = settings.first_steps + settings.joint_steps

    def searched(directions: int) -> Finding:
        title = f"search for {directions} direction{'s' * (directions > 1)}"
        again = f", {settings.restarts} more restarts: the best was not found twice"
        done = 0
        advance: Advance = _nothing
        with keeping_memory(), ExitStack() as task:  # each step needs the same large blocks again

            def begin(number: int, part: int) -> SearchState:
                nonlocal done, advance
                task.close()
                done, advance = 0, task.enter_context(progress.task(f"{title}{again * bool(part)}", steps))
                return state(f"search-{number}-{part}")

            def report(phase: str, step: int, losses: Mapping[str, float]) -> None:
                nonlocal done
                first = phase == FIRST_PHASE
                at = step if first else settings.first_steps + step
                advance(at - done)
                done = at
                if step == (settings.first_steps if first else settings.joint_steps):
                    progress.say(f"{phase}: {', '.join(f'{name} {value:.3g}' for name, value in losses.items())}")

            found = find_trusted(
                *(features, head, directions),
                pooled=pooled,
                settings=settings,
                seed=seed,
                rounds=ROUNDS,
                report=report,
                stop=stop,
                checkpoint=begin,
            )
        whole, detectors = found.found
        counted = f"{whole} found, {detectors} more as detectors only"
        progress.say(f"{title.removeprefix('search for ')}: {counted}; trust score {_scores(found.trust)}")
        if not found.twice:
            made = len(found.restarts.objective)
            progress.say(f"of {made} restarts no second one found the same directions; --restarts makes more")
        return found

    if count is not None:
        return _of(searched(count), settings)
    most = min(MOST_AUTOMATIC, inputs.features.shape[2], len(inputs.features) // 4)
    return _of(find_count(searched, counts_to_try(max(2, most))), settings)


def _nothing(steps: int) -> None:
    """Report to nobody."""


def _scores(trust: Trust) -> str:
    return f"{float(trust.score.min()):.2f} to {float(trust.score.max()):.2f}"


def _of(found: Finding, settings: Settings) -> Searched:
    """Return what is kept of a search, on the CPU, the directions with the most trusted detectors first."""
    restarts, trust, best = found.restarts, found.trust, found.restarts.best
    again = trust.others.least.argmax(0, keepdim=True)
    order = trust.detector.argsort(descending=True, stable=True)

    def columns(name: str) -> Tensor:
        others, halves = getattr(trust.others, name), getattr(trust.halves, name)
        return torch.cat([others.gather(0, again), halves]).T[order].cpu()

    pairs = found.pairs
    return Searched(
        replace(
            pairs,
            **{name: getattr(pairs, name)[..., order].cpu() for name in ("filters", "thresholds", "signals")},
        ),
        len(restarts.objective),
        best,
        float(restarts.objective[best]),
        float(restarts.violation[best]),
        {name: float(value[best]) for name, value in restarts.losses.items()},
        settings.joint_bounds,
        [trust.states[k] for k in order.tolist()],
        trust.score[order].cpu(),
        trust.detector[order].cpu(),
        columns("logits"),
        columns("signals"),
        columns("positives"),
        trust.steady[order].cpu(),
        trust.pinned[order].cpu(),
        found.twice,
    )
