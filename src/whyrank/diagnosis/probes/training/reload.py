"""Training beside evaluation: the vectors of the same texts, and the dev metrics of the weights that were kept.

Shapes: G golden texts · D features · Q dev queries
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from whyrank.diagnosis.examination import LEAST_EFFECT, Examination
from whyrank.diagnosis.recount import recount, score_kind, unit
from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix
from whyrank.findings.outcome import Outcome, not_applicable, passed, too_little
from whyrank.findings.probe import probe
from whyrank.findings.records import RunRecord, TrainingRecord

# Cosine of a text's vectors in training and in evaluation. The default run in float32 had 0.9999998; bfloat16 rounds
# to 8 bits, so chosen far below.
SAME = 0.999
# Relative difference of their lengths; bfloat16 keeps 8 bits of a number.
SAME_LENGTH = 0.02
# Of a score; chosen: half a unit of bfloat16's last place near 1.
MARGIN = 0.004
# Dev queries below which a query or two decide.
LEAST_DEV = 20
MOST_DEV = 1000

SYMPTOMS = (
    "underfitted",
    "overfitted",
    "worse-than-zero-shot",
    "worse-than-lexical",
    "tuning-brought-nothing",
    "pretraining-hurts",
    "forgetting",
    "similarity-worse-than-zero-shot",
    "encoder-at-chance",
    "below-chance",
    "trained-at-chance",
    "collapsed-embeddings",
    "dimensional-collapse",
    "hub-answers",
    "question-conversation-gap",
)
BOTH = {"query": "query_vector", "answer": "answer_vector"}
OTHER = {"query": "answer_vector", "answer": "query_vector"}


class Pair(NamedTuple):
    """Vectors of the same texts, (G, D) each: in the training, and as the system was evaluated."""

    trained_GD: np.ndarray
    evaluated_GD: np.ndarray

    @property
    def cosine_G(self) -> np.ndarray:
        if self.trained_GD.shape != self.evaluated_GD.shape:
            return np.zeros(len(self.trained_GD))
        cosine_G: np.ndarray = (unit(self.trained_GD) * unit(self.evaluated_GD)).sum(axis=1)
        return cosine_G

    @property
    def is_same(self) -> bool:
        return bool(self.cosine_G.min() >= SAME)

    @property
    def length(self) -> float:
        """Median length of the evaluated vectors, as a share of that of the trained ones."""
        before_G, after_G = (np.linalg.norm(vector_GD, axis=1) for vector_GD in self)
        return float(np.median(after_G / np.maximum(before_G, 1e-12)))


@probe("reload-changes-vectors", on="trained", explains=("evaluation-differs-from-training", *SYMPTOMS),
       layer="evaluation")  # fmt: skip
def reload_changes_vectors(case: Examination) -> Iterator[Finding | Outcome]:
    """The system that was evaluated gives texts other vectors than the one that was trained."""
    for system in case.systems.start:
        record, run = case.records.training_of(system), case.records.runs.get(system)
        if record is None or run is None or record.golden.empty or run.query_vectors is None:
            yield not_applicable(system, "vectors that its training recorded")
            continue
        if case.systems.options[system].pooling != "auto":
            yield not_applicable(system, "the pooling that it was trained with")
            continue
        pair = ranked(record.golden, run)
        is_cosine = score_kind(run) == "cosine"
        cosine = Evidence("lowest cosine of a text's two vectors", float(pair.cosine_G.min()))
        if pair.is_same and (is_cosine or abs(pair.length - 1) <= SAME_LENGTH):
            yield passed(system, cosine, SAME)
            continue
        yield Finding(
            severity="error",
            system=system,
            sentence=f"{system} was evaluated with other vectors than it was trained with: those of the same text have "
            f"a mean cosine of {pair.cosine_G.mean():.3f} ({cosine.value:.3f} at least), and {why(case, system)}.",
            evidence=(
                Evidence("mean cosine of a text's two vectors", float(pair.cosine_G.mean())),
                cosine,
                Evidence("length of the evaluated vectors, of those in training", pair.length),
                Evidence("texts compared", len(pair.cosine_G), "texts"),
            ),
            cause="What was loaded for evaluation is not what was trained: whatever training brought, its metrics are "
            "those of another model.",
            fix=Fix({}, f"find what differs between saving and loading {case.systems.options[system].made_of}; then "
                        f"run `dvc repro --force evaluate@{system}`"),
            reference="unslothai/unsloth#6881; PromCSE#11; ST#1270, #2979; transformers#33844",
            weight=CAUSE + 100 * (1 - float(pair.cosine_G.mean())),
        )  # fmt: skip


def ranked(golden: pd.DataFrame, run: RunRecord) -> Pair:
    """Of each golden text the vector of its own side, in the training and among those that were ranked."""
    assert run.query_vectors is not None and run.answer_vectors is not None
    table = {"query": run.query_vectors, "answer": run.answer_vectors}
    evaluated = [table[side][row] for side, row in zip(golden["side"], golden["row"], strict=True)]
    return Pair(of_side(golden, BOTH), np.stack(evaluated))


def of_side(golden: pd.DataFrame, column: dict[str, str]) -> np.ndarray:
    """(G, O) of the head that `column` names for the side of each text."""
    by_row = [dict(zip(golden.columns, row, strict=True)) for row in golden.itertuples(index=False)]
    return np.stack([row[column[row["side"]]] for row in by_row])


def why(case: Examination, system: str) -> str:
    """What the evaluated vectors are instead, as far as the records show it."""
    record, run = case.records.training_of(system), case.records.runs[system]
    assert record is not None
    golden, pair = record.golden, ranked(record.golden, run)
    if pair.trained_GD.shape != pair.evaluated_GD.shape:
        return f"have {pair.evaluated_GD.shape[1]} features instead of {pair.trained_GD.shape[1]}"
    if pair.is_same:
        return f"their length is {pair.length:.2g} times as large: they were normalised in one of the two only"
    below_GD = np.stack(list(golden["encoder_vector"]))
    instead = {
        "they are those below the heads: the heads were not loaded": below_GD,
        "they are those of the other head: the heads of queries and answers were swapped": of_side(golden, OTHER),
    }
    for start in [case.systems.start[system]]:
        before = case.records.runs.get(start)
        if before is not None and before.query_vectors is not None:
            instead[f"they are those of {start}: the weights are those before training"] = ranked(
                golden, before
            ).evaluated_GD
    for words, vector_GD in instead.items():
        if Pair(vector_GD, pair.evaluated_GD).is_same and not Pair(pair.trained_GD, vector_GD).is_same:
            return words
    if (side := moved_side(golden, run)) is not None:
        return f"they are those of other {side}: rows of vectors stand in another order than the texts"
    if run.golden is None or run.golden.empty:
        return "they are none that training had"
    again = ranked(run.golden, run)
    if not again.is_same:
        return (
            f"a second pass over the same texts gives other ones again (cosine {again.cosine_G.mean():.3f}): dropout "
            "is on in evaluation, or a text's vector depends on its batch"
        )
    encoders = Pair(below_GD, np.stack(list(run.golden["encoder_vector"])))
    if encoders.is_same:
        return "the encoder gives the same ones: the heads differ (other weights, or batch statistics that are live)"
    return (
        f"they differ below the heads already (cosine {encoders.cosine_G.mean():.3f}): another pooling, prompt, cut, "
        "attention mask or other weights of the encoder"
    )


def moved_side(golden: pd.DataFrame, run: RunRecord) -> str | None:
    """queries | answers, where most vectors that are not those of the training are there, in the row of another text.

    None where they are not, or texts are nearly copies.
    """
    assert run.query_vectors is not None and run.answer_vectors is not None
    vectors = {"query": ("queries", run.query_vectors), "answer": ("answers", run.answer_vectors)}
    own = of_side(golden, BOTH)
    for side, (name, evaluated_ND) in vectors.items():
        at_G = np.flatnonzero(golden["side"] == side)
        if not len(at_G) or own.shape[1] != evaluated_ND.shape[1]:
            continue
        cosine_GN = unit(own[at_G]) @ unit(evaluated_ND).T
        is_off_G = cosine_GN[np.arange(len(at_G)), golden["row"].to_numpy()[at_G]] < SAME
        is_elsewhere_G = cosine_GN.max(axis=1) >= SAME
        if is_off_G.sum() >= 2 and (is_off_G & is_elsewhere_G).sum() > is_off_G.sum() / 2:
            return name
    return None


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
    """The evaluation on the dev set of the weights that were kept; None where ranking was not among it."""
    evaluations = record.evaluations
    if "accuracy@1_all" not in evaluations or "mrr_all" not in evaluations or "best_step" not in record.metrics:
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
            measured,
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
