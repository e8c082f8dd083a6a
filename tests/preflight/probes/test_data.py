"""Prepared data: where the checks begin, and what they propose."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from whyrank.findings.records import Records
from whyrank.measure.significance.statistics import mean_interval
from whyrank.preflight.examine import preflight
from whyrank.preflight.probes.selections import better

from ...diagnosis.probes.faults import of, planted, with_data


@planted("truncation-loses-evidence", of("truncation-loses-evidence", "data"))
def truncation(lab: Any, healthy: Records, noise: float = 0.6) -> Records:
    """Half of the conversations lost most of their tokens, and rank worse with `noise`."""
    is_cut = ~lab.is_question_N & (np.arange(len(lab.own_N)) % 4 == 1)
    queries = healthy.data.queries.copy()
    queries.loc[is_cut, ["tokens_raw", "tokens"]] = 280, 126
    metrics = {f"{what}_share_conversation": 0.6 for what in ("tfidf_lost", "tokens_lost", "texts_cut")}
    tuned = lab.run(np.where(is_cut[:, None], lab.vectors(noise), lab.vectors(0.22)))
    spoilt = lab.spoil(healthy, base_tuned=tuned, barlow_tuned=tuned)
    return with_data(spoilt, queries=queries, metrics=healthy.data.metrics | metrics)


@planted("duplicate-across-splits", of("duplicate-across-splits", "data"))
def leak(lab: Any, healthy: Records, n: int = 15) -> Records:
    """`n` of the 120 test queries stand in train too, and are ranked from memory."""
    queries = healthy.data.queries
    test = np.flatnonzero(queries["split"] == "test")[:n]
    rows = {"query_left": "q000", "split_left": "train", "query_right": queries["query_id"].to_numpy()[test]}
    leaks = pd.DataFrame(rows | {"split_right": "test", "kind": "exact", "similarity": 1.0, "same_answer": True})
    remembered = lab.vectors(0.3)
    remembered[test] = lab.answer_AD[lab.own_N[test]]
    tuned = lab.run(remembered)
    spoilt = lab.spoil(healthy, base_tuned=tuned, barlow_tuned=tuned)
    return with_data(spoilt, tables=healthy.data.tables | {"leaks": leaks})


@planted("thread-across-splits", of("thread-across-splits", "data"))
def torn(lab: Any, healthy: Records, n: int = 60, noise: float = 0.6, gift: float = 0.0) -> Records:
    """Half of the test queries are of threads of training; by `gift` tuning draws these to their answers."""
    test = np.flatnonzero(healthy.data.queries["split"] == "test")[:n]
    ids = healthy.data.queries["query_id"].to_numpy()
    rows = {"query_left": "q000", "split_left": "train", "query_right": ids[test], "split_right": "test"}
    tables = healthy.data.tables | {"torn_threads": pd.DataFrame(rows)}
    tuned = lab.vectors(noise)
    tuned[test] += gift * (lab.answer_AD[lab.own_N[test]] - tuned[test])
    spoilt = lab.spoil(healthy, base_tuned=lab.run(tuned), barlow_tuned=lab.run(tuned)) if gift else healthy
    return with_data(spoilt, tables=tables, metrics=healthy.data.metrics | {"queries_of_threads": 400})


@planted("conflicting-duplicates", of("conflicting-duplicates", "data"))
def conflict(lab: Any, healthy: Records, n: int = 6) -> Records:
    ids = healthy.data.queries["query_id"].to_numpy()
    rows = {"query_left": ids[:n], "split_left": "train", "query_right": ids[-n:], "split_right": "test"}
    return with_data(healthy, tables=healthy.data.tables | {"conflicts": pd.DataFrame(rows)})


@planted("answers-without-queries", of("answers-without-queries", "data"))
def unasked(lab: Any, healthy: Records, n: int = 10) -> Records:
    table = healthy.data.tables["per_answer"].copy()
    table.loc[: n - 1, ["question", "conversation", "train", "dev", "test"]] = 0
    return with_data(healthy, tables=healthy.data.tables | {"per_answer": table})


@planted("type-imbalance", of("type-imbalance", "data"))
def few_questions(lab: Any, healthy: Records, every: int = 14) -> Records:
    """Only every 14th query is a question."""
    kinds = np.where(np.arange(len(healthy.data.queries)) % every == 0, "question", "conversation")
    return with_data(healthy, queries=healthy.data.queries.assign(type=kinds))


def test_truncation_is_a_warning_where_cut_texts_rank_worse_and_information_where_they_do_not(lab, healthy, findings):
    key = ("truncation-loses-evidence", "data")
    costly, harmless = findings(truncation(lab, healthy))[key], findings(truncation(lab, healthy, noise=0.22))[key]
    assert (costly.severity, harmless.severity) == ("warning", "info")
    # Half of the conversations have 280 tokens, with [CLS] and [SEP] 282: up to the next multiple of 32.
    assert costly.fix.params == {"prepare.tokens.conversation": 288}
    assert costly.weight > harmless.weight == 0


def compared(gain: float, n: int = 40) -> pd.DataFrame:
    """`tail` ranks so much better than `head`, with some noise, and `tfidf` worse."""
    noise = np.random.default_rng(0).normal(0, 0.1, n)
    ways = {"head": np.full(n, 0.4), "tail": 0.4 + gain + noise, "tfidf": np.full(n, 0.2)}
    ids = [f"q{i}" for i in range(n)]
    parts = [
        pd.DataFrame({"kind": "conversation", "way": way, "is_used": way == "head", "query_id": ids, "answer_id": ids,
                      "reciprocal_rank": value})
        for way, value in ways.items()
    ]  # fmt: skip
    return pd.concat(parts)


@pytest.mark.parametrize(("gain", "way"), [(0.2, "tail"), (0.02, None), (None, None)])
def test_at_a_full_budget_only_a_cut_that_was_measured_to_rank_better_is_asked_for(gain, way, lab, healthy, findings):
    spoilt = truncation(lab, healthy)
    queries = spoilt.data.queries.copy()
    is_cut = queries["tokens"] < queries["tokens_raw"]
    queries.loc[is_cut, ["tokens_raw", "tokens"]] = 900, 510
    queries.loc[is_cut, "text"] = queries.loc[is_cut, "raw_text"].str[:40]
    tables = spoilt.data.tables | ({} if gain is None else {"encoder_selections": compared(gain)})
    found = findings(with_data(spoilt, queries=queries, tables=tables))["truncation-loses-evidence", "data"]
    assert found.fix.params == ({"prepare.selection.conversation": way} if way else {})
    assert ("none ranks surely better: on 40 dev queries" in found.fix.action) == (gain == 0.02)
    shown = [one.value for one in found.evidence if "untrained encoder" in one.name]
    assert len(shown) == (0 if gain is None else 2) and (gain is None or shown[0] == pytest.approx(0.4))
    # Better in the mean is not enough.
    assert gain is None or shown[1] > shown[0]


def test_the_interval_allows_for_the_number_of_ways(healthy):
    table = compared(0.05)
    found = better(with_data(healthy, tables={"encoder_selections": table}).data, "conversation")
    ways = table.pivot_table("reciprocal_rank", "query_id", "way")
    alone = mean_interval(ways["tail"] - ways["head"], ways.index, level=0.975, resamples=2000, seed=0)
    assert found.way == "tail" and found.gain == alone


def test_a_pasted_log_is_said_of_that_text_and_not_of_the_budget_of_all(lab, healthy):
    queries = healthy.data.queries.copy()
    log = queries.index[queries["type"] == "question"][12]
    queries.loc[log, ["tokens_raw", "tokens"]] = 24_000, 61
    shares = {"tfidf_lost": 0.94, "tokens_lost": 0.97, "texts_cut": 1 / (queries["type"] == "question").sum()}
    metrics = healthy.data.metrics | {f"{what}_share_question": share for what, share in shares.items()}
    (found,) = preflight(with_data(healthy, queries=queries, metrics=metrics).data)
    assert found.severity == "info" and found.fix.params == {}
    name = queries.loc[log, "query_id"]
    assert (
        found.sentence.startswith("1 of ")
        and f"'{name}', has 24000 tokens; the others are read whole" in found.sentence
    )


@pytest.mark.parametrize(("budget", "fix"), [(30, 64), (64, 96), (128, 160), (250, 288)])
def test_the_budget_of_the_fix_is_above_the_one_in_use(budget, fix, lab, healthy, findings):
    """Texts fill a budget to within some tokens, so that the longest one does not tell it exactly."""
    spoilt = truncation(lab, healthy)
    queries = spoilt.data.queries.copy()
    is_cut = queries["tokens"] < queries["tokens_raw"]
    queries["tokens_raw"], queries["tokens"] = 8, 8
    queries.loc[is_cut, ["tokens_raw", "tokens"]] = budget, budget - 5
    found = findings(with_data(spoilt, queries=queries))["truncation-loses-evidence", "data"]
    assert found.fix.params == {"prepare.tokens.conversation": fix}


@pytest.mark.parametrize("lost, spoken", [(0.24, set()), (0.26, of("truncation-loses-evidence", "data"))])
def test_truncation_speaks_from_a_quarter_of_the_tfidf_mass(lost, spoken, healthy, findings):
    metrics = healthy.data.metrics | {"tfidf_lost_share_answer": lost}
    assert set(findings(with_data(healthy, metrics=metrics))) == spoken


@pytest.mark.parametrize("n, severity", [(1, "info"), (2, "warning"), (11, "warning"), (12, "error")])
def test_leaks_weigh_by_their_share_of_the_120_test_queries(n, severity, lab, healthy, findings):
    found = findings(leak(lab, healthy, n))["duplicate-across-splits", "data"]
    assert found.severity == severity
    evidence = {evidence.name: evidence.value for evidence in found.evidence}
    assert evidence["test queries with a duplicate in train, of all"] == pytest.approx(100 * n / 120)


def test_a_leak_names_the_metric_without_the_leaked_queries(lab, healthy, findings):
    spoilt = leak(lab, healthy)
    run = spoilt.runs["base-tuned"].queries
    # The first 15 test queries are the leaked ones.
    clean = run["accuracy@1"].iloc[15:].mean()
    assert f"{clean:.3f}" in findings(spoilt)["duplicate-across-splits", "data"].sentence


@pytest.mark.parametrize("gift, severity", [(0.0, "info"), (1.0, "warning")])
def test_torn_threads_are_a_warning_where_training_gained_more_on_them(gift, severity, lab, healthy, findings):
    found = findings(torn(lab, healthy, gift=gift))["thread-across-splits", "data"]
    assert found.severity == severity and (found.interval[0] > 0) is (gift > 0)
    assert ("gained more on them" in found.sentence) is (gift > 0)


@pytest.mark.parametrize("n", [9, 112])
def test_of_fewer_than_ten_queries_on_a_side_no_gain_is_told(n, lab, healthy, findings):
    assert findings(torn(lab, healthy, n, gift=1.0))["thread-across-splits", "data"].interval is None


@pytest.mark.parametrize("n, severity", [(1, "info"), (2, "warning")])
def test_conflicts_weigh_by_their_share_of_the_queries(n, severity, lab, healthy, findings):
    # n pairs touch 2 n of 400 queries.
    assert findings(conflict(lab, healthy, n))["conflicting-duplicates", "data"].severity == severity


@pytest.mark.parametrize("n, spoken", [(3, False), (4, True)])
def test_unasked_answers_speak_from_a_tenth_of_the_40(n, spoken, lab, healthy, findings):
    assert bool(findings(unasked(lab, healthy, n))) is spoken


@pytest.mark.parametrize("every, spoken", [(5, False), (7, True)])
def test_imbalance_speaks_from_five_to_one(every, spoken, lab, healthy, findings):
    assert bool(findings(few_questions(lab, healthy, every))) is spoken


def test_counting_the_shortest_conversations_as_questions_balances_the_types(lab, healthy):
    few = few_questions(lab, healthy).data
    data = replace(few, queries=few.queries.assign(declared_type=""))
    limit = preflight(data)[0].fix.params["prepare.short_conversation"]
    is_question = (data.queries["type"] == "question") | (data.queries["raw_text"].str.len() < limit)
    assert 1.5 < (~is_question).sum() / is_question.sum() <= 2.0


def test_declared_types_are_not_balanced_by_counting_conversations_as_questions(lab, healthy):
    fix = preflight(few_questions(lab, healthy).data)[0].fix
    assert fix.params == {} and "write or generate questions" in fix.action


def test_one_type_alone_is_not_an_imbalance(healthy):
    assert preflight(replace(healthy.data, queries=healthy.data.queries.assign(type="question"))) == []


@pytest.mark.parametrize(("share", "severity"), [(0.5, "error"), (0.0, None)])
def test_texts_of_which_fewer_tokens_are_read_than_were_kept_are_cut_once_more(share, severity, healthy):
    queries = healthy.data.queries.copy()
    is_question = queries["type"] == "question"
    kept = queries["tokens"].astype(int)
    read = kept.where(~(is_question & (np.arange(len(queries)) < share * len(queries))), 2)
    queries["input_ids"] = [[7] * (n if n == 2 else n + 2) for n in read]
    found = [one for one in preflight(with_data(healthy, queries=queries).data) if "cut once more" in one.sentence]
    assert [(one.severity, one.code) for one in found] == (
        [] if severity is None else [(severity, "truncation-loses-evidence")]
    )
