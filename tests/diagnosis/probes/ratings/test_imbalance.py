"""Targets with a rare side: where the check begins, and which losses leave nothing to say."""

from typing import Any

import pytest

from whyrank.findings.records import Records

from ..faults import of, planted, with_data, with_history
from ..rated import healthy_rows, rating_tables


@planted("target-imbalance", of("target-imbalance", "ratings"))
def rare_side(lab: Any, healthy: Records, every: int = 26, **losses: float) -> Records:
    """One row in so many, some in each fold; trained by a loss over rows."""
    tables = rating_tables(rows=healthy_rows(rude=lambda i: float(i % every == 0)))
    spoilt = with_data(healthy, tables=healthy.data.tables | tables)
    return with_history(spoilt, **losses or {"ratings_bce_loss": 0.5})


@pytest.mark.parametrize(("every", "severity"), [(19, None), (25, "info"), (100, "warning")])
def test_imbalance_speaks_below_a_twentieth_and_warns_below_a_fiftieth(every, severity, lab, healthy, findings):
    found = findings(rare_side(lab, healthy, every)).get(("target-imbalance", "ratings"))
    assert (found.severity if found else None) == severity


@pytest.mark.parametrize("other", ["weighted_bce", "rank_correlation"])
def test_a_loss_that_weighs_sides_leaves_nothing_to_say_about_a_rare_one(other, lab, healthy, findings):
    assert set(findings(rare_side(lab, healthy))) == of("target-imbalance", "ratings")
    losses = {"ratings_bce_loss": 0.5, f"ratings_{other}_loss": 0.5}
    assert findings(rare_side(lab, healthy, **losses)) == {}


def test_ratings_that_nothing_was_trained_on_have_no_loss_to_change(lab, healthy, findings):
    spoilt = rare_side(lab, healthy)
    assert findings(with_data(healthy, tables=spoilt.data.tables)) == {}
