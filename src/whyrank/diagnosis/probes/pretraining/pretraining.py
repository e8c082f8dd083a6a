"""Whether Barlow Twins pretraining helps, and where it does not, why."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from whyrank.diagnosis.examination import Examination, is_higher, is_lower, paired, spoken, without_loss
from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix
from whyrank.findings.outcome import Outcome, not_applicable, passed, too_little
from whyrank.findings.probe import probe
from whyrank.measure.metrics import geometry
from whyrank.measure.significance.resampling import Interval
from whyrank.preflight.probes import batches
from whyrank.preflight.probes.batches import SAFE_PRETRAINING

# The end of a history: its last tenth, as in metrics/pretrain_barlow.json.
TAIL = 0.1

# A score that no length of vectors changes.
COSINE = {"finetune_rank.similarity.kind": "cosine", "finetune_rank.similarity.scale": 20.0}

# What pretraining did to a system that is worse for it, once tuned and before, or better.
HARDER = "Pretraining moved the vectors to where ranking is harder."
ASTRAY = "Pretraining alone moved queries away from their answers; compare the tuned systems, too."
NEARER = "Pretraining brought two views of each text together before ranking was trained."

# Rise of the mean diagonal on training texts. The default pretraining raises it by a few hundredths.
LEARNT = 0.10
# What a pair of views may be, in the words of a report.
VIEWS = ("questions and conversations", "queries and answers")
# Below this, chance alone moves a mean diagonal over hundreds of features by more than a hundredth.
LEAST_PAIRS = 20


@probe(
    "barlow-single-answer-batches",
    on="trained",
    explains=("pretraining-hurts", "collapsed-embeddings", "dimensional-collapse"),
    layer="batches",
)
def barlow_single_answer_batches(case: Examination) -> Iterator[Finding | Outcome]:
    """Batches of one answer, and a cross-correlation whose diagonal stayed at chance."""
    record = case.records.barlow
    if record is None:
        yield from batches.barlow_single_answer_batches(case.data)
        return
    history = record.history
    if len(history) == 0:
        yield not_applicable("pretrain_barlow", "pretraining")
        return
    distinct = Evidence("distinct answers per batch", float(history["distinct_answers"].mean()), "answers")
    if distinct.value > batches.SINGLE_ANSWER:
        yield passed("pretrain_barlow", distinct, batches.SINGLE_ANSWER)
        return
    tail = history.tail(max(1, round(TAIL * len(history))))
    diagonal, noise = float(tail["mean_diagonal"].mean()), float(tail["noise_floor"].mean())
    # The mean over many features lies well inside the noise of one: a diagonal beyond it found something shared.
    if diagonal > noise:
        found = Evidence("mean diagonal of the cross-correlation at the end", diagonal)
        yield passed("pretrain_barlow", found, noise, "batches hold one answer, but the views came to agree")
        return
    finding = batches.single_answer_finding(float(history["distinct_answers"].mean()), float(history["rows"].mean()))
    yield replace(
        finding,
        evidence=(
            *finding.evidence,
            Evidence("mean diagonal of the cross-correlation at the end", diagonal, "0 at chance, 1 perfect"),
            Evidence("noise floor of one feature", noise, "1 / sqrt(rows)"),
            Evidence("invariance per feature at the end", float(tail["invariance"].mean()), "about 1 at chance"),
        ),
        weight=CAUSE + cost(case),
    )


def cost(case: Examination) -> float:
    """Points that pretraining costs, in the pair of systems that loses most."""
    differences = [case.difference(a, b) for a, b in case.systems.pretraining]
    return max((-100 * d.mean for d in differences if is_lower(d)), default=0.0)


@probe(
    "pretraining-overfits",
    on="trained",
    explains=("pretraining-hurts", "collapsed-embeddings", "dimensional-collapse"),
    layer="training",
    by_outcome=True,
)
def pretraining_overfits(case: Examination) -> Iterator[Finding | Outcome]:
    """Two texts of an answer agree more than before on training texts, and less on test texts."""
    record = case.records.pretraining
    if record is None:
        yield not_applicable("pretrain_barlow", "pretraining")
        return
    measured = [found for view in VIEWS if (found := agreement(case, view))]
    if not measured:
        yield too_little("pretrain_barlow", f"fewer than {LEAST_PAIRS} answers have both texts in train and in test")
        return
    learnt = max(measured, key=lambda one: one.train_after - one.train_before)
    if learnt.train_after - learnt.train_before < LEARNT or learnt.test_after >= learnt.test_before:
        rise = Evidence("change of the mean diagonal on test texts", learnt.test_after - learnt.test_before)
        yield passed("pretrain_barlow", rise, 0.0)
        return
    yield Finding(
        system="pretrain_barlow",
        sentence="Pretraining overfits: on its training texts the agreement of "
        f"{learnt.view} of one answer rose from {learnt.train_before:.2f} to {learnt.train_after:.2f}, on test texts "
        f"it fell from {learnt.test_before:.2f} to {learnt.test_after:.2f}.",
        evidence=(
            Evidence("mean diagonal on training texts, before", learnt.train_before, "0 at chance, 1 perfect"),
            Evidence("mean diagonal on training texts, after", learnt.train_after, "0 at chance, 1 perfect"),
            Evidence("mean diagonal on test texts, before", learnt.test_before, "0 at chance, 1 perfect"),
            Evidence("mean diagonal on test texts, after", learnt.test_after, "0 at chance, 1 perfect").against(
                learnt.test_before
            ),
            Evidence("steps", len(record.history), "steps"),
        ),
        cause="With a new head and many steps, pretraining memorises which training texts belong together and "
        "overwrites what the encoder knew of other texts.",
        fix=Fix(SAFE_PRETRAINING),
        reference="Zbontar et al. 2021, arXiv:2103.03230",
        weight=CAUSE + cost(case),
    )


class Agreement(NamedTuple):
    """Mean diagonal of the cross-correlation over one pair of texts per answer, before and after pretraining."""

    view: str
    train_before: float
    train_after: float
    test_before: float
    test_after: float


def agreement(case: Examination, view: str) -> Agreement | None:
    """None where a system was not evaluated, or a split has too few answers with both texts."""
    runs, values = case.records.runs, []
    after = next(iter(case.systems.with_role("pretrained")), "")
    for split in ("train", "test"):
        first_P, second_P = _first_pairs(case, split, view)
        for system in (case.systems.start.get(after, ""), after):
            run = runs.get(system)
            if run is None or run.query_vectors is None or run.answer_vectors is None or len(first_P) < LEAST_PAIRS:
                return None
            second_ND = run.answer_vectors if view == VIEWS[1] else run.query_vectors
            values.append(geometry.mean_diagonal(run.query_vectors[first_P], second_ND[second_P]))
    return Agreement(view, *values)


def _first_pairs(case: Examination, split: str, view: str) -> tuple[np.ndarray, np.ndarray]:
    """Of each answer with both texts in a split: rows of its first question and conversation, or first query and it."""
    pairs = case.data.ranking.relevant_in(split)
    if view == VIEWS[1]:
        firsts = pairs.drop_duplicates("answer")
        return firsts["query"].to_numpy(), firsts["answer"].to_numpy()
    kind_P = case.data.queries["type"].to_numpy()[pairs["query"]]
    sides = [pairs[kind_P == kind].drop_duplicates("answer") for kind in ("question", "conversation")]
    both = sides[0].merge(sides[1], on="answer")
    return both["query_x"].to_numpy(), both["query_y"].to_numpy()


@probe("pretraining-hurts", on="trained", explains=("worse-than-lexical",), layer="symptom")
def pretraining_hurts(case: Examination) -> Iterator[Finding | Outcome]:
    """The pretrained system is below the other one: a warning once tuned, for information before."""
    for a, b in case.systems.pretraining:
        difference = case.difference(a, b)
        if not is_lower(difference):
            yield without_loss(a, difference, case.metric, f"{a} and {b}")
        else:
            is_tuned = a in case.systems.tuned
            yield replace(
                _comparison(case, a, b, difference, "worse", HARDER if is_tuned else ASTRAY),
                severity="warning" if is_tuned else "info",
                fix=Fix({"pretrain_barlow.steps": 0}),
            )


@probe("pretraining-helps", on="trained", layer="symptom")
def pretraining_helps(case: Examination) -> Iterator[Finding | Outcome]:
    """The pretrained system is above the other one."""
    for a, b in case.systems.pretraining:
        difference = case.difference(a, b)
        if difference is None:
            yield not_applicable(a, f"{a} and {b}")
        elif is_higher(difference):
            yield _comparison(case, a, b, difference, "better", NEARER)
        elif case.records.barlow is not None and case.records.barlow.metrics.get("best_step") == 0:
            yield not_applicable(
                a, "pretraining that was kept: on the dev queries none of its evaluations likely gained"
            )
        else:
            said = f"no significant gain: {spoken(difference, case.metric)}"
            yield too_little(a, said, Evidence(f"difference in {case.metric}", 100 * difference.mean, "points"))


def _unlike_heads(case: Examination, a: str, b: str) -> str:
    """What else a tuned system that inherits its head differs by from one with a new head; empty where nothing."""
    ranking, before = (case.records.params.get(section, {}) for section in ("finetune_rank", "pretrain_barlow"))
    if a not in case.systems.tuned or ranking.get("barlow_head") != "inherit" or "head" not in before:
        return ""
    new, inherited = ranking["head"], before["head"]
    if "none" in (new["kind"], inherited["kind"]):
        return ""
    kinds = {"mlp": ("output",), "experts": ("experts", "top")}.get(new["kind"], ())
    keys = ("kind",) if new["kind"] != inherited["kind"] else ("hidden", "dropout", *kinds)
    unlike = [
        f"`finetune_rank.head.{key}` is {new[key]} and `pretrain_barlow.head.{key}` {inherited[key]}"
        for key in keys
        if new[key] != inherited[key]
    ]
    if not unlike:
        return ""
    return (
        f" Their heads differ, too, since {a} goes on with the pretrained one and {b} has a new one: "
        f"{', '.join(unlike)}. With like heads pretraining alone is compared."
    )


def _comparison(case: Examination, a: str, b: str, difference: Interval, how: str, cause: str) -> Finding:
    return Finding(
        severity="info",
        system=a,
        sentence=f"Pretraining made {a} {how} than {b}: {case.spoken(a, b, difference)}. This is one seed; another may "
        "differ.",
        cause=cause + _unlike_heads(case, a, b),
        fix=Fix({}, "none needed"),
        reference="Zbontar et al. 2021, arXiv:2103.03230",
        **paired(difference, case.values(a, b)),
    )
