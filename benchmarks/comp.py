"""Compare COMP's time and memory with those of its plain form, and the factoring of heads with dense decompositions.

`python benchmarks/comp.py` runs each peer of each size twice, in a process of its own on one thread, takes the shorter time,
prints a table and writes results/comp.csv and .md (about ten minutes on one core). The peer is the definition, written with
whole matrices: a score for each pair of vector and atom by two products with the dictionary a step, a third for the residual of
dense codes, and coordinate descent for the coefficients. Codes are compared, too: the share of vectors with the same picks in
the same order.

`--million` writes 4,096 vectors in one million atoms of a memory map, two picks each, and measures the memory beside the map.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ratios import Ratio, save, table
from torch import Tensor
from torch.nn.functional import normalize

from sing_compute.linalg.comp import comp
from sing_compute.linalg.nearest_atoms import fastest_screen
from sing_compute.sith.attention import AttentionLayer, decompose

RESULTS = Path(__file__).parent / "results" / "comp.csv"
DIM = 768
SIZES = ((64, 20_000, 5), (64, 100_000, 10), (1024, 20_000, 10), (1024, 100_000, 5))
"""Vectors, atoms, picks."""
COHERENCE = 0.3
TURNS = 2
"""How often the peers of a size run in turn; the shortest time of each counts."""


def world(vectors: int, atoms: int) -> tuple[Tensor, Tensor]:
    """Vectors and atoms like embedded texts: families, a falling spectrum, centred."""
    draw = torch.Generator().manual_seed(0)
    spectrum = torch.arange(1, DIM + 1) ** -0.5
    centres = torch.randn(atoms // 20, DIM, generator=draw) * spectrum
    family = torch.randint(len(centres), (atoms,), generator=draw)
    pool = centres[family] + 0.7 * torch.randn(atoms, DIM, generator=draw) * spectrum
    pool = normalize(normalize(pool, dim=1) - normalize(pool, dim=1).mean(0), dim=1)
    chosen = centres[torch.randint(len(centres), (vectors, 3), generator=draw)].sum(1)
    own = normalize(torch.randn(vectors, DIM, generator=draw) * spectrum, dim=1)
    return normalize(normalize(chosen, dim=1) + 0.6 * own, dim=1), pool


def dense(x: Tensor, atoms: Tensor, size: int) -> Tensor:
    """COMP as it is defined, with whole matrices; returns the picks, (vector, pick)."""
    rows = torch.arange(len(x))
    picks = torch.zeros(len(x), 0, dtype=torch.long)
    codes = torch.zeros(len(x), len(atoms))
    residual = x
    for _ in range(size):
        scores = residual @ atoms.T
        if picks.shape[1]:
            scores += COHERENCE * (atoms[picks].mean(1) @ atoms.T)
        scores.scatter_(1, picks, -torch.inf)
        picks = torch.cat([picks, scores.argmax(1)[:, None]], 1)
        chosen = atoms[picks]
        gram, target = chosen @ chosen.mT, (chosen @ x[..., None])[..., 0]
        fitted = torch.zeros_like(target)
        for _ in range(100):
            before = fitted.clone()
            for k in range(picks.shape[1]):
                fitted[:, k] = (fitted[:, k] + target[:, k] - (gram[:, k] * fitted).sum(1)).clamp(min=0)
            if (fitted - before).norm() < 1e-6 * before.norm():
                break
        codes[rows[:, None], picks] = fitted
        residual = x - codes @ atoms
    return picks


def cell(vectors: int, atoms: int, size: int, who: str) -> None:
    """Print time, memory beside the inputs and picks of one peer, as JSON."""
    torch.set_num_threads(1)
    x, pool = world(vectors, atoms)
    run: Callable[[Tensor, Tensor], Tensor] = {
        "plain": lambda x, pool: dense(x, pool, size),
        "float32": lambda x, pool: comp(x, pool, (size,), coherence=COHERENCE, screen=torch.float32).picks,
        "fastest": lambda x, pool: comp(x, pool, (size,), coherence=COHERENCE).picks,
    }[who]
    run(x[:2], pool[:2000])
    before = _memory(reset=True)
    begun = time.process_time()
    picks = run(x, pool)
    seconds = time.process_time() - begun
    print(json.dumps({"seconds": seconds, "mib": _memory() - before, "picks": picks.tolist()}))


def _memory(*, reset: bool = False) -> float:
    """Return the most memory of this process so far, in MiB; with `reset`, the present one, and count the most from now on."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    field = "VmRSS:" if reset else "VmHWM:"
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def measured(sizes: tuple[tuple[int, int, int], ...]) -> list[Ratio]:
    """Run each size with each peer, and return the ratios."""
    found: list[Ratio] = []
    low = fastest_screen(torch.device("cpu")) != torch.float32
    for vectors, atoms, size in sizes:
        answers: dict[str, dict[str, Any]] = {}
        for who in ("plain", "float32", *(("fastest",) if low else ())) * TURNS:
            command = [sys.executable, __file__, "--cell", str(vectors), str(atoms), str(size), who]
            answer = json.loads(subprocess.check_output(command, text=True))
            if who not in answers or answer["seconds"] < answers[who]["seconds"]:
                answers[who] = answer
        plain, where = answers["plain"], f"{vectors:,} vectors, {atoms:,} atoms, K = {size}"
        for who, answer in answers.items():
            if who == "plain":
                continue
            same = np.mean([a == b for a, b in zip(answer["picks"], plain["picks"], strict=True)])
            note = f"{plain['seconds']:.2f} s over {answer['seconds']:.2f} s; same picks {same:.2%}"
            large = (vectors, atoms) == (1024, 100_000)
            least = (3 if who == "float32" else 8) if large else math.nan
            faster = plain["seconds"] / answer["seconds"]
            found.append(Ratio(f"plain form over COMP, {who}", where, faster, note, least))
            smaller, least = plain["mib"] / max(answer["mib"], 1), 10 if large else math.nan
            sizes_said = f"{plain['mib']:,.0f} MiB over {answer['mib']:,.0f} MiB"
            found.append(Ratio("memory of the same", where, smaller, sizes_said, least))
    return found


