"""What the reference study measures on its contents: one table for each measurement, made once and kept.

A table is written whole when the parts that it needs are complete, so a stopped study continues at the next one.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from dcm_helpers import measure_contents, measure_controls, measure_landscape
from dcm_helpers.results import write_safely
from dcm_helpers.study import Study

DIGITS = 6
"""Decimals that are kept of every number."""


@dataclass(frozen=True)
class Measurement:
    """One table of the study."""

    of: Callable[[Study], pd.DataFrame]
    needs: Sequence[str]
    """Parts that must be complete."""


MEASUREMENTS: dict[str, Measurement] = {
    "surprisal": Measurement(measure_controls.surprisal, ("base",)),
    "routing": Measurement(measure_controls.routing, ("base",)),
    "transfer": Measurement(measure_controls.transfer, ("base", "paraphrases")),
    "slots": Measurement(measure_contents.slots, measure_contents.SLOT_PARTS),
    "snapped": Measurement(measure_contents.snapping, measure_contents.SLOT_PARTS),
    "clusters": Measurement(measure_contents.clusters, ("base", "restarts", "rephrased")),
    "heterogeneity": Measurement(measure_contents.heterogeneity, measure_landscape.FAMILY_PARTS),
    "ablation": Measurement(measure_contents.ablation, ("base",)),
    "between": Measurement(measure_landscape.between, measure_landscape.FAMILY_PARTS),
    "way": Measurement(measure_landscape.way, measure_landscape.FAMILY_PARTS),
    "basin": Measurement(measure_landscape.basin, measure_landscape.FAMILY_PARTS),
    "curvature": Measurement(measure_landscape.curvature, measure_landscape.FAMILY_PARTS),
    "trajectories": Measurement(measure_landscape.trajectories, measure_landscape.FAMILY_PARTS),
}
"""All tables, in the order in which they are made."""


def measure(study: Study, name: str) -> None:
    """Make a table unless it is there, or a part that it needs is not complete."""
    measurement = MEASUREMENTS[name]
    path = study.table_path(name)
    missing = [part for part in measurement.needs if not study.complete(part)]
    if missing:
        print(f"{name}: waits for {', '.join(missing)}", file=sys.stderr)
    elif not path.exists():
        print(f"{name}: measuring", file=sys.stderr)
        path.parent.mkdir(parents=True, exist_ok=True)
        table = measurement.of(study)
        write_safely(path, table.to_json(orient="records", lines=True, double_precision=DIGITS).encode())
