"""Every fault has its reason and its place, and no row is lost: rows in = rows out + rejected."""

import json
import math
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from whyrank.core.errors import UserError
from whyrank.data.files.readers import PLAIN, RawSource, RawTable, Row
from whyrank.data.ranking.rejected import check_rejected
from whyrank.data.ranking.source import read_source
from whyrank.data.ranking.validate import Reading, Validated, validate

GOOD_ANSWERS = [{"_id": f"a{i}", "title": "", "text": f"answer {i}"} for i in range(3)]
GOOD_QUERIES = [{"_id": f"q{i}", "text": f"query {i}", "metadata": {"type": "question"}} for i in range(3)]
GOOD_QRELS = [{"query-id": f"q{i}", "corpus-id": f"a{i}", "score": 1} for i in range(3)]


def table(file: str, rows: list[Any]) -> RawTable:
    return RawTable(file, [Row(line, row) for line, row in enumerate(rows, start=1)])


def validated(
    answers: list[Any] = GOOD_ANSWERS, queries: list[Any] = GOOD_QUERIES, how: Reading | None = None, **qrels: list[Any]
) -> Validated:
    judged = {split: table(f"qrels/{split}", rows) for split, rows in (qrels or {"all": GOOD_QRELS}).items()}
    return validate(RawSource(table("corpus", answers), table("queries", queries), judged), how or Reading())


def rejects(valid: Validated) -> list[tuple[Any, ...]]:
    return list(valid.rejected[["file", "line", "column", "reason"]].itertuples(index=False, name=None))


def left_out(valid: Validated) -> list[tuple[Any, ...]]:
    return list(valid.left_out[["file", "line", "reason"]].itertuples(index=False, name=None))


def assert_no_row_is_lost(valid: Validated) -> None:
    lost = pd.concat([valid.rejected, valid.left_out])["file"].value_counts()
    for file, kept in (("corpus", valid.answers), ("queries", valid.queries)):
        n_in = sum(n for name, n in valid.rows_in.items() if name.startswith(file))
        n_lost = sum(n for name, n in lost.items() if name.startswith(file))
        assert n_in == len(kept) + n_lost
    qrels_in = sum(n for name, n in valid.rows_in.items() if name.startswith("qrels"))
    assert qrels_in == len(valid.qrels) + sum(n for name, n in lost.items() if name.startswith("qrels"))
    assert set(valid.qrels["query_id"]) == set(valid.queries["query_id"])
    assert set(valid.qrels["answer_id"]) <= set(valid.answers["answer_id"])


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        ({"title": "", "text": "no id"}, "_id", "missing id"),
        ({"_id": " ", "text": "blank id"}, "_id", "missing id"),
        ({"_id": float("nan"), "text": "a gap in a column of numbers"}, "_id", "missing id"),
        ({"_id": ["x"], "text": "an id that is a list"}, "_id", "not text"),
        ({"_id": True, "text": "an id that is a truth value"}, "_id", "not text"),
        ({"_id": "x"}, "text", "empty text"),
        ({"_id": "x", "text": " \u200b\n"}, "text", "empty text"),
        ({"_id": "x", "text": 7}, "text", "not text"),
        ({"_id": "x", "text": "half \ud83d"}, "text", "lone surrogate"),
        ({"_id": "x", "text": "t", "title": 7}, "title", "not text"),
        ({"_id": "x", "text": "t", "metadata": {"sections": ["one"]}}, "metadata.sections", "malformed sections"),
        ({"_id": "x", "text": "t", "metadata": "{"}, "metadata", "not JSON"),
        ({"_id": "x", "text": "t", "metadata": "[1]"}, "metadata", "not a JSON object"),
        ({"_id": "a0", "title": "", "text": "answer 0"}, "_id", "duplicate row"),
        ({"_id": "a0", "title": "", "text": "another text"}, "_id", "duplicate id"),
    ],
)
def test_a_faulty_answer_is_rejected_with_its_reason(row: dict[str, Any], column: str, reason: str) -> None:
    valid = validated(answers=[*GOOD_ANSWERS, row])
    assert rejects(valid) == [("corpus", 4, column, reason)]
    assert_no_row_is_lost(valid)


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        ({"_id": "x", "metadata": {"type": "question"}}, "text", "empty text"),
        ({"_id": "q0", "text": "query 0", "type": "conversation"}, "_id", "duplicate id"),
    ],
)
def test_a_faulty_query_is_rejected_with_its_reason(row: dict[str, Any], column: str, reason: str) -> None:
    valid = validated(queries=[*GOOD_QUERIES, row])
    assert rejects(valid) == [("queries", 4, column, reason)]
    assert_no_row_is_lost(valid)


