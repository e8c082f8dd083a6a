"""The comparison of teachers: known scores take the place of a cross-encoder, and its table takes what cells hold."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from benchmarks import teach
from whyrank.model import cross_encoder


@pytest.mark.parametrize("name", teach.SETS)
@pytest.mark.parametrize("level", teach.LEVELS)
def test_each_cell_has_parameters_that_the_checks_take(name, level, tmp_path):
    values = teach.values_of(name, tmp_path, level)
    assert values["finetune_rank"]["train"] == {"head": "head", "layers": "last"}[level]
    steps = {"head": (teach.STEPS, "auto"), "layers": (0, 1.5)}[level]
    assert (values["finetune_rank"]["max_steps"], values["finetune_rank"]["epochs"]) == steps
    assert values["encoder"]["readout"] == "raw"


def test_known_scores_are_given_by_the_texts_of_a_pair(make_encoder, tmp_path, monkeypatch):
    monkeypatch.setenv("WHYRANK_CACHE", str(tmp_path))
    queries, answers = (pd.DataFrame({"text": texts}) for texts in (["p", "q"], ["x", "y", "z"]))
    score_QA = np.arange(6, dtype=np.float32).reshape(2, 3)
    found = teach.Table(score_QA, SimpleNamespace(queries=queries, answers=answers), make_encoder())
    assert cross_encoder.predicted(found, [("q", "x"), ("p", "z")]).tolist() == [3.0, 2.0]


def test_the_table_pools_the_splits_and_compares_each_arm_with_the_labels_alone(tmp_path):
    queries = pd.DataFrame({"query_id": [f"q{i}" for i in range(40)], "type": "question", "cluster": range(40)})
    for seed in (1, 2):
        rows = [
            queries.assign(**{"accuracy@1": float(arm == teach.ITSELF), "mrr": 0.5}, arm=arm, seed=seed)
            for arm in teach.ARMS
        ]
        pd.concat(rows).to_csv(tmp_path / f"teach.head.stackexchange.{seed}.csv", index=False)
    lines = teach.table(tmp_path, "head").splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert [row[:3] for row in cells] == [["stackexchange", "2", arm] for arm in teach.ARMS]
    assert cells[-1][4].startswith("+100.0 points") and cells[0][4].startswith("+0.0 points") and not cells[1][4]
