"""The comparison of searches: its grid lies in the shipped space, and its table takes what the cells hold."""

import math

import pandas as pd
import pytest
from optuna.distributions import CategoricalDistribution

from benchmarks import searches
from whyrank.commands.search import space


@pytest.fixture
def asked(monkeypatch):
    monkeypatch.chdir(searches.ROOT)
    return space.read(searches.SPACE)


def test_the_grid_has_as_many_points_as_the_table_says_all_within_the_space(asked):
    assert math.prod(map(len, searches.GRID.values())) == searches.FEW
    for key, values in searches.GRID.items():
        varied = asked.varied[key]
        within = varied.choices if isinstance(varied, CategoricalDistribution) else (varied.low, varied.high)
        for value in values:
            assert str(value) in within if isinstance(within[0], str) else within[0] <= value <= within[1]


def test_the_table_pools_the_splits_and_compares_each_arm_with_the_default(tmp_path):
    queries = pd.DataFrame({"query_id": [f"q{i}" for i in range(40)], "type": "question", "cluster": range(40)})
    for seed in (1, 2):
        rows = [
            queries.assign(**{"accuracy@1": float(arm == searches.ARMS[4]), "mrr": 0.5},
                           arm=arm, seed=seed, dev=0.1 * seed, seconds=60.0 * seed)
            for arm in searches.ARMS
        ]  # fmt: skip
        pd.concat(rows).to_csv(tmp_path / f"search.conditionalqa.{seed}.csv", index=False)
    lines = searches.table(tmp_path).splitlines()[2:]
    assert len(lines) == len(searches.ARMS)
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert [row[:5] for row in cells] == [["conditionalqa", "2", arm, "1.5", "0.150"] for arm in searches.ARMS]
    assert cells[4][6].startswith("+100.0 points") and cells[1][6].startswith("+0.0 points") and not cells[0][6]
