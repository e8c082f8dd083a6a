"""A loss beside its own arithmetic: its bounds, the same computed apart, and the ranking that it should improve."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.stats import binom

from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.probes.training.learning_rate import SPOILT
from whyrank.diagnosis.probes.training.steps import each_training, ends, judged_at
from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed, too_little
from whyrank.findings.probe import probe
from whyrank.findings.records import OBJECTIVE_LOSS, TrainingRecord

# What a training that follows no true loss leaves behind.
UNLEARNT = ("loss-without-learning", "underfitted", "learning-rate-too-high", "temperature-saturates",
            "gradient-grows", *SPOILT)  # fmt: skip
# Nats, or share of the loss, between a loss and the same computed apart. Healthy runs: 1e-6.
OFF = 0.02
# Share of the targets that are right: all of them, but for rounding of a mean.
RIGHT = 0.999
# Exact, of the accuracy in the first batch beside that on training queries against all answers, which is harder.
P, FEWEST_ROWS = 0.001, 16
# Of the weights that the first of these steps may have changed.
SAME, FIRST_STEPS = 0.01, 5
# Share of the loss at the start by which it must have fallen, and what accuracy must have risen by then.
FALL, RISE = 0.2, 0.02
# From here on there is little left to rise.
SOLVED = 0.9
CODE = "look at what changed in the code of the loss or of the batches"


@probe("first-loss-off", on="trained", explains=("impossible-loss", *UNLEARNT), layer="training", about="ranking")
@each_training
def first_loss_off(case: Examination, init: str, record: TrainingRecord) -> Iterator[Finding | Outcome]:
    """The loss, its targets or the vectors of the training pass are not those of the judgements."""
    history = record.history
    if "targets_right" not in history:
        yield not_applicable("", "a training for ranking with its batches recorded")
        return
    right = float(history["targets_right"].mean())
    if right < RIGHT:
        yield _off(
            history,
            f"The targets of {100 * (1 - right):.0f} % of the rows are not relevant to their queries by the "
            f"judgements: "
            "training pulls queries towards wrong answers.",
            "Batches pair a query with the answer of another one: targets or candidates are shifted, or come from "
            "another batch or order.",
        )
        return
    if "rank_expected_loss" in history:
        both = history[["rank_loss", "rank_expected_loss", "rank_chance"]].dropna()
        loss_S, expected_S = both["rank_loss"].to_numpy(), both["rank_expected_loss"].to_numpy()
        if any(one.threshold is not None for one in _difference(history)):
            yield _off(
                history,
                f"The loss of the first step is {loss_S[0]:.2f}, the cross-entropy of the right answers in the same "
                f"batch {expected_S[0]:.2f} (ln of the candidates: {both['rank_chance'].iloc[0]:.2f}).",
                _why(loss_S, expected_S, float(history["rows"].mean())),
            )
            return
    yield from _training_pass(record)


def _difference(history: pd.DataFrame) -> list[Evidence]:
    """Of the loss from the same computed apart, beside the threshold where it exceeds it."""
    if "rank_expected_loss" not in history:
        return []
    off = Evidence(
        "mean difference of the two", float((history["rank_loss"] - history["rank_expected_loss"]).abs().mean())
    )
    most = OFF * max(1.0, float(history["rank_expected_loss"].mean()))
    return [off.against(most) if off.value > most else off]


def _off(history: pd.DataFrame, sentence: str, cause: str) -> Finding:
    names = {
        "rank_loss": "loss of the first step",
        "rank_expected_loss": "cross-entropy of the right answers in it",
        "rank_chance": "ln of the candidates",
        "rank_accuracy": "accuracy in it",
    }
    return Finding(
        severity="error",
        sentence=sentence,
        evidence=(
            *(Evidence(text, float(history[name].dropna().iloc[0])) for name, text in names.items() if name in history),
            *_difference(history),
            percent("targets that are relevant by the judgements", float(history["targets_right"].mean())).where_below(
                100 * RIGHT
            ),
        ),
        cause=cause,
        fix=Fix({}, CODE),
        reference="Karpathy 2019, A recipe for training neural networks: verify loss at init",
        weight=CAUSE,
    )


def _why(loss_S: np.ndarray, expected_S: np.ndarray, rows: float) -> str:
    ratio_S = loss_S / np.maximum(expected_S, 1e-6)
    if np.allclose(ratio_S, -1, atol=0.05):
        return "The sign of the loss is flipped: training moves queries away from their answers."
    if np.ptp(ratio_S) < 0.05 * abs(ratio_S.mean()):
        return (
            f"The loss is {ratio_S.mean():.3g} times what it should be: a sum in place of a mean over {rows:.0f} rows."
        )
    return "The loss takes other targets, the softmax over another axis, or masks what it must not."


def _training_pass(record: TrainingRecord) -> Iterator[Finding | Outcome]:
    """The first batch against the evaluation of the same weights, which had more candidates to choose among."""
    history, before = record.history, judged_at(record, 0)
    first = _same_weights(history)
    rows = int(first["rows"].sum())
    if before is None or rows < FEWEST_ROWS:
        yield too_little("", f"the first batches have {rows} rows")
        return
    accuracy = float((first["rank_accuracy"] * first["rows"]).sum() / rows)
    # The 200 training queries of an evaluation are a sample, too.
    least = before - 2 * np.sqrt(before * (1 - before) / 200)
    # A copy of the right answer among the negatives scores as high.
    least -= float(first.get("rows_with_false_negatives", pd.Series(0.0)).mean())
    p = float(binom.cdf(round(accuracy * rows), rows, max(least, 0.0)))
    if p >= P:
        yield passed("", percent("accuracy in the first batches", accuracy), 100 * least)
        return
    yield Finding(
        severity="error",
        sentence=f"In the first training batches {100 * accuracy:.0f} % of {rows} rows have their answer first among "
        f"{first['candidates'].mean():.0f}, while the evaluation of the same weights finds it for {100 * before:.0f} % "
        "among all answers.",
        evidence=(
            percent("accuracy in the first batches", accuracy).against(100 * least),
            percent("accuracy@1 on training queries before the first step", before),
            Evidence("p of so few by chance", p),
        ),
        cause="The training pass does not compute what the evaluation computes: vectors of other texts, or so much "
        "dropout that nothing is left.",
        fix=Fix({}, "lower dropout; else compare the vectors of one text in both passes"),
        reference="Karpathy 2019, A recipe for training neural networks",
        weight=CAUSE,
    )


def _same_weights(history: pd.DataFrame) -> pd.DataFrame:
    """The first steps, in which the weights are all but those of the evaluation before training."""
    names = [name for name in history if str(name).startswith("update_")]
    moved_S = history[names].max(axis=1).cumsum().shift(1, fill_value=0.0)
    return history[(moved_S < SAME) & (np.arange(len(history)) < FIRST_STEPS)]


@probe("impossible-loss", on="trained", explains=UNLEARNT, layer="training")
@each_training
def impossible_loss(case: Examination, init: str, record: TrainingRecord) -> Iterator[Finding | Outcome]:
    """A loss below zero, or below what its own errors cost: ln 2 for each row whose answer is not first."""
    losses = {
        str(name): record.history[name].dropna() for name in record.history if OBJECTIVE_LOSS.fullmatch(str(name))
    }
    for name, loss in losses.items():
        objective = name.removesuffix("_loss")
        bound = np.zeros(len(loss))
        if name == "rank_loss" and "rank_expected_loss" in record.history:
            bound = np.log(2) * (1 - record.history.loc[loss.index, "rank_accuracy"].to_numpy())
        below = loss.to_numpy() - bound
        if len(loss) == 0:
            continue
        if below.min() >= -1e-3:
            yield passed("", Evidence(f"lowest loss of `{objective}`", float(loss.min())), 0.0)
            continue
        worst = int(below.argmin())
        yield Finding(
            severity="error",
            sentence=f"The loss of `{objective}` is {loss.iloc[worst]:.3f} at step "
            f"{int(record.history.loc[loss.index[worst], 'step'])}"
            f", and cannot be below {bound[worst]:.3f}.",
            evidence=(
                # The least that its errors cost.
                Evidence(f"loss of `{objective}` in that step", float(loss.iloc[worst])).against(bound[worst]),
                percent("steps with such a loss", float((below < -1e-3).mean())),
            ),
            cause="A sign is wrong, or the loss counts something else than the errors: such a loss falls while "
            "ranking gets worse.",
            fix=Fix({}, CODE),
            reference="van den Oord et al. 2018, arXiv:1807.03748: a cross-entropy is at least 0",
            weight=CAUSE,
        )


@probe(
    "loss-without-learning",
    on="trained",
    explains=("underfitted", *SPOILT),
    layer="symptom",
    about="ranking",
)
@each_training
def loss_without_learning(case: Examination, init: str, record: TrainingRecord) -> Iterator[Finding | Outcome]:
    """The loss came down, and neither training queries nor the batches are ranked better."""
    history, start, end = record.history, judged_at(record, 0), judged_at(record, -1)
    if "rank_accuracy" not in history or start is None or end is None:
        yield not_applicable("", "a training for ranking with its batches recorded")
        return
    loss, accuracy = ends(history["rank_loss"]), ends(history["rank_accuracy"])
    if loss is None or accuracy is None:
        yield too_little("", f"{len(history)} steps")
        return
    fell = loss.start - loss.end
    if fell < max(FALL * abs(loss.start), 3 * loss.error) or start > SOLVED:
        yield passed("", Evidence("fall of the loss", fell), FALL * abs(loss.start))
        return
    if end - start > RISE or accuracy.end - accuracy.start > RISE:
        yield passed("", percent("rise of accuracy@1 on training queries", end - start), 100 * RISE)
        return
    yield Finding(
        sentence=f"The loss fell from {loss.start:.2f} to {loss.end:.2f}, and accuracy@1 on training queries went from "
        f"{start:.2f} to {end:.2f}: what training learns is not the ranking.",
        evidence=(
            Evidence("loss, first tenth of the steps", loss.start),
            Evidence("loss, last quarter of the steps", loss.end),
            percent("accuracy@1 on training queries before the first step", start),
            percent("accuracy@1 on training queries at the end", end).against(100 * (start + RISE)),
            percent("accuracy in the batches, first tenth", accuracy.start),
            percent("accuracy in the batches, last quarter", accuracy.end),
        ),
        cause="The loss can be lowered without ranking better: wrong targets, a wrong sign or mask, or a scale that "
        "shrinks.",
        fix=Fix({}, CODE + "; then look at the scale and at the labels of some training rows"),
        reference="FE#1035; ST#2646",
        weight=100 * max(0.01, start - end),
    )
