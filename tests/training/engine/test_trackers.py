"""The history of a training passed on as it grows, each tracker read back by its own library."""

import json
import sys

import pytest

from whyrank.core.errors import UserError
from whyrank.core.options import params
from whyrank.training.engine import trackers
from whyrank.training.engine.trackers import Trackers

STAGE, ROWS = "finetune_rank@base", ((1, 2.0), (2, 1.5))


@pytest.fixture
def named(tmp_path, monkeypatch):
    """Name trackers for this test alone, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_STAGE", STAGE)
    monkeypatch.setattr(trackers, "_named", [])
    return trackers.report_to


def trained(what="train", rows=ROWS):
    shown = Trackers(what)
    for step, loss in rows:
        shown(step, {"loss": loss, "dev/mrr": loss / 10})
    shown.end()


def test_none_writes_nothing(tmp_path, named):
    named(["none"])
    trained()
    assert list(tmp_path.iterdir()) == []


def test_all_choices_of_params_have_a_maker():
    (choices,) = params.Params.__dataclass_fields__["report_to"].type.__args__
    assert set(choices.__args__) == {"none", *trackers.MAKERS}


def test_several_trainings_of_a_stage_are_several_runs(tmp_path, named):
    named(["dvclive"])
    for number in (1, 2):
        trained(f"fold {number} of 2: fine-tune", [(1, float(number))])
    for number in (1, 2):
        file = tmp_path / f"logs/dvclive/{STAGE}/fold {number} of 2/metrics.json"
        assert json.loads(file.read_text())["loss"] == number


def test_without_dvc_the_work_names_the_run(named, monkeypatch):
    monkeypatch.delenv("DVC_STAGE")
    assert trackers.run_name("fold 1 of 2: fine-tune") == "fine-tune/fold 1 of 2"


def test_a_run_that_goes_on_adds_to_the_curves_of_dvclive(tmp_path, named):
    named(["dvclive"])
    for row in ROWS:
        trained(rows=[row])
    folder = tmp_path / "logs/dvclive" / STAGE
    lines = [line.split("\t") for line in (folder / "plots/metrics/loss.tsv").read_text().splitlines()]
    rows = [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]
    assert [(int(row["step"]), float(row["loss"])) for row in rows] == list(ROWS)
    assert json.loads((folder / "metrics.json").read_text())["dev"]["mrr"] == pytest.approx(0.15)
    assert not (tmp_path / "dvc.yaml").exists()


@pytest.mark.parametrize("missing", ["accelerate", "dvclive"])
def test_without_its_library_the_remedy_is_named(missing, named, monkeypatch):
    named(["dvclive"])
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(UserError, match=r"`report_to` names dvclive.* pip install accelerate dvclive"):
        Trackers("train")


@pytest.mark.slow
def test_tensorboard_reads_the_steps(tmp_path, named):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    named(["tensorboard"])
    trained()
    read = accumulator.EventAccumulator(str(tmp_path / "logs/tensorboard" / STAGE))
    read.Reload()
    assert [(one.step, one.value) for one in read.Scalars("loss")] == list(ROWS)


@pytest.mark.slow
def test_mlflow_reads_the_steps(tmp_path, named, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    named(["mlflow"])
    trained()
    (run,) = mlflow.search_runs(experiment_names=[trackers.PROJECT], output_format="list")
    history = mlflow.MlflowClient().get_metric_history(run.info.run_id, "loss")
    assert run.info.run_name == STAGE and [(one.step, one.value) for one in history] == list(ROWS)


@pytest.mark.slow
def test_wandb_writes_an_offline_run_under_logs(tmp_path, named, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("WANDB_DIR", raising=False)
    named(["wandb"])
    trained()
    (file,) = tmp_path.glob("logs/wandb/offline-run-*/run-*.wandb")
    assert file.stat().st_size > 0 and b"dev/mrr" in file.read_bytes()


@pytest.mark.slow
def test_trackio_reads_the_steps(tmp_path, named, monkeypatch):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    trackio = pytest.importorskip("trackio")
    named(["trackio"])
    trained()
    (run,) = trackio.Api().runs(trackers.PROJECT)
    assert run.name == STAGE
