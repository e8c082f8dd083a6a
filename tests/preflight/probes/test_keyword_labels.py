"""Labels that a search by words gave one split, those of people in all, and wrong ones in another split."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from whyrank.findings.records import Records
from whyrank.preflight.probes.keyword_labels import labels_from_keyword_search

from ...diagnosis.probes.faults import of, planted, with_data

SIZES = {"train": 220, "dev": 60, "test": 120}


def judged(searched: str = "", wrong: str = "", sizes: dict[str, int] | None = None) -> pd.DataFrame:
    """Ranks of labels by three rankers; of a split by search, by words first, and of a wrong one anywhere."""
    random = np.random.default_rng(0)
    rows = []
    for split, n in (sizes or SIZES).items():
        ranks = 1 + random.geometric(0.35, (n, 3)) - 1
        if split == searched:
            ranks[:, 0], ranks[:, 1:] = random.geometric(0.2, n), random.geometric(0.8, (n, 2))
        if split == wrong:
            ranks = random.integers(1, 60, (n, 3))
        rows.append(pd.DataFrame(ranks, columns=["rank_encoder", "rank_tfidf", "rank_bm25"]).assign(split=split))
    return pd.concat(rows, ignore_index=True)


def with_judged(healthy: Records, table: pd.DataFrame) -> Records:
    return with_data(healthy, tables=healthy.data.tables | {"judgements": table})


@planted("labels-from-keyword-search", of("labels-from-keyword-search", "data"))
def from_search(lab: Any, healthy: Records) -> Records:
    """Of the other columns of judgements, what says nothing."""
    names = dict.fromkeys(["query_id", "answer_id", "first", "first_encoder", "first_tfidf", "first_bm25"], "a00")
    return with_judged(healthy, judged("test").assign(type="question", rank=1.0, far=0.0, is_agreed=False, **names))


@pytest.mark.parametrize("split", ["test", "train"])
def test_the_split_that_words_find_and_the_encoder_does_not_is_named(split, healthy):
    (found,) = labels_from_keyword_search(with_judged(healthy, judged(split)).data)
    assert found.sentence.startswith(f"The {split} labels") and found.severity == "error"


@pytest.mark.parametrize(
    "changes", [{}, {"wrong": "train"}, {"wrong": "test"}, {"searched": "dev", "sizes": {"train": 99, "dev": 20}}]
)
def test_labels_of_people_wrong_ones_and_few_are_left_alone(changes, healthy):
    assert list(labels_from_keyword_search(with_judged(healthy, judged(**changes)).data)) == []
