"""Figures of texts and what is said of them: the bundled sample spoilt in one way each, whole, and in small parts."""

import functools
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from whyrank.core.prepared import Prepared
from whyrank.findings.finding import Finding
from whyrank.findings.probe import registered
from whyrank.findings.records import DataRecords
from whyrank.preflight import examine  # noqa: F401 - registers the checks
from whyrank.preflight.figures import texts
from whyrank.preflight.figures.texts.read import Read
from whyrank.preflight.probes.texts.figure import BORROWED

from .spoilt import SPOILT, sample

SIZES = {"few-training-queries", "dev-too-small", "test-too-small"}


def spoken(prepared: Prepared, tables: dict[str, pd.DataFrame]) -> dict[str, Finding]:
    """Findings of the checks of texts, by code."""
    return said_of(prepared, texts.tables(Read(prepared), 7) | tables)


def said_of(prepared: Prepared, recorded: dict[str, pd.DataFrame]) -> dict[str, Finding]:
    data = DataRecords(prepared.answers, prepared.queries, prepared.qrels, {}, recorded, pd.DataFrame())
    own = [probe for probe in registered("preflight") if ".texts." in probe.find.__module__]
    assert len(own) == 22
    return {one.code: one for probe in own for one in probe.find(data) if isinstance(one, Finding)}


@functools.cache
def spoilt(name: str) -> tuple[Prepared, dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """The sample with a fault, what `prepare` records of it besides, and the figures of its texts."""
    prepared, tables = sample(SPOILT[name][0])
    return prepared, tables, texts.tables(Read(prepared), 7)


@pytest.fixture(scope="module")
def healthy() -> dict[str, Finding]:
    return spoken(*sample())


def test_nothing_is_said_of_the_sample(healthy):
    assert set(healthy) <= SIZES


def test_a_word_that_only_conversations_begin_with_is_told():
    prepared, tables = sample()
    is_conversation = prepared.queries["type"] == "conversation"
    opened = prepared.queries["text"].where(~is_conversation, "Customer: " + prepared.queries["text"])
    marked = replace(prepared, queries=prepared.queries.assign(text=opened))
    found = spoken(marked, tables)["types-told-by-opening"]
    assert "100 % of the conversations begin with “customer:”, and 0 % of the questions" in found.sentence


@pytest.mark.parametrize("name", SPOILT)
def test_a_fault_of_texts_is_named(name):
    _, code = SPOILT[name]
    prepared, tables, recorded = spoilt(name)
    found = said_of(prepared, recorded | tables)
    assert code in found, set(found)
    assert found[code].severity in ("warning", "error")
    if file := found[code].fix.rows:
        assert not recorded[file.removeprefix("metrics/prepare/").removesuffix(".csv")].empty


@pytest.mark.parametrize("n", [0, 1, 6])
def test_some_rows_prove_nothing(n):
    prepared, tables = sample()
    few = replace(prepared, queries=prepared.queries.iloc[:n], qrels=prepared.qrels.iloc[:n])
    few = replace(few, answers=prepared.answers[prepared.answers["answer_id"].isin(few.qrels["answer_id"])])
    assert set(spoken(few, {"duplicates": tables["duplicates"].iloc[:0]})) <= SIZES


def test_rows_to_mend_name_ids_and_what_they_become():
    copied = spoilt("copies")[2]["rows_near-copies"]
    assert list(copied.columns) == ["query_id", "answer_id", "becomes", "why"]
    assert copied["answer_id"].str.startswith("zz-").all() and not copied["becomes"].str.startswith("zz-").any()
    greeted = spoilt("greetings")[2]["rows_queries-say-nothing"]
    assert len(greeted) == pytest.approx(0.2 * 324, abs=2) and (greeted["answer_id"] == "").all()


@pytest.mark.parametrize("name", ["a_notice_that_fills_the_budget", "a_greeting_that_fills_the_budget"])
def test_texts_that_a_cut_makes_equal_are_no_stand_ins(name):
    prepared, tables, recorded = spoilt(name)
    found = said_of(prepared, recorded | tables)
    assert not {"placeholder-answers", "queries-say-nothing", "near-copies"} & set(found)


def test_the_same_texts_give_the_same_figures():
    one, other = (texts.tables(Read(sample()[0]), 7)["text_figures"] for _ in range(2))
    pd.testing.assert_frame_equal(one, other)


def test_texts_that_a_small_budget_leaves_two_words_of_say_what_they_say():
    found = spoken(*sample(budget=2))
    assert not {"queries-say-nothing", "answers-say-little"} & set(found)


def test_words_of_short_queries_are_in_no_order():
    def three_words(answers, queries, qrels, draw):
        queries["raw_text"] = queries["raw_text"].map(lambda text: " ".join(draw.sample(text.split(), 3)))

    found = spoken(*sample(three_words))
    assert "random order" not in getattr(found.get("garbled-texts"), "sentence", "")


def test_training_queries_without_a_judgement_are_no_difference_of_the_splits():
    prepared, tables = sample()
    train = prepared.queries.loc[prepared.queries["split"] == "train", "query_id"]
    is_kept = ~prepared.qrels["query_id"].isin(train) | prepared.qrels["query_id"].isin(train.iloc[::3])
    assert "splits-differ" not in spoken(replace(prepared, qrels=prepared.qrels[is_kept]), tables)


DESKS = Path(__file__).parents[3] / "lexical" / "help_desks"


def desk(language: str, chunk: int) -> dict[tuple[str, str], float]:
    """Figures of the answers of a help desk, each followed by so many characters of the next one."""
    lines = [line.split("\t") for line in (DESKS / f"{language}.tsv").read_text(encoding="utf-8").splitlines()]
    said = [line[0] for line in lines]
    said = [one + other[:chunk] for one, other in zip(said, said[1:] + said[:1], strict=True)]
    asked = [
        (f"q{row}-{place}", query, f"a{row}") for row, line in enumerate(lines) for place, query in enumerate(line[1:])
    ]
    answers = pd.DataFrame({"answer_id": [f"a{row}" for row in range(len(said))], "title": "", "raw_text": said})
    queries = pd.DataFrame({"query_id": [row[0] for row in asked], "raw_text": [row[1] for row in asked]})
    queries = queries.assign(type="question", split="train")
    for table in (answers, queries):
        table["text"], table["tokens"], table["tokens_raw"] = table["raw_text"], 1, 1
    qrels = pd.DataFrame({"query_id": queries["query_id"], "answer_id": [row[2] for row in asked], "score": 1.0})
    found = texts.tables(Read(Prepared(answers, queries, qrels)), 7)["text_figures"]
    return {(name, kind): value for name, kind, value in found[["figure", "kind", "value"]].itertuples(index=False)}


@pytest.mark.parametrize("language", ["chinese", "japanese", "thai", "korean", "hindi", "arabic", "german"])
def test_letters_that_words_have_in_common_are_no_text_that_answers_share(language):
    found = desk(language, 0)
    assert found["borrowed", "answer"] <= 0.05 and found["shared_words", "answer"] <= 0.04
    assert desk(language, 60)["borrowed", "answer"] >= BORROWED
