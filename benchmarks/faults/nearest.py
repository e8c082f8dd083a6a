"""Answers that share words: what an old search engine or a hurried annotator takes for one another."""

from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from .raw import read_lines


def answer_text(row: dict) -> str:
    return f"{row.get('title') or ''} {row.get('text') or ''}"


def of_answers(folder: Path, count: int) -> dict[str, list[str]]:
    """Answer id -> the `count` other answers that share most of its words, nearest first."""
    answers = read_lines(folder / "corpus.jsonl")
    vector_AV = TfidfVectorizer(sublinear_tf=True).fit_transform([answer_text(row) for row in answers])
    score_AA = (vector_AV @ vector_AV.T).toarray()
    np.fill_diagonal(score_AA, -1)
    return _best(score_AA, [row["_id"] for row in answers], [row["_id"] for row in answers], count)


def of_queries(folder: Path, count: int) -> dict[str, list[str]]:
    """Query id -> the `count` answers that share most of its words, nearest first."""
    answers, queries = read_lines(folder / "corpus.jsonl"), read_lines(folder / "queries.jsonl")
    words = TfidfVectorizer(sublinear_tf=True).fit([answer_text(row) for row in answers])
    answer_AV, query_QV = words.transform(map(answer_text, answers)), words.transform(row["text"] for row in queries)
    score_QA = (query_QV @ answer_AV.T).toarray()
    return _best(score_QA, [row["_id"] for row in queries], [row["_id"] for row in answers], count)


def _best(score_QA: np.ndarray, queries: list[str], answers: list[str], count: int) -> dict[str, list[str]]:
    place_QK = (-score_QA).argsort(axis=1, kind="stable")[:, :count]
    return {query: [answers[place] for place in row] for query, row in zip(queries, place_QK, strict=True)}
