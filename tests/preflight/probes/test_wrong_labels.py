"""Labels beside rankers that saw none: planted in hand-made scores, whose right answers are known."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from whyrank.core.prepared import Prepared
from whyrank.findings.finding import Finding
from whyrank.findings.outcome import Outcome
from whyrank.findings.probe import registered
from whyrank.findings.records import DataRecords, Records
from whyrank.preflight.figures import answer_votes, judgements, rankers, repairs
from whyrank.preflight.probes import suspects

from ...diagnosis.probes.faults import of, planted, with_data

CODES = {
    "labels-shifted",
    "labels-at-chance",
    "split-labels-wrong",
    "type-labels-wrong",
    "wrong-labels",
    "answer-texts-swapped",
    "encoder-at-chance",
    "below-chance",
}
Relabel = Callable[[pd.DataFrame, np.random.Generator], np.ndarray]


def recorded(data: DataRecords, relabel: Relabel | None = None, *, bump: dict[str, float] | None = None) -> Any:
    """The tables of labels, for rankers that lift the right answer by so many standard deviations.

    relabel   rows of qrels with `split` and `type` -> the answer of each
    """
    random = np.random.default_rng(3)
    lift = {"encoder": 2.8, "tfidf": 2.4, "bm25": 2.4} | (bump or {})
    qrels = data.qrels.merge(data.queries[["query_id", "split", "type"]], on="query_id")
    wrong = qrels["answer_id"] if relabel is None else relabel(qrels, random)
    labels = qrels.assign(answer_id=np.asarray(wrong))[["query_id", "answer_id", "score"]]
    prepared = Prepared(data.answers, data.queries, labels)
    true = Prepared(data.answers, data.queries, data.qrels).relevant
    score = {name: random.standard_normal((len(data.queries), len(data.answers))) for name in rankers.RANKERS}
    # Those that count words err together.
    score["bm25"] = 0.9 * score["tfidf"] + 0.4 * score["bm25"]
    for name, score_SA in score.items():
        score_SA[true["query"], true["answer"]] += lift[name]
    standard = {name: rankers.standardised(score_SA) for name, score_SA in score.items()}
    pairs = prepared.relevant.assign(row=prepared.relevant["query"])
    for name in ("split", "type"):
        pairs[name] = data.queries[name].to_numpy()[pairs["query"]]
    trusted, meeting = rankers.trusted(standard, pairs)
    ranked = rankers.Ranked(np.arange(len(data.queries)), pairs, standard, trusted, meeting)
    judged = judgements.judgements(ranked, prepared)
    return {
        "judgements": judged,
        "untuned": judgements.untuned(ranked, 7),
        "rows_wrong-labels": suspects.rows(judged),
        **repairs.tables(ranked, prepared, read_as(prepared)),
        **answer_votes.tables(ranked, prepared),
    }


def read_as(prepared: Prepared) -> Any:
    """As if the files had the order of the tables, and the qrels that of the splits."""
    split = prepared.queries.set_index("query_id")["split"].loc[prepared.qrels["query_id"]].to_numpy()
    qrels = prepared.qrels.assign(file=split, line=np.arange(len(prepared.qrels)) + 2)
    lines = [table.assign(line=np.arange(len(table)) + 1) for table in (prepared.answers, prepared.queries)]
    return SimpleNamespace(answers=lines[0], queries=lines[1], qrels=qrels)


def shuffled(share: float, column: str = "split", value: str = "train") -> Relabel:
    def relabel(qrels: pd.DataFrame, random: np.random.Generator) -> np.ndarray:
        answers = qrels["answer_id"].to_numpy().copy()
        rows = random.permutation(np.flatnonzero(qrels[column] == value)) if value else random.permutation(len(qrels))
        rows = rows[: int(share * len(rows))]
        answers[rows] = answers[random.permutation(rows)]
        return answers

    return relabel


def shifted(qrels: pd.DataFrame, random: np.random.Generator) -> np.ndarray:
    answers = qrels["answer_id"].to_numpy().copy()
    rows = np.flatnonzero(qrels["split"] == "train")
    answers[rows] = np.roll(answers[rows], 1)
    return answers


def swapped(qrels: pd.DataFrame, random: np.random.Generator) -> np.ndarray:
    names = sorted(qrels["answer_id"].unique())
    exchanged = {names[3]: names[20], names[20]: names[3]}
    return np.array([exchanged.get(name, name) for name in qrels["answer_id"]], dtype=object)


def plants(code: str, *implied: str, relabel: Relabel | None = None, **how: Any) -> None:
    def plant(lab: Any, healthy: Records) -> Records:
        return with_data(healthy, tables=healthy.data.tables | recorded(healthy.data, relabel, **how))

    planted(code, of(code, "data") | {(name, "data") for name in implied})(plant)


plants("wrong-labels", relabel=shuffled(0.3))
plants("split-labels-wrong", "wrong-labels", relabel=shuffled(1.0))
plants("type-labels-wrong", "wrong-labels", relabel=shuffled(1.0, "type", "conversation"))
plants("labels-at-chance", "wrong-labels", relabel=shuffled(1.0, value=""))
plants("labels-shifted", "wrong-labels", relabel=shifted)
plants("answer-texts-swapped", relabel=swapped)
plants("below-chance", bump={"encoder": 0.0, "tfidf": -2.0, "bm25": -2.0})


@planted("encoder-at-chance", of("encoder-at-chance", "prepare"))
def encoder_lost(lab: Any, healthy: Records) -> Records:
    return with_data(healthy, tables=healthy.data.tables | recorded(healthy.data, bump={"encoder": 0.0}))


def told(data: DataRecords, tables: dict[str, pd.DataFrame]) -> list[Finding | Outcome]:
    records = replace(data, tables=data.tables | tables)
    return [one for probe in registered("preflight") if probe.code in CODES for one in probe.find(records)]


def codes(data: DataRecords, relabel: Relabel | None = None, **how: Any) -> set[str]:
    return {one.code for one in told(data, recorded(data, relabel, **how)) if isinstance(one, Finding)}


def test_right_labels_pass_every_check_with_their_distance(healthy):
    found = told(healthy.data, recorded(healthy.data))
    assert {one.code for one in found} == CODES
    assert {one.status for one in found if isinstance(one, Outcome)} == {"passed"}
    assert not any(isinstance(one, Finding) for one in found)


def test_without_ranks_no_check_applies(healthy):
    assert {one.status for one in told(healthy.data, {}) if isinstance(one, Outcome)} == {"not applicable"}


def test_a_hard_task_is_no_wrong_label(healthy):
    """Rankers that are seldom right, with right labels."""
    assert codes(healthy.data, bump={"encoder": 1.2, "tfidf": 1.2, "bm25": 1.2}) == set()


def test_few_queries_are_too_little(healthy):
    keep = healthy.data.queries["query_id"].iloc[::40]
    data = replace(
        healthy.data,
        queries=healthy.data.queries[healthy.data.queries["query_id"].isin(keep)].reset_index(drop=True),
        qrels=healthy.data.qrels[healthy.data.qrels["query_id"].isin(keep)].reset_index(drop=True),
    )
    found = told(data, recorded(data))
    assert not any(isinstance(one, Finding) for one in found)
    statuses = {one.code: one.status for one in found if isinstance(one, Outcome)}
    assert statuses["wrong-labels"] == statuses["labels-at-chance"] == "not enough data"


@pytest.mark.parametrize("share", [0.2, 0.4])
def test_the_estimated_share_has_the_true_one_in_its_interval(healthy, share):
    judged = recorded(healthy.data, shuffled(share))["judgements"]
    train = judged[judged["split"] == "train"]
    _, low, high = suspects.share(*suspects.far_of(train))
    assert low < share * 39 / 40 < high


@pytest.mark.parametrize(
    ("far", "agreed", "expected"), [(2, 4, False), (3, 9, True), (3, 12, False), (4, 22, True), (4, 300, False)]
)
def test_labels_are_doubtful_where_chance_would_hardly_put_as_many_far(far, agreed, expected):
    """Where 2 % are far, three or more of 12 are so in 0.0015 of the cases, of 9 in 0.0006; four of 22 in 0.0009."""
    part = pd.DataFrame({"is_agreed": 1, "far": [0.9] * far + [0.1] * (agreed - far)})
    assert suspects.is_doubtful(part) is expected


def test_the_list_names_most_wrong_labels_and_what_they_should_be(healthy):
    right = healthy.data.qrels.set_index("query_id")["answer_id"]
    tables = recorded(healthy.data, shuffled(0.3))
    labels = tables["judgements"].set_index("query_id")["answer_id"]
    wrong = set(labels.index[labels != right.loc[labels.index]])
    rows = tables["rows_wrong-labels"]
    assert len(wrong & set(rows["query_id"])) > 0.7 * len(wrong)
    assert rows["query_id"].isin(wrong).mean() > 0.8
    named = rows[rows["becomes"] != ""]
    assert len(named) > 10
    assert (named["becomes"].to_numpy() == right.loc[named["query_id"]].to_numpy()).mean() > 0.8


def test_rows_that_slipped_come_back_also_where_only_a_part_did(healthy):
    def part(qrels: pd.DataFrame, random: np.random.Generator) -> np.ndarray:
        answers = qrels["answer_id"].to_numpy().copy()
        rows = np.flatnonzero(qrels["split"] == "train")[120:]
        answers[rows] = np.roll(answers[rows], -1)
        return answers

    right = healthy.data.qrels.set_index("query_id")["answer_id"]
    for relabel in (shifted, part):
        tables = recorded(healthy.data, relabel)
        labels = tables["judgements"].set_index("query_id")["answer_id"].copy()
        before = int((labels != right.loc[labels.index]).sum())
        rows = tables["rows_labels-shifted"]
        labels.loc[rows["query_id"]] = rows["becomes"].to_numpy()
        assert (labels != right.loc[labels.index]).sum() <= 0.1 * before


def test_two_answers_that_changed_places_get_their_queries_back(healthy):
    right = healthy.data.qrels.set_index("query_id")["answer_id"]
    rows = recorded(healthy.data, swapped)["rows_answer-texts-swapped"]
    assert len(rows) == 20 and (rows["becomes"].to_numpy() == right.loc[rows["query_id"]].to_numpy()).all()
