"""Check on some hundred architectures with random weights that features and head, as the tool finds them, give the logits.

`nice python benchmarks/architectures.py` builds one network after the other, of every module of timm and all of torchvision's
classifiers (architecture_choice.py chooses them), and writes results/architectures.csv and .md; on one core it takes about an
hour. For each network:

- parameters that are zero at the beginning (many heads, biases and residual scales) are drawn, so that the check means something;
- the tool finds its head on two images (`Classifier.attach`);
- on two other images its features f are taken, and W f + b is computed in float64 from the weights of that layer in the
  network's state; the reference is what the network itself returns for these images, called without the tool.

A network is either right (largest error below 1e-3 of the logits' spread), or refused with the reason, or left out by its size.
Anything else is reported as DIFFERENT, and the command ends with code 1.
"""

import argparse
import csv
import gc
import math
import sys
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from architecture_choice import Choice, chosen
from random_networks import fill_constants, settle_statistics
from ratios import surroundings
from refusals import confirm_refusal
from torch import Tensor, nn

from sing_compute.errors import HeadError
from sing_compute.models.classifier import Classifier

RESULTS = Path(__file__).parent / "results"
SIZES = (64, 96, 128, 160, 192, 224, 256, 288, 384, 448, 512)
"""Sides of the images that are tried; the smallest with which the network works is used."""
LARGEST = 89_000_000
"""Parameters above which a network is left out: they differ from smaller ones of their family in numbers, not in kind."""
TOLERANCE = 1e-3
IMAGES = 2
RIGHT, REFUSED, LEFT_OUT, DIFFERENT, FAILED = "right", "refused", "left out", "DIFFERENT", "FAILED"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result for one architecture; its fields are the columns of the table."""

    name: str
    source: str
    """Module of timm, or torchvision."""
    result: str
    error: str = ""
    """Largest difference of W f + b from the network's own logits, over their spread."""
    head: str = ""
    """Layer that the tool found."""
    size: str = ""
    """Classes x features, and the side of the images."""
    note: str = ""
    """Reason of a refusal, or what was changed in the network."""


@torch.no_grad()
def check(choice: Choice) -> Outcome:
    """Check one architecture."""
    if choice.parameters > LARGEST:
        millions = f"{choice.parameters / 1e6:.0f} million parameters, above {LARGEST / 1e6:.0f} million"
        return Outcome(choice.name, choice.source, LEFT_OUT, note=millions)
    torch.manual_seed(0)
    try:
        network = choice.build().eval()
    except Exception as error:  # an architecture that its own library cannot build
        return Outcome(choice.name, choice.source, FAILED, note=f"cannot be built: {_line(error)}")
    filled = fill_constants(network)
    try:
        side, note = _side(network, choice.sides or SIZES)
    except ValueError as error:
        return Outcome(choice.name, choice.source, FAILED, note=f"its forward pass fails: {_line(error)}")
    notes = [f"{filled} parameters were constant and are drawn"] if filled else []
    notes += [note] if note else []
    classifier = Classifier(choice.name, network, lambda image: image, {})
    try:
        classifier.attach(_images(side, 1))
    except HeadError as error:
        reason = str(error).removeprefix(f"{choice.name}: ").partition(". A network that averages")[0]
        logits = _logits(network(_images(side, 1)))
        reason += f"; {confirm_refusal(network, _images(side, 1), logits.shape[1], logits)}"
        return Outcome(choice.name, choice.source, REFUSED, size=f"{side} px", note="; ".join([reason, *notes]))
    return _compare(choice, classifier, side, notes)


def _compare(choice: Choice, classifier: Classifier, side: int, notes: list[str]) -> Outcome:
    """Compare features and head with what the network itself returns."""
    images, network = _images(side, 2), classifier.network
    features, _ = classifier(images)
    name = str(classifier.provenance["head"])
    state = network.state_dict()
    weight = state[f"{name}.weight"].double().flatten(1)
    bias = state[f"{name}.bias"].double() if f"{name}.bias" in state else torch.zeros(len(weight)).double()
    logits = _logits(network(images)).double()
    spread = float((logits.amax(1) - logits.amin(1)).mean())
    error = float((features.double() @ weight.T + bias - logits).abs().max()) / spread
    differing = float((logits[0] - logits[1:]).abs().max()) / spread
    if differing < TOLERANCE:
        notes = [*notes, f"its random weights give all images the same logits up to {differing:.0e} of their spread"]
    if choice.head and name not in choice.head:
        notes = [*notes, f"timm names {' and '.join(choice.head)} as its head"]
    return Outcome(
        choice.name,
        choice.source,
        RIGHT if error < TOLERANCE else DIFFERENT,
        f"{error:.1e}",
        name,
        f"{len(weight)} x {features.shape[1]}, {side} px",
        "; ".join(notes),
    )


