"""A whole training as one process of a run: `torchrun job.py FOLDER`, or `run` in the process of the tests."""

import os
import pickle
import signal
import sys
from pathlib import Path

import pytest
import torch

from whyrank.core import processes
from whyrank.model import system
from whyrank.training import finetune
from whyrank.training.barlow import pretrain
from whyrank.training.barlow.gained import Gained
from whyrank.training.engine.loop import Loop
from whyrank.training.engine.sharding import ShardedVectors
from whyrank.training.engine.watch import DevWatch


def run(folder: Path) -> None:
    """Train as the file that `start` of test_processes.py wrote says; weights and history lie beside it then."""
    job = pickle.loads((folder / "job.pickle").read_bytes())
    step, gather = Loop.step, ShardedVectors.gather

    def step_of_one_that_is_told_to_stop(loop, number):
        step(loop, number)
        if number == job["stop_last_process_at"] and processes.number() == processes.count() - 1:
            os.kill(os.getpid(), signal.SIGTERM)

    def gather_and_tell(vectors):
        held = sum(parameter.to_local().numel() for parameter in vectors.encoder.parameters())
        (folder / f"held-by-{processes.number()}.txt").write_text(str(held))
        gather(vectors)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Loop, "step", step_of_one_that_is_told_to_stop)
        patch.setattr(ShardedVectors, "gather", gather_and_tell)
        if job["keeps_last"]:
            # The last weights are compared: which evaluation is best can hang on the rounding of one dev score.
            patch.setattr(DevWatch, "restore", lambda watch: watch.steps)
        if not job["gains"]:
            patch.setattr(Gained, "is_likely", lambda gained, result: False)
        torch.manual_seed(0)
        start = system.load(folder / "start")
        for module in start.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = job["dropout"]
        train = {"pretrain": pretrain.pretrain_barlow, "finetune": finetune.finetune_rank}[job["what"]]
        trained = train(start, job["prepared"], job["options"], job["encoder"], 7)
    torch.save(trained.system.state_dict(), folder / f"weights-{processes.number()}-of-{processes.count()}.pt")
    if processes.is_first():
        trained.history.steps.to_csv(folder / f"history-{processes.count()}.csv", index=False)


def main(folder: Path) -> None:
    processes.start()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    run(folder)


def in_surroundings(folder: Path, surroundings: dict[str, str]) -> None:
    os.environ |= surroundings
    main(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
