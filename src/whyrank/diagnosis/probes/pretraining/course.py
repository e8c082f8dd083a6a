"""Barlow Twins by its course: another loss, views that come to agree less, one term alone, steps that are too long."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.probes.pretraining.views import NAME, SYMPTOMS, of_history
from whyrank.diagnosis.probes.training.steps import ends, gentler, peak_evidence, peak_rates
from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed, too_little
from whyrank.findings.probe import probe

# Share of the loss that the redundancy term has, and of the gradient: 0.05 to 0.15 and 0.02 to 0.04 in healthy runs.
OF_LOSS, OF_GRADIENT = 0.9, 0.4
# Rise of the mean diagonal from the first tenth of the steps to the last quarter: 0.04 and more in healthy runs.
RISE, ERRORS = 0.02, 3.0
# Of a loss, by which it may differ from the same computed apart: 1e-6 in healthy runs.
OFF = 0.02
# Length of the trained weights, of what it was: 0.97 to 1.2 in healthy runs.
BLOWN_UP = 2.0
SYMPTOMS_TOO = (*SYMPTOMS, "temperature-saturates", "no-headroom", "worse-than-lexical", "tuning-brought-nothing")
Told = Iterator[Finding | Outcome]


@probe("redundancy-dominates", on="trained", explains=("agreement-falls", *SYMPTOMS_TOO), layer="training")
@of_history("redundancy_loss_share", "redundancy_gradient_share", "mean_diagonal")
def redundancy_dominates(history: pd.DataFrame) -> Told:
    """Nearly all of the loss is the redundancy term, and the views do not come to agree."""
    loss, gradient = (float(history[f"redundancy_{name}_share"].median()) for name in ("loss", "gradient"))
    measured = percent("share of the redundancy term in the loss", loss)
    diagonal = ends(history["mean_diagonal"])
    if diagonal is None:
        yield too_little(NAME, f"{len(history)} steps")
        return
    rise = diagonal.end - diagonal.start
    if loss < OF_LOSS or gradient < OF_GRADIENT or rise > max(RISE, ERRORS * diagonal.error):
        yield passed(NAME, measured, 100 * OF_LOSS)
        return
    yield Finding(
        sentence=f"The redundancy term has {100 * loss:.0f} % of the Barlow Twins loss and {100 * gradient:.0f} % of "
        f"its gradient, and the views of an answer do not come to agree: their mean diagonal went from "
        f"{diagonal.start:.2f} to {diagonal.end:.2f}.",
        evidence=(
            measured.against(100 * OF_LOSS),
            percent("share of the redundancy term in the gradient", gradient),
            Evidence("mean diagonal, first tenth of the steps", diagonal.start, "0 at chance, 1 perfect"),
            Evidence("mean diagonal, last quarter of the steps", diagonal.end, "0 at chance, 1 perfect"),
        ),
        cause="`pretrain_barlow.redundancy_weight` is too high: pretraining only makes features independent, which "
        "random directions do best, and overwrites what the encoder knew.",
        fix=Fix({"pretrain_barlow.redundancy_weight": "auto"}),
        reference="Zbontar et al. 2021, arXiv:2103.03230, figure 5 (the weight of the redundancy term)",
        weight=CAUSE,
    )


@probe("agreement-falls", on="trained", explains=SYMPTOMS_TOO, layer="training")
@of_history("barlow_loss", "expected_loss", "mean_diagonal", "invariance")
def agreement_falls(history: pd.DataFrame) -> Told:
    """The loss is not that of the batch's cross-correlation, or the views of an answer agree less at its end."""
    first, diagonal = history.iloc[0], ends(history["mean_diagonal"])
    loss, expected = float(first["barlow_loss"]), float(first["expected_loss"])
    is_off = abs(loss - expected) > OFF * max(expected, 1e-6)
    fell = 0.0 if diagonal is None else diagonal.start - diagonal.end
    error = 0.0 if diagonal is None else diagonal.error
    least = max(RISE, ERRORS * error)
    falls = fell > least
    evidence = (
        Evidence("loss of the first step, by feature", loss),
        Evidence("the same by its own cross-correlation", expected),
        Evidence("difference of the two", abs(loss - expected)).where_from(OFF * max(expected, 1e-6)),
        Evidence("fall of the mean diagonal", fell, "from 1, perfect, to 0, chance").where_from(least),
    )
    if not is_off and not falls:
        if diagonal is None:
            yield too_little(NAME, f"{len(history)} steps", evidence[0])
        else:
            yield passed(NAME, evidence[3], least)
        return
    course = "" if diagonal is None else f"{diagonal.start:.2f} to {diagonal.end:.2f}"
    said = [
        f"is not that of its cross-correlation: {loss:.3f} by feature in the first step, where the terms give "
        f"{expected:.3f}" * is_off,
        f"drives the two views of an answer apart: their mean diagonal fell from {course} over the steps" * falls,
    ]
    yield Finding(
        severity="error" if is_off else "warning",
        sentence=f"The loss of Barlow Twins {', and '.join(filter(None, said))}.",
        evidence=evidence,
        cause=_why(first, loss, expected)
        if is_off
        else "Pretraining undoes what it is for: a sign or target of the invariance term is wrong, the redundancy "
        "term outweighs it, or the learning rate is too high.",
        fix=Fix({}, "compare the loss in src/whyrank/training/barlow/losses.py with its formula; until then "
                    "pretrain_barlow.steps=0"),
        reference="Zbontar et al. 2021, arXiv:2103.03230, equation 1",
        weight=CAUSE,
    )  # fmt: skip


