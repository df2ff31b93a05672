"""Write movements in the joint space of a CLIP in words, both poles of each."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from sing_compute.linalg.angles import unit
from sing_compute.linalg.comp import comp, mixes
from sing_compute.linalg.nearest_atoms import best_atoms
from sing_compute.sith.naming import Dictionary


@dataclass(frozen=True, slots=True)
class NamedMovements:
    """Movements with the concepts at their two poles. A movement of length 0 has picks of -1 and NaN in the place of figures."""

    sign: Float64[Tensor, " movement"]
    """1 if the positive pole is the movement as it was given, -1 if it is its opposite."""
    pick: Int64[Tensor, "movement sign pick"]
    """Index in the dictionary of each pick, in the order of picking."""
    coefficient: Float64[Tensor, "movement sign size pick"]
    """NaN behind the first K picks."""
    cosine: Float64[Tensor, "movement sign size"]
    """Cosine between the mix of K concepts and the pole."""


def name_movements(
    movements: Float64[Tensor, "movement clip"],
    dictionary: Dictionary,
    sizes: Sequence[int],
    *,
    coherence: float = 0.3,
) -> NamedMovements:
    """Write both poles of each movement as mixes of concepts, by COMP.

    A movement is the difference between two embeddings, so the mean of all images is not in it: nothing is subtracted before
    it is scaled to length 1. Concepts are centred, so they are differences, too.

    A movement and its opposite are the two ends of one line. The positive pole is the end at which the concept lies that is
    nearest to this line: the largest |cosine|, of equal ones the first concept.

    Args:
        movements: q = A d for a feature direction d, of any length.
        dictionary: The concepts.
        sizes: Numbers of concepts K, ascending.
        coherence: COMP's weight of the likeness to concepts picked before.

    Raises:
        ValueError: As for `comp`.
    """
    count, most = len(movements), sizes[-1]
    sign = torch.ones(count, dtype=torch.float64)
    pick = torch.full((count, 2, most), -1)
    coefficient = torch.full((count, 2, len(sizes), most), torch.nan, dtype=torch.float64)
    cosine = torch.full((count, 2, len(sizes)), torch.nan, dtype=torch.float64)
    there = movements.norm(dim=1) > 0
    if not there.any():
        return NamedMovements(sign, pick, coefficient, cosine)
    x = unit(movements[there])
    nothing = torch.zeros(len(x), 0, dtype=torch.long)
    nearest = best_atoms(x, dictionary.atoms, nothing, usable=dictionary.usable, both_signs=True)
    toward = (x * dictionary.atoms[nearest].double()).sum(1)
    sign[there] = torch.where(toward < 0, -1.0, 1.0).double()
    poles = torch.stack([x, -x], 1) * sign[there][:, None, None]
    flat = poles.flatten(0, 1)
    codes = comp(flat, dictionary.atoms, sizes, coherence=coherence, usable=dictionary.usable)
    pick[there] = codes.picks.reshape(-1, 2, most)
    for position, size in enumerate(sizes):
        whole = torch.full((len(flat), most), torch.nan, dtype=torch.float64)
        whole[:, :size] = codes.coefficients[size]
        coefficient[there, :, position] = whole.reshape(-1, 2, most)
        mix = mixes(codes, dictionary.atoms, size)
        cosine[there, :, position] = torch.cosine_similarity(mix, flat, dim=1).reshape(-1, 2)
    return NamedMovements(sign, pick, coefficient, cosine)