def _images(side: int, seed: int) -> Tensor:
    return torch.randn(IMAGES, 3, side, side, generator=torch.Generator().manual_seed(seed))


def _logits(output: object) -> Tensor:
    found = output if isinstance(output, Tensor) else getattr(output, "logits", None)
    assert isinstance(found, Tensor), type(output)
    return found


def _side(network: nn.Module, sides: Iterable[int]) -> tuple[int, str]:
    """Return the smallest side of images with which the network gives finite logits that differ between classes.

    Batch norms whose statistics were never fitted let the values of deep networks grow or vanish; then they are fitted on drawn
    images, and the second value says so.

    Raises:
        ValueError: It works with none; the text is its error for the largest.
    """
    problem: Exception = ValueError("no size was tried")
    for side in sides:
        try:
            logits = _logits(network(_images(side, 1)))
        except Exception as error:  # too small an image ends in many types of errors
            problem = error
            continue
        note = ""
        for fit in (False, True):
            if fit:
                settle_statistics(network, torch.cat([_images(side, seed) for seed in (3, 4, 5)]))
                logits, note = _logits(network(_images(side, 1))), "its batch statistics are fitted on drawn images"
            spread = float((logits.amax(1) - logits.amin(1)).mean())
            if math.isfinite(spread) and spread > 1e-3 * float(logits.abs().max()) and _differ(logits, spread):
                return side, note
        return side, note
    raise ValueError(_line(problem)) from problem


def _differ(logits: Tensor, spread: float) -> bool:
    """Return True if the images have different logits."""
    return float((logits[0] - logits[1:]).abs().max()) > TOLERANCE * spread


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:160]}"


def write(outcomes: Sequence[Outcome], path: Path) -> None:
    """Write the table as CSV, and as Markdown next to it."""
    header = [field.name for field in fields(Outcome)]
    ordered = sorted(outcomes, key=lambda outcome: (outcome.source == "torchvision", outcome.source, outcome.name))
    rows = [[getattr(outcome, name) for name in header] for outcome in ordered]
    facts = surroundings() | {"outcomes": summary(outcomes)}
    facts["left out"] = f"networks of more than {LARGEST / 1e6:.0f} million parameters"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as target:
        writer = csv.writer(target, lineterminator="\n")
        writer.writerows([f"# {key}", value] for key, value in facts.items())
        writer.writerows([header, *rows])
    lines = ["# Architectures, checked", "", *(f"- {key}: {value}" for key, value in facts.items()), ""]
    lines += [
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in [header, ["---"] * 7, *rows]
    ]
    path.with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def read(path: Path) -> list[Outcome]:
    """Return the rows of an earlier table; none if there is no such file."""
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as source:
        return [Outcome(**row) for row in csv.DictReader(line for line in source if not line.startswith("#"))]


def summary(outcomes: Sequence[Outcome]) -> str:
    """Return how many architectures have each result."""
    counts = Counter(outcome.result for outcome in outcomes)
    checked = counts[RIGHT] + counts[REFUSED] + counts[DIFFERENT]
    return f"{checked} checked: " + ", ".join(f"{count} {result}" for result, count in sorted(counts.items()))


def sweep(choices: Iterable[Choice]) -> Iterator[Outcome]:
    """Check one architecture after the other; only one is in memory."""
    for choice in choices:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outcome = check(choice)
        gc.collect()
        yield outcome


def main(arguments: Sequence[str] | None = None) -> int:
    """Check all architectures, and return 0 if none is different and each could be run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "names",
        nargs="*",
        help="architectures, whose rows in the tables are replaced; without any, all that are chosen",
    )
    parser.add_argument(
        "--output", type=Path, default=RESULTS, help="folder of the tables (default: benchmarks/results)"
    )
    options = parser.parse_args(arguments)
    path = options.output / "architectures.csv"
    outcomes = [outcome for outcome in read(path) if outcome.name not in options.names] if options.names else []
    for outcome in sweep(chosen(options.names)):
        outcomes.append(outcome)
        print("  ".join(getattr(outcome, field.name) for field in fields(Outcome)), flush=True)
        if len(outcomes) % 10 == 0:  # a table of what is done, if this is stopped
            write(outcomes, path)
    write(outcomes, path)
    print(summary(outcomes))
    return int(any(outcome.result in (DIFFERENT, FAILED) for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
