"""Students of several sizes: cells have parameters that are taken, and the table compares with the whole encoder."""

import pandas as pd
import pytest

from benchmarks import students


@pytest.mark.parametrize("name", students.SETS)
def test_each_cell_has_parameters_that_the_checks_take(name, tmp_path):
    values = students.values_of(name, tmp_path, 3)
    assert values["encoder"]["keep_layers"] == 3 and values["finetune_rank"]["train"] == "all"


def test_the_table_pools_the_splits_and_compares_each_arm_with_the_whole_encoder(tmp_path):
    queries = pd.DataFrame({"query_id": [f"q{i}" for i in range(40)], "type": "question", "cluster": range(40)})
    arms = [
        (6, "cut", 0.8),
        (6, "and int8", 0.78),
        (3, "cut", 0.2),
        (3, "labels", 0.6),
        (3, "labels and teacher", 0.72),
    ]
    for seed in (1, 2):
        for layers, arm, value in arms:
            rows = queries.assign(**{"accuracy@1": value, "mrr": value}, seed=seed)
            rows = rows.assign(
                arm=arm,
                layers=layers,
                rounds=0 if layers == 6 else 1.5,
                bytes=layers * 1000 // (4 if arm == "and int8" else 1),
            )
            rows.to_csv(tmp_path / f"students.stackexchange.{seed}.{layers}{arm}.csv", index=False)
    lines = students.table(tmp_path).splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert [row[:8] for row in cells] == [
        ["stackexchange", "2", "3", "1.5", "50 %", "cut", "0.200", "25 %"],
        ["stackexchange", "2", "3", "1.5", "50 %", "labels", "0.600", "75 %"],
        ["stackexchange", "2", "3", "1.5", "50 %", "labels and teacher", "0.720", "90 %"],
        ["stackexchange", "2", "6", "0", "100 %", "cut", "0.800", "100 %"],
        ["stackexchange", "2", "6", "0", "25 %", "and int8", "0.780", "98 %"],
    ]
    assert cells[0][8].startswith("-60.0 points")
