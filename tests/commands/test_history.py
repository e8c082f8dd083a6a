"""What other trainers log, as the history that checks read: what is not in a log is left out, and never made up."""

import json

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
        ("steps.txt", "1 2\n", r"name trainer_state\.json of a checkpoint, or a CSV with the columns step and loss"),
    ],
)
def test_a_file_that_is_no_history_is_one_line(tmp_path, name, content, says):
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=says):
        history.read(tmp_path / name)
