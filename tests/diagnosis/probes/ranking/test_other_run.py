"""Runs of other tools behind the lexical baselines: the reading that gives their lists, or none."""

import re
from dataclasses import replace
from typing import Any

import bm25s
import numpy as np
import pandas as pd
import pytest

from whyrank.core.options.systems import System
from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.probes.ranking import other_run
from whyrank.findings.records import Records, RunRecord

from ..faults import of, planted
from ..training.test_reload import told

CODE, SYSTEM = "run-behind-lexical", "theirs"


def beside(healthy: Records, run: RunRecord) -> Records:
    options = dict(healthy.systems.options) | {SYSTEM: System("run", "rival", "their-run.trec")}
    return replace(healthy, systems=replace(healthy.systems, options=options), runs=healthy.runs | {SYSTEM: run})


def scored(lab: Any, noise: float) -> RunRecord:
    run: RunRecord = lab.scored(lab.vectors(noise) @ lab.answer_AD.T)
    return run


@planted(CODE, of(CODE, SYSTEM))
def behind(lab: Any, healthy: Records) -> Records:
    return beside(healthy, scored(lab, 0.8))


def test_lists_that_no_reading_gives_are_told_with_the_gap_and_without_a_cause(lab, healthy):
    found = told(CODE, behind(lab, healthy))[SYSTEM]
    assert found.sentence.startswith("theirs, a run of another tool, ranks worse than bm25, which only counts words: −")
    assert found.interval[1] < 0 and found.cause.startswith("No reading of the texts that was tried gives its lists")


@pytest.mark.parametrize("noise", [0.44, 0.2])
def test_a_run_that_is_level_or_ahead_is_no_finding(lab, healthy, noise):
    assert told(CODE, beside(healthy, scored(lab, noise)))[SYSTEM].status in ("passed", "not enough data")


def test_without_a_run_of_another_tool_it_does_not_apply(healthy):
    assert told(CODE, healthy)["data"].status == "not applicable"


def test_queries_without_rows_are_the_cause_where_there_are_many(lab, healthy):
    found = told(CODE, beside(healthy, replace(scored(lab, 0.8), how={"missing_query_share": 0.3})))[SYSTEM]
    assert found.cause == "30 % of the test queries have no rows in it, and count as chance."
    assert found.fix.action == "rank every query"


FIRST, SECOND = (
    ("ta", "vi", "fe", "pe", "scho", "ca", "lo", "mu", "ni", "ro"),
    ("xol", "sam", "nd", "rit", "bek", "gul"),
)
STEMS, ENDS = [f"{one}{other}" for one in FIRST for other in SECOND], ("ed", "ing", "er", "s")
WORDS = [f"{stem}{end}" for stem in STEMS for end in ENDS]


@pytest.fixture(scope="module")
def written(lab, healthy):
    """Texts with capitals, forms of words and stop words; answers are long."""
    random = np.random.default_rng(5)

    def text(length: int) -> str:
        drawn = random.choice([*WORDS, "the", "of", "is"], length)
        return " ".join(word.capitalize() if random.random() < 0.3 else word for word in drawn)

    data = healthy.data
    answers = data.answers.assign(raw_text=[text(200) for _ in range(len(data.answers))])
    queries = data.queries.assign(raw_text=[text(8) for _ in range(len(data.queries))])
    return replace(healthy, data=replace(data, answers=answers, queries=queries))


def of_tool(records: Records, query: Any, answer: Any, *, keep: int = 10, **options: float) -> RunRecord:
    """The lists of another BM25 with its own constants, `keep` answers each; the others are tied behind them."""
    index = bm25s.BM25(method="lucene", **options)
    index.index([answer(text) for text in records.data.answers["raw_text"]], show_progress=False)
    asked = records.data.queries[records.data.queries["split"] == "test"]
    ids, rows = records.data.answers["answer_id"].to_numpy(), []
    for query_id, text in zip(asked["query_id"], asked["raw_text"], strict=True):
        terms = [word for word in query(text) if word in index.vocab_dict]
        score_A = np.asarray(index.get_scores(terms)) if terms else np.zeros(len(ids))
        order_A = np.argsort(-score_A, kind="stable")
        listed = [score_A[a] if place < keep else score_A[order_A[keep - 1]] - 1 for place, a in enumerate(order_A)]
        rows += [(query_id, place + 1, ids[a], listed[place]) for place, a in enumerate(order_A[:30])]
    top = pd.DataFrame(rows, columns=["query_id", "rank", "answer_id", "score"])
    return replace(records.runs["bm25"], top=top, how=None)


def kept(text: str) -> list[str]:
    return re.findall(r"\w\w+", text)


def lowered(text: str) -> list[str]:
    return kept(text.lower())


@pytest.mark.parametrize(
    ("query", "answer", "name"),
    [
        (lowered, lowered, "BM25 without stemming"),
        (lowered, kept, "queries in lower case"),
        (kept, lowered, "answers in lower case"),
        (kept, kept, "case kept"),
        (lowered, lambda text: lowered(text)[:100], "the first 128 words"),
    ],
    ids=["no stems", "queries lowered", "answers lowered", "case kept", "cut"],
)
@pytest.mark.parametrize("keep", [4, 10])
def test_the_reading_of_another_tool_is_found_by_its_lists_alone(written, query, answer, name, keep):
    run = of_tool(written, query, answer, keep=keep, k1=0.9, b=0.4)
    case = Examination(beside(written, run), "accuracy@1", 0.95, 100, 0)
    best, second, *_ = other_run.reproduced(case, run)
    assert best.reading.name.startswith(name) and best.overlap > max(other_run.REPRODUCED, second.overlap)


def test_the_lists_of_our_own_reading_are_all_its_own(written):
    words = other_run.analyser_of(written)
    run = of_tool(written, words.bm25_terms, words.bm25_terms, k1=0.9, b=0.4)
    best = other_run.reproduced(Examination(beside(written, run), "accuracy@1", 0.95, 100, 0), run)[0]
    assert best.reading.name.startswith("BM25 with stems") and best.overlap > 0.9 and 0 <= best.value <= 1


def test_answers_that_a_tool_did_not_list_are_left_out():
    scores = {"a": [3.0, 2.0, 1.0, 1.0], "b": [3.0, 2.0, 1.0, 0.5], "c": [1.0, 1.0, 1.0, 1.0]}
    rows = [
        (query, place, f"{query}{place}", score) for query, own in scores.items() for place, score in enumerate(own, 1)
    ]
    listed = other_run._listed(pd.DataFrame(rows, columns=["query_id", "rank", "answer_id", "score"]))
    assert listed.groupby("query_id").size().to_dict() == {"a": 2, "b": 4}
