"""All probes over a whole run: importing the rooms registers them, so that nothing else lists them."""

from dataclasses import replace

from whyrank.core.progress import progress
from whyrank.diagnosis.compare.ranking import check_followed
from whyrank.diagnosis.examination import Examination
from whyrank.findings.diagnosis import Diagnosis, diagnosis
from whyrank.findings.finding import Finding, in_words
from whyrank.findings.outcome import Outcome
from whyrank.findings.probe import Probe, import_modules, registered

# Sections of params.yaml, and stages, that train something.
TRAININGS = ("pretrain_barlow", "finetune_rank")

import_modules("whyrank.preflight.probes")
import_modules("whyrank.diagnosis.probes")


def codes() -> list[str]:
    """Every finding that there is, causes first."""
    return list(dict.fromkeys(probe.code for probe in registered("preflight", "trained")))


def examine(case: Examination) -> Diagnosis:
    """What every probe finds, causes first, each symptom with the fix of its cause; and what was looked at besides.

    Raises UserError for a metric that was not evaluated, or not recorded while tuning.
    """
    for record in case.records.finetune.values():
        if len(record.evaluations):
            check_followed(record, case.metric)
    probes, before = registered("preflight", "trained"), registered("preflight")
    told = [
        (probe, _by_its_trainer(case, _for_what_was_trained(case, probe, one)) if isinstance(one, Finding) else one)
        for probe in progress(probes, total=len(probes), what="checks")
        for one in _told(case, probe, before)
    ]
    return diagnosis(told, lambda cause, symptom: distance(case, cause, symptom))


def _told(case: Examination, probe: Probe, before: list[Probe]) -> list[Finding | Outcome]:
    """What a probe says; where one of the trained adds nothing, what `prepare` could say already."""
    told = list(probe.find(case.data if probe.on == "preflight" else case))
    twins = (one for one in before if one.code == probe.code)
    return told or [one for twin in twins for one in twin.find(case.data) if isinstance(one, Outcome)]


def distance(case: Examination, cause: str, symptom: str) -> int | None:
    """How near the system of a cause is to that of a symptom; None where it has no part in it.

    0 for data and the encoder that was given, 1 for the system itself, 2 and more for those that it descends from.
    Data make what is tuned on them, and explain no other data; a baseline and a rival make nothing.
    """
    systems, cause, symptom = case.systems, _made_by(case, cause), _made_by(case, symptom)
    if cause in (*systems.baselines, *systems.rivals):
        return 0 if cause == symptom else None
    if cause not in systems.encoders:
        # Of the data the encoder explains what was estimated with it.
        has_part = symptom in systems.tuned or (cause == "prepare" and symptom in {*systems.encoders, "data"})
        return 0 if has_part or cause == symptom else None
    far, at = 1, symptom
    while at != cause:
        if at not in systems.start:
            return None
        far, at = far + 1, systems.start[at]
    return far


def _made_by(case: Examination, stage: str) -> str:
    """The system that pretraining made, where a finding is about that stage."""
    made = (name for name in case.systems.encoders if case.systems.is_made_by_pretraining(name))
    return next(made, stage) if stage == "pretrain_barlow" else stage


def _by_its_trainer(case: Examination, finding: Finding) -> Finding:
    """What another tool trained is trained anew there: a run of ours would train something else."""
    is_of_training = any(key.split(".")[0] in TRAININGS for key in finding.fix.params)
    if not is_of_training or not case.systems.is_trained_elsewhere(finding.system):
        return finding
    return replace(finding, fix=in_words(finding.fix))


def _for_what_was_trained(case: Examination, probe: Probe, finding: Finding) -> Finding:
    """What is said of ranking is information where ratings alone were trained."""
    record = case.records.training_of(finding.system)
    is_of_ratings = record.is_for_ratings if record else case.ratings is not None and case.ratings.is_first
    if probe.about != "ranking" or not is_of_ratings:
        return finding
    sentence = f"In ranking, which was not trained: {finding.sentence}"
    return replace(finding, severity="info", sentence=sentence, weight=0.0)
