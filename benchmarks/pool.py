"""What a large pool of in-batch negatives costs with gradient caching: memory, seconds, and whether gradients differ.

python benchmarks/pool.py                       # 4,096 pairs, in the memory of a batch of 32
python benchmarks/pool.py --pairs 256 --small 8

Texts are random ids of 8 to 32 tokens. The plain batch and the cached pool are compared at `--small` x 8 pairs, which
both can hold; each measurement is a process of its own. Gradients are compared in float32, since with bfloat16 products
the two differ by rounding alone in the third digit.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import machine
import numpy as np
import torch
from speed_table import grid
from torch.nn import functional

from whyrank.core import runtime
from whyrank.model.encoder.loading import load
from whyrank.model.encoder.source import embedded_folder
from whyrank.training.engine.vectors import LiveVectors
from whyrank.training.ranking.losses import cross_entropy

SHORTEST, LONGEST = 8, 32
SCALE = 20.0


def vectors(pairs: int, cache_tokens: int, precision: str) -> LiveVectors:
    encoder = load(embedded_folder(), attention_dropout=0.0)
    random = np.random.default_rng(0)
    rows = [random.integers(1000, 30000, length) for length in random.integers(SHORTEST, LONGEST, 2 * pairs)]
    return LiveVectors(encoder, rows, batch_tokens=8192, precision=precision, cache_tokens=cache_tokens)


def step(source: LiveVectors, pairs: int) -> torch.Tensor:
    """The loss of one batch, its gradients computed. Dropout is off, so that gradients can be compared."""
    query_BD, answer_BD = functional.normalize(source(np.arange(2 * pairs)), dim=1).split(pairs)
    none_BB = torch.zeros(pairs, pairs, dtype=torch.bool)
    loss = cross_entropy(query_BD, answer_BD, torch.tensor(SCALE), torch.arange(pairs), none_BB)
    loss.backward()
    return loss


def peak() -> float:
    """MiB that this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 2**20)


def measure(pairs: int, cache_tokens: int, precision: str) -> dict[str, float]:
    runtime.arrange_memory(keep=not cache_tokens)
    source = vectors(pairs, cache_tokens, precision)
    before, started = peak(), time.perf_counter()
    loss = step(source, pairs)
    return {"seconds": time.perf_counter() - started, "rise": peak() - before, "loss": loss.item()}


def difference(pairs: int, cache_tokens: int) -> float:
    """Largest difference of a gradient with and without the cache, in units of the largest gradient of its tensor."""
    plain, cached = vectors(pairs, 0, "fp32"), vectors(pairs, cache_tokens, "fp32")
    step(plain, pairs)
    step(cached, pairs)
    largest = 0.0
    for one, other in zip(plain.encoder.parameters(), cached.encoder.parameters(), strict=True):
        if one.grad is not None and other.grad is not None:
            largest = max(largest, float((one.grad - other.grad).abs().max() / one.grad.abs().max().clamp(min=1e-3)))
    return largest


def in_own_process(*arguments: Any) -> dict[str, float]:
    command = [sys.executable, __file__, *map(str, arguments)]
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(ran.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=4096)
    parser.add_argument("--small", type=int, default=32, help="pairs of the plain batch whose memory is the yardstick")
    parser.add_argument("--precision", default="auto", help="of seconds, memory and losses: auto | bf16 | fp32")
    parser.add_argument("--one", nargs=2, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(*options.one, options.precision)))
        return
    tokens = options.small * (SHORTEST + LONGEST)
    runs = [(options.small, 0), (8 * options.small, 0), (8 * options.small, tokens), (options.pairs, tokens)]
    body = []
    for pairs, cache_tokens in runs:
        of = in_own_process("--one", pairs, cache_tokens, "--precision", options.precision)
        how = f"cached, {cache_tokens:,} tokens a group" if cache_tokens else "plain"
        body.append([f"{pairs:,}", how, f"{of['seconds']:.1f}", f"{of['rise']:,.0f}", f"{of['loss']:.4f}"])
    print(f"{machine.processor()}, {torch.get_num_threads()} threads\n")
    print(grid(["pairs", "gradients", "s a step", "MiB above the start", "loss"], body))
    both = 8 * options.small
    print(f"\nGradients of {both} pairs with the cache and without, in float32: {difference(both, tokens):.1e} at most")


if __name__ == "__main__":
    main()
