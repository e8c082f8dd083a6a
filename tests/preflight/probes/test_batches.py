"""Batches of pairs: where the checks begin, and what they propose."""

from typing import Any

import numpy as np
import pytest

from whyrank.findings.records import Records

from ...diagnosis.probes.faults import of, planted, with_data


@planted("fractional-labels-truncated", of("fractional-labels-truncated", "finetune_rank"))
def few_positives(lab: Any, healthy: Records, without: int = 15) -> Records:
    drawn = healthy.data.tables["pair_batches"]
    positives = np.where(np.arange(len(drawn)) < without, 0, 3)
    return with_data(healthy, tables=healthy.data.tables | {"pair_batches": drawn.assign(positives=positives)})


@planted("constant-label-batches", of("constant-label-batches", "finetune_rank"))
def one_label_per_batch(lab: Any, healthy: Records, constant: int = 20) -> Records:
    drawn = healthy.data.tables["pair_batches"]
    distinct = np.where(np.arange(len(drawn)) < constant, 1, 3)
    return with_data(healthy, tables=healthy.data.tables | {"pair_batches": drawn.assign(distinct_labels=distinct)})


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


def test_losses_that_take_no_positives_and_losses_that_compare_no_labels_do_not_mind(lab, healthy, findings):
    for plant, column in ((few_positives, "takes_positives"), (one_label_per_batch, "compares_labels")):
        spoilt = plant(lab, healthy)
        batches = spoilt.data.tables["pair_batches"].assign(**{column: 0})
        assert findings(with_tables(spoilt, pair_batches=batches)) == {}


@pytest.mark.parametrize(("constant", "severity"), [(0, None), (1, "warning"), (9, "warning"), (10, "error")])
def test_one_label_in_a_batch_weighs_by_the_share_of_such_batches(constant, severity, lab, healthy, findings):
    finding = findings(one_label_per_batch(lab, healthy, constant)).get(("constant-label-batches", "finetune_rank"))
    assert (finding.severity if finding else None) == severity
    assert not finding or finding.fix.params == {f"{OBJECTIVE}.batch_size": 32}