def too_long_steps(case: Examination) -> Told:
    """Little is left of what the weights were before pretraining. Part of `learning-rate-too-high`."""
    record = case.records.pretraining
    if record is None or not {"weight_norm", "barlow_loss"} <= set(record.history):
        yield not_applicable(NAME, "a pretraining that recorded the length of its weights")
        return
    history = record.history
    longer = Evidence("length of the weights after pretraining, of that before", float(history["weight_norm"].iloc[-1]))
    if longer.value <= BLOWN_UP:
        yield passed(NAME, longer, BLOWN_UP)
        return
    peaks = peak_rates(record)
    yield Finding(
        system=NAME,
        sentence=f"Pretraining left weights {longer.value:.3g} times as long as they were, at a learning rate of "
        f"{max(peaks.values()):.3g}: its steps are too long.",
        evidence=(
            longer.against(BLOWN_UP),
            *peak_evidence(record, "at its peak"),
            Evidence("loss of the first step, by feature", float(history["barlow_loss"].iloc[0])),
            Evidence("loss of the last step, by feature", float(history["barlow_loss"].iloc[-1])),
        ),
        cause="Such long steps leave the region in which their gradient holds: what the encoder or its head knew is "
        "lost, and fine-tuning at its own rate hardly moves weights that long.",
        fix=Fix(gentler(record, NAME)),
        reference="Zbontar et al. 2021, arXiv:2103.03230, section 2.2; HF#735",
        weight=CAUSE,
    )


def _why(first: pd.Series, loss: float, expected: float) -> str:
    # Mean square of the diagonal: what the invariance term would be if its target were 0.
    to_zero = float(first["invariance"]) - 1 + 2 * float(first["mean_diagonal"])
    redundancy = expected - float(first["invariance"])
    targets = {
        "The invariance term has the wrong target: it pushes the diagonal to 0, not to 1, and so the views apart.": (
            to_zero + redundancy
        ),
        "The sign of the invariance term is wrong: it drives the views apart.": redundancy - float(first["invariance"]),
        "The sign of the loss is wrong: it drives the views apart.": -expected,
    }
    for words, value in targets.items():
        if np.isclose(loss, value, rtol=OFF, atol=1e-3):
            return words
    return "A term is left out, has another weight, target or sign, or views are not standardised over the batch."
