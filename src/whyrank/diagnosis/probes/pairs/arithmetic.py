"""The loss of pairs beside its formula, and beside the order of the labels that it should improve."""

from collections.abc import Iterator

from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.probes.training import expected
from whyrank.diagnosis.probes.training.arithmetic import CODE
from whyrank.diagnosis.probes.training.learning_rate import SPOILT
from whyrank.diagnosis.probes.training.steps import each_training, ends
from whyrank.findings.finding import Evidence, Finding, Fix
from whyrank.findings.outcome import Outcome, not_applicable, passed, too_little
from whyrank.findings.probe import probe
from whyrank.findings.records import TrainingRecord

# Share of the loss by which it must have fallen, and of the rank correlation in a batch that must not fall meanwhile.
FALL, WORSE, ERRORS = 0.2, 0.05, 3.0

expected.register("similarity", "pairs")


@probe("loss-without-learning", on="trained", explains=SPOILT, layer="symptom", about="pairs")
@each_training
def loss_without_learning(case: Examination, init: str, record: TrainingRecord) -> Iterator[Finding | Outcome]:
    """The loss of pairs came down, and the order of the same pairs got worse."""
    history = record.history
    if not {"similarity_loss", "similarity_agreement"} <= set(history):
        yield not_applicable("", "a training on pairs with its batches recorded")
        return
    loss, agreement = (ends(history[name].dropna()) for name in ("similarity_loss", "similarity_agreement"))
    if loss is None or agreement is None:
        yield too_little("", f"{len(history)} steps")
        return
    worse = agreement.start - agreement.end
    fell = loss.start - loss.end
    measured = Evidence("fall of the rank correlation of training pairs", worse)
    if fell < max(FALL * abs(loss.start), ERRORS * loss.error) or worse < max(WORSE, ERRORS * agreement.error):
        yield passed("", measured, WORSE)
        return
    yield Finding(
        sentence=f"The loss of `similarity` fell from {loss.start:.2f} to {loss.end:.2f}, and the rank correlation of "
        f"cosines and labels in the same batches fell, too: from {agreement.start:.2f} to {agreement.end:.2f}.",
        evidence=(
            measured.against(WORSE),
            Evidence("loss, first tenth", loss.start),
            Evidence("loss, last quarter", loss.end),
        ),
        cause="What the loss rewards is not the order of the labels: a wrong sign, target or row.",
        fix=Fix({}, CODE),
        reference="Su 2022, kexue.fm/archives/8847",
        weight=100 * worse,
    )
