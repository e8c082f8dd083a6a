"""Batches of pairs without a positive: where the check begins, and what it proposes."""

from typing import Any

import numpy as np
import pytest

from whyrank.diagnosis.probes.pairs.training import TAKE_POSITIVES
from whyrank.findings.records import Records

from ..faults import of, planted, with_data, with_finetune, with_history


@planted("fractional-labels-truncated", of("fractional-labels-truncated", "finetune_rank"))
def few_positives(lab: Any, healthy: Records, without: int = 15) -> Records:
    drawn = healthy.data.tables["pair_batches"]
    positives = np.where(np.arange(len(drawn)) < without, 0, 3)
    spoilt = with_data(healthy, tables=healthy.data.tables | {"pair_batches": drawn.assign(positives=positives)})
    return with_history(spoilt, similarity_contrastive_loss=0.1)


OBJECTIVE = "finetune_rank.objectives.similarity"


def with_tables(records, **tables):
    return with_data(records, tables=records.data.tables | tables)


@pytest.mark.parametrize(("without", "speaks"), [(9, False), (10, True)])
def test_positives_are_missed_from_half_of_the_batches_on(without, speaks, lab, healthy, findings):
    spoken = findings(few_positives(lab, healthy, without))
    assert set(spoken) == (of("fractional-labels-truncated", "finetune_rank") if speaks else set())


def test_the_threshold_becomes_one_that_a_quarter_of_the_pairs_reaches(lab, healthy, findings):
    labels = healthy.data.tables["pair_labels"].assign(upper_quartile=0.76543)
    spoilt = with_tables(few_positives(lab, healthy), pair_labels=labels)
    finding = findings(spoilt)["fractional-labels-truncated", "finetune_rank"]
    assert finding.fix.params == {f"{OBJECTIVE}.positive_from": 0.765}


def test_labels_without_any_that_means_alike_get_an_order_loss(lab, healthy, findings):
    labels = healthy.data.tables["pair_labels"].assign(upper_quartile=0.4)
    finding = findings(with_tables(few_positives(lab, healthy), pair_labels=labels))[
        "fractional-labels-truncated", "finetune_rank"
    ]
    assert finding.fix.params[f"{OBJECTIVE}.in_batch.weight"] == 0.0
    assert finding.fix.params[f"{OBJECTIVE}.cosine.weight"] == 1.0


def test_losses_that_take_no_positives_do_not_mind(lab, healthy, findings):
    spoilt = few_positives(lab, healthy)
    history = spoilt.finetune["base"].history
    kept = [name for name in history if name not in TAKE_POSITIVES]
    assert findings(with_finetune(spoilt, history=history[kept])) == {}
