"""Pooling: when another one is worth a word."""

import pytest

from ...diagnosis.probes.planted import another_pooling, of


def test_without_a_declared_pooling_the_best_one_is_proposed(lab, healthy, findings):
    spoken = findings(another_pooling(lab, healthy, declared=""))
    assert set(spoken) == of("pooling-mismatch", "prepare")
    found = spoken["pooling-mismatch", "prepare"]
    assert found.fix.params == {"encoder.pooling": "mean"} and "declare none" in found.sentence


@pytest.mark.parametrize("by", [0.0, 0.01, -0.2])
def test_another_pooling_that_ranks_as_well_is_no_fault(by, lab, healthy, findings):
    assert findings(another_pooling(lab, healthy, by=by)) == {}


def test_luck_on_few_answers_is_no_evidence(lab, healthy, findings):
    spoilt = another_pooling(lab, healthy)
    table = spoilt.data.tables["pooling"]
    table["cls"] = table["mean"] - table["answer_id"].map({0: 0.6, 1: -0.3, 2: 0.4}).fillna(0.0)
    assert findings(spoilt) == {}


def test_the_interval_is_that_of_the_difference_in_points(lab, healthy, findings):
    found = findings(another_pooling(lab, healthy))["pooling-mismatch", "prepare"]
    assert found.interval[0] < 100 * 0.2 < found.interval[1]
    assert found.weight == pytest.approx(20)
