"""Systems that rank below a simpler one."""

from collections.abc import Iterator

from whyrank.diagnosis.compare.ranking import best_system
from whyrank.diagnosis.examination import Examination, is_lower, points, spoken
from whyrank.diagnosis.probes.pretraining.pretraining import COSINE_SCALE, pretraining_fix
from whyrank.diagnosis.probes.training.schedule import (
    learning_rate_too_high,
    no_warmup_spike,
    warmup_longer_than_training,
)
from whyrank.diagnosis.probes.training.start import begins_anew, tuned_from, untuned_on_dev
from whyrank.diagnosis.probes.training.steps import is_of_ranking, scaled_rates
from whyrank.diagnosis.probes.training.training import underfitted
from whyrank.findings.finding import Evidence, Finding, Fix

# What can have kept tuning from learning, the most specific first.
LEARNED_LITTLE = (learning_rate_too_high, no_warmup_spike, warmup_longer_than_training, underfitted)


def worse_than_lexical(case: Examination) -> Iterator[Finding]:
    """An encoder is below the better lexical floor: a warning once it learned to rank, else for information."""
    floor = best_system(case.records, case.metric, case.systems.baselines)
    for system in case.systems.encoders if floor else ():
        record = case.records.training_of(system)
        if record is not None and record.is_for_ratings:
            continue
        difference = case.difference(system, str(floor))
        if difference is None or not is_lower(difference):
            continue
        overlap = case.data.metrics.get("lexical_overlap")
        yield Finding(
            code="worse-than-lexical",
            severity="warning" if system in case.systems.tuned and is_of_ranking(case, system) else "info",
            system=system,
            sentence=f"{system} is {spoken(difference)} of {case.metric} below {floor}, which only counts words.",
            evidence=(
                Evidence(f"{case.metric} of {system}", case.mean(system)),
                Evidence(f"{case.metric} of {floor}", case.mean(str(floor))),
                Evidence("difference", 100 * difference.mean, "points"),
                *([Evidence("query words that stand in the answer", overlap, "share")] if overlap is not None else []),
            ),
            cause="Queries share their answer's words, which a lexical ranker reads directly and this encoder has not "
            "learned to weigh.",
            fix=_lexical_fix(case, system, str(floor)),
            reference="ST#22, #9, #332; HF#876",
            interval=points(difference),
            weight=-100 * difference.mean,
        )


def _lexical_fix(case: Examination, system: str, floor: str) -> Fix:
    """That of the nearest cause: pretraining, a start that was thrown away, too little training; else train it all."""
    twin = case.systems.without_pretraining(system)
    if case.systems.is_pretrained(system) and not is_lower(case.difference(twin, floor)):
        return pretraining_fix(case)
    if system not in case.systems.tuned or not is_of_ranking(case, system):
        return Fix({}, "none without training for ranking: see whether a system that had it is above the floor")
    return tuning_fix(case, system) or Fix(
        {"finetune_rank.train": "all"}, "if the encoder was trained already, rank with the lexical floor"
    )


def tuning_fix(case: Examination, system: str) -> Fix | None:
    """That of what tuning itself did wrong: it lost the encoder's ranking, or learned too little; None for neither."""
    if is_lower(case.difference(system, case.systems.untuned[system])):
        return zero_shot_fix(case, system)
    found = (finding for probe in LEARNED_LITTLE for finding in probe(case))
    return next((finding.fix for finding in found if finding.system == system), None)


def worse_than_zero_shot(case: Examination) -> Iterator[Finding]:
    """Tuning for ranking left a system below its own encoder."""
    for system, untuned in case.systems.untuned.items():
        difference = case.difference(system, untuned)
        if difference is None or not is_lower(difference) or not is_of_ranking(case, system):
            continue
        yield Finding(
            code="worse-than-zero-shot",
            severity="warning",
            system=system,
            sentence=f"Fine-tuning took {spoken(difference)} of {case.metric} from {untuned}.",
            evidence=(
                Evidence(f"{case.metric} of {system}", case.mean(system)),
                Evidence(f"{case.metric} of {untuned}", case.mean(untuned)),
                Evidence("difference", 100 * difference.mean, "points"),
                *_start_evidence(case, system),
            ),
            cause="Training began without the encoder's own ranking (a new head, or another score) and did not find it."
            if begins_anew(case, system)
            else "Training moved the vectors away from a ranking that was better; steps too long, or the best look was "
            "picked by another metric.",
            fix=zero_shot_fix(case, system),
            reference="ST#2646",
            interval=points(difference),
            weight=-100 * difference.mean,
        )


def _start_evidence(case: Examination, system: str) -> list[Evidence]:
    values = {
        f"dev {case.metric} before the first step": tuned_from(case, system),
        f"dev {case.metric} of {case.systems.untuned[system]}": untuned_on_dev(case, case.systems.untuned[system]),
    }
    return [Evidence(name, value) for name, value in values.items() if value is not None]


def zero_shot_fix(case: Examination, system: str) -> Fix:
    """Start from the encoder's own ranking; where it did, take shorter steps."""
    params: dict[str, object] = {}
    if begins_anew(case, system):
        pretrained = case.records.barlow is not None and len(case.records.barlow.history) > 0
        if case.systems.is_after_pretraining(system) and pretrained:
            params["finetune_rank.barlow_head"] = "inherit"
        else:
            params["finetune_rank.head.kind"] = "residual"
        if case.records.runs[system].metrics["score_kind_cosine"] == 0:
            # An encoder by itself ranks by the cosine; only with that does a residual head start where it is.
            params |= {"finetune_rank.similarity.kind": "cosine", "finetune_rank.similarity.scale": COSINE_SCALE}
        return Fix(params)
    record = case.records.training_of(system)
    if record is not None and len(record.history):
        params |= scaled_rates(record, 0.1)
    return Fix(params | {"finetune_rank.early_stopping.metric": f"{case.metric}_all"})
