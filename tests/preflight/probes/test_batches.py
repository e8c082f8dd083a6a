"""Batches of pairs: where the checks begin, and what they propose."""

from typing import Any

import numpy as np
import pytest

from whyrank.findings.records import Records

from ...diagnosis.probes.faults import of, planted, with_data


@planted("constant-label-batches", of("constant-label-batches", "finetune_rank"))
def one_label_per_batch(lab: Any, healthy: Records, constant: int = 20) -> Records:
    drawn = healthy.data.tables["pair_batches"]
    distinct = np.where(np.arange(len(drawn)) < constant, 1, 3)
    return with_data(healthy, tables=healthy.data.tables | {"pair_batches": drawn.assign(distinct_labels=distinct)})


OBJECTIVE = "finetune_rank.objectives.similarity"


def with_tables(records, **tables):
    return with_data(records, tables=records.data.tables | tables)


def test_pairs_of_one_label_alone_do_not_mind(lab, healthy, findings):
    labels = healthy.data.tables["pair_labels"].assign(distinct=1)
    assert findings(with_tables(one_label_per_batch(lab, healthy), pair_labels=labels)) == {}


@pytest.mark.parametrize(("constant", "severity"), [(0, None), (1, "warning"), (9, "warning"), (10, "error")])
def test_one_label_in_a_batch_weighs_by_the_share_of_such_batches(constant, severity, lab, healthy, findings):
    finding = findings(one_label_per_batch(lab, healthy, constant)).get(("constant-label-batches", "finetune_rank"))
    assert (finding.severity if finding else None) == severity
    assert not finding or finding.fix.params == {f"{OBJECTIVE}.batch_size": 32}
