"""The whole of it: tables as the other layers expect them, independent of row order, on real data in seconds."""

import json
import math
import random
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from whyrank.core.errors import UserError
from whyrank.core.io import write_metrics, write_table
from whyrank.core.options import params
from whyrank.core.options.prepare import Labels, PseudoQueries
from whyrank.core.options.ratings import Fields, FieldTokens, Ratings
from whyrank.data.files.readers import PLAIN
from whyrank.data.ranking.prepare import ANSWER_COLUMNS, QUERY_COLUMNS, Preparation, prepare, read

NO_RATINGS = Ratings(
    read=False,
    source="ratings.csv",
    test="",
    unlabelled="",
    id="id",
    text=Fields("", "", ""),
    group="group",
    targets=[],
    exclude=[],
    rescale={},
    folds=5,
    layout="joint",
    allocation="adaptive",
    tokens=FieldTokens(1, 1, 1),
    head_share=0.5,
)
Count = Callable[[list[str]], list[int]]
OPTIONS = params.Prepare(
    source="data",
    hub="",
    files=PLAIN,
    corrections="data/corrections/none.csv",
    types={},
    relevant_from=0.0,
    short_conversation=100,
    split=params.Split("query", dev=0.1, test=0.2, test_alone="refuse"),
    near_duplicate=0.8,
    max_rejected=0.01,
    tokens=params.Tokens(20, 40, 30, 30),
    selection=params.SelectionPerText("head", "tfidf", "head_tail"),
    head_share=0.25,
    pairs=params.Pairs("", []),
    ratings=NO_RATINGS,
)


def prepare_source(source: Path, count_tokens: Count, *, seed: int = 0, **changed: Any) -> Preparation:
    options = replace(OPTIONS, source=str(source), **changed)
    valid = read(options)
    return prepare(valid, options, tokens=asdict(options.tokens), count_tokens=count_tokens, seed=seed)


@pytest.fixture
def small_set(write_set: Callable[..., Path]) -> Path:
    draw = random.Random(0)

    def text(n: int) -> str:
        return " ".join(f"word{draw.randrange(300)}" for _ in range(n)) + "."

    answers = [(f"a{i}", " ".join(text(9) for _ in range(6))) for i in range(20)]
    queries = [(f"q{i}", text(30 if i % 2 else 6), "conversation" if i % 2 else "question") for i in range(200)]
    return write_set(answers, queries, {"train": [(f"q{i}", f"a{i % 20}", 1) for i in range(200)]})


def test_the_tables_have_the_columns_and_properties_the_other_layers_rely_on(
    small_set: Path, count_tokens: Count, tmp_path: Path
) -> None:
    prepared = prepare_source(small_set, count_tokens)
    assert prepared.answers.columns.tolist() == ANSWER_COLUMNS
    assert prepared.queries.columns.tolist() == QUERY_COLUMNS
    assert prepared.answers["answer_id"].is_monotonic_increasing
    assert prepared.queries["query_id"].is_monotonic_increasing
    assert set(prepared.queries["split"]) == {"train", "dev", "test"}
    # 54 words in six sentences against a budget of 30.
    assert prepared.answers["tokens_raw"].tolist() == [54] * 20
    assert prepared.answers["tokens"].tolist() == [30] * 20
    assert prepared.metrics["texts_cut_share_answer"] == 1.0
    assert prepared.metrics["queries_test"] == 40
    assert all(math.isfinite(value) for value in prepared.metrics.values())
    write_metrics(tmp_path / "metrics.json", prepared.metrics)
    for name, table in {"answers": prepared.answers, "queries": prepared.queries, **prepared.tables}.items():
        write_table(tmp_path / f"{name}.parquet", table)
        assert len(pd.read_parquet(tmp_path / f"{name}.parquet")) == len(table)


def assert_equal(left: Preparation, right: Preparation) -> None:
    assert left.metrics == right.metrics
    pd.testing.assert_frame_equal(left.answers, right.answers)
    pd.testing.assert_frame_equal(left.queries, right.queries)
    pd.testing.assert_frame_equal(left.qrels, right.qrels)
    for name, table in left.tables.items():
        pd.testing.assert_frame_equal(table, right.tables[name])


def test_shuffled_files_give_the_same_tables(small_set: Path, count_tokens: Count) -> None:
    before = prepare_source(small_set, count_tokens)
    draw = random.Random(1)
    for path in small_set.rglob("*.*l"):
        lines = path.read_text().splitlines()
        draw.shuffle(lines)
        path.write_text("\n".join(lines) + "\n")
    judged = small_set / "qrels" / "train.tsv"
    head, *lines = judged.read_text().splitlines()
    draw.shuffle(lines)
    judged.write_text("\n".join([head, *lines]) + "\n")
    assert_equal(before, prepare_source(small_set, count_tokens))


