"""A run of another tool that is behind our lexical baselines, and which reading of the texts gives its lists.

Shapes: Q test queries of a sample · A answers · L listed answers
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from whyrank.diagnosis.compare.ranking import best_system
from whyrank.diagnosis.examination import Examination, is_lower, paired, without_loss
from whyrank.diagnosis.recount import Recount
from whyrank.findings.finding import Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable
from whyrank.findings.probe import probe
from whyrank.findings.records import Records, RunRecord
from whyrank.lexical.analysis import Analyser
from whyrank.lexical.ranking import bm25_of_terms

# Queries that are ranked anew, places that are compared, and answers beyond which nothing is ranked anew.
SAMPLE, PLACES, MOST_ANSWERS = 300, 10, 50_000
# Share of a run's first places that a reading has to give before it is named. Of the same tool with another k1: 0.8.
REPRODUCED = 0.6
# Words of an answer that a tool reads which cuts it; and test queries without rows that are a cause by themselves.
CUT, MISSING = 128, 0.02
WORD = re.compile(r"\w\w+")

Terms = Callable[[str], list[str]]


class Reading(NamedTuple):
    """query, answer   terms of a text"""

    name: str
    query: Terms
    answer: Terms
    cause: str
    action: str


class Fit(NamedTuple):
    """overlap   share of the run's first places that the reading gives too;  value   its metric on the sample"""

    reading: Reading
    overlap: float
    value: float


def _kept(text: str) -> list[str]:
    return WORD.findall(text)


def _lowered(text: str) -> list[str]:
    return WORD.findall(text.lower())


def readings(analyser: Analyser) -> list[Reading]:
    """As a lexical tool may read the texts, the sound one first."""
    apart = (
        "A name, an abbreviation, or a word that begins a sentence never meets its other spelling, and scores nothing."
    )
    return [
        Reading("BM25 with stems and without stop words, as bm25 here", analyser.bm25_terms, analyser.bm25_terms,
                "It reads the texts as bm25 does here: the gap is that between BM25 and the better baseline.",
                "rank by the better baseline, or fuse both"),
        Reading("BM25 without stemming, stop words kept", _lowered, _lowered,
                "Words count only in the form they stand in, and stop words add to every score.",
                "turn on the stemmer and the stop words of the language, for queries and answers"),
        Reading("queries in lower case, answers as they are written", _lowered, _kept, apart,
                "set up one analyser for both, with lower case, and build the index anew"),
        Reading("answers in lower case, queries as they are written", _kept, _lowered, apart,
                "put queries through the analyser of the index"),
        Reading("case kept in queries and answers", _kept, _kept, apart,
                "add lower case to the analyser, and build the index anew"),
        Reading(f"the first {CUT} words of an answer alone", _lowered, lambda text: _lowered(text)[:CUT],
                "What stands further down in an answer is not in the index.",
                "index whole answers, or every part of one"),
    ]  # fmt: skip


@probe("run-behind-lexical", on="trained", about="ranking", layer="evaluation")
def run_behind_lexical(case: Examination) -> Iterator[Finding | Outcome]:
    """Scores of another tool rank worse than words do here; which reading of the texts gives the same lists."""
    names = [name for name, own in case.systems.options.items() if own.kind == "run" and name in case.records.runs]
    if not names:
        yield not_applicable("data", "a run of another tool")
    for system in names:
        baseline = best_system(case.records, case.metric, case.systems.baselines) or ""
        difference = case.difference(system, baseline)
        if not is_lower(difference):
            yield without_loss(system, difference, case.metric, "a lexical baseline beside it")
            continue
        missing = float((case.records.runs[system].how or {}).get("missing_query_share", 0.0))
        fits = [] if missing >= MISSING else reproduced(case, case.records.runs[system])
        cause, action = _why(fits, missing)
        yield Finding(
            system=system,
            sentence=f"{system}, a run of another tool, ranks worse than {baseline}, which only counts words: "
            f"{case.spoken(system, baseline, difference)}.",
            cause=cause,
            fix=Fix({}, action),
            reference="rank_bm25#44; openrag#870; mteb#4335",
            **paired(
                difference,
                case.values(system, baseline),
                *(percent(f"its first {PLACES} places as by {one.reading.name}", one.overlap) for one in fits[:2]),
                *(Evidence(f"{case.metric} by {one.reading.name}", one.value) for one in fits[:1]),
                percent("test queries without rows", missing),
            ),
        )


