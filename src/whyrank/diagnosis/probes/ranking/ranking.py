"""Systems that rank worse than a simpler one, and whether they began with the ranking of the encoder they were given.

Shapes: Q dev queries of a block · A answers · D features · P relevant pairs of the block
"""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from whyrank.diagnosis.compare.ranking import best_system
from whyrank.diagnosis.examination import Examination, is_lower, paired, without_loss
from whyrank.diagnosis.probes.pretraining.pretraining import COSINE
from whyrank.diagnosis.probes.ranking.training import is_of_ranking
from whyrank.diagnosis.probes.training.steps import calmer
from whyrank.findings.finding import Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome
from whyrank.findings.probe import probe
from whyrank.measure.metrics import locating, ranking
from whyrank.measure.metrics.geometry import unit_rows
from whyrank.measure.significance.resampling import Interval

# Share of the untuned encoder's dev metric that is there before the first step. A head that begins as the identity,
# scored by the cosine, has all of it; on the sample a new head had .60 to .82, and the dot product .83.
KEPT = 0.9
# Dev queries that are scored against all answers at once.
BLOCK = 256

TRAIN_ALL = Fix({"finetune_rank.train": "all"}, "if the whole encoder was trained already, use the lexical baseline")


@probe("worse-than-lexical", on="trained", about="ranking", layer="symptom")
def worse_than_lexical(case: Examination) -> Iterator[Finding | Outcome]:
    """An encoder is below the best lexical baseline: a warning once it learned to rank, else for information."""
    for system in case.systems.encoders:
        baseline, difference = to_lexical(case, system)
        if not is_lower(difference):
            yield without_loss(system, difference, case.metric, "a lexical baseline, and training of ranking")
            continue
        overlap = case.data.metrics.get("lexical_overlap")
        shared = [] if overlap is None else [percent("query words that are in the answer", overlap)]
        yield Finding(
            severity="warning" if system in case.systems.tuned and is_of_ranking(case, system) else "info",
            system=system,
            sentence=f"{system} ranks worse than {baseline}, which only counts words: "
            f"{case.spoken(system, baseline, difference)}.",
            cause="Queries share words with their answers. A lexical ranker reads these words directly; this encoder "
            "has not learned to weigh them.",
            fix=_lexical_fix(case, system, baseline),
            reference="ST#22, #9, #332; HF#876",
            **paired(difference, case.values(system, baseline), *shared),
        )


def to_lexical(case: Examination, system: str) -> tuple[str, Interval | None]:
    """The best lexical baseline of ranking, and what a system lies above it; None where ratings alone were trained."""
    baseline = best_system(case.records, case.metric, case.systems.baselines) or ""
    record = case.records.training_of(system)
    if not baseline or (record is not None and record.is_for_ratings):
        return baseline, None
    return baseline, case.difference(system, baseline)


def _lexical_fix(case: Examination, system: str, baseline: str) -> Fix:
    """Where no other finding explains it: without pretraining, if that is enough; else train the whole encoder."""
    twin = case.systems.without_pretraining(system)
    if case.systems.is_pretrained(system) and not is_lower(case.difference(twin, baseline)):
        return Fix({"pretrain_barlow.steps": 0})
    if system not in case.systems.tuned or not is_of_ranking(case, system):
        return Fix({}, "train for ranking, and compare the tuned system with the lexical baseline")
    return TRAIN_ALL


@probe(
    "worse-than-zero-shot",
    on="trained",
    explains=("worse-than-lexical", "question-conversation-gap"),
    about="ranking",
    layer="symptom",
)
def worse_than_zero_shot(case: Examination) -> Iterator[Finding | Outcome]:
    """Tuning for ranking left a system below its own encoder."""
    for system, untuned in case.systems.untuned.items():
        difference = case.difference(system, untuned)
        if not is_lower(difference) or not is_of_ranking(case, system):
            is_about = difference if is_of_ranking(case, system) else None
            yield without_loss(system, is_about, case.metric, "training of ranking, and the encoder it started from")
            continue
        yield Finding(
            system=system,
            sentence=f"Fine-tuning made {system} worse than {untuned}: {case.spoken(system, untuned, difference)}.",
            cause="Training began without the ranking of the pretrained encoder (a new head, or another score) and did "
            "not recover it."
            if begins_anew(case, system)
            else "Training moved the vectors away from a better ranking: its steps were too long, or early stopping "
            "kept the best evaluation of another metric.",
            fix=zero_shot_fix(case, system),
            reference="ST#2646",
            **paired(difference, case.values(system, untuned), *_start_evidence(case, system)),
        )


def _start_evidence(case: Examination, system: str) -> list[Evidence]:
    values = {
        f"dev {case.metric} before the first step": tuned_from(case, system),
        f"dev {case.metric} of {case.systems.untuned[system]}": untuned_on_dev(case, case.systems.untuned[system]),
    }
    return [Evidence(name, value) for name, value in values.items() if value is not None]


def zero_shot_fix(case: Examination, system: str) -> Fix:
    """Start from the ranking of the pretrained encoder; where training did, take shorter steps."""
    if begins_anew(case, system):
        inherits = case.systems.is_after_pretraining(system) and case.records.pretraining is not None
        head = {"finetune_rank.barlow_head": "inherit"} if inherits else {"finetune_rank.head.kind": "residual"}
        # An encoder by itself ranks by the cosine; only with that does a residual head start where it is.
        is_cosine = case.records.runs[system].metrics["score_kind_cosine"] != 0
        return Fix(head if is_cosine else head | COSINE)
    record = case.records.training_of(system)
    rates = calmer(record) if record is not None and len(record.history) else {}
    return Fix(rates | {"finetune_rank.early_stopping.metric": f"{case.metric}_all"})


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
    pairs = case.data.ranking.relevant_in("dev")
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
        places = locating.locate(score_QA, query_P, answer_P)
        blocks.append(ranking.Places(query_P, *places, gain_P.to_numpy(), *score_QA.shape))
    return float(ranking.of_name(ranking.Places.concatenate(blocks), case.metric).mean())
