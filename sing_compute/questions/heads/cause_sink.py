"""Write what the vectors of a tower do into a results file, and say how many names are true."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from sing_compute.questions.heads.attribute_texts import Attributes
from sing_compute.sith.causes import LayerCauses
from sing_compute.store import Store
from sing_compute.store.definitions.sith_cause_fields import CAUSES
from sing_compute.store.derived.name_causes import SETS, layer_agreement
from sing_compute.store.place import Place
from sing_compute.store.text import clean
from sing_compute.store.write import Writer

_PARTS = {
    "vectors/effect": "effect",
    "vectors/amount": "amount",
    "vectors/nearest": "nearest",
    "vectors/farthest": "farthest",
    "random/effect": "random_effect",
    "random/amount": "random_amount",
}
"""Datasets of each layer, and the fields of `LayerCauses` that they hold."""


@dataclass(frozen=True, slots=True)
class Checked:
    """Result of `heads check` for one tower."""

    attributes: Attributes
    truth: Sequence[str]
    """Where the true texts of each attribute come from."""
    spread: Float[Tensor, " attribute"]
    """Standard deviation of each margin."""
    owners: Sequence[int]
    """Attribute of each picked concept."""
    rules: Sequence[str]
    """Why it belongs to it."""
    keys: Sequence[str]
    """The images that were shown."""
    layers: Mapping[int, LayerCauses]
    """Effects of the vectors of each checked layer, by the layer's position in the file."""


def put_causes(writer: Writer, store: Store, tower: str, checked: Checked) -> None:
    """Write a check at the paths that its analysis declares.

    Args:
        writer: The new file, which holds the tower already.
        store: The old file.
        tower: Name of the tower.
        checked: What was measured.
    """
    base = f"towers/{tower}/"
    value = store.array(base + "vectors/value")
    attributes = checked.attributes
    arrays: dict[str, NDArray[np.float64] | NDArray[np.int64]] = {}
    for path, name in _PARTS.items():
        for position, layer in checked.layers.items():
            part = getattr(layer, name).numpy()
            filler = np.nan if part.dtype.kind == "f" else -1
            arrays.setdefault(path, np.full((len(value), *part.shape), filler, part.dtype))[position] = part
    owners = np.array(checked.owners, dtype=np.int64)
    found = layer_agreement(
        store.array(base + "vectors/pick"),
        store.array(base + "vectors/coefficient"),
        owners,
        arrays["vectors/effect"],
        arrays["vectors/amount"],
        arrays["random/effect"],
        arrays["random/amount"],
    )
    values = {
        **arrays,
        "attributes/name": [clean(name) for name in attributes.names],
        "attributes/truth": list(checked.truth),
        "attributes/spread": checked.spread.numpy(),
        "texts/name": [clean(text) for text in attributes.texts],
        "texts/attribute": attributes.owners,
        "words/attribute": owners,
        "words/rule": list(checked.rules),
        "images/key": list(checked.keys),
        "agreement/name": list(SETS),
        **{f"agreement/{name}": part for name, part in found.items()},
    }
    for path, part in values.items():
        writer.put(CAUSES + path, part, tower=tower)


def causes_text(store: Store, tower: str) -> str:
    """Return a table of how many names of each layer are true, with the smallest K.

    Args:
        store: The file.
        tower: Name of the tower.
    """
    base = f"towers/{tower}/causes/"
    count = store.array(f"{base}agreement/count")
    figures = [store.array(f"{base}agreement/{name}")[..., 0] for name in ("agreement", "chance", "p")]
    single = len(store.array(f"{base}attributes/name")) < 2
    titles = [str(name) for name in store.array(f"{base}agreement/name")]
    lines = [
        f"{'':8}  " + "  ".join(f"{title:<29}" for title in titles),
        f"{'':8}  " + "  ".join(f"{'vectors':>7} {'agree':>6} {'chance':>6} {'p':>7}" for _ in titles),
    ]
    for row, layer in enumerate(store.items("layer", Place("layers").at(tower=tower))):
        if not count[row, 0]:
            continue
        cells = []
        for column in range(len(titles)):
            agree, chance, p = (figure[row, column] for figure in figures)
            cells.append(f"{count[row, column]:>7,} {agree:>6.0%} {chance:>6.0%} {p:>7.4f}")
        lines.append(f"{clean(str(layer)):8}  " + "  ".join(cells).replace("nan%", "   -").replace("nan", "  -"))
    if single:
        lines += [
            "",
            "One attribute: effects are measured, but a name cannot say another one, so nothing agrees or does not",
        ]
    return "\n".join(line.rstrip() for line in lines)
