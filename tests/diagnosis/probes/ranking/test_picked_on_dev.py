"""A gain on the dev queries that the test queries do not show is told; what is too small to tell is said to be so."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.probes.ranking import picked_on_dev
from whyrank.findings.records import Records

from ..faults import of, planted
from ..training.test_reload import told

CODE, SYSTEM, START = "search-overfits-dev", "base-tuned", "base"


def with_dev(healthy: Records, gained: float, queries: int = 400) -> Records:
    """Dev queries, two of each answer, a share of which the tuned system answers and its start does not."""
    half = np.arange(queries) % 2
    before = pd.DataFrame({"query_id": [f"d{i}" for i in range(queries)], "split": "dev", "type": "question"})
    before = before.assign(cluster=[f"c{i // 2}" for i in range(queries)], mrr=0.5, **{"accuracy@1": 0.5 * half})
    value_Q = before["accuracy@1"].to_numpy(copy=True)
    value_Q[: round(gained * queries)] += 1
    after = before.assign(**{"accuracy@1": value_Q}).iloc[::-1]
    runs = healthy.runs | {
        START: replace(healthy.runs[START], other_splits=before),
        SYSTEM: replace(healthy.runs[SYSTEM], other_splits=after),
    }
    return replace(healthy, runs=runs)


def gain_on_test(healthy: Records) -> float:
    after, before = (healthy.runs[name].queries["accuracy@1"].mean() for name in (SYSTEM, START))
    return float(after - before)


@planted(CODE, of(CODE, SYSTEM))
def flattered(lab: Any, healthy: Records) -> Records:
    return with_dev(healthy, gain_on_test(healthy) + 0.25)


def test_both_gains_and_their_difference_are_told(lab, healthy):
    found = told(CODE, flattered(lab, healthy))[SYSTEM]
    gain = gain_on_test(healthy)
    on_dev, on_test, flattery = found.evidence
    # Query by query, though the two runs list them in another order.
    case = Examination(flattered(lab, healthy), "accuracy@1", 0.95, 300, 0)
    assert set(picked_on_dev.gains(case, SYSTEM, START, "dev")["gain"]) == {0.0, 1.0}
    assert on_dev.value == pytest.approx(100 * (gain + 0.25), abs=0.2)
    assert on_test.value == pytest.approx(100 * gain)
    assert flattery.value == pytest.approx(25, abs=0.2) and flattery.threshold == 1
    assert found.interval[0] > 0 and found.interval[0] < flattery.value < found.interval[1]
    assert f"gained +{on_dev.value:.1f} points of accuracy@1 over base on the dev set" in found.sentence


@pytest.mark.parametrize(("gained", "status"), [(-0.3, "passed"), (0.0, "not enough data")])
def test_an_equal_gain_is_no_fault_and_a_wide_interval_is_said_to_be_wide(healthy, gained, status):
    found = told(CODE, with_dev(healthy, max(0.0, gain_on_test(healthy) + gained)))[SYSTEM]
    assert found.status == status


def test_few_dev_queries_and_none_at_all_are_told_from_health(healthy):
    assert told(CODE, with_dev(healthy, 0.9, queries=10))[SYSTEM].status == "not enough data"
    assert told(CODE, healthy)[SYSTEM].status == "not applicable"
