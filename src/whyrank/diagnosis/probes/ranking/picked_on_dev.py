"""What the dev set gained, by which weights and settings were picked, beside what the test set gained."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from whyrank.diagnosis.examination import EXCLUDED, LEAST_EFFECT, Examination, is_higher, paired
from whyrank.diagnosis.probes.training.dev_metrics import LEAST_DEV
from whyrank.diagnosis.report import numbers
from whyrank.findings.finding import Evidence, Finding, Fix
from whyrank.findings.outcome import Outcome, not_applicable, passed, too_little
from whyrank.findings.probe import probe
from whyrank.findings.records import RunRecord
from whyrank.measure.significance.resampling import Interval

WHAT = "gain on dev less gain on test"


@probe("search-overfits-dev", on="trained", about="ranking", layer="evaluation")
def search_overfits_dev(case: Examination) -> Iterator[Finding | Outcome]:
    """A tuned system gained significantly more on the dev queries that it was picked by than on the test queries."""
    for system, start in case.systems.untuned.items():
        dev, test = (gains(case, system, start, split) for split in ("dev", "test"))
        if dev is None or test is None or system not in case.records.runs:
            yield not_applicable(system, "dev and test queries that it and its start ranked")
            continue
        if len(dev) < LEAST_DEV:
            yield too_little(system, f"{len(dev)} dev queries")
            continue
        both, is_dev_Q = pd.concat([dev, test]), np.arange(len(dev) + len(test)) < len(dev)
        flattery = case.contrast(both["gain"], is_dev_Q, both["cluster"].to_numpy())
        if not is_higher(flattery):
            yield _without(system, flattery)
            continue
        gained = {split: float(table["gain"].mean()) for split, table in (("dev", dev), ("test", test))}
        on_dev, on_test = map(numbers.points, gained.values())
        values = (Evidence(f"gain on {split}", 100 * gain, "points") for split, gain in gained.items())
        yield Finding(
            severity="warning",
            system=system,
            sentence=f"{system} gained {on_dev} points of {case.metric} over {start} on the dev set, and {on_test} on "
            "the test set.",
            cause="Of many evaluations, or of many settings, the one that is best on dev is better there by chance; or "
            "the dev queries are more like the training queries than the test queries are.",
            fix=Fix({}, "trust the test interval alone, take fewer trials, and more dev queries (`prepare.split.dev`)"),
            reference="Cawley and Talbot 2010, JMLR 11; Dodge et al. 2019, arXiv:1909.03004",
            **paired(flattery, values, name=WHAT),
        )


def _without(system: str, flattery: Interval) -> Outcome:
    measured = Evidence(WHAT, 100 * flattery.mean, "points")
    if flattery.high < EXCLUDED:
        return passed(system, measured, 100 * LEAST_EFFECT)
    high = numbers.points(flattery.high)
    return too_little(system, f"dev gained no more for sure, and {high} points more are not excluded", measured)


def gains(case: Examination, system: str, start: str, split: str) -> pd.DataFrame | None:
    """cluster and gain of each query of the split; None where one of the two did not rank them."""
    after, before = (_ranked(case.records.runs.get(name), split) for name in (system, start))
    if after is None or before is None or case.metric not in after or case.metric not in before:
        return None
    value_Q = before.set_index("query_id").loc[after["query_id"], case.metric]
    gain_Q = after[case.metric].to_numpy() - value_Q.to_numpy()
    return pd.DataFrame({"cluster": after["cluster"].to_numpy(), "gain": gain_Q})


def _ranked(run: RunRecord | None, split: str) -> pd.DataFrame | None:
    if run is None or split == "test":
        return None if run is None else run.queries
    found = run.other_splits
    found = None if found is None else found[found["split"] == split]
    return None if found is None or found.empty else found
