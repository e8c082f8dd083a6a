"""A whole training as one process of a run: `torchrun job.py FOLDER`, for test_processes.py."""

import os
import pickle
import signal
import sys
from pathlib import Path

import torch

from whyrank.core import processes
from whyrank.model import system
from whyrank.training import finetune
from whyrank.training.barlow import pretrain
from whyrank.training.engine.loop import Loop
from whyrank.training.engine.sharding import ShardedVectors
from whyrank.training.engine.watch import DevWatch

folder = Path(sys.argv[1])
job = pickle.loads((folder / "job.pickle").read_bytes())
processes.start()
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
torch.manual_seed(0)
if job["keeps_last"]:
    # The last weights are compared: which look is the best can hang on the rounding of a single dev score.
    DevWatch.restore = lambda self: self.steps


def step_of_one_that_is_told_to_stop(loop, step, take=Loop.step):
    take(loop, step)
    if step == job["stop_last_process_at"] and processes.number() == processes.count() - 1:
        os.kill(os.getpid(), signal.SIGTERM)


def gather_and_tell(vectors, gather=ShardedVectors.gather):
    held = sum(parameter.to_local().numel() for parameter in vectors.encoder.parameters())
    (folder / f"held-by-{processes.number()}.txt").write_text(str(held))
    gather(vectors)


Loop.step, ShardedVectors.gather = step_of_one_that_is_told_to_stop, gather_and_tell
train = {"pretrain": pretrain.pretrain_barlow, "finetune": finetune.finetune_rank}[job["what"]]
start = system.load(folder / "start")
for module in start.modules():
    if isinstance(module, torch.nn.Dropout):
        module.p = job["dropout"]
trained = train(start, job["prepared"], job["options"], job["encoder"], 7)
torch.save(trained.system.state_dict(), folder / f"weights-{processes.number()}-of-{processes.count()}.pt")
if processes.is_first():
    trained.history.steps.to_csv(folder / f"history-{processes.count()}.csv", index=False)
