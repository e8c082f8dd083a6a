"""Labels that do not fit the texts."""

from pathlib import Path

import numpy as np

from benchmarks.faults import raw
from benchmarks.faults.fault import Fault


def shifted(folder: Path, random: np.random.Generator) -> None:
    """Each query of the file gets the judgement of the row before it."""
    for split in raw.SPLITS:
        rows = raw.read_qrels(folder, split)
        answers = [row[1] for row in rows]
        raw.write_qrels(folder, split, [[row[0], answers[at - 1], row[2]] for at, row in enumerate(rows)])


FAULTS = (
    Fault(
        "labels-shifted-by-a-row",
        "labels",
        "every judgement belongs to the query of the row before it",
        "practitioners 40",
        data=shifted,
    ),
)
