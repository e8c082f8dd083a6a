"""What other trainers log, as the history that checks read: what is not in a log is left out, and never made up."""

import json
import sys

import numpy as np
import pytest

from whyrank.commands import history
from whyrank.core.errors import UserError

STEPS = [{"step": i, "loss": 2 - 0.1 * i, "learning_rate": 2e-5 * (1 - i / 10), "grad_norm": 1.0} for i in range(1, 9)]


def state(tmp_path, log, **more):
    (tmp_path / "trainer_state.json").write_text(json.dumps({"log_history": log, **more}))
    return tmp_path / "trainer_state.json"


def test_a_trainer_state_with_every_step_has_all_that_it_logged(tmp_path):
    log = [*STEPS, {"step": 8, "eval_loss": 1.0}, {"step": 8, "train_loss": 9.0, "train_runtime": 3.0}]
    found = history.read(state(tmp_path, log, max_steps=10))
    assert found["step"].tolist() == list(range(1, 9)) and found["loss"].iloc[-1] == pytest.approx(1.2)
    assert found["rank_loss"].equals(found["loss"]) and (found["gradient_norm"] == 1.0).all()
    assert found["encoder_learning_rate"].iloc[0] == pytest.approx(1.8e-5)
    assert found["rate_factor"].iloc[0] == 1.0 and found["progress"].iloc[-1] == pytest.approx(0.8)


@pytest.mark.parametrize(
    "log",
    [
        [{**row, "step": 10 * row["step"]} for row in STEPS],
        [{**row, "learning_rate": 1e-6 * row["step"]} for row in STEPS],
        [{key: row[key] for key in ("step", "loss")} for row in STEPS],
    ],
    ids=["every tenth step", "rising to the end", "no learning rate"],
)
def test_a_schedule_that_was_not_seen_as_a_whole_is_left_out(tmp_path, log):
    found = history.read(state(tmp_path, log))
    assert "rate_factor" not in found and "progress" not in found and len(found) == 8


def test_a_table_with_the_names_of_other_loops(tmp_path):
    (tmp_path / "steps.csv").write_text("global_step,train_loss,lr\n2,0.5,1e-5\n1,0.7,2e-5\n2,0.6,1e-5\n")
    found = history.read(tmp_path / "steps.csv")
    assert found["step"].tolist() == [1, 2] and found["loss"].tolist() == [0.7, 0.6]
    assert found["rate_factor"].tolist() == [1.0, 0.5] and "gradient_norm" not in found


def test_a_row_of_an_evaluation_takes_no_loss_away_from_its_step(tmp_path):
    """As Lightning's CSVLogger writes them, with a callback that logs the learning rate."""
    rows = ["step,lr-AdamW,train_loss,val_loss", "0,,2.0,", "1,,1.5,", "1,2e-5,,", "1,,,1.7", "2,1e-5,,", "2,,1.2,"]
    (tmp_path / "metrics.csv").write_text("\n".join(rows) + "\n")
    found = history.read(tmp_path / "metrics.csv")
    assert found["step"].tolist() == [0, 1, 2] and found["loss"].tolist() == [2.0, 1.5, 1.2]
    assert found["encoder_learning_rate"].tolist()[1:] == [2e-5, 1e-5]


def test_a_loss_that_is_not_finite_stays_so(tmp_path):
    (tmp_path / "steps.csv").write_text("step,loss\n1,0.7\n2,nan\n3,inf\n")
    loss = history.read(tmp_path / "steps.csv")["loss"]
    assert np.isnan(loss[1]) and np.isinf(loss[2])


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("trainer_state.json", "{}", r"no trainer_state\.json with a log_history \(KeyError\)"),
        ("trainer_state.json", "{", r"no trainer_state\.json with a log_history"),
        ("trainer_state.json", '{"log_history": [{"step": 1, "eval_loss": 2}]}', "no logged row has a step"),
        ("steps.csv", "step,accuracy\n1,0.3\n", "no logged row has a loss; it is called one of loss, train_loss"),
        ("steps.csv", 'step,loss\n1,"0,5"\n2,"0,4"\n', "no loss is a number; the first is '0,5', and one is written"),
        ("steps.csv", "step,loss\nfirst,0.5\n", "no step is a number; the first is 'first'"),
        ("steps.txt", "1 2\n", r"name trainer_state\.json of a checkpoint, a file or folder of TensorBoard"),
    ],
)
def test_a_file_that_is_no_history_is_one_line(tmp_path, name, content, says):
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=says):
        history.read(tmp_path / name)


