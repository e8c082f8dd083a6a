"""A lexical baseline at chance: where the check begins, and which cause the texts show."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from whyrank.diagnosis.probes.ranking import beside_chance
from whyrank.findings.records import Records
from whyrank.lexical.analysis import Analyser
from whyrank.lexical.ranking import bm25, tfidf
from whyrank.measure.metrics import ranking

from ..faults import ENCODERS, of, planted, with_data

FLOORS = ("tfidf", "bm25")
HAN = [chr(0x4E00 + i) for i in range(800)]
READ_BY = {"language": "zh", "share": 1.0, "answers": "zh", "queries": "zh", "stemmer": ""}


def read_as(records: Records, **changes: Any) -> Records:
    """How the baselines read the texts."""
    runs = {name: replace(records.runs[name], analyser=READ_BY | changes) for name in FLOORS}
    return replace(records, runs=records.runs | runs)


def written_together(lab: Any, healthy: Records, *, shared: int = 6) -> Records:
    """Queries hold a run of `shared` characters of their answer, and no text has a space."""
    random = np.random.default_rng(4)
    answers, queries = healthy.data.answers.copy(), healthy.data.queries.copy()
    answers["raw_text"] = texts = ["".join(random.choice(HAN, 30)) for _ in range(len(answers))]
    starts = random.integers(0, 24, len(queries))
    inside = [texts[own][at : at + shared] for own, at in zip(lab.own_N, starts, strict=True)]
    queries["raw_text"] = ["".join(random.choice(HAN, 6)) + part for part in inside]
    return with_data(healthy, answers=answers, queries=queries)


@planted("lexical-at-chance", of("lexical-at-chance", *FLOORS) | of("ties-decide-the-metric", *FLOORS))
def one_clause_one_word(lab: Any, healthy: Records) -> Records:
    """A clause is taken for a word, as scikit-learn's and bm25s' own patterns do: queries share none with answers."""
    spoilt = written_together(lab, healthy)
    nothing = lab.scored(np.zeros((len(lab.own_N), len(lab.answer_AD))))
    return read_as(replace(spoilt, runs=spoilt.runs | dict.fromkeys(FLOORS, nothing)))


def test_where_pairs_of_characters_find_the_answers_the_words_are_at_fault(lab, healthy, findings):
    found = findings(one_clause_one_word(lab, healthy))["lexical-at-chance", "tfidf"]
    assert found.severity == "error"
    assert found.sentence.startswith("tfidf ranks no better than chance, 0.025: 0.0 points of accuracy@1 [0.0, 0.0].")
    assert "splits these texts into words that do not meet" in found.cause
    evidence = {one.name: one.value for one in found.evidence}
    assert evidence["accuracy@1 at chance"] == evidence["accuracy@1 of tfidf"] == pytest.approx(1 / 40)
    assert evidence["accuracy@1 by pairs of characters, 500 queries at most"] > 0.95
    assert found.weight > 90


def test_a_baseline_that_is_not_the_best_one_costs_no_verdict(lab, healthy, findings):
    spoilt = one_clause_one_word(lab, healthy)
    runs = spoilt.runs | {"bm25": replace(healthy.runs["bm25"], analyser=READ_BY)}
    found = findings(replace(spoilt, runs=runs))
    assert found["lexical-at-chance", "tfidf"].severity == "warning" and ("lexical-at-chance", "bm25") not in found


def test_our_own_baselines_are_above_chance_on_the_same_texts(lab, healthy, findings):
    spoilt = written_together(lab, healthy)
    queries, answers = (table["raw_text"].tolist() for table in (spoilt.data.queries, spoilt.data.answers))
    read_by = Analyser("zh")
    runs = {"tfidf": lab.scored(tfidf(answers, read_by)(queries)), "bm25": lab.scored(bm25(answers, read_by)(queries))}
    assert not of("lexical-at-chance", *FLOORS) & set(findings(replace(spoilt, runs=spoilt.runs | runs)))


def at_chance(lab: Any, healthy: Records, *systems: str) -> Records:
    """These systems rank at random, and queries share nothing with their answers."""
    spoilt, random = written_together(lab, healthy, shared=0), np.random.default_rng(5)
    # Encoders keep what `evaluate` records of their vectors; only their ranks are drawn.
    drawn = {name: lab.scored(random.random((len(lab.own_N), len(lab.answer_AD)))) for name in systems}
    ranked = {name: replace(spoilt.runs[name], queries=run.queries, top=run.top) for name, run in drawn.items()}
    return read_as(replace(spoilt, runs=spoilt.runs | ranked))


def test_where_encoders_find_what_shares_no_wording_it_is_worth_knowing_alone(lab, healthy, findings):
    found = findings(at_chance(lab, healthy, *FLOORS))
    assert set(found) == of("lexical-at-chance", *FLOORS)
    assert {one.severity for one in found.values()} == {"info"}
    assert all("by their meaning" in one.cause for one in found.values())


def test_where_no_system_is_above_chance_the_qrels_are_at_fault(lab, healthy, findings):
    found = findings(at_chance(lab, healthy, *FLOORS, *ENCODERS))["lexical-at-chance", "bm25"]
    assert found.severity == "error" and "qrels" in found.cause and found.weight == 100


def test_queries_in_another_language_than_the_answers_are_named(lab, healthy, findings):
    found = findings(read_as(at_chance(lab, healthy, *FLOORS, *ENCODERS), queries="de"))["lexical-at-chance", "bm25"]
    assert found.severity == "info"
    assert "another language (de) than the answers (zh)" in found.cause


@pytest.mark.parametrize("noise", [0.9, 1.3])
def test_a_weak_baseline_above_chance_is_left_alone(lab, healthy, findings, noise):
    weak = lab.scored(lab.vectors(noise) @ lab.answer_AD.T)
    assert 0.1 < weak.queries["accuracy@1"].mean() < 0.5
    assert findings(lab.spoil(healthy, tfidf=weak, bm25=weak)) == {}


def test_too_few_queries_to_tell_are_left_alone(lab, healthy, findings):
    spoilt = at_chance(lab, healthy, *FLOORS)
    asked = spoilt.runs["base"].queries["query_id"][::12]
    few = {
        name: replace(run, queries=run.queries.iloc[::12], top=run.top[run.top["query_id"].isin(asked)])
        for name, run in spoilt.runs.items()
    }
    assert not of("lexical-at-chance", *FLOORS) & set(findings(replace(spoilt, runs=few)))


def test_chance_follows_the_qrels_and_the_corpus(healthy):
    queries = healthy.data.queries
    tested = queries.index[queries["split"] == "test"].to_numpy()
    more = healthy.data.qrels.loc[tested[:60]].assign(answer_id="a39")
    spoilt = with_data(healthy, qrels=pd.concat([healthy.data.qrels, more]))
    value_Q = beside_chance.chance(spoilt.data, "accuracy@1", tested, 40)
    assert value_Q[:57].tolist() == pytest.approx([2 / 40] * 57)
    assert value_Q[60:].tolist() == pytest.approx([1 / 40] * 60)


@pytest.mark.parametrize("metric", ["accuracy@3", "mrr", "map@3", "ndcg@10"])
def test_chance_is_the_mean_over_all_orders(metric):
    places = ranking.at_chance([0], [1.0], 1, 5)
    each = [ranking.of_name(ranking.Places(np.array([0]), np.array([at]), np.array([1]), np.ones(1), 1, 5), metric)
            for at in range(5)]  # fmt: skip
    assert ranking.of_name(places, metric).item() == pytest.approx(np.mean(each))