@pytest.mark.parametrize("kind", ["chat", 3, ["question"], None, "questoin"])
def test_a_type_of_another_vocabulary_rejects_no_query(kind: Any) -> None:
    queries = [GOOD_QUERIES[0] | {"metadata": {"type": kind}}, *GOOD_QUERIES[1:]]
    valid = validated(queries=queries)
    assert valid.rejected.empty and valid.queries["declared_type"].tolist() == ["", "question", "question"]


def test_the_parameters_may_read_a_known_type_as_the_other() -> None:
    valid = validated(how=Reading(types={"question": "conversation"}))
    assert set(valid.queries["declared_type"]) == {"conversation"}


def test_types_of_another_vocabulary_are_read_as_the_parameters_say_and_told_where_they_say_nothing() -> None:
    queries = [
        row | {"metadata": {"type": kind}} for row, kind in zip(GOOD_QUERIES, ["FAQ", "chat", "mail"], strict=True)
    ]
    valid = validated(queries=queries, how=Reading(types={"faq": "question", "Chat": "conversation"}))
    assert valid.queries["declared_type"].tolist() == ["question", "conversation", ""]
    assert valid.types.to_numpy().tolist() == [["chat", 1, "conversation"], ["faq", 1, "question"], ["mail", 1, ""]]


TURNS = [{"role": "user", "content": "It is broken."}, {"speaker": "agent", "text": " Which one? "}, "the red one"]


@pytest.mark.parametrize("turns", [TURNS, json.dumps(TURNS)], ids=["JSON", "JSON in a cell"])
def test_a_conversation_may_come_as_turns(turns) -> None:
    queries = [{"_id": "q0", "metadata": {"type": "conversation", "turns": turns}}, *GOOD_QUERIES[1:]]
    valid = validated(queries=queries)
    assert valid.queries["raw_text"].tolist()[0] == "user: It is broken.\nagent: Which one?\nthe red one"
    assert valid.queries["declared_type"].tolist()[0] == "conversation" and valid.rejected.empty


def test_an_answer_that_comes_as_sections_alone_has_their_text() -> None:
    sections = [{"title": "Lost phone", "text": "Call us."}, {"text": "Or write."}]
    first = GOOD_ANSWERS[0]
    for text, body in (("", "Lost phone\nCall us.\n\nOr write."), ("its own", "its own")):
        answers = [first | {"title": "Phones", "text": text, "metadata": {"sections": sections}}, *GOOD_ANSWERS[1:]]
        assert validated(answers).answers["body"].tolist()[0] == body


def test_a_text_beside_turns_is_the_query() -> None:
    valid = validated(queries=[GOOD_QUERIES[0] | {"metadata": {"turns": TURNS}}, *GOOD_QUERIES[1:]])
    assert valid.queries["raw_text"].tolist()[0] == "query 0"


@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        ("hello", "not JSON"),
        ({"role": "user"}, "malformed turns"),
        ([3], "malformed turns"),
        ([{"role": "user"}], "a turn without text or content or value or message"),
        ([{"role": "user", "text": 4}], "not text"),
        (["", " "], "empty turns"),
    ],
)
def test_turns_that_say_nothing_reject_the_query(turns, reason) -> None:
    valid = validated(queries=[{"_id": "q0", "metadata": {"turns": turns}}, *GOOD_QUERIES[1:]])
    assert valid.rejected[["line", "reason"]].to_numpy().tolist() == [[1, reason]]


@pytest.mark.parametrize("text", ["", None, "  ", float("nan")])
def test_a_document_may_have_a_title_alone(text: Any) -> None:
    valid = validated(
        answers=[GOOD_ANSWERS[0] | {"title": "A paper without an abstract", "text": text}, *GOOD_ANSWERS[1:]]
    )
    assert valid.rejected.empty and valid.answers["body"].tolist() == ["", "answer 1", "answer 2"]


def test_a_query_that_nobody_judged_is_left_out_and_no_fault() -> None:
    valid = validated(queries=[*GOOD_QUERIES, {"_id": "x", "text": "asked of no one", "type": "question"}])
    assert valid.rejected.empty and left_out(valid) == [("queries", 4, "no judgement")]
    assert_no_row_is_lost(valid)


