"""Texts of sentence pairs, numbered for training."""

import pandas as pd

from whyrank.core.prepared import PAIR_COLUMNS
from whyrank.data.pairs.texts import numbered


def test_each_text_has_one_number_and_those_of_training_come_first():
    rows = [("t1", "test", "f", "a"), ("r1", "train", "a", "b"), ("d1", "dev", "c", "b"), ("r2", "train", "b", "b")]
    pairs = pd.DataFrame(rows, columns=["pair_id", "use", "text1", "text2"]).assign(
        source="s", subset="", class_name="", label=0.5
    )
    table, texts = numbered(pairs, 10)
    assert texts["text"].tolist() == ["a", "b", "c", "f"]
    assert table[["first", "second"]].to_numpy().tolist() == [[13, 10], [10, 11], [12, 11], [11, 11]]
    assert sorted(table.columns) == sorted(PAIR_COLUMNS)
    assert table["pair_id"].tolist() == ["t1", "r1", "d1", "r2"]


def test_no_pairs_have_no_texts():
    table, texts = numbered(pd.DataFrame(columns=["pair_id", "use", "text1", "text2"]), 3)
    assert len(table) == len(texts) == 0 and {"first", "second"} <= set(table.columns)
