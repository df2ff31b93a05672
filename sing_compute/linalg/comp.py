"""Write vectors as sparse mixes of dictionary atoms that belong together: COMP, and top-k and NNOMP to compare it with.

COMP (coherent orthogonal matching pursuit; arXiv 2603.24653) picks one atom a step. With residual r and picks S, an atom g scores
<r, g> + (coherence / |S|) * sum over i in S of <g_i, g>, which is one product <q, g> with
q = x + sum over i in S of (coherence / |S| - c_i) g_i. After each pick, all coefficients c are fitted again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree
from torch import Tensor

from sing_compute.linalg.nearest_atoms import best_atoms
from sing_compute.linalg.nonnegative import least_squares, nonnegative_least_squares

ROWS = 1024
"""Vectors that are written at once: the dictionary is read once for each step of so many."""
_DIRECTIONS = 8


@dataclass(frozen=True, slots=True)
class Codes:
    """Vectors as mixes of atoms: coefficient times atom, summed over the picks."""

    picks: Int64[Tensor, "vector pick"]
    """Indices of atoms, in the order in which they were picked."""
    coefficients: Mapping[int, Float64[Tensor, "vector size"]]
    """Coefficients of the first K picks, by K. An atom with coefficient 0 was picked in vain: it names nothing."""

    def unused(self, size: int) -> Int64[Tensor, " vector"]:
        """Count the picks of each vector whose coefficient is 0 with so many picks."""
        return (self.coefficients[size] == 0).sum(1)


def comp(
    vectors: Tensor,
    atoms: Tensor,
    sizes: Sequence[int] = (5,),
    *,
    coherence: float = 0.3,
    nonnegative: bool = True,
    usable: Bool[Tensor, " atom"] | None = None,
    screen: torch.dtype | None = None,
) -> Codes:
    """Write each vector as a mix of as many atoms as `sizes` says, by COMP.

    The picks for K atoms begin those for more, so one run serves all sizes. The picks of a vector are exact: they depend neither
    on the other vectors nor on the number of threads, and of equal atoms the first is picked.

    Args:
        vectors: Vectors x, (vector, dim), of any floating dtype, as a rule of length 1.
        atoms: Dictionary, (atom, dim), of length 1 each; may be a memory map on another device than the vectors.
        sizes: Numbers of atoms K.
        coherence: Weight of the likeness to the atoms picked before (the paper's lambda); 0 gives NNOMP.
        nonnegative: Keep coefficients >= 0. Without it, an atom counts for both of its signs, and the likeness is that to
            the picks with the signs of their coefficients (ours; the paper has non-negative mixes only).
        usable: Atoms that may be picked, as `distinct` gives them; None for all.
        screen: Dtype in which the dictionary is searched; None for the fastest here. It changes no pick.

    Returns:
        Picks (vector, largest size) and coefficients in float64.

    Raises:
        ValueError: Sizes are not from 1 to the number of usable atoms, shapes do not fit, a number is not finite, or an atom
            is not of length 1.
    """
    sizes = sorted(set(sizes))
    _check(vectors, atoms, sizes, usable)
    parts = [
        _comp(rows.double(), atoms, sizes, coherence, nonnegative=nonnegative, usable=usable, screen=screen)
        for rows in torch.split(vectors, ROWS)
        if len(rows)
    ]
    return _joined(parts, sizes, vectors)


def top_k(
    vectors: Tensor,
    atoms: Tensor,
    sizes: Sequence[int] = (5,),
    *,
    usable: Bool[Tensor, " atom"] | None = None,
    screen: torch.dtype | None = None,
) -> Codes:
    """Write each vector with the K atoms most like it, and coefficients >= 0 fitted once: the baseline without pursuit.

    Args:
        vectors: As for `comp`.
        atoms: As for `comp`.
        sizes: Numbers of atoms K.
        usable: As for `comp`.
        screen: As for `comp`.

    Raises:
        ValueError: As for `comp`.
    """
    sizes = sorted(set(sizes))
    _check(vectors, atoms, sizes, usable)
    parts = []
    for rows in torch.split(vectors, ROWS):
        if not len(rows):
            break
        picks = torch.zeros(len(rows), 0, dtype=torch.long, device=rows.device)
        for _ in range(sizes[-1]):
            found = best_atoms(rows.double(), atoms, picks, usable=usable, screen=screen)
            picks = torch.cat([picks, found[:, None]], 1)
        chosen = atoms[picks.to(atoms.device)].to(rows.device)
        fits = {}
        for size in sizes:
            gram, target = _gram(chosen[:, :size]), _products(chosen[:, :size], rows)
            fits[size], _ = nonnegative_least_squares(gram, target, torch.ones_like(target, dtype=torch.bool))
        parts.append(Codes(picks, fits))
    return _joined(parts, sizes, vectors)


def distinct(atoms: Tensor, *, cosine: float = 1 - 1e-6) -> Int64[Tensor, " atom"]:
    """Return, for each atom, the first atom that is the same: itself, or one with a cosine above the bound.

    Atoms that are the same but for rounding, such as texts that the tokenizer cannot tell apart, would be picked together, with
    arbitrary coefficients. `distinct(atoms) == arange` says which may be picked. Sameness is passed on: an atom that is the
    same as two others makes these the same.

    Args:
        atoms: Dictionary, (atom, dim), of length 1 each.
        cosine: Smallest cosine between atoms that are the same.
    """
    count, dim = atoms.shape
    generator = torch.Generator().manual_seed(0)
    basis = torch.linalg.qr(torch.randn(dim, min(dim, _DIRECTIONS), generator=generator, dtype=torch.float64))[0]
    shadows = torch.cat([part.to("cpu", torch.float64) @ basis for part in torch.split(atoms, 8192)]).numpy()
    reach = float(np.sqrt(2 - 2 * cosine)) * (1 + 1e-6) + 1e-6  # a projection makes no distance larger
    pairs = torch.from_numpy(KDTree(shadows).query_pairs(reach, output_type="ndarray"))
    near = [
        pair
        for pair in torch.split(pairs, 65536)
        for pair in [pair[(atoms[pair[:, 0]].double() * atoms[pair[:, 1]].double()).sum(1).cpu() >= cosine]]
    ]
    same = torch.cat(near).numpy() if near else np.empty((0, 2), np.int64)
    links = coo_array((np.ones(len(same), np.int8), (same[:, 0], same[:, 1])), shape=(count, count))
    groups = torch.from_numpy(connected_components(links, directed=False)[1]).long()
    first = torch.full((int(groups.max()) + 1 if count else 0,), count).scatter_reduce(
        0, groups, torch.arange(count), "amin"
    )
    return first[groups]


def mixes(codes: Codes, atoms: Tensor, size: int) -> Float64[Tensor, "vector dim"]:
    """Return the vectors that the codes of a size write: sum over the picks of coefficient times atom."""
    weights = codes.coefficients[size]
    return (weights[..., None] * _chosen(codes, atoms, size)).sum(1)


def coherence_of(codes: Codes, atoms: Tensor, size: int) -> Float64[Tensor, " vector"]:
    """Return the mean cosine between the atoms of each code, each pair weighted by the product of its coefficients.

    NaN where fewer than two atoms have a coefficient above 0.
    """
    weights = codes.coefficients[size]
    pairs = (
        weights[:, :, None] * weights[:, None, :] * (1 - torch.eye(size, dtype=torch.float64, device=weights.device))
    )
    return (pairs * _gram(_chosen(codes, atoms, size))).sum((1, 2)) / pairs.sum((1, 2))


def _comp(
    x: Tensor,
    atoms: Tensor,
    sizes: Sequence[int],
    coherence: float,
    *,
    nonnegative: bool,
    usable: Tensor | None,
    screen: torch.dtype | None,
) -> Codes:
    count, most = len(x), sizes[-1]
    picks = torch.zeros(count, most, dtype=torch.long, device=x.device)
    chosen = torch.empty(count, most, x.shape[1], dtype=atoms.dtype, device=x.device)
    gram = torch.zeros(count, most, most, dtype=torch.float64, device=x.device)
    target = torch.zeros(count, most, dtype=torch.float64, device=x.device)
    positive = torch.zeros(count, most, dtype=torch.bool, device=x.device)
    query, fits = x, {}
    for step in range(most):
        size = step + 1
        found = best_atoms(query, atoms, picks[:, :step], usable=usable, both_signs=not nonnegative, screen=screen)
        picks[:, step] = found
        chosen[:, step] = atoms[found.to(atoms.device)].to(x.device)
        new = chosen[:, step].double()
        for earlier in range(size):  # one at a time: in float64, all picks together take much memory
            gram[:, step, earlier] = gram[:, earlier, step] = (chosen[:, earlier] * new).sum(1)
        target[:, step] = (x * new).sum(1)
        if nonnegative:
            positive[:, step] = True
            fitted, positive[:, :size] = nonnegative_least_squares(
                gram[:, :size, :size], target[:, :size], positive[:, :size]
            )
        else:
            fitted = least_squares(gram[:, :size, :size], target[:, :size])
        if size in sizes:
            fits[size] = fitted
        if size < most:
            likeness = coherence / size * (torch.ones_like(fitted) if nonnegative else fitted.sign())
            query = x.clone()
            for earlier in range(size):
                query += (likeness - fitted)[:, earlier, None] * chosen[:, earlier]
    return Codes(picks, fits)


def _chosen(codes: Codes, atoms: Tensor, size: int) -> Tensor:
    return atoms[codes.picks[:, :size].to(atoms.device)].to(codes.picks.device, torch.float64)


def _gram(chosen: Tensor) -> Tensor:
    return _products(chosen, chosen)


def _products(chosen: Tensor, others: Tensor) -> Tensor:
    """Return the product of each vector's atoms, (vector, atom, dim), with others of the same vector."""
    if others.ndim == 2:
        return (chosen.double() * others.double()[:, None]).sum(2)
    return torch.stack([_products(chosen, others[:, column]) for column in range(others.shape[1])], 2)


def _joined(parts: Sequence[Codes], sizes: Sequence[int], vectors: Tensor) -> Codes:
    if not parts:
        none = torch.zeros(0, sizes[-1], dtype=torch.long, device=vectors.device)
        return Codes(none, {size: none[:, :size].double() for size in sizes})
    return Codes(
        torch.cat([part.picks for part in parts]),
        {size: torch.cat([part.coefficients[size] for part in parts]) for size in sizes},
    )


def _check(vectors: Tensor, atoms: Tensor, sizes: Sequence[int], usable: Tensor | None) -> None:
    if vectors.ndim != 2 or atoms.ndim != 2 or vectors.shape[1] != atoms.shape[1]:
        raise ValueError(f"vectors {tuple(vectors.shape)} and atoms {tuple(atoms.shape)} are not (..., dim) of one dim")
    count = len(atoms) if usable is None else int(usable.sum())
    if not sizes or sizes[0] < 1 or sizes[-1] > count:
        raise ValueError(f"{sizes[-1] if sizes else 'no'} atoms for each vector: the dictionary has {count:,}")
    if not vectors.isfinite().all():
        raise ValueError("a vector has a number that is not finite")
    for start, part in zip(range(0, len(atoms), 8192), torch.split(atoms, 8192), strict=True):
        length = torch.linalg.vector_norm(part.float(), dim=1)
        wrong = (~((length - 1).abs() < 1e-2)).nonzero()
        if len(wrong):
            row = int(wrong[0])
            raise ValueError(f"atom {start + row:,} has length {float(length[row]):.4g}, wanted 1")