def test_consequences_of_a_rejected_row_are_left_out_and_not_counted_with_it() -> None:
    answers = [GOOD_ANSWERS[0] | {"text": ""}, *GOOD_ANSWERS[1:]]
    queries = [*GOOD_QUERIES[:2], GOOD_QUERIES[2] | {"text": " "}]
    valid = validated(answers=answers, queries=queries)
    assert rejects(valid) == [("corpus", 1, "text", "empty text"), ("queries", 3, "text", "empty text")]
    assert left_out(valid) == [
        ("queries", 1, "its answer is rejected"),
        ("qrels/all", 1, "its answer is rejected"),
        ("qrels/all", 3, "its query is rejected"),
    ]
    assert_no_row_is_lost(valid)


def test_a_query_whose_judgements_are_all_rejected_is_their_consequence() -> None:
    valid = validated(all=[*GOOD_QRELS[:2], GOOD_QRELS[2] | {"score": "high"}])
    assert rejects(valid) == [("qrels/all", 3, "score", "not a finite number")]
    assert left_out(valid) == [("queries", 3, "its judgements are rejected")]


def test_the_id_of_a_torn_row_tells_what_points_to_it() -> None:
    torn = Row(1, {"_id": "a0"}, "not a JSON object", '{"_id": "a0", "te')
    corpus = RawTable("corpus", [torn, *table("corpus", GOOD_ANSWERS[1:]).rows])
    valid = validate(RawSource(corpus, table("queries", GOOD_QUERIES), {"all": table("qrels/all", GOOD_QRELS)}))
    assert len(valid.rejected) == 1
    assert left_out(valid) == [("queries", 1, "its answer is rejected"), ("qrels/all", 1, "its answer is rejected")]


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        (("q9", "a0", 1), "query-id", "unknown query"),
        (("q0", "a9", 1), "corpus-id", "unknown answer"),
        (("", "a0", 1), "query-id", "missing id"),
        (("q0", "a1", "high"), "score", "not a finite number"),
        (("q0", "a1", float("nan")), "score", "not a finite number"),
        (("q0", "a1", "inf"), "score", "not a finite number"),
        (("q0", "a1", True), "score", "not a finite number"),
        (("q0", "a1", None), "score", "not a finite number"),
        (
            ("q0", "a1", "1,0"),
            "score",
            "numbers with a decimal comma; read them with -S 'prepare.files.numbers=[comma]'",
        ),
        (("q0", "a0", "1.0"), "query-id", "duplicate row"),
        (("q0", "a0", 2), "query-id", "duplicate id"),
    ],
)
def test_a_faulty_judgement_is_rejected_with_its_reason(row: tuple[Any, ...], column: str, reason: str) -> None:
    judged = [*GOOD_QRELS, dict(zip(("query-id", "corpus-id", "score"), row, strict=True))]
    valid = validated(all=judged)
    assert rejects(valid) == [("qrels/all", 4, column, reason)]
    assert_no_row_is_lost(valid)


def test_score_zero_is_a_judgement_but_no_relevant_answer() -> None:
    zero = {"query-id": "q0", "corpus-id": "a1", "score": 0}
    assert validated(all=[*GOOD_QRELS, zero]).qrels["score"].tolist() == [1, 0, 1, 1]
    only_zero = validated(all=[*GOOD_QRELS[1:], zero])
    assert only_zero.rejected.empty
    assert left_out(only_zero) == [("queries", 1, "no relevant answer"), ("qrels/all", 3, "no relevant answer")]
    assert_no_row_is_lost(only_zero)


def test_graded_scores_are_relevant_from_a_stated_one_and_below_it_have_no_gain() -> None:
    judged = [row | {"score": score} for row, score in zip([*GOOD_QRELS, GOOD_QRELS[0]], [2, 1, 3, -1], strict=True)]
    judged[3] |= {"corpus-id": "a1"}
    every = validated(all=judged)
    assert every.qrels["score"].tolist() == [2, 0, 1, 3]
    assert every.scores.to_numpy().tolist() == [[-1, 1, False], [1, 1, True], [2, 1, True], [3, 1, True]]
    strict = validated(all=judged, how=Reading(relevant_from=2))
    assert strict.qrels["score"].tolist() == [2, 0, 3]
    assert left_out(strict) == [("queries", 2, "no relevant answer"), ("qrels/all", 2, "no relevant answer")]
    with pytest.raises(UserError, match="no score is 4 or more; lower -S prepare"):
        validated(all=judged, how=Reading(relevant_from=4))


