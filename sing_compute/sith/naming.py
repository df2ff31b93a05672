"""Write the singular vectors of attention heads in words, and say how well the words fit."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float64
from torch import Tensor
from torch.nn.functional import cosine_similarity

from sing_compute.linalg.angles import unit
from sing_compute.linalg.comp import Codes, coherence_of, comp, distinct, mixes, top_k
from sing_compute.sith.towers import Tower

METHODS = ("comp", "nnomp", "top-k")
_PART = 2**14


@dataclass(frozen=True, slots=True)
class Dictionary:
    """Concepts as directions in which images can differ from the mean image: texts minus their mean, of length 1."""

    atoms: Float64[Tensor, "concept clip"] | Tensor
    usable: Bool[Tensor, " concept"]
    """False for a concept whose direction is that of an earlier one."""
    mean: Float64[Tensor, " clip"]
    """Mean of the unit text embeddings."""

    @classmethod
    def of_texts(cls, embeddings: Tensor, *, map_file: Path | None = None) -> "Dictionary":
        """Centre text embeddings by their own mean, which closes the gap between texts and images.

        Args:
            embeddings: One embedding per concept, (concept, clip), of any length.
            map_file: A new file to keep the atoms in; they are then mapped into memory. None keeps them in memory.

        Raises:
            OSError: The file cannot be written.
        """
        parts = torch.split(embeddings, _PART)  # in float64, all of a large vocabulary would take much memory
        mean = torch.stack([unit(part.double()).sum(0) for part in parts]).sum(0) / len(embeddings)
        centred = (unit(unit(part.double()) - mean).to(embeddings.dtype) for part in parts)
        if map_file is None:
            atoms = torch.cat(list(centred))
        else:
            with map_file.open("wb") as file:
                for part in centred:
                    file.write(part.contiguous().view(torch.uint8).numpy().data)
            atoms = torch.from_file(str(map_file), size=embeddings.numel(), dtype=embeddings.dtype)
            atoms = atoms.reshape(embeddings.shape)
        return cls(atoms, distinct(atoms) == torch.arange(len(atoms)), mean)


@dataclass(frozen=True, slots=True)
class Names:
    """Directions in words: their codes, and how well these fit."""

    codes: Codes
    cosine: Float64[Tensor, "size direction"]
    """Cosine between the mix of concepts and the direction in the joint space, by number of concepts."""
    fidelity: Float64[Tensor, "size direction"]
    """Cosine between the direction and the mix that was led back to the residual stream (the paper's fidelity)."""
    ceiling: Float64[Tensor, " direction"]
    """Fidelity of a perfect mix: the way back is not the inverse of the way there, so no mix reaches 1."""
    coherence: Float64[Tensor, "size direction"]
    """Weighted mean cosine between the concepts of a mix; NaN for one concept."""


def name_directions(
    tower: Tower,
    directions: Float64[Tensor, "direction dim"],
    image_mean: Float64[Tensor, " clip"],
    dictionary: Dictionary,
    sizes: Sequence[int] = (5,),
    *,
    method: str = "comp",
    coherence: float = 0.3,
) -> Names:
    """Write directions of the residual stream as mixes of concepts.

    Each direction goes to the joint space, where the mean image is subtracted, as the mean text is from the concepts
    (arXiv 2603.24653, section 4). Codes are non-negative, so a direction and its opposite have different names.

    Args:
        tower: The tower whose heads write the directions.
        directions: Unit vectors.
        image_mean: Mean of unit image embeddings; zeros if it is not known, which costs many picks.
        dictionary: The concepts.
        sizes: Numbers of concepts.
        method: `comp`, `nnomp` (without coherence) or `top-k`.
        coherence: Weight of the likeness to concepts picked before, for `comp`.

    Raises:
        ValueError: An unknown method, or what `comp` refuses.
    """
    if method not in METHODS:
        raise ValueError(f"no method {method!r}; there are {', '.join(METHODS)}")
    x = unit(tower.to_joint_space(directions) - image_mean)
    if method == "top-k":
        codes = top_k(x, dictionary.atoms, sizes, usable=dictionary.usable)
    else:
        weight = coherence if method == "comp" else 0.0
        codes = comp(x, dictionary.atoms, sizes, coherence=weight, usable=dictionary.usable)
    return judge_codes(tower, directions, image_mean, dictionary, codes)


def judge_codes(
    tower: Tower,
    directions: Float64[Tensor, "direction dim"],
    image_mean: Float64[Tensor, " clip"],
    dictionary: Dictionary,
    codes: Codes,
) -> Names:
    """Measure how well codes write directions of the residual stream, whoever found them.

    Args:
        tower: As for `name_directions`.
        directions: Unit vectors.
        image_mean: As for `name_directions`.
        dictionary: The concepts that the codes pick from.
        codes: A code for each direction.
    """
    x = unit(tower.to_joint_space(directions) - image_mean)
    sizes = sorted(codes.coefficients)
    found = [unit(mixes(codes, dictionary.atoms, size)) for size in sizes]
    back = torch.linalg.pinv(tower.projection)

    def led_back(joint: Tensor) -> Tensor:
        return cosine_similarity(unit(joint + image_mean) @ back, directions, dim=1)

    return Names(
        codes,
        torch.stack([(mix * x).sum(1) for mix in found]),
        torch.stack([led_back(mix) for mix in found]),
        led_back(x),
        torch.stack([coherence_of(codes, dictionary.atoms, size) for size in sizes]),
    )


def both_poles(vectors: Float64[Tensor, "head rank dim"]) -> Float64[Tensor, "head rank 2 dim"]:
    """Return each vector and its opposite: a singular vector has no sign of its own, and its poles have different names."""
    return torch.stack([vectors, -vectors], 2)
