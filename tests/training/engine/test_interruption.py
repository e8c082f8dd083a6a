"""A signal ends training after the step in hand, with its state saved and an exit code that says so."""

import os
import signal
from types import SimpleNamespace

import pytest
from torch import nn

from whyrank.training.engine.checkpoint import Checkpoints, interruption
from whyrank.training.engine.loop import Loop
from whyrank.training.engine.objective import Step

from .test_loop import optimisation


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_noted_and_a_second_one_acts_as_usual(number):
    before = signal.getsignal(number)
    with interruption() as noted:
        assert noted.signal == 0
        os.kill(os.getpid(), number)
        assert noted.signal == number
        assert signal.getsignal(number) is before
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_training_ends_after_the_step_in_hand_with_a_checkpoint_and_an_exit_code(tmp_path, number):
    trained = nn.Linear(1, 1)
    done = []

    def step():
        done.append(1)
        if len(done) == 3:
            os.kill(os.getpid(), number)
        return Step(trained.weight.sum(), {})

    objective = SimpleNamespace(step=step, state_dict=dict)
    kept = Checkpoints(tmp_path / "run")
    with pytest.raises(SystemExit) as ended:
        Loop(trained, {"x": objective}, optimisation(), steps=9, what="test", checkpoints=kept).fit()
    assert ended.value.code == 128 + number
    assert len(done) == 3 and kept.latest().step == 3
