"""Where a step takes one of several objectives, it has no figure of the others: no check may read that as a value."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from whyrank.core import checksums, io
from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.read import read_training
from whyrank.findings.finding import Finding
from whyrank.findings.probe import registered
from whyrank.findings.records import Records

from .faults import with_finetune, with_history, with_looks

# Columns of ranking alone.
OWN = ("scale", "logit_std", "query_norm", "rows", "candidates", "queries_seen", "row_gap", "distinct_answers",
       "targets_right", "rows_with_false_negatives", "false_negatives_per_row")  # fmt: skip


def drawn(healthy: Records, without: Any) -> Records:
    """Steps `without` took another objective."""
    history = healthy.finetune["base"].history.copy()
    ours = [name for name in history if str(name).startswith("rank_") or name in OWN]
    history.loc[without(np.arange(len(history))), ours] = np.nan
    return with_finetune(healthy, history=history)


@pytest.mark.parametrize(
    "without", [lambda step: step < 30, lambda step: step % 2 == 0, lambda step: step >= 30],
    ids=["first", "every other", "last"],
)  # fmt: skip
def test_no_check_takes_a_missing_figure_for_a_value(healthy, findings, without):
    records = drawn(healthy, without)
    case = Examination(records, "accuracy@1", 0.95, 500, 7)
    for probe in registered("trained"):
        for told in probe.find(case):
            given = told.evidence if isinstance(told, Finding) else (told.measured,)
            values = [one.value for one in given if one is not None]
            assert all(math.isfinite(value) for value in values), (probe.code, told)
    assert set(findings(records)) <= set(findings(healthy))


@pytest.mark.parametrize(
    ("code", "looks", "columns"),
    [
        ("loss-without-learning", {"train_accuracy@1": 0.62, "accuracy@1_all": 0.6}, {"rank_accuracy": 0.6}),
        ("no-headroom", {"train_accuracy@1": 0.99}, {}),
        ("first-loss-off", {}, {"targets_right": 0.1}),
        ("first-loss-off", {}, {"rank_expected_loss": 9.0}),
        ("impossible-loss", {}, {"rank_loss": -0.5}),
    ],
)
def test_what_is_found_is_told_by_the_steps_that_have_a_figure(healthy, findings, code, looks, columns):
    record = healthy.finetune["base"]
    looks = {name: record.evaluations["step"] * 0 + value for name, value in looks.items()}
    spoilt = with_looks(with_history(healthy, **columns), **looks)
    told = findings(drawn(spoilt, lambda step: step < 30)).get((code, "base-tuned"))
    assert told is not None and "nan" not in told.sentence
    assert all(math.isfinite(one.value) for one in told.evidence)
    if code == "impossible-loss":
        assert "at step 31" in told.sentence


def test_an_objective_that_no_step_drew_is_read_as_one_that_was_not_trained(tmp_path):
    io.write_json(tmp_path / "base.json", {"steps_run": 2})
    table = pd.DataFrame({"step": [1, 2], "loss": [1.0, 0.9], "rank_loss": np.nan, "similarity_loss": [1.0, np.nan]})
    with checksums.summed_folder(tmp_path / "base", tmp_path / "base.json") as folder:
        io.write_table(folder / "history.csv", table)
    assert read_training(tmp_path / "base").objectives == {"similarity"}
