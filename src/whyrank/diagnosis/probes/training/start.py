"""Whether fine-tuning began with the ranking of the encoder that it was given.

Shapes: Q dev queries of a block · A answers · D features · P relevant pairs of the block
"""

from functools import lru_cache

import numpy as np

from whyrank.core.prepared import Prepared
from whyrank.diagnosis.examination import Examination
from whyrank.measure.metrics import ranking
from whyrank.measure.metrics.geometry import unit_rows

# Share of the untuned encoder's dev metric that is there before the first step. A head that begins as the identity,
# scored by the cosine, has all of it; on the sample a new head had .60 to .82, and the dot product .83.
KEPT = 0.9
# Dev queries that are scored against all answers at once.
BLOCK = 256


def tuned_from(case: Examination, system: str) -> float | None:
    """The dev metric of a tuned system before the first step; None where its training was not recorded."""
    record = case.records.training_of(system)
    return None if record is None else float(record.evaluations[f"{case.metric}_all"].iloc[0])


def begins_anew(case: Examination, system: str) -> bool:
    """Its first ranking is not that of its encoder: a new head, or a score that this encoder was not made for."""
    start, untuned = tuned_from(case, system), untuned_on_dev(case, case.systems.untuned[system])
    return start is not None and untuned is not None and start < KEPT * untuned


# Several probes ask, and all dev queries against all answers take a while.
@lru_cache(maxsize=2)
def untuned_on_dev(case: Examination, system: str) -> float | None:
    """The metric of an untuned encoder on the dev queries, by the cosine; None without vectors or dev queries."""
    run = case.records.runs.get(system)
    pairs = Prepared(case.data.answers, case.data.queries, case.data.qrels).relevant_in("dev")
    if run is None or run.query_vectors is None or run.answer_vectors is None or pairs.empty:
        return None
    answer_AD = unit_rows(run.answer_vectors)
    rows = pairs["query"].unique()
    blocks = []
    for start in range(0, len(rows), BLOCK):
        row_Q = rows[start : start + BLOCK]
        score_QA = unit_rows(run.query_vectors[row_Q]) @ answer_AD.T
        part = pairs[pairs["query"].isin(row_Q)]
        query_P, answer_P, gain_P = np.searchsorted(row_Q, part["query"]), part["answer"].to_numpy(), part["gain"]
        places = ranking.locate(score_QA, query_P, answer_P)
        blocks.append(ranking.Places(query_P, *places, gain_P.to_numpy(), *score_QA.shape))
    name, _, cutoff = case.metric.partition("@")
    metric = ranking.METRICS[name].function
    places_of_all = ranking.Places.concatenate(blocks)
    return float((metric(places_of_all, int(cutoff)) if cutoff else metric(places_of_all)).mean())
