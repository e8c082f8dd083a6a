"""What a training curve is read against: chance, what wrong labels leave to reach, and where a check would speak."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from whyrank.diagnosis.compare.ranking import TYPES
from whyrank.diagnosis.probes.ranking.beside_chance import chance
from whyrank.diagnosis.probes.ranking.training import allowed_fall, ranks
from whyrank.findings.records import DataRecords, Records
from whyrank.preflight.probes import suspects


class Levels(NamedTuple):
    """Of the metric on the dev set.

    ceiling      of a perfect ranking, by the estimated share of wrong labels; 1 where none are suspected
    overfitted   by initial encoder: the step of the best evaluation, and below what the check speaks behind it
    """

    chance: float
    ceiling: float
    overfitted: dict[str, tuple[int, float]]


def levels(records: Records, metric: str) -> Levels:
    data = records.data
    judged = data.ranking.relevant_in("dev")["query"].unique()
    by_chance = chance(data, metric, judged, len(data.answers), "dev")
    n_dev = int((data.queries["split"] == "dev").sum())
    least = {}
    for init, record in records.finetune.items():
        if ranks(record) and len(record.evaluations):
            dev = record.evaluations[f"{metric}_{TYPES[0]}"].to_numpy()
            best = int(dev.argmax())
            least[init] = int(record.evaluations["step"].iloc[best]), float(dev[best] - allowed_fall(dev[best], n_dev))
    return Levels(float(np.mean(by_chance)) if len(by_chance) else 0.0, ceiling(data), least)


def ceiling(data: DataRecords) -> float:
    """What is left to a perfect ranking of the dev set, whose wrong labels it puts far away."""
    table: pd.DataFrame = data.table("judgements")
    if table.empty or not any(split == "dev" for split, _ in suspects.cells(table)):
        return 1.0
    return 1 - suspects.share(*suspects.far_of(table[table["split"] == "dev"]))[0]
