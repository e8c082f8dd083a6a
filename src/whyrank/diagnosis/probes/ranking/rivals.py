"""Other ways to use what is there that beat every encoder and lexical baseline, and what to do then."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from whyrank.core.options.systems import Kind
from whyrank.diagnosis.compare.ranking import best_system
from whyrank.diagnosis.examination import EXCLUDED, LEAST_EFFECT, Examination, is_higher, paired
from whyrank.diagnosis.report import numbers
from whyrank.findings.finding import Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed, too_little
from whyrank.findings.probe import probe
from whyrank.measure.significance.resampling import Interval


@probe("nearest-query-wins", on="trained", about="ranking", layer="symptom")
def nearest_query_wins(case: Examination) -> Iterator[Finding | Outcome]:
    """The answer of the most alike training query is right more often than the answers that any system ranks first."""
    yield from _wins(
        case,
        "nearest-query",
        "compares a query with training queries, not with answers,",
        "Queries are more like other queries of their answer than like its text: another length, style or words. "
        "Training on pairs of a query and an answer has to bridge that, and did not.",
        "use {rival} itself (`whyrank export {rival} FOLDER`); keep new labelled queries in its index, which needs no "
        "training. Answers without training queries need {own}",
        "Cover and Hart 1967",
    )


@probe("classifier-wins", on="trained", about="ranking", layer="symptom")
def classifier_wins(case: Examination) -> Iterator[Finding | Outcome]:
    """Logistic regression on the vectors of an encoder is right more often than any system that reads the answers."""
    yield from _wins(
        case,
        "classifier",
        "which never reads an answer,",
        "The answers are a closed set with enough training queries each: their texts add nothing that the queries do "
        "not say.",
        "use {rival} itself (`whyrank export {rival} FOLDER`) as long as the answers stay the same; a new answer needs "
        "labelled queries and a new fit",
        "Alain and Bengio 2016, arXiv:1610.01644",
    )


@probe("fusion-wins", on="trained", about="ranking", layer="symptom")
def fusion_wins(case: Examination) -> Iterator[Finding | Outcome]:
    """Two rankings together are better than the best system alone."""
    yield from _wins(
        case,
        "fusion",
        "",
        "The systems err on different queries: words find names and codes, vectors find other wordings.",
        "use {rival} itself (`whyrank export {rival} FOLDER`); it costs a lexical index beside the vectors",
        "Cormack et al. 2009; Bruch et al. 2023, arXiv:2210.11934",
    )


def _wins(
    case: Examination, kind: Kind, aside: str, cause: str, action: str, reference: str
) -> Iterator[Finding | Outcome]:
    """A warning where what it beats includes a tuned system, else for information."""
    rivals = [name for name in case.systems.rivals if case.systems.options[name].kind == kind]
    if not rivals:
        yield not_applicable("data", f"a system of kind {kind}")
    for rival in rivals:
        other = best_system(case.records, case.metric, case.systems.others) or ""
        difference = case.difference(rival, other)
        if not is_higher(difference):
            yield _without_gain(rival, difference, case.metric)
            continue
        how = case.records.runs[rival].how or {}
        yield Finding(
            severity="warning" if case.systems.tuned and kind != "fusion" else "info",
            system=rival,
            sentence=f"{rival}, {aside} beats {other}, the best encoder or lexical baseline: ".replace(",  ", " ")
            + f"{case.spoken(rival, other, difference)}.",
            cause=cause,
            fix=Fix({}, action.format(rival=rival, own="`own_score: true`")),
            reference=reference,
            **paired(difference, case.values(rival, other), *_chosen(how)),
        )


def _without_gain(system: str, difference: Interval | None, metric: str) -> Outcome:
    """What is said of a rival that is not significantly ahead: whether a gain can be excluded."""
    if difference is None:
        return not_applicable(system, "an encoder or a lexical baseline beside it")
    if np.isnan(difference.low):
        return too_little(system, "all test queries are of one answer: there is no interval")
    measured = Evidence(f"difference in {metric}", 100 * difference.mean, "points")
    if difference.high <= EXCLUDED or difference.mean < 0:
        return passed(system, measured, 100 * LEAST_EFFECT)
    high = numbers.points(difference.high)
    return too_little(system, f"no significant gain, and one of {high} points is not excluded", measured)


def _chosen(how: dict[str, Any]) -> list[Evidence]:
    """The numbers behind what it chose."""
    weights = zip(how.get("systems", []), how.get("weights", []), strict=False)
    found = [Evidence(f"weight of {name}", float(weight)) for name, weight in weights]
    found += [Evidence("C, chosen on the dev queries", float(how["C"]))] if "C" in how else []
    if "unseen_query_share" in how:
        found.append(percent("test queries whose answers have no training query", how["unseen_query_share"]))
    return found
