"""What two processes gain over one here, a cost model fitted to it, and what the model predicts for GPUs.

    python benchmarks/scaling.py [--rounds 3] [--gpu-flops 1e14] [--gpu-bytes 5e10]

One thread a process. A step: encode a batch of random tokens, in-batch cross-entropy, gradients, their exchange, AdamW.

    seconds = other + token * tokens / processes + exchange        exchange: 0 of one process
"""

import argparse
import json
import os
import subprocess
import sys
import time
from typing import NamedTuple

import numpy as np
import torch
from speed_table import grid
from torch.nn import functional

from whyrank.core import processes
from whyrank.model.encoder.loading import load
from whyrank.model.encoder.source import embedded_folder
from whyrank.training.engine.vectors import LiveVectors

LENGTH, SCALE = 64, 20.0
# Of an all-reduce of one tensor between GPUs, assumed; training sums the gradient of each tensor by itself.
LATENCY = 30e-6
ANSWER_TOKENS, FEATURES, QUERIES, DAY = 150, 384, 10_000, 86_400


class Model(NamedTuple):
    """Seconds: `other` of a step, `token` of each token of its batch, `exchange` of the gradients of two processes."""

    other: float
    token: float
    exchange: float

    def step(self, tokens: int, count: int) -> float:
        return self.other + self.token * tokens / count + self.exchange * (count > 1)


def worker(pairs: int, steps: int) -> dict[str, float]:
    """Medians over the steps, of the first process: seconds of a step, and of those in the exchange."""
    processes.start()
    torch.manual_seed(0)
    encoder = load(embedded_folder(), attention_dropout=0.0).train()
    rows = list(np.random.default_rng(0).integers(1000, 30000, (2 * pairs, LENGTH)))
    vectors = LiveVectors(encoder, rows, batch_tokens=8192, precision="fp32")
    adamw = torch.optim.AdamW(encoder.parameters(), lr=1e-5)
    took = []
    for _ in range(1 + steps):
        started = time.perf_counter()
        query_BD, answer_BD = functional.normalize(vectors(np.arange(2 * pairs)), dim=1).split(pairs)
        functional.cross_entropy(SCALE * query_BD @ answer_BD.T, torch.arange(pairs)).backward()
        processes.wait()
        before = time.perf_counter()
        processes.sum_gradients(encoder.parameters())
        exchanged = time.perf_counter() - before
        adamw.step()
        adamw.zero_grad()
        took.append((time.perf_counter() - started, exchanged))
    step, exchange = np.median(took[1:], axis=0).tolist()
    weights = sum(one.numel() for name, one in encoder.named_parameters() if ".layer." in name)
    tensors = sum(1 for one in encoder.parameters() if one.requires_grad)
    size = sum(4 * one.numel() for one in encoder.parameters() if one.requires_grad)
    return {"step": step, "exchange": exchange, "weights": weights, "tensors": tensors, "bytes": size}


def measured(pairs: int, count: int, steps: int) -> dict[str, float]:
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    command = [sys.executable, *launcher, __file__, "--worker", str(pairs), "--steps", str(steps)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return json.loads(next(line for line in ran.stdout.splitlines() if line.startswith("{")))


def predicted(facts: dict[str, float], options: argparse.Namespace) -> list[list[str]]:
    """Rows for GPUs; none was measured."""
    rows = []
    for count in (1, 8, 64):
        tokens = 1024 * count * LENGTH
        compute = 6 * facts["weights"] * tokens / count / options.gpu_flops
        ring = 2 * (count - 1) / count * facts["bytes"] / options.gpu_bytes
        exchange = ring + facts["tensors"] * LATENCY if count > 1 else 0.0
        share = compute / (compute + exchange)
        for answers in (10**6, 10**7, 10**8, 10**9):
            encode = 2 * facts["weights"] * answers * ANSWER_TOKENS / count / options.gpu_flops
            search = 2 * QUERIES * answers * FEATURES / options.gpu_flops
            memory = 4 * answers * FEATURES / 2**30
            cells = [f"{1000 * (compute + exchange):.0f}", f"{100 * share:.0f}"] if answers == 10**6 else ["", ""]
            rows.append([f"{count}", *cells, f"{answers:,}", f"{encode:,.0f}", f"{search:,.1f}", f"{memory:,.1f}"])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--pairs", type=int, nargs=2, default=[16, 64], help="a small and a large batch")
    parser.add_argument("--gpu-flops", type=float, default=1e14, help="that a GPU reaches in training, assumed")
    parser.add_argument("--gpu-bytes", type=float, default=5e10, help="a second between GPUs, assumed")
    parser.add_argument("--worker", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        found = worker(options.worker, options.steps)
        if processes.is_first():
            print(json.dumps(found), flush=True)
        return
    cases = [(pairs, count) for pairs in options.pairs for count in (1, 2)]
    rounds = [{case: measured(*case, options.steps) for case in cases} for _ in range(options.rounds)]
    small, large = options.pairs
    median = {case: float(np.median([one[case]["step"] for one in rounds])) for case in cases}
    token = (median[large, 1] - median[small, 1]) / (2 * LENGTH * (large - small))
    exchange = float(np.median([one[pairs, 2]["exchange"] for one in rounds for pairs in options.pairs]))
    model = Model(median[small, 1] - token * 2 * LENGTH * small, token, exchange)
    table = []
    for pairs in options.pairs:
        ratio = [one[pairs, 1]["step"] / one[pairs, 2]["step"] for one in rounds]
        told = model.step(2 * LENGTH * pairs, 1) / model.step(2 * LENGTH * pairs, 2)
        shown = f"{np.median(ratio):.2f} ({min(ratio):.2f} to {max(ratio):.2f})"
        table.append([f"{pairs} pairs", f"{median[pairs, 1]:.2f}", f"{median[pairs, 2]:.2f}", shown, f"{told:.2f}"])
    print(grid(["batch", "s a step, 1 process", "2 processes", "times as fast (range)", "by the model"], table))
    print(f"other {model.other:.3f} s, token {1e6 * token:.1f} us, exchange {exchange:.3f} s a step\n")
    head = ["GPUs", "ms a step of 1,024 texts a GPU", "% in compute", "answers", "encode, s", "search, s", "GiB"]
    print(grid(head, predicted(rounds[0][cases[0]], options)))
    print(f"Predictions, none measured: {options.gpu_flops:g} FLOP/s and {options.gpu_bytes:g} bytes/s a GPU assumed.")


if __name__ == "__main__":
    main()
