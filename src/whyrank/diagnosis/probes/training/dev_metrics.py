"""Training beside evaluation: the dev metrics of the weights that were kept.

Shapes: Q dev queries
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from whyrank.diagnosis.examination import LEAST_EFFECT, Examination
from whyrank.diagnosis.probes.training.reload import SYMPTOMS
from whyrank.diagnosis.recount import recount, score_kind
from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix
from whyrank.findings.outcome import Outcome, not_applicable, passed, too_little
from whyrank.findings.probe import probe
from whyrank.findings.records import ELSEWHERE, TrainingRecord

# Of a score; chosen: half a unit of bfloat16's last place near 1.
MARGIN = 0.004
# Dev queries below which a query or two decide.
LEAST_DEV = 20
MOST_DEV = 1000


@probe("evaluation-differs-from-training", on="trained", explains=SYMPTOMS, about="ranking", layer="evaluation")
def evaluation_differs_from_training(case: Examination) -> Iterator[Finding | Outcome]:
    """The dev metrics that `evaluate` finds are not those that training kept the weights for."""
    for system in case.systems.tuned:
        record, run = case.records.training_of(system), case.records.runs.get(system)
        kept = None if record is None else kept_row(record)
        if kept is None or run is None or run.other_splits is None or case.systems.options[system].pooling != "auto":
            yield not_applicable(system, "dev metrics of its training and of its evaluation")
            continue
        dev = run.other_splits[run.other_splits["split"] == "dev"]
        if len(dev) < LEAST_DEV:
            yield too_little(system, f"{len(dev)} dev queries")
            continue
        yield from _compared(case, system, kept, dev)


def kept_row(record: TrainingRecord) -> pd.Series | None:
    """The evaluation on the dev set of the weights that were kept; None without one of ranking, where whyrank did not
    train, and where a read-out that was chosen afterwards has other figures."""
    evaluations = record.evaluations
    if (
        ELSEWHERE in record.metrics
        or record.metrics.get("has_new_readout")
        or "accuracy@1_all" not in evaluations
        or "mrr_all" not in evaluations
        or "best_step" not in record.metrics
    ):
        return None
    found = evaluations[evaluations["step"] == record.metrics["best_step"]]
    return None if found.empty else found.iloc[0]


def _compared(case: Examination, system: str, kept: pd.Series, dev: pd.DataFrame) -> Iterator[Finding | Outcome]:
    names = ("accuracy@1", "mrr")
    difference = {name: float(dev[name].mean()) - float(kept[f"{name}_all"]) for name in names}
    allowed = {name: allowance(case, system, dev, name, difference[name] > 0) for name in names}
    over = {name: abs(difference[name]) - allowed[name] for name in names}
    worst = max(names, key=lambda name: over[name])
    measured = Evidence(f"{worst} on the dev set, evaluation minus training", 100 * difference[worst], "points")
    if over[worst] <= 0 or abs(difference[worst]) < LEAST_EFFECT:
        yield passed(system, measured, 100 * max(allowed[worst], LEAST_EFFECT))
        return
    trained, evaluated = float(kept[f"{worst}_all"]), float(dev[worst].mean())
    seen = seen_as(case, system, dev)
    yield Finding(
        severity="error",
        system=system,
        sentence=f"Evaluation does not score the model that was trained: on the same {len(dev)} dev queries {worst} is "
        f"{evaluated:.3f}, and was {trained:.3f} when training kept its weights (step {int(kept['step'])}){seen}.",
        evidence=(
            *(Evidence(f"dev {name} in training", float(kept[f"{name}_all"])) for name in names),
            *(Evidence(f"dev {name} in evaluation", float(dev[name].mean())) for name in names),
            measured.against(100 * max(allowed[worst], LEAST_EFFECT)),
            Evidence("difference that rounding allows", 100 * allowed[worst], "points"),
            Evidence("dev queries", len(dev), "queries"),
        ),
        cause="The same weights, queries and answers have one dev metric. Where evaluation finds another, it loads "
        "other weights or heads, leaves dropout on, compares vectors otherwise, or reads other texts or judgements.",
        fix=Fix({}, f"compare how training and evaluation load, encode and score {system}; then run "
                    f"`dvc repro --force evaluate@{system}`"),
        reference="transformers#33844 (dropout in evaluation); unslothai/unsloth#6881; ST#3450",
        weight=CAUSE + abs(100 * difference[worst]),
    )  # fmt: skip


def allowance(case: Examination, system: str, dev: pd.DataFrame, metric: str, is_higher: bool) -> float:
    """By how much rounding may move the mean: every own score by `MARGIN` in that direction, and one query more."""
    run, data = case.records.runs[system], case.data.ranking
    one = 1.0 / len(dev)
    if run.query_vectors is None or run.answer_vectors is None:
        return max(one, LEAST_EFFECT)
    query_Q = np.flatnonzero(case.data.queries["query_id"].isin(dev["query_id"]))
    counted = recount(run, data, query_Q, score_kind(run), most=MOST_DEV, seed=case.seed)
    margin = MARGIN * float(np.abs(counted.score_QA).max())
    shifted = counted.per_query(metric, counted.ranks(margin if is_higher else -margin)).mean()
    return one + abs(float(shifted - counted.per_query(metric, counted.ranks()).mean()))


def seen_as(case: Examination, system: str, dev: pd.DataFrame) -> str:
    """Another evaluation of the same training that had these very figures, in words; empty without one."""
    record = case.records.training_of(system)
    assert record is not None
    looks = record.evaluations
    gaps = pd.concat([(looks[f"{name}_all"] - dev[name].mean()).abs() for name in ("accuracy@1", "mrr")], axis=1)
    same = looks.loc[gaps.max(axis=1) < LEAST_EFFECT / 10, "step"]
    if same.empty:
        return ""
    step = int(same.iloc[0])
    if step == 0:
        return ", as before its first step: what training changed was not loaded"
    return f", as at step {step}: another checkpoint was loaded"
