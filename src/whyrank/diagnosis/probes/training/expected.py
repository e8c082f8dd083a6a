"""The loss of pairs and of ratings beside the same from its formula, and its rows beside the table of them."""

from collections.abc import Iterator

import numpy as np

from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.probes.training.arithmetic import CODE, OFF, RIGHT
from whyrank.diagnosis.probes.training.learning_rate import SPOILT
from whyrank.diagnosis.probes.training.steps import each_training
from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed
from whyrank.findings.probe import About, probe
from whyrank.findings.records import TrainingRecord

LATER = ("impossible-loss", "loss-without-learning", "underfitted", "learning-rate-too-high", "gradient-grows",
         "constant-similarity", "labels-reversed", *SPOILT)  # fmt: skip


def register(name: str, about: About) -> None:
    """A check `first-loss-off` of the objective `name`, whose columns of the history begin with it."""

    @probe("first-loss-off", on="trained", explains=LATER, layer="training", about=about)
    @each_training
    def first_loss_off(case: Examination, init: str, record: TrainingRecord) -> Iterator[Finding | Outcome]:
        """The rows of a batch are not those of the table, or its loss is not that of its formula."""
        history = record.history
        if f"{name}_labels_right" not in history:
            yield not_applicable("", f"a training on {about} with its batches recorded")
            return
        right = float(history[f"{name}_labels_right"].dropna().mean())
        if right < RIGHT:
            yield _finding(
                f"{100 * (1 - right):.0f} % of the rows that `{name}` is trained on are not in the table of {about}: "
                "their texts have other labels there.",
                "Batches join texts with the labels, or the second texts, of other rows: something is shifted, sorted "
                "or permuted between the table and the loss.",
                percent("rows of the batches that are in the table", right).against(100 * RIGHT),
            )
            return
        if f"{name}_expected_loss" not in history:
            yield passed("", percent("rows of the batches that are in the table", right), 100 * RIGHT)
            return
        both = history[[f"{name}_loss", f"{name}_expected_loss"]].dropna()
        loss_S, expected_S = (both[column].to_numpy() for column in both)
        off = float(np.abs(loss_S - expected_S).mean()) if len(both) else 0.0
        measured = Evidence("mean difference from the loss by its formula", off)
        most = OFF * max(1.0, float(np.abs(expected_S).mean()) if len(both) else 1.0)
        if off <= most:
            yield passed("", measured, most)
            return
        yield _finding(
            f"The loss of `{name}` in the first step is {loss_S[0]:.3g}; by its formula, from the same vectors and "
            f"labels, it is {expected_S[0]:.3g}.",
            _why(record, name, loss_S, expected_S),
            measured.against(most),
            Evidence("loss of the first step", float(loss_S[0])),
            Evidence("the same by its formula", float(expected_S[0])),
        )


def _why(record: TrainingRecord, name: str, loss_S: np.ndarray, expected_S: np.ndarray) -> str:
    reversed_loss = f"{name}_reversed_loss"
    if reversed_loss in record.history and np.allclose(loss_S, record.history[reversed_loss].dropna(), rtol=OFF):
        return "The loss has the wrong sign: it is lowest where what should be alike scores lowest."
    ratio_S = loss_S / np.where(np.abs(expected_S) > 1e-6, expected_S, 1e-6)
    if np.allclose(ratio_S, -1, atol=0.05):
        return "The sign of the loss is flipped: training makes predictions worse."
    if np.ptp(ratio_S) < 0.05 * abs(ratio_S.mean()):
        return f"The loss is {ratio_S.mean():.3g} times what it should be: a sum in place of a mean, or a weight."
    return "The loss is another than its name says: a wrong sign, order, temperature or axis, or a sigmoid too many."


def _finding(sentence: str, cause: str, *evidence: Evidence) -> Finding:
    return Finding(
        severity="error",
        sentence=sentence,
        evidence=evidence,
        cause=cause,
        fix=Fix({}, CODE),
        reference="Karpathy 2019, A recipe for training neural networks: verify loss at init",
        weight=CAUSE,
    )
