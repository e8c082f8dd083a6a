"""The last run beside an earlier one: what is said of planted differences, and of a revision without results."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from whyrank.commands import since
from whyrank.core.errors import UserError

QUERIES = 200


def queries(right):
    """Of which the first `right` are answered."""
    ids = [f"q{n}" for n in range(QUERIES)]
    return pd.DataFrame({"query_id": ids, "cluster": ids, "accuracy@1": [float(n < right) for n in range(QUERIES)]})


def wrote(folder, right, **findings):
    """Runs and counts of findings as the stages leave them."""
    for system, count in right.items():
        (folder / "data/runs" / system).mkdir(parents=True)
        queries(count).to_parquet(folder / "data/runs" / system / "queries.parquet")
    (folder / "metrics").mkdir()
    counts = {"error": 0, "warning": len(findings), "info": 0} | {
        code.replace("_", "-"): count for code, count in findings.items()
    }
    (folder / "metrics/findings.json").write_text(json.dumps(counts))


@pytest.fixture
def two(tmp_path, monkeypatch):
    """An earlier run, and the last one in the workspace; and what fetches the earlier one."""
    earlier, workspace = tmp_path / "earlier", tmp_path / "now"
    for folder in (earlier, workspace):
        folder.mkdir()
    wrote(earlier, {"base": 100, "base-tuned": 100}, underfitted=1, dev_too_small=1)
    wrote(workspace, {"base": 100, "base-tuned": 160, "barlow": 90}, dev_too_small=1, overfitted=2)
    monkeypatch.chdir(workspace)

    def fetch(revision, path, target):
        if revision != "earlier" or not (earlier / path).exists():
            return False
        (shutil.copytree if (earlier / path).is_dir() else shutil.copyfile)(earlier / path, target)
        return True

    return earlier, fetch


def test_each_system_that_both_have_is_measured_and_codes_are_told_apart(two, shipped_params):
    _, fetch = two
    found = since.since("earlier", shipped_params, fetch)
    assert {one.what: round(one.difference.mean, 3) for one in found.measured} == {
        "accuracy@1 of base": 0.0, "accuracy@1 of base-tuned": 0.3,
    }  # fmt: skip
    tuned = found.measured[1].difference
    assert 0.2 < tuned.low < 0.3 < tuned.high < 0.4
    assert (found.gone, found.new) == (["underfitted"], ["overfitted"])
    text = str(found).splitlines()
    assert text[0] == "Since earlier:" and text[-2:] == [
        "- findings gone: `underfitted`",
        "- findings new: `overfitted`",
    ]
    assert "base-tuned: +30.0 points (n = 200, [" in str(found)


def test_runs_that_are_in_no_cache_leave_the_findings(two, shipped_params):
    earlier, fetch = two
    shutil.rmtree(earlier / "data")
    found = since.since("earlier", shipped_params, fetch)
    assert found.measured == [] and found.gone == ["underfitted"]
    assert "no cache of this machine (`dvc pull`)" in str(found)


def test_a_revision_without_results_is_one_line(two, shipped_params):
    _, fetch = two
    with pytest.raises(UserError, match=r"^nosuch has no metrics/findings\.json: it is no commit and no experiment"):
        since.since("nosuch", shipped_params, fetch)
    assert Path("metrics/findings.json").exists()


def test_a_metric_that_only_one_of_both_runs_has_is_one_line(two, shipped_params):
    _, fetch = two
    values = shipped_params | {"diagnose": shipped_params["diagnose"] | {"metric": "accuracy@5"}}
    file = Path("data/runs/base/queries.parquet")
    pd.read_parquet(file).assign(**{"accuracy@5": 1.0}).to_parquet(file)
    said = "`diagnose.metric` is accuracy@5, which the earlier run of base has not recorded; both have accuracy@1"
    with pytest.raises(UserError, match=f"^params.yaml: {said}$"):
        since.since("earlier", values, fetch)
