"""A signal ends training after the step in hand, with its state saved and an exit code that says so."""

import os
import signal
from types import SimpleNamespace

import pytest
from torch import nn

from whyrank.core.errors import Interrupted
from whyrank.training.engine.checkpoint import Checkpoints
from whyrank.training.engine.loop import Loop
from whyrank.training.engine.objective import Step

from .test_loop import optimisation


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
    with pytest.raises(Interrupted) as ended:
        Loop(trained, {"x": objective}, optimisation(), steps=9, what="test", checkpoints=kept).fit()
    assert ended.value.code == 128 + number
    assert len(done) == 3 and kept.latest().step == 3
    assert "stopped after step 3" in str(ended.value)


def test_a_signal_that_comes_after_the_last_step_ends_the_run_all_the_same(monkeypatch):
    trained = nn.Linear(1, 1)
    objective = SimpleNamespace(step=lambda: Step(trained.weight.sum(), {}), state_dict=dict)
    loop = Loop(trained, {"x": objective}, optimisation(), steps=2, what="test")
    keep = loop.keep

    def too_late(*, now):
        keep(now=now)
        if loop.done == 2:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(loop, "keep", too_late)
    with pytest.raises(KeyboardInterrupt):
        loop.fit()
