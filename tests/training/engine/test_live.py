"""The history passed on to dvclive as it grows."""

import json
import sys

import pytest

from whyrank.core.errors import UserError
from whyrank.training.engine.live import FOLDER, Live


def test_without_the_variable_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.delenv(FOLDER, raising=False)
    monkeypatch.chdir(tmp_path)
    live = Live("train")
    live(1, {"loss": 2.0})
    live.end()
    assert list(tmp_path.iterdir()) == []


def test_several_trainings_of_a_stage_have_a_folder_each(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER, str(tmp_path))
    monkeypatch.setenv("DVC_STAGE", "finetune_rank@base")
    for number in (1, 2):
        live = Live(f"fold {number} of 2: fine-tune")
        live(1, {"loss": number})
        live.end()
    for number in (1, 2):
        metrics = json.loads((tmp_path / f"finetune_rank@base/fold {number} of 2/metrics.json").read_text())
        assert metrics["loss"] == number


def test_each_row_is_a_point_of_its_columns_and_a_run_that_goes_on_adds_to_them(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER, str(tmp_path))
    monkeypatch.setenv("DVC_STAGE", "finetune_rank@base")
    for step, loss in ((1, 2.0), (2, 1.5)):
        live = Live("train")
        live(step, {"loss": loss, "dev/mrr": loss / 10})
        live.end()
    folder = tmp_path / "finetune_rank@base"
    lines = [line.split("\t") for line in (folder / "plots/metrics/loss.tsv").read_text().splitlines()]
    rows = [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]
    assert [(int(row["step"]), float(row["loss"])) for row in rows] == [(1, 2.0), (2, 1.5)]
    assert json.loads((folder / "metrics.json").read_text())["dev"]["mrr"] == pytest.approx(0.15)
    assert not (tmp_path / "dvc.yaml").exists()


def test_without_dvclive_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER, str(tmp_path))
    monkeypatch.setitem(sys.modules, "dvclive", None)
    with pytest.raises(UserError, match="pip install dvclive"):
        Live("train")
