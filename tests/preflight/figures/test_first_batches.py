"""The first batches of pairs that training would see, drawn by `prepare`."""

from dataclasses import replace

import pytest

from whyrank.core.options.finetune import BatchesOfObjectives, FirstBatches
from whyrank.core.options.pairs import PairBatches
from whyrank.preflight.figures.first_batches import DRAWN, first_pair_batches


def rank(batch_size=9):
    of_pairs = PairBatches(batch_size=batch_size, positive_from=0.9, negative_to=0.1)
    return FirstBatches(
        batch_size=12, candidates="batch", same_answer="negative", objectives=BatchesOfObjectives(similarity=of_pairs)
    )


def drawn(paired, options):
    return first_pair_batches(paired, options, 7)["pair_batches"]


def test_labels_and_positives_are_counted_by_batch(paired):
    table = drawn(paired, rank())
    assert len(table) == DRAWN and (table["rows"] == 9).all() and table["distinct_labels"].between(2, 3).all()
    # 24 of 72 training pairs are entailments: 20 batches of 9 take each pair twice or three times.
    assert table["positives"].mean() == pytest.approx(3, abs=0.3)
    assert (table["positive_from"] == 0.9).all()
    assert table.equals(drawn(paired, rank()))


def test_labels_of_a_batch_differ_where_those_of_the_pairs_do(paired):
    assert (drawn(paired, rank(batch_size=2))["distinct_labels"] == 2).all()
    one_label = replace(paired, pairs=paired.pairs.assign(label=1.0))
    assert (drawn(one_label, rank())["distinct_labels"] == 1).all()


def test_nothing_is_drawn_where_there_are_no_training_pairs(topics):
    assert first_pair_batches(topics, rank(), 7) == {}
