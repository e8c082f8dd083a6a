"""The few numbers that `dvc metrics diff` and `dvc exp show` compare; all others stay in the files of each stage."""

import math
from collections import Counter

import pandas as pd

from whyrank.diagnosis.compare.ranking import TYPES
from whyrank.diagnosis.examination import Examination
from whyrank.findings.finding import SEVERITIES, Finding

# Of encoders by the type of the query, beside the metric that decides; no more, for a diff to fit a screen.
BY_TYPE = "ndcg@10"
# Of the numbers in a matrix product: processors that differ in it differ in the third digit of a metric.
PRECISION, BITS = "precision_bits", {"float32": 32, "bfloat16": 16, "float16": 16}


def headline(case: Examination, findings: list[Finding]) -> dict[str, float]:
    """How many findings of each severity, and what every system reaches, as `<system>.<metric>_<type>`.

    Of the nine systems that ship these are 39 numbers. Where pairs or rated texts were tested, also
    `<system>.similarity_spearman` and `<system>.ratings_spearman`; an undefined number is left out. `precision_bits` is
    that of the matrix products, 16 or 32.
    """
    severities = Counter(finding.severity for finding in findings)
    numbers: dict[str, float] = {name: severities[name] for name in SEVERITIES}
    for system, run in case.records.runs.items():
        names = [f"{case.metric}_{kind}" for kind in TYPES]
        if system in case.systems.encoders:
            names += [f"{BY_TYPE}_{kind}" for kind in TYPES[1:]]
        numbers |= {f"{system}.{name}": run.metrics[name] for name in names if name in run.metrics}
    space = case.records.data.tables.get("encoder_space")
    if space is not None and len(space):
        numbers[PRECISION] = BITS[str(space["precision"].iloc[0])]
    similar = case.similarity.systems
    numbers |= _values(similar[similar["list"] == case.similarity.headline], "similarity")
    return numbers | (_values(case.ratings.systems, "ratings") if case.ratings is not None else {})


def _values(systems: pd.DataFrame, task: str) -> dict[str, float]:
    values = zip(systems["system"], systems["value"], strict=True)
    return {f"{system}.{task}_spearman": float(value) for system, value in values if not math.isnan(value)}
