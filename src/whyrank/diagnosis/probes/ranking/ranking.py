"""Systems that rank worse than a simpler one."""

from collections.abc import Iterator

from whyrank.diagnosis.compare.ranking import best_system
from whyrank.diagnosis.examination import Examination, is_lower, points, spoken
from whyrank.diagnosis.probes.pretraining.pretraining import COSINE_SCALE
from whyrank.diagnosis.probes.training.start import begins_anew, tuned_from, untuned_on_dev
from whyrank.diagnosis.probes.training.steps import is_of_ranking, scaled_rates
from whyrank.findings.finding import Evidence, Finding, Fix, percent
from whyrank.findings.probe import probe
from whyrank.measure.significance.resampling import Interval


@probe("worse-than-lexical", on="trained", about="ranking")
def worse_than_lexical(case: Examination) -> Iterator[Finding]:
    """An encoder is below the best lexical baseline: a warning once it learned to rank, else for information."""
    for system in case.systems.encoders:
        baseline, difference = to_lexical(case, system)
        if difference is None or not is_lower(difference):
            continue
        overlap = case.data.metrics.get("lexical_overlap")
        yield Finding(
            severity="warning" if system in case.systems.tuned and is_of_ranking(case, system) else "info",
            system=system,
            sentence=f"{system} ranks worse than {baseline}, which only counts words: "
            f"{spoken(difference, case.metric)}.",
            evidence=(
                Evidence(f"{case.metric} of {system}", case.mean(system)),
                Evidence(f"{case.metric} of {baseline}", case.mean(baseline)),
                Evidence("difference", 100 * difference.mean, "points"),
                *([percent("query words that are in the answer", overlap)] if overlap is not None else []),
            ),
            cause="Queries share words with their answers. A lexical ranker reads these words directly; this encoder "
            "has not learned to weigh them.",
            fix=_lexical_fix(case, system, baseline),
            reference="ST#22, #9, #332; HF#876",
            interval=points(difference),
            weight=-100 * difference.mean,
        )


def to_lexical(case: Examination, system: str) -> tuple[str, Interval | None]:
    """The best lexical baseline of ranking, and what a system lies above it; None where ratings alone were trained."""
    baseline = best_system(case.records, case.metric, case.systems.baselines) or ""
    record = case.records.training_of(system)
    if not baseline or (record is not None and record.is_for_ratings):
        return baseline, None
    return baseline, case.difference(system, baseline)


def _lexical_fix(case: Examination, system: str, baseline: str) -> Fix:
    """Where no other finding explains it: without pretraining, if that is enough; else train the whole encoder."""
    twin = case.systems.without_pretraining(system)
    if case.systems.is_pretrained(system) and not is_lower(case.difference(twin, baseline)):
        return Fix({"pretrain_barlow.steps": 0})
    if system not in case.systems.tuned or not is_of_ranking(case, system):
        return Fix({}, "train for ranking, and compare the tuned system with the lexical baseline")
    return Fix({"finetune_rank.train": "all"}, "if the whole encoder was trained already, use the lexical baseline")


@probe(
    "worse-than-zero-shot", on="trained", explains=("worse-than-lexical", "question-conversation-gap"), about="ranking"
)
def worse_than_zero_shot(case: Examination) -> Iterator[Finding]:
    """Tuning for ranking left a system below its own encoder."""
    for system, untuned in case.systems.untuned.items():
        difference = case.difference(system, untuned)
        if difference is None or not is_lower(difference) or not is_of_ranking(case, system):
            continue
        yield Finding(
            system=system,
            sentence=f"Fine-tuning made {system} worse than {untuned}: {spoken(difference, case.metric)}.",
            evidence=(
                Evidence(f"{case.metric} of {system}", case.mean(system)),
                Evidence(f"{case.metric} of {untuned}", case.mean(untuned)),
                Evidence("difference", 100 * difference.mean, "points"),
                *_start_evidence(case, system),
            ),
            cause="Training began without the ranking of the pretrained encoder (a new head, or another score) and did "
            "not recover it."
            if begins_anew(case, system)
            else "Training moved the vectors away from a better ranking: its steps were too long, or early stopping "
            "kept the best evaluation of another metric.",
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
    """Start from the ranking of the pretrained encoder; where training did, take shorter steps."""
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
