"""A lexical baseline that ranks no better than chance, and what the texts say about why.

Shapes: Q test queries · S queries of the sample · C their answers · P relevant pairs
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from whyrank.diagnosis.compare.ranking import best_system
from whyrank.diagnosis.examination import Examination, is_higher, paired, spoken
from whyrank.diagnosis.probes.ranking.beside_chance import Above, above_chance, chance
from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix, Severity, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed, too_little
from whyrank.findings.probe import probe
from whyrank.measure.metrics import locating, ranking

# Test queries that are ranked by pairs of characters, among their own answers.
SAMPLE = 500


class Why(NamedTuple):
    severity: Severity
    cause: str
    action: str
    weight: float


@probe("lexical-at-chance", on="trained", about="ranking", layer="evaluation")
def lexical_at_chance(case: Examination) -> Iterator[Finding | Outcome]:
    """A baseline that counts words is no floor where it ranks like chance; which of four causes, the texts show."""
    if not set(case.systems.baselines) & set(case.records.runs):
        yield not_applicable("data", "a lexical baseline")
    for system in case.systems.baselines:
        above = above_chance(case, system)
        if above is None:
            continue
        if not above.is_chance:
            points = Evidence(f"{case.metric} above chance", 100 * above.interval.mean, "points")
            is_sure = is_higher(above.interval)
            yield passed(system, points, 0.0) if is_sure else too_little(system, "too few queries to tell", points)
            continue
        overlap = case.data.metrics.get("lexical_overlap")
        characters = by_characters(case)
        why = _why(case, system, characters)
        # The difference is none: what stands to be gained is in the cause.
        told = paired(
            above.interval,
            [
                Evidence(f"{case.metric} of {system}", above.value, threshold=above.near),
                Evidence(f"{case.metric} at chance", above.chance),
            ],
            Evidence(f"{case.metric} by pairs of characters, {SAMPLE} queries at most", characters.value),
            Evidence(f"{case.metric} at chance among their answers", characters.chance),
            *([] if overlap is None else [percent("query words that are in the answer", overlap)]),
            name="difference to chance",
        )
        yield Finding(
            severity=why.severity,
            system=system,
            sentence=f"{system} ranks no better than chance, {above.chance:.3f}: "
            f"{spoken(above.interval, case.metric)}. What beats it need not be good.",
            cause=why.cause,
            fix=Fix({}, why.action),
            reference="mteb#4335; McNamee and Mayfield 2004; Lucene's CJKAnalyzer",
            **told | {"weight": why.weight},
        )


def _why(case: Examination, system: str, characters: Above) -> Why:
    read_by = case.records.runs[system].analyser or {}
    languages = read_by.get("queries", ""), read_by.get("answers", "")
    if characters.is_found:
        best = above_chance(case, best_system(case.records, case.metric, case.systems.baselines) or "")
        return Why(
            # Encoders are compared with the best baseline: where that says nothing, the verdict does not either.
            "error" if best is not None and best.is_chance else "warning",
            "Pairs of characters find the answers, so queries and answers share strings: the baseline splits these "
            "texts into words that do not meet.",
            "compare with a baseline that reads pairs of characters; with one of ours, check evaluate.stemmer and "
            "report the language as a fault of whyrank"
            if read_by
            else "give the tool that made this run a tokenizer for the language",
            100 * characters.interval.mean,
        )
    if languages[0] != languages[1]:
        return Why(
            "info",
            f"Most queries are in another language ({languages[0] or 'none recognised'}) than the answers "
            f"({languages[1] or 'none recognised'}): they share no words.",
            "leave the lexical baselines out, and compare with a multilingual encoder (zero-shot)",
            0.0,
        )
    encoders = [above_chance(case, name) for name in case.systems.encoders]
    if any(above is not None and is_higher(above.interval) for above in encoders):
        return Why(
            "info",
            "Queries and their answers share hardly any wording, not even pairs of characters; an encoder finds "
            "them by their meaning.",
            "judge by the pretrained encoder (zero-shot), not by the lexical baselines",
            0.0,
        )
    return Why(
        "error",
        "No system is above chance, and pairs of characters do not lead to the answers either: the qrels point to "
        "answers that have nothing to do with the queries.",
        "check that query-id and corpus-id in the qrels belong to these files and rows",
        CAUSE,
    )


# Both baselines ask.
@lru_cache(maxsize=1)
def by_characters(case: Examination) -> Above:
    """Test queries ranked by TF-IDF of their pairs of characters, among the answers of a sample: no words needed."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # takes a second that few runs should pay

    pairs = case.data.ranking.relevant_in("test")
    rows = pairs["query"].unique()
    row_S = rows[np.unique(np.linspace(0, len(rows) - 1, min(SAMPLE, len(rows))).round().astype(int))]
    pairs = pairs[pairs["query"].isin(row_S)]
    answer_C, column_P = np.unique(pairs["answer"], return_inverse=True)
    vectorizer = TfidfVectorizer(analyzer="char", ngram_range=(2, 2), sublinear_tf=True, dtype=np.float32)
    answer_CV = vectorizer.fit_transform(case.data.answers["raw_text"].iloc[answer_C])
    score_SC = (vectorizer.transform(case.data.queries["raw_text"].iloc[row_S]) @ answer_CV.T).toarray()
    place_P = np.searchsorted(row_S, pairs["query"])
    located = locating.locate(score_SC, place_P, column_P)
    places = ranking.Places(place_P, *located, pairs["gain"].to_numpy(), *score_SC.shape)
    value_S = ranking.of_name(places, case.metric)
    chance_S = chance(case.data, case.metric, row_S, len(answer_C))
    first_S = pairs.drop_duplicates("query")["answer"].to_numpy()
    return Above(float(value_S.mean()), float(chance_S.mean()), case.interval(value_S - chance_S, first_S))