def _why(fits: list[Fit], missing: float) -> tuple[str, str]:
    """Cause and remedy; none where no reading gives the lists."""
    if missing >= MISSING:
        return f"{100 * missing:.0f} % of the test queries have no rows in it, and count as chance.", "rank every query"
    if not fits or fits[0].overlap < REPRODUCED:
        best = f" ({fits[0].reading.name}: {100 * fits[0].overlap:.0f} % of its places)" if fits else ""
        return (
            f"No reading of the texts that was tried gives its lists{best}: it may be no lexical run.",
            "compare the tool's analyser (case, stems, stop words, fields) with that of bm25 here",
        )
    first = fits[0]
    return (
        f"{100 * first.overlap:.0f} % of its first {PLACES} places are those of this reading: {first.reading.name}. "
        + first.reading.cause,
        first.reading.action,
    )


def reproduced(case: Examination, run: RunRecord) -> list[Fit]:
    """How well each reading gives the run's lists, the best first; empty where there are too many answers."""
    if len(case.data.answers) > MOST_ANSWERS:
        return []
    listed, data = _listed(run.top), case.data.ranking
    ids = case.data.queries["query_id"]
    rows = np.flatnonzero(ids.isin(listed["query_id"].unique()) & ids.isin(run.queries["query_id"]))
    drawn_Q = np.sort(np.random.default_rng(case.seed).permutation(rows)[:SAMPLE])
    place = pd.Series(np.arange(len(drawn_Q)), ids.iloc[drawn_Q])
    listed = listed[listed["query_id"].isin(place.index)]
    row_L = place[listed["query_id"]].to_numpy()
    answer_L = pd.Index(case.data.answers["answer_id"]).get_indexer(listed["answer_id"])
    size_Q = np.bincount(row_L, minlength=len(drawn_Q))
    queries, answers = case.data.queries["raw_text"].iloc[drawn_Q], case.data.answers["raw_text"]
    fits = []
    for one in readings(analyser_of(case.records)):
        score_QA = bm25_of_terms([one.answer(text) for text in answers])([one.query(text) for text in queries])
        order_QA = np.argsort(-score_QA, axis=1, kind="stable")
        rank_QA = np.empty_like(order_QA)
        np.put_along_axis(rank_QA, order_QA, np.arange(score_QA.shape[1])[None], axis=1)
        is_same_L = rank_QA[row_L, answer_L] < size_Q[row_L]
        found = Recount(data, drawn_Q, score_QA.astype(np.float64))
        fits.append(Fit(one, float(is_same_L.mean()), float(found.per_query(case.metric, found.ranks()).mean())))
    return sorted(fits, key=lambda one: -one.overlap)


def analyser_of(records: Records) -> Analyser:
    """As bm25 read the texts here; English where that is not known."""
    known = next((run.analyser for run in records.runs.values() if run.analyser), None) or {}
    language, stemmer = str(known.get("language", "en")), str(known.get("stemmer", "en"))
    return Analyser(language, stemmer=stemmer)


def _listed(top: pd.DataFrame) -> pd.DataFrame:
    """First places; answers that the tool did not list are tied behind those that it did."""
    lowest = top.groupby("query_id")["score"].transform("min")
    tied = (top["score"] == lowest).groupby(top["query_id"]).transform("sum")
    return top[(top["rank"] <= PLACES) & ~((top["score"] == lowest) & (tied > 1))]