@pytest.mark.parametrize("seed", range(3))
def test_queries_of_a_declared_thread_are_not_torn_apart(small_set: Path, count_tokens: Count, seed: int) -> None:
    file = small_set / "queries.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    for row in rows:
        row["metadata"]["thread"] = f"t{int(row['_id'][1:]) // 4}"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    prepared = prepare_source(small_set, count_tokens, seed=seed)
    queries = prepared.queries
    thread = queries["query_id"].str[1:].astype(int) // 4
    assert prepared.tables["torn_threads"].empty and prepared.metrics["queries_of_threads"] == len(queries)
    assert queries.groupby(thread)["split"].nunique().max() == 1
    assert set(queries["split"]) == {"train", "dev", "test"}


def test_rejected_rows_above_the_limit_stop_the_preparation(small_set: Path, count_tokens: Count) -> None:
    with open(small_set / "queries.jsonl", "a") as file:
        file.write("not json\n" * 5)
    # 5 of 425 rows are 1.18 %.
    with pytest.raises(UserError, match=r"5 of 425 rows are rejected.*queries\.jsonl line 201"):
        prepare_source(small_set, count_tokens)
    prepared = prepare_source(small_set, count_tokens, max_rejected=0.02)
    assert prepared.rejected["line"].tolist() == [201, 202, 203, 204, 205]


def test_no_text_is_tokenised_twice(small_set: Path) -> None:
    seen: list[str] = []

    def count(texts: list[str]) -> list[int]:
        seen.extend(texts)
        return [len(text.split()) for text in texts]

    prepare_source(small_set, count)
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize("by", ["query", "answer"])
def test_conditionalqa_is_split_without_a_leak_in_seconds(real_data: Path, count_tokens: Count, by: str) -> None:
    began = time.perf_counter()
    prepared = prepare_source(
        real_data / "conditionalqa", count_tokens, split=params.Split(by, dev=0.1, test=0.2, test_alone="refuse")
    )
    assert time.perf_counter() - began < 10
    assert prepared.tables["leaks"].empty
    shares = prepared.queries["split"].value_counts(normalize=True)
    assert shares["test"] == pytest.approx(0.2, abs=0.02)
    assert shares["dev"] == pytest.approx(0.1, abs=0.02)
    pairs = prepared.qrels.merge(prepared.queries[["query_id", "split"]], on="query_id")
    splits = pairs.groupby("answer_id")["split"].agg(set)
    assert all("train" in found if by == "query" else len(found) == 1 for found in splits)
    # Most conversations quote their question.
    assert prepared.metrics["duplicate_pairs_contained"] > 2000


def test_stackexchange_keeps_its_splits_and_its_leaks_are_listed(real_data: Path, count_tokens: Count) -> None:
    prepared = prepare_source(real_data / "stackexchange", count_tokens)
    assert prepared.queries["split"].value_counts().to_dict() == {"train": 2920, "test": 836, "dev": 418}
    assert prepared.metrics["rows_rejected"] == 0
    assert prepared.metrics["leaked_queries_train_test"] > 0
    assert set(prepared.tables["leaks"]["kind"]) <= {"exact", "near", "contained"}


def test_pseudo_queries_stand_behind_the_queries_of_the_set_each_with_its_judgement(
    small_set: Path, count_tokens: Count
) -> None:
    plain = prepare_source(small_set, count_tokens)
    ask = PseudoQueries(per_answer=2, of="all", within=3)
    made = prepare_source(small_set, count_tokens, pseudo_queries=ask)
    own = made.queries.iloc[len(plain.queries) :]
    assert len(own) and set(own["split"]) == {"train"} and set(own["type"]) == {"question"}
    assert made.metrics["pseudo_queries"] == len(own) and plain.metrics["pseudo_queries"] == 0
    pd.testing.assert_frame_equal(made.queries.iloc[: len(plain.queries)], plain.queries)
    judged = made.qrels[made.qrels["query_id"].isin(own["query_id"])]
    assert len(judged) == len(own) and (judged["score"] == 1).all()
    assert (own["tokens"] > 0).all() and own["text"].str.len().gt(0).all()


def test_training_queries_that_lose_their_judgements_stay_as_texts_and_make_no_leak_or_conflict(
    write_set: Callable[..., Path], count_tokens: Count
) -> None:
    answers = [(f"a{i}", f"answer number{i}") for i in range(4)]
    queries = [(f"q{i}", f"how do you mend thing{i % 20}", "question") for i in range(60)]
    given = {split: [(f"q{i}", f"a{i % 4}", 1) for i in rows] for split, rows in (
        ("train", range(40)), ("dev", range(40, 50)), ("test", range(50, 60))
    )}  # fmt: skip
    source = write_set(answers, queries, given)
    whole, few = (prepare_source(source, count_tokens, labels=Labels(queries=n, answers=1.0)) for n in (0, 4))
    judged = set(few.qrels["query_id"])
    assert len(judged) == 24 and few.queries["query_id"].tolist() == whole.queries["query_id"].tolist()
    assert 0 < len(few.tables["leaks"]) < len(whole.tables["leaks"])
    assert set(few.tables["leaks"]["query_left"]) | set(few.tables["leaks"]["query_right"]) <= judged
    assert few.tables["conflicts"].empty