def test_a_split_of_the_data_without_a_query_is_told_and_none_is_drawn_in_its_place() -> None:
    *train, test = GOOD_QRELS
    assert set((validated(train=train, test=[test]).given or {}).values()) == {"train", "test"}
    with pytest.raises(UserError, match=r"^qrels/test: no query has a relevant answer, .*; give them a score above 0"):
        validated(train=train, test=[test | {"score": 0}])
    with pytest.raises(UserError, match="set, one that reaches it"):
        validated(train=[row | {"score": 2} for row in train], test=[test], how=Reading(relevant_from=2))
    with pytest.raises(UserError, match=r"^qrels/train: each query with a relevant answer is in a later split, too"):
        validated(train=[test], test=[test])


@pytest.mark.parametrize(
    "cells", [{"metadata": math.nan}, {"metadata": {"type": math.nan, "turns": math.nan}}, {"turns": math.nan}]
)
def test_what_pandas_writes_for_missing_metadata_is_none(cells) -> None:
    valid = validated(queries=[{"_id": f"q{i}", "text": "t", **cells} for i in range(3)])
    assert valid.rejected.empty and valid.queries["declared_type"].tolist() == [""] * 3


@pytest.mark.parametrize("cells", [{"metadata": math.nan}, {"metadata": {"sections": math.nan}}])
def test_an_answer_with_missing_metadata_has_no_sections(cells) -> None:
    valid = validated([{"_id": f"a{i}", "text": "t", **cells} for i in range(3)])
    assert valid.rejected.empty and valid.answers["sections"].tolist() == [None] * 3


def test_ids_may_be_whole_numbers_and_answers_without_queries_stay_candidates() -> None:
    answers = [{"_id": 1, "text": "one"}, {"_id": 2.0, "text": "two"}]
    valid = validated(
        answers, [{"_id": 7, "text": "t", "type": "Question "}], all=[GOOD_QRELS[0] | {"query-id": "7", "corpus-id": 1}]
    )
    assert valid.answers["answer_id"].tolist() == ["1", "2"]
    assert valid.queries[["query_id", "declared_type", "raw_text"]].to_numpy().tolist() == [["7", "question", "t"]]


@pytest.mark.parametrize(("corpus", "judged"), [("7", "7.0"), ("7.0", "7"), (7, "7.0"), (7.0, "7"), ("7", 7.0)])
def test_whole_numbers_are_the_same_id_however_they_are_written(corpus: Any, judged: Any) -> None:
    answers = [GOOD_ANSWERS[0] | {"_id": corpus}, *GOOD_ANSWERS[1:]]
    valid = validated(answers, all=[GOOD_QRELS[0] | {"corpus-id": judged}, *GOOD_QRELS[1:]])
    assert valid.rejected.empty and len(valid.qrels) == 3


def test_ids_that_differ_as_texts_stay_apart() -> None:
    answers = [GOOD_ANSWERS[0] | {"_id": "1"}, GOOD_ANSWERS[1] | {"_id": "1.0"}, GOOD_ANSWERS[2] | {"_id": "01"}]
    judged = [row | {"corpus-id": name} for row, name in zip(GOOD_QRELS, ["1", "1.0", "01"], strict=True)]
    assert validated(answers, all=judged).qrels["answer_id"].tolist() == ["1", "1.0", "01"]


def test_a_set_that_declares_no_types_is_legal() -> None:
    valid = validated(queries=[{"_id": row["_id"], "text": row["text"]} for row in GOOD_QUERIES])
    assert valid.queries["declared_type"].tolist() == ["", "", ""]
    assert valid.rejected.empty


