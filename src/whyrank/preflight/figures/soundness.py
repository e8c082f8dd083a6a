"""Texts by which a label can be judged: those that say something, whole, in the language of the queries."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from whyrank.preflight.figures.texts.read import Read

# Checks of texts whose rows name what says nothing of its own label.
UNSOUND = (
    "answers-in-another-language",
    "answers-say-little",
    "garbled-texts",
    "overlapping-texts",
    "placeholder-answers",
    "queries-say-nothing",
)
COPIES = "near-copies"
# Words of an answer from which rankers that agree on another one say something against it: answers cut to five words
# bring far labels where rankers agree, 9 of 38.
FEWEST_WORDS = 8


@dataclass(frozen=True)
class Soundness:
    """answers, queries   ids of those whose texts say nothing of their labels;  first   of a near-copy: its first"""

    answers: frozenset[str]
    queries: frozenset[str]
    first: Mapping[str, str]

    def judged(self, table: pd.DataFrame) -> pd.DataFrame:
        """The judgements by which labels can be judged, see `judgements`: a copy of the right answer is right."""
        is_sound = ~(table["answer_id"].isin(self.answers) | table["query_id"].isin(self.queries))
        kept = table[is_sound].reset_index(drop=True)
        own, found = kept["answer_id"].replace(self.first), kept["first"].replace(self.first)
        is_right = (own == found).to_numpy()
        kept.loc[is_right, "first"] = kept.loc[is_right, "answer_id"]
        kept.loc[is_right, ["rank", "far", "margin"]] = [1.0, 0.0, 0.0]
        kept["is_agreed"] &= ~kept["first"].isin(self.answers)
        return kept


def soundness(tables: Mapping[str, pd.DataFrame], read: Read) -> Soundness:
    """By the tables `rows_<code>` that the figures of texts recorded."""
    found = [tables[name] for code in UNSOUND if (name := f"rows_{code}") in tables]
    rows = pd.concat(found) if found else pd.DataFrame({"query_id": [], "answer_id": []}, dtype=str)
    short = [len(text) < FEWEST_WORDS for text in read.answer_words]
    answers = {*rows["answer_id"], *read.prepared.answers["answer_id"][short]} - {""}
    copies = tables.get(f"rows_{COPIES}", pd.DataFrame({"answer_id": [], "becomes": []}, dtype=str))
    first = dict(zip(copies["answer_id"], copies["becomes"], strict=True))
    return Soundness(frozenset(answers), frozenset(rows["query_id"]) - {""}, first)
