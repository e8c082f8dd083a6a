"""Queries made of the answers themselves, for answers that nobody asked about: titles, headings, questions in the text.

Only those that find their answer again are kept. Whatever they teach is what words in common teach; real queries say
the same in other words.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from whyrank.core.options.prepare import PseudoQueries
from whyrank.data.ranking.selection import sentences
from whyrank.lexical.ranking import tfidf
from whyrank.lexical.words import words

# Begins their ids, and sorts behind letters and digits.
MARK = "~pseudo/"
QUESTION_MARKS = ("?", "\uff1f", "\u061f")  # that of Latin scripts, of Chinese and Japanese, and of Arabic
# Of a query, and of the first words that stand for one.
FEWEST_WORDS, MOST_WORDS, FIRST_WORDS = 2, 24, 12


def pseudo_queries(answers: pd.DataFrame, labelled: Sequence[str], options: PseudoQueries) -> pd.DataFrame:
    """query_id, answer_id, raw_text: up to `per_answer` for each answer, in the order of its text.

    answers    answer_id, title, raw_text (which begins with the title), sections
    labelled   answers that training queries have; they get none where `of` is unlabelled
    """
    nothing = pd.DataFrame(columns=["query_id", "answer_id", "raw_text"])
    if not options.per_answer:
        return nothing
    asked = answers if options.of == "all" else answers[~answers["answer_id"].isin(labelled)]
    if asked.empty:
        return nothing
    rows = [
        (row, text)
        for row, answer in zip(asked.index, asked.to_dict("records"), strict=True)
        for text in dict.fromkeys(candidates(answer))
        if FEWEST_WORDS <= len(words(text)) <= MOST_WORDS
    ]
    found = pd.DataFrame(rows, columns=["answer", "raw_text"])
    found = found[found_again(found, answers["raw_text"].tolist(), answers.index, options.within)]
    # A text that stands for several answers tells none of them.
    found = found[~found["raw_text"].str.casefold().duplicated(keep=False)]
    number = found.groupby("answer").cumcount()
    found = found[number < options.per_answer]
    answer_id = answers.loc[found["answer"], "answer_id"].to_numpy()
    names = [f"{MARK}{name}/{n}" for name, n in zip(answer_id, number[found.index], strict=True)]
    return pd.DataFrame({"query_id": names, "answer_id": answer_id, "raw_text": found["raw_text"].to_numpy()})


def with_pseudo(
    queries: pd.DataFrame, qrels: pd.DataFrame, answers: pd.DataFrame, options: PseudoQueries
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Behind the queries of the set those that are made of answers, as training questions, each with its judgement.

    queries   query_id, split, …; what else a made one has is left empty, but for `text`, which is its `raw_text`
    """
    train = queries.loc[queries["split"] == "train", "query_id"]
    labelled = qrels.loc[(qrels["score"] > 0) & qrels["query_id"].isin(train), "answer_id"]
    made = pseudo_queries(answers, labelled.tolist(), options)
    if made.empty:
        return queries, qrels
    own = made[["query_id", "raw_text"]].assign(
        type="question", declared_type="question", split="train", text=made["raw_text"], group=-1, thread=-1
    )
    judged = made[["query_id", "answer_id"]].assign(score=1.0)
    return pd.concat([queries, own[[*own.columns.intersection(queries.columns)]]], ignore_index=True), pd.concat(
        [qrels, judged], ignore_index=True
    )


def candidates(answer: Mapping[Hashable, Any]) -> Iterator[str]:
    """The title, the titles of sections, questions in the text, and its first words."""
    title, sections = str(answer["title"]), answer.get("sections")
    body = str(answer["raw_text"]).removeprefix(title)
    yield title
    if isinstance(sections, (list, np.ndarray)):
        yield from (str(section["title"]) for section in sections)
    said = sentences(body)
    yield from (one for one in said if one.endswith(QUESTION_MARKS))
    if said:
        yield " ".join(said[0].split()[:FIRST_WORDS])


def found_again(found: pd.DataFrame, texts: list[str], index: pd.Index, within: int) -> np.ndarray:
    """(N,) whether TF-IDF has the own answer among the best so many."""
    if found.empty:
        return np.zeros(0, dtype=bool)
    rank, own_N = tfidf(texts), index.get_indexer(pd.Index(found["answer"]))
    kept = []
    for part in np.array_split(np.arange(len(found)), -(-len(found) // 512)):
        score_NA = rank(found["raw_text"].iloc[part].tolist())
        own_N1 = score_NA[np.arange(len(part)), own_N[part]][:, None]
        kept.append((own_N1[:, 0] > 0) & ((score_NA > own_N1).sum(axis=1) < within))
    return np.concatenate(kept)