def test_a_query_of_two_splits_stays_where_it_is_evaluated() -> None:
    valid = validated(train=GOOD_QRELS, test=[GOOD_QRELS[1] | {"corpus-id": "a0"}])
    assert valid.given == {"q0": "train", "q1": "test", "q2": "train"}
    assert rejects(valid) == [("qrels/train", 2, "query-id", "query is in test too")]
    assert_no_row_is_lost(valid)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answers": [{"id": "a", "text": "t"}]}, "corpus: no column '_id' (found id, text)"),
        ({"queries": [{"_id": "q", "body": "t"}]}, "queries: no column 'text' (found _id, body)"),
        ({"all": [{"query-id": "q0", "corpus-id": "a0"}]}, "qrels/all: no column 'score'"),
        ({"answers": [{"_id": "a", "text": ""}]}, "corpus: no valid row; the first, line 1, column text, empty text"),
        ({"all": [GOOD_QRELS[0] | {"score": 0}]}, "no query has a relevant answer"),
    ],
)
def test_what_makes_the_whole_set_useless_is_one_line(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as error:
        validated(**change)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_too_many_rejected_rows_are_one_error_with_count_share_reason_and_first_place() -> None:
    rejected = pd.DataFrame(
        [
            ("corpus.jsonl", 3, "text", "empty text", ""),
            ("qrels/train.tsv", 5, "corpus-id", "unknown answer", "a3"),
            ("qrels/train.tsv", 6, "corpus-id", "unknown answer", "a3"),
        ],
        columns=["file", "line", "column", "reason", "value"],
    )
    check_rejected(rejected, 300, max_rejected=0.01)
    check_rejected(rejected.iloc[:0], 300, max_rejected=0.0)
    with pytest.raises(UserError) as error:
        check_rejected(rejected, 299, max_rejected=0.01, consequences=4)
    # 3 / 299 = 1.003 %
    assert str(error.value) == (
        "3 of 299 rows are rejected (1.00%, at most 1.00%): qrels/train.tsv line 5, column corpus-id: unknown answer: "
        "'a3' (2 rows); corpus.jsonl line 3, column text: empty text: ''; 4 more rows point to them; add the "
        "answers to the corpus, or remove the judgements, or raise -S prepare.max_rejected"
    )


def test_a_rejected_value_is_shown_printable_and_short() -> None:
    valid = validated(answers=[*GOOD_ANSWERS, {"_id": "x", "text": "\n\ud800" + "y" * 300}])
    shown = valid.rejected["value"].iloc[0]
    assert shown.startswith("\\n\\ud800yyy")
    assert len(shown) == 200
    assert shown.isprintable()


def broken(line: bytes, draw: random.Random) -> bytes:
    """One of the ways in which a line goes wrong; never a line feed, so that the number of rows stays known."""
    cut = draw.randrange(len(line))
    ways = [
        line[:cut],
        line[:cut] + b"\xff\xfe" + line[cut:],
        line[:cut] + bytes([draw.choice([b for b in range(1, 256) if b not in (10, 13)])]) + line[cut + 1 :],
        line.replace(b'"text": "', b'"text": "\\ud800'),
        line.replace(b'"_id"', b'"id"'),
        line.replace(b"1", b"NaN"),
        line + b"\textra",
        b"null",
        line.replace(b'"', b""),
    ]
    return draw.choice(ways) or b"#"


@pytest.mark.parametrize("seed", range(20))
def test_no_row_is_lost_under_random_corruption(tmp_path: Path, write_set: Callable[..., Path], seed: int) -> None:
    draw = random.Random(seed)
    answers = [(f"a{i}", f"answer number {i}") for i in range(40)]
    queries = [(f"q{i}", f"what is number {i}?", draw.choice(["question", "conversation"])) for i in range(80)]
    qrels = [(f"q{i}", f"a{draw.randrange(40)}", draw.choice([0, 1, 1, 2])) for i in range(80) for _ in range(2)]
    splits = {"train": qrels[:100], "dev": qrels[90:130], "test": qrels[120:]} if seed % 2 else {"train": qrels}
    folder = write_set(answers, queries, splits)
    n_lines = {}
    for path in sorted(folder.rglob("*.*l")) + sorted(folder.rglob("*.tsv")):
        lines = path.read_bytes().splitlines()
        header = lines[:1] if path.suffix == ".tsv" else []
        rows = [broken(line, draw) if draw.random() < 0.3 else line for line in lines[len(header) :]]
        rows += draw.sample(rows, 5)
        path.write_bytes(b"\n".join(header + rows))
        n_lines[str(path.relative_to(folder))] = sum(bool(row.strip()) for row in rows)
    # Broken bytes are the only ones outside of ASCII: said to be UTF-8, they spoil their own lines only.
    valid = validate(read_source(folder, replace(PLAIN, encoding="utf-8")))
    assert valid.rows_in == n_lines
    assert len(valid.rejected) > 10
    assert_no_row_is_lost(valid)
    assert not pd.concat([valid.rejected, valid.left_out]).duplicated(["file", "line"]).any()
    # What is left can be written: no surrogate, no non-finite number.
    json.dumps(valid.answers.to_dict("list"), allow_nan=False, ensure_ascii=False).encode()
    json.dumps(valid.qrels.to_dict("list"), allow_nan=False, ensure_ascii=False).encode()
