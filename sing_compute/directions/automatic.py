"""Search until the best directions are found twice, and choose how many directions to look for."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields

import torch
from jaxtyping import Float
from torch import Tensor

from sing_compute.directions.alignment import LinearHead
from sing_compute.directions.descent import Checkpoint, Report
from sing_compute.directions.pairs import DirectionPairs
from sing_compute.directions.search import Restarts, Settings, find_in_subsets
from sing_compute.directions.trust import DETECTOR, FOUND, Half, Trust, found_twice, measured_trust

CheckpointOf = Callable[[int, int], Checkpoint]
"""Gives the checkpoint of a search from its number of directions and its round, the first round being 0."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Direction pairs with their trust, and the restarts that they were chosen from."""

    restarts: Restarts
    """Restarts on all images, of all rounds."""
    halves: tuple[Half, Half]
    trust: Trust
    twice: bool
    """Another restart has found the best directions again; if not, the limit of rounds was reached."""
    rounds: int

    @property
    def pairs(self) -> DirectionPairs:
        """The direction pairs of the best restart, which `trust` is about."""
        return self.restarts.pairs(self.restarts.best)

    @property
    def found(self) -> tuple[int, int]:
        """Number of directions that are called found, and of those of which the detector only is."""
        return self.trust.states.count(FOUND), self.trust.states.count(DETECTOR)


def find_trusted(
    features: Float[Tensor, "image position dim"],
    head: LinearHead,
    count: int,
    *,
    pooled: Float[Tensor, "image dim"] | None = None,
    settings: Settings | None = None,
    seed: int = 0,
    rounds: int = 2,
    report: Report = lambda phase, step, losses: None,
    stop: Callable[[], None] = lambda: None,
    checkpoint: CheckpointOf | None = None,
) -> Finding:
    """Find direction pairs in all images and in two halves of them, and measure how far to trust each.

    Each round makes `settings.restarts` more restarts on the images and on each half. The rounds end when the best directions
    have been found twice.

    Args:
        features: As for `find_directions`.
        head: As there.
        count: As there.
        pooled: As there.
        settings: As there.
        seed: As there; it also divides the images.
        rounds: Most rounds.
        report: As there.
        stop: As there.
        checkpoint: Gives a checkpoint to each round.

    Raises:
        DirectionsError: As there.
    """
    order = torch.randperm(len(features), generator=torch.Generator().manual_seed(seed))
    everything, parts = torch.arange(len(features)), order.tensor_split(2)
    found: list[list[Restarts]] = []
    for number in range(rounds):
        found.append(
            find_in_subsets(
                features,
                head,
                count,
                [everything, *parts],
                pooled=pooled,
                settings=settings,
                seed=seed + number * _NEXT_SEED,
                report=report,
                stop=stop,
                checkpoint=checkpoint(count, number) if checkpoint else None,
            )
        )
        whole, *half_restarts = map(joined, zip(*found, strict=True))
        if twice := found_twice(whole, features):
            break
    first, second = (Half(images, own) for images, own in zip(parts, half_restarts, strict=True))
    trust = measured_trust(features, head, whole, (first, second), settings=settings)
    return Finding(whole, (first, second), trust, twice, len(found))


_NEXT_SEED = 1_000_003
"""Distance of the seeds of two rounds: a prime, so that rounds of neighbouring seeds do not meet."""


def joined(parts: Sequence[Restarts]) -> Restarts:
    """Return the restarts of several searches with the same features and count as those of one.

    Args:
        parts: One or more searches.
    """
    values = {
        part.name: torch.cat([getattr(each, part.name) for each in parts])
        for part in fields(Restarts)
        if part.name != "losses"
    }
    losses = {name: torch.cat([each.losses[name] for each in parts]) for name in parts[0].losses}
    return Restarts(**values, losses=losses)


def counts_to_try(most: int) -> Iterator[int]:
    """Yield 2, 3, 4, 6, 8, 12, 16, 24 and so on, up to `most`.

    Args:
        most: Largest count.
    """
    count = 2
    while count <= most:
        yield count
        power_of_two = count & (count - 1) == 0
        count = count * 3 // 2 if power_of_two else count * 4 // 3


def find_count(search: Callable[[int], Finding], counts: Iterable[int], *, patience: int = 2) -> Finding:
    """Search with more and more directions; return the search in which most are called found, and of equals most detectors are.

    Of searches that are equal in both, the one with the smallest count is returned.

    The search ends when `patience` counts in a row have found no more than a smaller count; while none is found, it goes on.

    Args:
        search: Makes the search with a count, `find_trusted` for example.
        counts: Counts in ascending order, one or more.
        patience: See above.
    """
    best: Finding | None = None
    without = 0
    for count in counts:
        new = search(count)
        if best is None or new.found > best.found:
            best, without = new, 0
        else:
            without += 1
        if any(best.found) and without == patience:
            break
    if best is None:
        raise ValueError("no count to try")
    return best
