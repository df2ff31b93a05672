"""An analysis that no package knows: stages of a network and the units in each."""

from pathlib import Path

import numpy as np

from sing_compute.store import Store, replace_store
from sing_compute.store.checks.look import Look
from sing_compute.store.definition import (
    Analysis,
    Axis,
    Column,
    Distribution,
    Explanation,
    Interval,
    TableSpec,
    check,
    fields,
)
from sing_compute.store.derived.cells import quotient

STAGES = {"block 1": ("edges", "corners", "dots"), "block 2": ("faces", "wheels")}
"""The units of each stage."""
STRENGTH = {"block 1": (0.25, 3.2e-5, 2.0), "block 2": (1.5, 0.75)}
BASELINE = {"block 1": (0.5, 1.0, 1.0), "block 2": (0.5, 0.5)}

_FIELDS = fields("""
[stages/{stage}/summary]
depth | int64 | - | count | MUST | stages below this one
strength | float64 | - | 1 in 0.. | MUST | mean strength of its units

[stages/{stage}/units]
name | text | unit | text | MUST | name of each unit
note | text | unit | text | MAY | remark on a unit
strength | float64 | unit | 1 in 0.. | MUST | how strongly it answers
baseline | float64 | unit | 1 in >0.. | MUST | how strongly a random unit answers
interval | float64 | unit bound | 1 in 0.. or nan | MAY | 95 % interval of the strength
""")
_UNITS = "stages/{stage}/units/"


def check_mean(look: Look) -> None:
    """Check that the strength of a stage is the mean of its units."""
    look.equal("summary/strength", look.array("units/strength").mean(), "units/strength")


TOY = Analysis(
    "toy",
    1,
    "stages and their units",
    "stage",
    _FIELDS,
    (
        Axis("stage", "stages of the network", group="stages"),
        Axis("unit", "units of a stage", field=_UNITS + "name", labels=_UNITS + "name"),
    ),
    (
        TableSpec(
            "stages",
            "stage",
            (),
            "stage",
            (
                Column("stage", "stage", "text", role="label", description="stage of the network"),
                Column("depth", "depth", "count", "stages/{stage}/summary/depth", role="count"),
                Column(
                    "strength",
                    "strength",
                    "any size",
                    "stages/{stage}/summary/strength",
                    Explanation("mean over units", "How strongly the units answer.", "Not a share.", "this test"),
                ),
            ),
            opens=("units",),
            measure="strength",
            naming=("stage",),
            distributions=(
                Distribution("strength_distribution", "strength", _UNITS + "strength", "strength of the units"),
            ),
            charts=("strengths",),
        ),
        TableSpec(
            "units",
            "unit",
            ("stage",),
            "unit",
            (
                Column("unit", "unit", "text", role="label", description="unit of the stage"),
                Column(
                    "strength",
                    "strength",
                    "any size",
                    _UNITS + "strength",
                    Explanation("mean answer to its images", "Above the baseline: more than chance.", "", "this test"),
                    intervals=(Interval(_UNITS + "interval"),),
                ),
                Column(
                    "over_baseline",
                    "over baseline",
                    "percent",
                    role="share",
                    derived=quotient,
                    needs=(_UNITS + "strength", _UNITS + "baseline"),
                    unit="1",
                    description="strength over that of a random unit",
                ),
                Column("note", "note", "text", _UNITS + "note", role="text"),
            ),
            sort="strength",
            measure="strength",
            naming=("unit",),
            charts=("strengths",),
        ),
    ),
    checks=(check(check_mean, "summary/strength", group="stages/{stage}/"),),
)


def write_toy(path: Path, *, onto: Path | None = None) -> Path:
    """Write the toy's results into a file of its own, or together with everything that another file holds."""
    with replace_store(path, scratch=path.parent) as writer:
        if onto is not None:
            with Store(onto) as store:
                writer.copy(store)
        for depth, (stage, units) in enumerate(STAGES.items()):
            strength = np.array(STRENGTH[stage])
            writer.put("stages/{stage}/summary/depth", depth, stage=stage)
            writer.put("stages/{stage}/summary/strength", strength.mean(), stage=stage)
            writer.put(_UNITS + "name", units, stage=stage)
            writer.put(_UNITS + "note", [f"looks for {unit}" for unit in units], stage=stage)
            writer.put(_UNITS + "strength", strength, stage=stage)
            writer.put(_UNITS + "baseline", BASELINE[stage], stage=stage)
            writer.put(_UNITS + "interval", np.stack([strength / 2, strength * 2], axis=1), stage=stage)
            writer.annotate(f"stages/{stage}", {"order": depth})
    return path
