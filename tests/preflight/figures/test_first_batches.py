"""The first batches of pairs that training would see, drawn by `prepare`."""

from dataclasses import replace

import pytest

from whyrank.core.errors import UserError
from whyrank.core.options.params import FinetuneRank
from whyrank.preflight.figures.first_batches import DRAWN, first_pair_batches

KEY = "objectives.similarity."


@pytest.fixture
def rank(options):
    def make(**changes):
        changes = {"weight": 1.0, "batch_size": 9} | changes
        return options("finetune_rank", FinetuneRank, {KEY + name: value for name, value in changes.items()})

    return make


def drawn(paired, options):
    return first_pair_batches(paired, options, 7)["pair_batches"]


def test_labels_and_positives_are_counted_by_batch(paired, rank):
    table = drawn(paired, rank(**{"in_batch.weight": 1.0}))
    assert len(table) == DRAWN and (table["rows"] == 9).all() and table["distinct_labels"].between(2, 3).all()
    # 24 of 72 training pairs are entailments: 20 batches of 9 take each pair twice or three times.
    assert table["positives"].mean() == pytest.approx(3, abs=0.3)
    assert (table["compares_labels"] == 1).all() and (table["takes_positives"] == 1).all()
    assert table.equals(drawn(paired, rank(**{"in_batch.weight": 1.0})))


def test_what_the_losses_need_is_that_of_those_that_are_on(paired, rank):
    table = drawn(paired, rank(**{"cosine.weight": 0.0, "mse.weight": 1.0}))
    assert (table["compares_labels"] == 0).all() and (table["takes_positives"] == 0).all()


def test_a_batch_of_one_pair_has_one_label(paired, rank):
    assert (drawn(paired, rank(batch_size=1))["distinct_labels"] == 1).all()


def test_nothing_is_drawn_where_no_pair_is_trained_on(paired, topics, rank):
    assert first_pair_batches(paired, rank(weight=0.0), 7) == {}
    assert first_pair_batches(topics, rank(), 7) == {}


def test_labels_that_an_order_loss_cannot_use_are_refused_as_training_would(paired, rank):
    one_label = replace(paired, pairs=paired.pairs.assign(label=1.0))
    with pytest.raises(UserError, match="all 72 training pairs have the label 1, and an order loss compares labels"):
        first_pair_batches(one_label, rank(), 7)
