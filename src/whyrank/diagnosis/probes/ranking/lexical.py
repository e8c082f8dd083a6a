"""Systems below a floor that only counts words, in ranking or in ratings."""

from collections.abc import Iterator

from whyrank.diagnosis.examination import Examination, is_lower, points, spoken
from whyrank.diagnosis.probes.ranking import ranking
from whyrank.findings.finding import SEVERITIES, Evidence, Finding, Fix

# Findings that say why ratings are low, beside those that are not here and come from the data alone. Of one severity
# the one that costs most is named first.
CAUSES = (
    "last-block-drops-surface",
    "separate-encoders-lose-interaction",
    "fixed-allocation-truncates",
    "constant-predictions",
    "fold-failed",
    "no-warmup-spike",
    "learning-rate-too-high",
    "warmup-longer-than-training",
    "nothing-moves",
    "underfitted",
    "target-imbalance",
    "tokenizer-mismatch",
)


def worse_than_lexical(case: Examination) -> Iterator[Finding]:
    """One finding for each system: of its ranking, where it was not trained for ratings alone, else of its ratings."""
    found = {finding.system: finding for finding in ranking.worse_than_lexical(case)}
    rated = {finding.system: finding for finding in worse_at_ratings(case)}
    yield from (rated | found).values()


def worse_at_ratings(case: Examination) -> Iterator[Finding]:
    """Out of fold, a system rates below a ridge on the words of the same texts."""
    rated = [] if case.ratings is None else list(case.ratings.systems["system"])
    floor = next((name for name in case.systems.baselines if name in rated), "")
    for system in case.systems.encoders:
        difference = case.rating_difference(system, floor)
        if difference is None or not is_lower(difference):
            continue
        causes = known_causes(case, system)
        yield Finding(
            code="worse-than-lexical",
            severity="warning" if system in case.systems.tuned else "info",
            system=system,
            sentence=f"{system} rates {spoken(difference)} of mean column Spearman below {floor}, which only counts "
            "words.",
            evidence=(*_means(case, (system, floor)), Evidence("difference", 100 * difference.mean, "points")),
            cause=_cause(case, causes, system),
            fix=_fix(case, causes, system),
            reference="Google QUEST Q&A Labeling (2020): separate encoders, cut texts and no warm-up, below TF-IDF",
            interval=points(difference),
            weight=-100 * difference.mean,
        )


def known_causes(case: Examination, system: str) -> list[Finding]:
    """Those found of this tuned system, or of the data, in order of weight."""
    if system not in case.systems.tuned:
        return []
    others = set(case.systems.start) - {system}
    said = [finding for finding in case.said if finding.code in CAUSES and finding.system not in others]
    return sorted(said, key=lambda finding: (-finding.weight, SEVERITIES.index(finding.severity), finding.code))


def _means(case: Examination, systems: tuple[str, ...]) -> Iterator[Evidence]:
    assert case.ratings is not None
    values = case.ratings.systems.set_index("system")["value"]
    for system in systems:
        yield Evidence(f"mean column Spearman of {system}", float(values[system]))


def _cause(case: Examination, causes: list[Finding], system: str) -> str:
    if causes:
        return f"In order of weight: {', '.join(dict.fromkeys(one.code for one in causes))}. {causes[0].cause}"
    if system in case.systems.tuned:
        return "A ridge reads directly the words that a rating follows from; tuning has not learned to weigh them."
    return "What a frozen encoder keeps of a text is what it says, and a rating follows from how it says it."


def _fix(case: Examination, causes: list[Finding], system: str) -> Fix:
    """That of every known cause, together; else the whole encoder."""
    params = {key: value for one in reversed(causes) for key, value in one.fix.params.items()}
    if params:
        return Fix(params)
    if system not in case.systems.tuned:
        return Fix({}, "none before tuning: see whether the tuned system is above the floor")
    return Fix({"finetune_rank.train": "all"}, "if the encoder was trained already, rate with the lexical floor")
