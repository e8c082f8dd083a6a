"""Tokenizer and pooling: where the checks begin, and what they propose."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from whyrank.findings.records import Records

from ...diagnosis.probes.faults import of, planted, with_data


@planted("pooling-mismatch", of("pooling-mismatch", "prepare"))
def another_pooling(lab: Any, healthy: Records, declared: str = "mean", by: float = 0.3) -> Records:
    """Read by its first token, the encoder has a reciprocal rank `by` lower on two in three queries."""
    ids = healthy.data.queries["query_id"].to_numpy()[:120]
    drop = np.where(np.arange(120) % 3 == 0, 0.0, by)
    table = pd.DataFrame({"query_id": ids, "answer_id": np.arange(120) // 10, "mean": 0.7, "cls": 0.7 - drop})
    table = table.assign(max=0.35, used="cls", declared=declared)
    return with_data(healthy, tables=healthy.data.tables | {"pooling": table})


@planted("tokenizer-mismatch", of("tokenizer-mismatch", "prepare"))
def unknown_pieces(lab: Any, healthy: Records, unknown: float = 0.4) -> Records:
    table = healthy.data.tables["tokenizer"]
    table = table.assign(unknown=np.where(table["kind"] == "question", unknown, 0.01))
    return with_data(healthy, tables=healthy.data.tables | {"tokenizer": table})


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


@pytest.mark.parametrize(("unknown", "severity"), [(0.04, None), (0.05, "warning"), (0.30, "error")])
def test_unknown_pieces_weigh_by_the_kind_of_text_that_has_most(unknown, severity, lab, healthy, findings):
    finding = findings(unknown_pieces(lab, healthy, unknown)).get(("tokenizer-mismatch", "prepare"))
    assert (finding.severity if finding else None) == severity
    assert not finding or "of the questions" in finding.sentence


@pytest.mark.parametrize(("marked", "severity"), [(0.5, None), (float("nan"), None), (0.0, "error")])
def test_a_mark_that_is_never_used_was_lost(marked, severity, healthy, findings):
    table = healthy.data.tables["tokenizer"].assign(mark="##", marked=marked)
    records = with_data(healthy, tables=healthy.data.tables | {"tokenizer": table})
    found = findings(records).get(("tokenizer-mismatch", "prepare"))
    assert (found.severity if found else None) == severity
