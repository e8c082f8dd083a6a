"""Barlow Twins by its own arithmetic: views that do not belong together, and correlations that cannot be."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import wraps

import pandas as pd

from whyrank.diagnosis.examination import Examination
from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed, too_little
from whyrank.findings.probe import probe
from whyrank.preflight.probes.batches import SAFE_PRETRAINING

# By how much two texts of an answer are nearer than two of different ones, before the first step, their batch mean
# subtracted: 0.24 with MiniLM on the sample, 0.03 of shuffled views. Below `UNRELATED` with 3 standard errors, and
# within 2 of nothing, they are unrelated; an encoder that tells texts apart badly comes near that, so that only what
# is surely below `NOTHING` is an error.
UNRELATED, NOTHING = 0.12, 0.06
ERRORS, WITHIN = 3.0, 2.0
# Share of the rows whose two views are one text.
EQUAL = 0.5
# Rows below which a batch says nothing, and share of them that must be of different answers.
LEAST_ROWS, DISTINCT = 16, 0.5
# A standardised feature correlates with itself by var / (var + GUARD), and by nothing with a constant.
SELF, CONSTANT, GUARD = 0.5, 0.05, 1e-5
# No correlation exceeds 1, but for rounding.
PERFECT = 1.001
# Batches of so few rows: chance alone gives every entry of the correlation a spread of a quarter.
FEW_ROWS = 16

SYMPTOMS = ("pretraining-overfits", "pretraining-hurts", "collapsed-embeddings", "dimensional-collapse", "hub-answers")
NAME = "pretrain_barlow"
Told = Iterator[Finding | Outcome]


def of_history(*columns: str) -> Callable[[Callable[[pd.DataFrame], Told]], Callable[[Examination], Told]]:
    """A check of the history of pretraining, where it has these columns."""

    def wrap(find: Callable[[pd.DataFrame], Told]) -> Callable[[Examination], Told]:
        @wraps(find)
        def check(case: Examination) -> Told:
            record = case.records.pretraining
            if record is None or not set(columns) <= set(record.history):
                yield not_applicable(NAME, "a pretraining that recorded " + ", ".join(columns))
                return
            for told in find(record.history):
                yield replace(told, system=NAME)

        return check

    return wrap


@probe("views-unrelated", on="trained", explains=SYMPTOMS, layer="batches")
@of_history("view_cosine", "permuted_cosine", "view_cosine_error", "equal_views", "rows", "distinct_answers")
def views_unrelated(history: pd.DataFrame) -> Told:
    """Before the first step the views of an answer are no nearer than those of different ones; or are one text."""
    first = history.iloc[0]
    if first["rows"] < LEAST_ROWS or first["distinct_answers"] < DISTINCT * first["rows"]:
        yield too_little(NAME, f"{first['rows']:.0f} rows of {first['distinct_answers']:.0f} answers in a batch")
        return
    nearer = float(first["view_cosine"] - first["permuted_cosine"])
    error = float(first["view_cosine_error"])
    measured = Evidence("cosine of the two views of an answer, less that of views of different answers", nearer)
    evidence = (
        measured.where_below(WITHIN * error),
        Evidence("mean cosine of the two views, before the first step", float(first["view_cosine"])),
        Evidence("mean cosine of views of different answers", float(first["permuted_cosine"])),
        Evidence("standard error of the difference", error),
        percent("rows whose two views are one text", float(first["equal_views"])).where_from(100 * EQUAL),
        Evidence("rows", float(first["rows"]), "rows"),
    )
    if first["equal_views"] >= EQUAL:
        yield Finding(
            severity="error",
            sentence=f"The two views of {100 * first['equal_views']:.0f} % of the rows of a Barlow Twins batch are the "
            "same text.",
            evidence=evidence,
            cause="Equal views agree before any step: the invariance term is zero, nothing is learnt, and "
            "what is left of the loss only decorrelates features.",
            fix=Fix(SAFE_PRETRAINING),
            reference="Zbontar et al. 2021, arXiv:2103.03230, section 2 (views differ by what should be ignored)",
            weight=CAUSE,
        )
    elif nearer < WITHIN * error and nearer + ERRORS * error < UNRELATED:
        yield Finding(
            severity="error" if nearer + ERRORS * error < NOTHING else "warning",
            sentence="The two views in a row of a Barlow Twins batch do not belong together: before the first step "
            f"their cosine is {first['view_cosine']:.2f}, that of views of different answers "
            f"{first['permuted_cosine']:.2f}.",
            evidence=evidence,
            cause="The views are of different answers: judgements, ids or rows are shuffled. Pretraining "
            "pulls texts together that have nothing in common.",
            fix=Fix({}, "check the training judgements, and that row i of both views (src/whyrank/batches/views.py) is "
                        "of one answer; until then pretrain_barlow.steps=0"),
            reference="Zbontar et al. 2021, arXiv:2103.03230",
            interval=(nearer - 2 * error, nearer + 2 * error),
            weight=CAUSE,
        )  # fmt: skip
    elif nearer < WITHIN * error:
        yield too_little(NAME, f"{first['rows']:.0f} rows, whose views differ too much to tell", measured)
    else:
        yield passed(NAME, measured, WITHIN * error)


@probe("correlation-impossible", on="trained", explains=SYMPTOMS, layer="training")
@of_history("self_correlation", "constant_correlation", "mean_diagonal", "feature_std")
def correlation_impossible(history: pd.DataFrame) -> Told:
    """The cross-correlation has values that features standardised over the batch cannot have."""
    first = history.iloc[0]
    own, constant = float(first["self_correlation"]), float(first["constant_correlation"])
    largest = float(history["mean_diagonal"].abs().max())
    variance = float(first["feature_std"]) ** 2
    expected = variance / (variance + GUARD)
    evidence = (
        Evidence("mean correlation of the features of a view with themselves", own, "1 where standardised").where_below(
            expected - SELF
        ),
        Evidence(
            "largest correlation with a constant row", constant, "0 where the batch mean is subtracted"
        ).where_from(CONSTANT),
        Evidence("largest mean diagonal of a step", largest).where_from(PERFECT),
    )
    faults = {
        f"the mean diagonal reaches {largest:.3g}, and no correlation exceeds 1": largest > PERFECT,
        f"features correlate by {constant:.2f} with a constant: the batch mean is not subtracted (they are "
        "standardised over the features of a row, or not at all)": constant > CONSTANT,
        f"features correlate by {own:.3g} with themselves instead of {expected:.2f}: they are not divided by "
        "their standard deviation over the batch": abs(own - expected) > SELF,
    }
    named = [words for words, is_so in faults.items() if is_so]
    if not named:
        yield passed(NAME, Evidence("largest correlation with a constant row", constant), CONSTANT)
        return
    yield Finding(
        severity="error",
        sentence=f"The correlation that Barlow Twins minimises cannot be one: {'; '.join(named)}.",
        evidence=evidence,
        cause="Each feature has to be standardised over the batch. Otherwise what all texts share counts as agreement "
        "of the views, and the redundancy term pulls at the size of features instead of their correlation.",
        fix=Fix({}, "standardise each feature over the batch in src/whyrank/training/barlow/losses.py; until then "
                    "pretrain_barlow.steps=0"),
        reference="Zbontar et al. 2021, arXiv:2103.03230, equation 2",
        weight=CAUSE,
    )  # fmt: skip


@probe("few-views", on="trained", explains=SYMPTOMS, layer="batches")
@of_history("rows", "distinct_answers", "off_diagonal_rms")
def few_views(history: pd.DataFrame) -> Told:
    """Batches so small that every entry of the correlation is mostly noise."""
    rows = float(history["rows"].mean())
    measured = Evidence("rows of a Barlow Twins batch", rows, "rows")
    if history["distinct_answers"].mean() < DISTINCT * rows:
        yield too_little(NAME, "batches of few answers, which are a fault by themselves")
        return
    if rows >= FEW_ROWS:
        yield passed(NAME, measured, FEW_ROWS)
        return
    yield Finding(
        sentence=f"A Barlow Twins batch has {rows:.0f} rows: chance alone spreads each of its correlations by "
        f"{rows**-0.5:.2f}, and the off-diagonal ones have a spread of {history['off_diagonal_rms'].mean():.2f}.",
        evidence=(measured.against(FEW_ROWS), Evidence("spread of a correlation by chance", rows**-0.5)),
        cause="The correlation of two features is estimated from the rows of a batch. From so few, the redundancy "
        "term punishes noise, and the invariance term rewards it.",
        fix=Fix({"pretrain_barlow.batch_size": 128}, "a batch has at most one row per answer: more answers, if that is "
                                                     "what limits it"),
        reference="MONAI#7530; facebookresearch/barlowtwins#7",
        weight=10.0,
    )  # fmt: skip