def events(folder, rows, *, tags=("train/loss", "train/learning_rate"), first=1):
    """As the SummaryWriter of torch writes them."""
    pytest.importorskip("tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder)) as writer:
        for step, row in enumerate(rows, first):
            for tag, value in zip(tags, row, strict=True):
                writer.add_scalar(tag, value, step)
        writer.add_text("args", "{}")
        writer.add_scalar("eval/loss", 9.0, len(rows))
    return folder


# More steps than TensorBoard keeps of a scalar where it is not asked for all.
MANY = [(3 - i / 20000, 1e-4 * (1 - i / 12000)) for i in range(12000)]


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A folder with the folder of a run of that many steps."""
    folder = tmp_path_factory.mktemp("out")
    events(folder / "runs/today", MANY)
    return folder


@pytest.mark.parametrize("given", ["file", "folder", "folder of the run's folder"])
def test_events_of_tensorboard_have_every_step_that_was_logged(many, given):
    run = many / "runs/today"
    (file,) = run.iterdir()
    found = history.read({"file": file, "folder": run}.get(given, many))
    assert found["step"].tolist() == list(range(1, 12001))
    assert found["loss"].to_numpy() == pytest.approx([loss for loss, _ in MANY], rel=1e-6)
    assert found["rate_factor"].iloc[[0, -1]].tolist() == pytest.approx([1.0, 1 / 12000], rel=1e-3)
    assert "gradient_norm" not in found and history.batch_size(run) == {}


def test_events_as_tensorflow_2_writes_scalars(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter
    from tensorboard.util.tensor_util import make_tensor_proto

    writer = EventFileWriter(str(tmp_path))
    for step, loss in enumerate((0.7, 0.5), 1):
        values = [Summary.Value(tag="loss", tensor=make_tensor_proto(np.float32(loss))),
                  Summary.Value(tag="text", tensor=make_tensor_proto(np.array([b"words"], dtype=object)))]  # fmt: skip
        writer.add_event(Event(step=step, summary=Summary(value=values)))
    writer.close()
    assert history.read(tmp_path)["loss"].to_numpy() == pytest.approx([0.7, 0.5])


def test_events_that_are_of_two_runs_of_none_or_without_a_loss_say_so_in_one_line(tmp_path):
    for name in ("one", "other"):
        events(tmp_path / "runs" / name, [(1.0, 1e-5)])
    with pytest.raises(UserError, match=r"runs: the events of 2 runs; name the folder of one: .*runs/one"):
        history.read(tmp_path / "runs")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty: no file of TensorBoard's events"):
        history.read(tmp_path / "empty")
    with pytest.raises(UserError, match=r"no logged row has a loss; .*; it has eval/loss, step, x, y"):
        history.read(events(tmp_path / "strange", [(1.0, 2.0)], tags=("x", "y")))
    (tmp_path / "events.out.tfevents.1.host").write_bytes(b"no event\x00\xff" * 9)
    with pytest.raises(UserError, match="no logged row has a step"):
        history.read(tmp_path / "events.out.tfevents.1.host")


def test_without_tensorboard_the_command_that_installs_it_is_named(tmp_path, monkeypatch):
    (tmp_path / "events.out.tfevents.1.host").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "tensorboard.backend.event_processing.event_accumulator", None)
    with pytest.raises(UserError, match="which is missing: pip install tensorboard"):
        history.read(tmp_path)