def factoring() -> Ratio:
    """Compare the decomposition of the heads of four layers of ViT-L/14's size with dense ones."""
    torch.set_num_threads(1)
    draw = torch.Generator().manual_seed(0)
    heads, dim, rank = 16, 1024, 64
    read = torch.randn(heads, dim, rank, generator=draw, dtype=torch.float64)
    write = torch.randn(heads, rank, dim, generator=draw, dtype=torch.float64)
    ones, zeros = torch.ones(dim, dtype=torch.float64), torch.zeros(dim, dtype=torch.float64)
    layer = AttentionLayer(read, torch.zeros(heads, rank, dtype=torch.float64), write, zeros, ones, zeros, ones)
    product = read[0].float() @ write[0].float()
    ours = 4 * _shortest(lambda: decompose(layer))
    other = 4 * heads * _shortest(lambda: torch.linalg.svd(product))
    note = f"{other:.0f} s (one head of 64 timed, in float32) over {ours:.2f} s in float64; the shortest of five each"
    return Ratio(
        "dense decompositions over ours", "4 layers of 16 heads, 1,024 channels, rank 64", other / ours, note, 50
    )


def _shortest(work: Callable[[], object]) -> float:
    """Return the CPU seconds of the shortest of five runs."""
    seconds = []
    for _ in range(5):
        begun = time.process_time()
        work()
        seconds.append(time.process_time() - begun)
    return min(seconds)


def million(vectors: int = 4096, atoms: int = 1_000_000) -> Ratio:
    """Write vectors in a memory map of atoms, and measure the memory beside the map."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "atoms.npy"
        stored = np.lib.format.open_memmap(path, "w+", np.float32, (atoms, DIM))
        rng = np.random.default_rng(0)
        for start in range(0, atoms, 10_000):
            part = rng.standard_normal((min(10_000, atoms - start), DIM), dtype=np.float32)
            stored[start : start + len(part)] = part / np.linalg.norm(part, axis=1, keepdims=True)
        stored.flush()
        del stored
        pool = torch.from_numpy(np.load(path, mmap_mode="c"))
        x = normalize(torch.from_numpy(rng.standard_normal((vectors, DIM), dtype=np.float32)), dim=1)
        comp(x[:8], pool[:20_000], (2,))
        watch = Watch()
        with watch:
            codes = comp(x, pool, (2,))
    assert codes.picks.shape == (vectors, 2)
    where = f"{vectors:,} vectors, {atoms:,} atoms"
    return Ratio("GB beside a memory map", where, watch.most, f"{watch.seconds:.0f} s", most=2)


class Watch:
    """Looks again and again at the memory of this process that is no file."""

    def __enter__(self) -> "Watch":
        self.most = 0.0
        self._before, self._begun = self._anonymous(), time.perf_counter()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self.seconds = time.perf_counter() - self._begun

    def _look(self) -> None:
        while not self._over.wait(0.02):
            self.most = max(self.most, self._anonymous() - self._before)

    @staticmethod
    def _anonymous() -> float:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cell", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--small", action="store_true", help="small sizes, to see that the script works")
    parser.add_argument("--million", action="store_true", help="a million atoms in a memory map, too (3 GB on disk)")
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    given = parser.parse_args()
    if given.cell:
        vectors, atoms, size, who = given.cell
        cell(int(vectors), int(atoms), int(size), who)
        return
    found = measured(((8, 2000, 3),) if given.small else SIZES)
    if not given.small:
        found.append(factoring())
    if given.million:
        found.append(million())
    print("\n".join(table(found)))
    save(given.output, "COMP, measured", found, {"threads": "1"})


if __name__ == "__main__":
    main()
