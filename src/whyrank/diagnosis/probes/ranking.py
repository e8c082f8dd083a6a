"""Systems that rank below a simpler one."""

from collections.abc import Iterator

from whyrank.diagnosis.compare import LEXICAL, best_system
from whyrank.diagnosis.examination import START, UNTUNED, Examination, is_lower, points, spoken
from whyrank.diagnosis.finding import Evidence, Finding, Fix
from whyrank.diagnosis.probes.pretraining import COSINE_SCALE, pretraining_fix
from whyrank.diagnosis.probes.training import scaled_rates, underfitted

# A tuned system that begins below half of what its encoder had does not start from the encoder's ranking.
FROM_SCRATCH = 0.5


def worse_than_lexical(case: Examination) -> Iterator[Finding]:
    """An encoder is below the better lexical floor: a warning once tuned, for information before."""
    floor = best_system(case.records, case.metric, LEXICAL)
    for system in ("base", *START) if floor else ():
        difference = case.difference(system, str(floor))
        if difference is None or not is_lower(difference):
            continue
        overlap = case.data.metrics.get("lexical_overlap")
        yield Finding(
            code="worse-than-lexical",
            severity="warning" if system in UNTUNED else "info",
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
    twin = system.replace("barlow", "base")
    if system != twin and not is_lower(case.difference(twin, floor)):
        return pretraining_fix(case)
    if system not in UNTUNED:
        return Fix({}, "none before tuning: see whether the tuned system is above the floor")
    if is_lower(case.difference(system, UNTUNED[system])):
        return _zero_shot_fix(case, system)
    too_little = [finding.fix for finding in underfitted(case) if finding.system == system]
    if too_little:
        return too_little[0]
    return Fix({"finetune_rank.train": "all"}, "if the encoder was trained already, rank with the lexical floor")


def worse_than_zero_shot(case: Examination) -> Iterator[Finding]:
    """Tuning left a system below its own encoder."""
    for system, untuned in UNTUNED.items():
        difference = case.difference(system, untuned)
        if difference is None or not is_lower(difference):
            continue
        starts_low = _starts_from_scratch(case, system)
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
            cause="A new head threw the encoder's own ranking away, and training did not find it again."
            if starts_low
            else "Training moved the vectors away from a ranking that was better; steps too long, or the best look was "
            "picked by another metric.",
            fix=_zero_shot_fix(case, system),
            reference="ST#2646",
            interval=points(difference),
            weight=-100 * difference.mean,
        )


def _start(case: Examination, system: str) -> float | None:
    """The dev metric before the first step."""
    record = case.records.finetune.get(UNTUNED[system])
    return None if record is None else float(record.evaluations[f"{case.metric}_all"].iloc[0])


def _start_evidence(case: Examination, system: str) -> list[Evidence]:
    start = _start(case, system)
    return [] if start is None else [Evidence(f"dev {case.metric} before the first step", start)]


def _starts_from_scratch(case: Examination, system: str) -> bool:
    start = _start(case, system)
    return start is not None and start < FROM_SCRATCH * case.mean(UNTUNED[system])


def _zero_shot_fix(case: Examination, system: str) -> Fix:
    """Start from the encoder's own ranking; where it did, take shorter steps."""
    params: dict[str, object] = {}
    if _starts_from_scratch(case, system):
        if system == "base-tuned":
            params["finetune_rank.head.kind"] = "residual"
        else:
            params["finetune_rank.barlow_head"] = "inherit"
        if case.records.runs[system].metrics["score_kind_cosine"] == 0:
            # An encoder by itself ranks by the cosine; only with that does a residual head start where it is.
            params |= {"finetune_rank.similarity.kind": "cosine", "finetune_rank.similarity.scale": COSINE_SCALE}
        return Fix(params)
    record = case.records.finetune.get(UNTUNED[system])
    if record is not None and len(record.history):
        params |= scaled_rates(record, 0.1)
    return Fix(params | {"finetune_rank.early_stopping.metric": f"{case.metric}_all"})
