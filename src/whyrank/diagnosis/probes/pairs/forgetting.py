"""Similarity, or ranking, that training for something else lost."""

from collections.abc import Iterator

from whyrank.diagnosis.examination import Examination, is_higher, is_lower, points, spoken
from whyrank.diagnosis.probes.pairs.pair_lists import by_list, values, what
from whyrank.diagnosis.probes.ranking.ranking import zero_shot_fix
from whyrank.diagnosis.probes.training.start import begins_anew
from whyrank.diagnosis.probes.training.steps import gentler, is_of_ranking, scaled_rates
from whyrank.findings.finding import Evidence, Finding, Fix
from whyrank.findings.records import TrainingRecord

CAUSE = (
    "Only what the trained task needs was kept: nothing in its loss holds texts apart, or together, that it never "
    "compares."
)
REFERENCE = "ST#2815; Biderman et al. 2024, arXiv:2405.09673"


def forgetting(case: Examination) -> Iterator[Finding]:
    """Training for something else took similarity, or ranking, from the encoder that it started from."""
    yield from _forgotten_similarity(case)
    yield from _forgotten_ranking(case)


def _forgotten_similarity(case: Examination) -> Iterator[Finding]:
    for system, start in case.systems.start.items():
        record = case.records.training_of(system)
        difference = case.similarity_difference(system, start)
        if record is None or "similarity" in record.objectives or difference is None or not is_lower(difference):
            continue
        gain = case.difference(system, start)
        beside = f"added {spoken(gain)} of {case.metric} to" if gain and is_higher(gain) else "did not rank better than"
        yield Finding(
            code="forgetting",
            severity="warning" if system in case.systems.tuned else "info",
            system=system,
            sentence=f"Training took {spoken(difference)} of {what(case)} from {start}, while it {beside} it.",
            evidence=(
                *values(case, start, system),
                Evidence("difference", 100 * difference.mean, "points"),
                *by_list(case, start, system),
                *([Evidence(f"difference in {case.metric}", 100 * gain.mean, "points")] if gain else []),
            ),
            cause=CAUSE,
            fix=_forgetting_fix(case, system, record),
            reference=REFERENCE,
            interval=points(difference),
            weight=-100 * difference.mean,
        )


def _forgotten_ranking(case: Examination) -> Iterator[Finding]:
    for system, start in case.systems.untuned.items():
        record, difference = case.records.training_of(system), case.difference(system, start)
        if record is None or is_of_ranking(case, system) or difference is None or not is_lower(difference):
            continue
        yield Finding(
            code="forgetting",
            severity="info",
            system=system,
            sentence=f"Training without ranking took {spoken(difference)} of {case.metric} from {start}.",
            evidence=(
                Evidence(f"{case.metric} of {start}", case.mean(start)),
                Evidence(f"{case.metric} of {system}", case.mean(system)),
                Evidence("difference", 100 * difference.mean, "points"),
            ),
            cause=CAUSE,
            fix=_forgetting_fix(case, system, record),
            reference=REFERENCE,
            interval=points(difference),
            weight=-100 * difference.mean,
        )


def _forgetting_fix(case: Examination, system: str, record: TrainingRecord) -> Fix:
    """A start with the encoder's own vectors; where training had that, steps that go no further than they must."""
    if case.systems.role(system) == "pretrained":
        return Fix(scaled_rates(record, 0.1, "pretrain_barlow"))
    if begins_anew(case, system):
        return zero_shot_fix(case, system)
    return Fix(gentler(record), "or finetune_rank.lora.rank=8, which leaves most directions where they are")
