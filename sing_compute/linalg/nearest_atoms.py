"""Find the atom with the largest product with a vector in a large dictionary: searched in low precision, found exactly."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

BLOCK = 16
"""Atoms whose best score stands for them while the dictionary is searched."""
KEPT = 8
"""Blocks of each vector that are kept; if more of them might hold the best atom, that vector is searched in float64."""
_SCORES = 1 << 21
"""Most scores that are held at once on a CPU: so many stay in its cache until their best are found."""
_SCORES_OF_DEVICE = 1 << 25
"""Most scores that are held at once on another device, where each piece costs a call."""
_ATOMS = 8192
"""Most atoms that are read at once."""
_ROUNDING = {torch.float64: 2.0**-53, torch.float32: 2.0**-24, torch.float16: 2.0**-11, torch.bfloat16: 2.0**-9}
_LONGEST = 1.01
"""Greatest length of an atom; `comp` checks it."""


def best_atoms(
    queries: Float64[Tensor, "vector dim"],
    atoms: Tensor,
    barred: Int64[Tensor, "vector barred"],
    *,
    usable: Bool[Tensor, " atom"] | None = None,
    both_signs: bool = False,
    screen: torch.dtype | None = None,
) -> Int64[Tensor, " vector"]:
    """Return the atom with the largest product <q, g> in float64 for each vector; of equal ones the first.

    The dictionary is read in pieces and multiplied in the dtype of `screen`. A bound on the error of these products leaves few
    atoms in question. Their products are computed in float64, those of one vector as those of another: the answer depends on
    nothing else.

    Args:
        queries: The vectors q.
        atoms: Dictionary, (atom, dim), of length 1 each, on any device.
        barred: Atoms that each vector must not be given.
        usable: Atoms that may be given; None for all.
        both_signs: Take the largest |<q, g>|.
        screen: Dtype of the search; None for the fastest here.
    """
    if screen is None:
        screen = fastest_screen(queries.device)
    values, blocks = _search(queries, atoms, barred, usable, screen, both_signs=both_signs)
    best = torch.full((len(queries),), -torch.inf, dtype=torch.float64, device=queries.device)
    found = torch.full((len(queries),), len(atoms), device=queries.device)
    for column in range(values.shape[1]):
        within = _error(queries, best, screen)
        in_question = (values[:, column] + within >= best).nonzero()[:, 0]
        if not len(in_question):
            break
        for rows in torch.split(in_question, 256):
            scores, numbers = _exact(
                queries[rows], atoms, blocks[rows, column], barred[rows], usable, both_signs=both_signs
            )
            top = scores.amax(1)
            first = numbers.masked_fill(scores < top[:, None], len(atoms)).amin(1)
            better = (top > best[rows]) | ((top == best[rows]) & (first < found[rows]))
            best[rows] = torch.where(better, top, best[rows])
            found[rows] = torch.where(better, first, found[rows])
    if values.shape[1] == KEPT:  # there may be more blocks like the last one
        unsure = (values[:, -1] + _error(queries, best, screen) >= best).nonzero()[:, 0]
        if len(unsure) and screen != torch.float64:
            found[unsure] = best_atoms(
                queries[unsure], atoms, barred[unsure], usable=usable, both_signs=both_signs, screen=torch.float64
            )
        elif len(unsure):
            found[unsure] = _scan(queries[unsure], atoms, barred[unsure], usable, both_signs=both_signs)
    return found


@lru_cache(maxsize=4)
def fastest_screen(device: torch.device) -> torch.dtype:
    """Return the dtype in which this machine multiplies matrices fastest, by trying: float32, or bfloat16 (on CUDA float16).

    Not every CPU has instructions for bfloat16; without them it is many times slower.
    """
    low = torch.float16 if device.type == "cuda" else torch.bfloat16
    seconds = {dtype: min(_product_seconds(device, dtype) for _ in range(3)) for dtype in (low, torch.float32)}
    return low if seconds[low] * 1.5 < seconds[torch.float32] else torch.float32


def _product_seconds(device: torch.device, dtype: torch.dtype) -> float:
    matrix = torch.ones(256, 256, dtype=dtype, device=device)
    begun = time.perf_counter()
    float((matrix @ matrix)[0, 0])
    return time.perf_counter() - begun


def _search(
    queries: Tensor, atoms: Tensor, barred: Tensor, usable: Tensor | None, screen: torch.dtype, *, both_signs: bool
) -> tuple[Tensor, Tensor]:
    """Return the largest scores of blocks, (vector, kept), descending, and the numbers of these blocks."""
    low, device = queries.to(screen).T.contiguous(), queries.device
    scores_at_once = _SCORES if device.type == "cpu" else _SCORES_OF_DEVICE
    size = max(BLOCK, min(_ATOMS, scores_at_once // max(1, len(queries))) // BLOCK * BLOCK)
    values = torch.empty(len(queries), 0, dtype=torch.float64, device=device)
    blocks = torch.empty(len(queries), 0, dtype=torch.long, device=device)
    room = torch.empty(min(size, len(atoms)), len(queries), dtype=screen, device=device)  # new memory costs page faults
    with _sums_in_float32():
        for start, part in zip(range(0, len(atoms), size), torch.split(atoms, size), strict=True):
            scores = torch.mm(part.to(device, screen), low, out=room[: len(part)])  # (atom, vector)
            if both_signs:
                scores.abs_()
            _bar(scores, start, barred, usable)
            missing = -len(scores) % BLOCK
            if missing:
                scores = torch.nn.functional.pad(scores, (0, 0, 0, missing), value=-torch.inf)
            tops = scores.view(-1, BLOCK, len(queries)).amax(1).T.contiguous()
            numbers = torch.arange(tops.shape[1], device=device) + start // BLOCK
            if tops.shape[1] > KEPT:
                tops, which = tops.topk(KEPT, 1)
                numbers = numbers[which]
            else:
                numbers = numbers.expand(len(queries), -1)
            values, blocks = torch.cat([values, tops.double()], 1), torch.cat([blocks, numbers], 1)
            values, which = values.topk(min(KEPT, values.shape[1]), 1)
            blocks = blocks.gather(1, which)
    return values, blocks


def _bar(scores: Tensor, start: int, barred: Tensor, usable: Tensor | None) -> None:
    """Give the atoms that may not be found the lowest score."""
    rows, columns = ((barred >= start) & (barred < start + len(scores))).nonzero(as_tuple=True)
    scores[barred[rows, columns] - start, rows] = -torch.inf
    if usable is not None:
        part = usable[start : start + len(scores)]
        if not part.all():
            scores[~part.to(scores.device)] = -torch.inf


def _error(queries: Tensor, best: Tensor, screen: torch.dtype) -> Tensor:
    """Bound the difference between a product in the search and in exact numbers.

    With the dtype's unit roundoff u and that of float32, v: rounding q and g changes <q, g> by at most 2 u |q| |g|, adding d
    products by at most d v |q| |g|, rounding the sum by u times the sum.
    """
    rounding, adding = _ROUNDING[screen], queries.shape[1] * min(_ROUNDING[screen], 2.0**-24)
    length: Tensor = torch.linalg.vector_norm(queries, dim=1) * _LONGEST
    return 1.05 * ((2 * rounding + adding) * length + rounding * best.abs().nan_to_num(posinf=0.0)) + 1e-300


def _exact(
    queries: Tensor, atoms: Tensor, blocks: Tensor, barred: Tensor, usable: Tensor | None, *, both_signs: bool
) -> tuple[Tensor, Tensor]:
    """Return the products of each vector with the atoms of one block in float64, (vector, atom of the block), and the atoms."""
    numbers = blocks[:, None] * BLOCK + torch.arange(BLOCK, device=blocks.device)
    there = numbers.clamp(max=len(atoms) - 1)
    chosen = atoms[there.to(atoms.device)].to(queries.device, torch.float64)
    scores = (chosen * queries[:, None]).sum(2)
    if both_signs:
        scores.abs_()
    closed = (numbers >= len(atoms)) | (numbers[:, :, None] == barred[:, None]).any(2)
    if usable is not None:
        closed |= ~usable.to(there.device)[there]
    return scores.masked_fill(closed, -torch.inf), numbers


def _scan(queries: Tensor, atoms: Tensor, barred: Tensor, usable: Tensor | None, *, both_signs: bool) -> Tensor:
    """Return the best atoms by computing all products as `_exact` does."""
    best = torch.full((len(queries),), -torch.inf, dtype=torch.float64, device=queries.device)
    found = torch.full((len(queries),), len(atoms), device=queries.device)
    for block in range(-(-len(atoms) // BLOCK)):
        here = torch.full((len(queries),), block, device=queries.device)
        scores, numbers = _exact(queries, atoms, here, barred, usable, both_signs=both_signs)
        top, column = scores.max(1)
        better = top > best
        best, found = (
            torch.where(better, top, best),
            torch.where(better, numbers.gather(1, column[:, None])[:, 0], found),
        )
    return found


@contextmanager
def _sums_in_float32() -> Iterator[None]:
    """Have CUDA add products in float32 and multiply float32 as such, as the bound on errors assumes."""
    matmul = torch.backends.cuda.matmul
    kept = (
        matmul.allow_fp16_reduced_precision_reduction,
        matmul.allow_bf16_reduced_precision_reduction,
        matmul.allow_tf32,
    )
    matmul.allow_fp16_reduced_precision_reduction = matmul.allow_bf16_reduced_precision_reduction = False
    matmul.allow_tf32 = False
    try:
        yield
    finally:
        (
            matmul.allow_fp16_reduced_precision_reduction,
            matmul.allow_bf16_reduced_precision_reduction,
            matmul.allow_tf32,
        ) = kept
