"""Splits keep their promises: groups whole, answers seen or unseen, shares met, order of rows without effect."""

import numpy as np
import pandas as pd
import pytest

from whyrank.core.errors import UserError
from whyrank.data.ranking.split import drawn_shares, kept_together, split_queries


def random_set(seed: int, n: int = 1500, n_answers: int = 150) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Three conversations a question, some groups of several queries, some queries with two answers."""
    draw = np.random.default_rng(seed)
    queries = pd.DataFrame(
        {
            "query_id": [f"q{i}" for i in range(n)],
            "type": np.where(draw.random(n) < 0.25, "question", "conversation"),
            "group": np.where(draw.random(n) < 0.3, draw.integers(0, n // 10, n), n + np.arange(n)),
        }
    )
    answers = (draw.random(n) ** 2 * n_answers).astype(int)
    second = pd.DataFrame({"query_id": queries["query_id"], "answer_id": (answers + 1) % n_answers})
    first = pd.DataFrame({"query_id": queries["query_id"], "answer_id": answers})
    return queries, pd.concat([first, second.sample(frac=0.02, random_state=seed)]).astype({"answer_id": str})


def splits_of_answers(split: pd.Series, queries: pd.DataFrame, relevant: pd.DataFrame) -> pd.Series:
    by_query = pd.Series(split.to_numpy(), index=queries["query_id"])
    return relevant.assign(split=by_query.loc[relevant["query_id"]].to_numpy()).groupby("answer_id")["split"].agg(set)


@pytest.mark.parametrize("seed", range(3))
def test_by_query_every_answer_is_seen_in_train_groups_stay_whole_and_shares_are_met(seed: int) -> None:
    queries, relevant = random_set(seed)
    split = split_queries(queries, relevant, by="query", dev=0.1, test=0.2, seed=seed)
    assert all("train" in splits for splits in splits_of_answers(split, queries, relevant))
    assert split.groupby(queries["group"]).nunique().max() == 1
    for kind in ("question", "conversation"):
        shares = split[queries["type"] == kind].value_counts(normalize=True)
        assert shares["test"] == pytest.approx(0.2, abs=0.02)
        assert shares["dev"] == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize("seed", range(3))
def test_by_answer_no_answer_and_no_group_crosses(seed: int) -> None:
    # Few groups of several, or everything would hang together.
    queries, relevant = random_set(seed)
    queries["group"] = np.where(queries["group"] < 20, queries["group"] % 20, np.arange(len(queries)) + 5000)
    relevant = relevant.drop_duplicates("query_id")
    split = split_queries(queries, relevant, by="answer", dev=0.1, test=0.2, seed=seed)
    assert splits_of_answers(split, queries, relevant).map(len).max() == 1
    assert split.groupby(queries["group"]).nunique().max() == 1
    shares = split.value_counts(normalize=True)
    assert shares["test"] == pytest.approx(0.2, abs=0.03)
    assert shares["dev"] == pytest.approx(0.1, abs=0.03)


def test_by_answer_a_query_with_two_answers_holds_both_on_its_side() -> None:
    queries = pd.DataFrame({"query_id": list("abcdefgh"), "type": "question", "group": range(8)})
    relevant = pd.DataFrame([(q, q) for q in "abcdefgh"] + [("a", "b"), ("c", "d")], columns=["query_id", "answer_id"])
    for seed in range(20):
        split = split_queries(queries, relevant, by="answer", dev=0.25, test=0.25, seed=seed)
        assert split[0] == split[1]
        assert split[2] == split[3]
        assert split.value_counts().to_dict() == {"train": 4, "dev": 2, "test": 2}


@pytest.mark.parametrize("by", ["query", "answer"])
def test_the_order_of_the_rows_has_no_effect_and_the_seed_has(by: str) -> None:
    queries, relevant = random_set(0)
    if by == "answer":
        queries, relevant = queries.assign(group=range(len(queries))), relevant.drop_duplicates("query_id")
    split = split_queries(queries, relevant, by=by, dev=0.1, test=0.2, seed=7)
    mixed = queries.sample(frac=1, random_state=1)
    again = split_queries(mixed, relevant.sample(frac=1, random_state=2), by=by, dev=0.1, test=0.2, seed=7)
    assert again.index.equals(mixed.index)
    assert again.sort_index().equals(split)
    assert not split_queries(queries, relevant, by=by, dev=0.1, test=0.2, seed=8).equals(split)


def test_given_splits_stay_and_a_missing_dev_is_carved_from_train() -> None:
    queries, relevant = random_set(0)
    given = {query: "test" if i < 300 else "train" for i, query in enumerate(queries["query_id"])}
    split = split_queries(queries, relevant, by="query", dev=0.1, test=0.2, seed=0, given=given)
    was_test = queries["query_id"].map(given) == "test"
    assert (split[was_test] == "test").all()
    assert (split == "test").sum() == 300
    assert (split == "dev").mean() == pytest.approx(0.1, abs=0.01)
    in_pool = relevant[relevant["query_id"].isin(queries.loc[~was_test, "query_id"])]
    seen = splits_of_answers(split, queries, in_pool)
    assert all("train" in splits for splits in seen)
    whole = given | dict.fromkeys(queries["query_id"][300:400], "dev")
    kept = split_queries(queries, relevant, by="query", dev=0.5, test=0.5, seed=0, given=whole)
    assert kept.tolist() == [whole[query] for query in queries["query_id"]]


def test_of_a_test_set_alone_nothing_is_drawn() -> None:
    queries, relevant = random_set(0)
    given = dict.fromkeys(queries["query_id"], "test")
    split = split_queries(queries, relevant, by="query", dev=0.1, test=0.2, seed=0, given=given)
    assert set(split) == {"test"}
    assert drawn_shares(split, dev=0.1, test=0.2, given=given).empty


def test_a_split_that_cannot_be_drawn_names_the_way_out() -> None:
    queries = pd.DataFrame({"query_id": list("abcd"), "type": "question", "group": [0, 0, 1, 1]})
    one_group_each = pd.DataFrame({"query_id": list("abcd"), "answer_id": ["x", "x", "y", "y"]})
    with pytest.raises(UserError, match=r"split\.test: 0\.5 of 4 queries drew none.*set split\.by: answer"):
        split_queries(queries, one_group_each, by="query", dev=0.0, test=0.5, seed=0)
    all_linked = pd.DataFrame({"query_id": list("abcd"), "answer_id": "x"})
    with pytest.raises(UserError, match=r"set split\.by: query"):
        split_queries(queries, all_linked, by="answer", dev=0.0, test=0.2, seed=0)


def test_duplicates_and_queries_of_one_declared_thread_stay_together_also_by_a_chain():
    group = np.array([0, 0, 1, 2, 3, 4])
    together = kept_together(group, ["", "a", "a", "b", "b", ""])
    assert [set(np.flatnonzero(together == one)) for one in pd.unique(together)] == [{0, 1, 2}, {3, 4}, {5}]
    alone = kept_together(group, [""] * 6)
    assert (pd.factorize(alone)[0] == group).all()
