"""The numbers that `dvc metrics diff` compares: few enough to read, whatever changed, and none that is undefined."""

import math
from dataclasses import replace

import pandas as pd
import pytest

from whyrank.diagnosis.report.headline import headline

from .compare.test_pairs import with_pairs
from .rated import with_ratings
from .test_report import examined

# `dvc metrics diff` prints a header, and a row for each number that changed.
MOST_ROWS = 40
KINDS = ("all", "question", "conversation")


@pytest.fixture(scope="module")
def whole(recorded):
    """The records with all that `evaluate` writes of a system."""
    names = [f"{metric}_{kind}" for metric in ("accuracy@1", "accuracy@3", "mrr", "ndcg@10") for kind in KINDS]
    runs = {
        name: replace(run, metrics={one: 0.01 * place for place, one in enumerate(names)})
        for name, run in recorded.runs.items()
    }
    return replace(recorded, runs=runs)


def test_if_everything_changes_a_diff_still_fits_a_screen(whole, findings):
    assert len(headline(examined(whole), findings)) + 1 <= MOST_ROWS


def test_findings_are_counted_by_severity_and_encoders_told_by_type(whole, findings):
    found = headline(examined(whole), findings)
    assert {name: found[name] for name in ("error", "warning", "info")} == {"error": 1, "warning": 1, "info": 1}
    for system in whole.systems.encoders:
        shown = {f"accuracy@1_{kind}" for kind in KINDS} | {f"ndcg@10_{kind}" for kind in KINDS[1:]}
        of_system = {name.partition(".")[2]: value for name, value in found.items() if name.startswith(f"{system}.")}
        assert of_system == {name: whole.runs[system].metrics[name] for name in shown}
    assert {name for name in found if name.startswith("bm25.")} == {f"bm25.accuracy@1_{kind}" for kind in KINDS}


def test_the_metric_that_decides_stands_for_accuracy(whole):
    found = headline(replace(examined(whole), metric="accuracy@3"), [])
    assert "bm25.accuracy@3_all" in found and "bm25.accuracy@1_all" not in found


def test_the_other_tasks_have_a_number_for_each_system_that_was_tested(whole):
    case = examined(with_ratings(with_pairs(whole, ("stsb", ""))))
    found = headline(case, [])
    for task, systems in (("similarity", case.similarity.systems), ("ratings", case.ratings.systems)):
        values = systems.set_index("system")["value"]
        assert len(values) > 2
        assert {name: value for name, value in found.items() if task in name} == {
            f"{system}.{task}_spearman": pytest.approx(value) for system, value in values.items()
        }
    assert all(math.isfinite(value) for value in found.values())


@pytest.mark.parametrize(("precision", "bits"), [("float32", 32), ("bfloat16", 16)])
def test_the_precision_that_was_computed_in_is_recorded_with_the_figures(precision, bits, whole):
    tables = whole.data.tables | {"encoder_space": pd.DataFrame({"precision": [precision]})}
    found = headline(examined(replace(whole, data=replace(whole.data, tables=tables))), [])
    assert found["precision_bits"] == bits
