"""What a GPU does here: training of BERT-base, encoding beside sentence-transformers, and the memory that FSDP saves.

    python benchmarks/gpu.py                  # on a machine with a GPU, some minutes
    python benchmarks/gpu.py --tiny           # two layers of 32 features, to see that it runs

Weights are random: they cost what others do. Peak is the best rate of a square matrix product on the same device.
"""

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from speed_table import grid
from torch.nn import functional
from transformers import BertConfig, BertModel

from whyrank.core import processes, runtime
from whyrank.model import system
from whyrank.model.encoder.encoder import Encoder
from whyrank.model.encoder.loading import load
from whyrank.model.encoder.source import embedded_folder
from whyrank.training.engine.sharding import ShardedVectors
from whyrank.training.engine.vectors import LiveVectors

TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
LENGTHS, SCALE = (128, 512), 20.0


def device() -> torch.device:
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if torch.cuda.is_available() else CPU


CPU = torch.device("cpu")


def synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def bert(tiny: bool) -> Encoder:
    """BERT-base by its own configuration."""
    torch.manual_seed(0)
    config = BertConfig(**TINY if tiny else {}, attention_probs_dropout_prob=0.0)
    return Encoder(BertModel(config, add_pooling_layer=False), load(embedded_folder()).tokenizer, "mean").to(device())


def layer_weights(encoder: Encoder) -> int:
    return sum(one.numel() for name, one in encoder.named_parameters() if ".layer." in name)


def rows(count: int, length: int) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(1000, 30000, (count, length)))


class Steps:
    """Training steps of in-batch negatives on random tokens, with AdamW."""

    def __init__(self, encoder: Encoder, vectors: LiveVectors) -> None:
        self.encoder, self.vectors = encoder.train(), vectors
        self.adamw = torch.optim.AdamW(encoder.parameters(), lr=1e-5)

    def step(self) -> None:
        pairs = len(self.vectors.rows) // 2
        query_BD, answer_BD = functional.normalize(self.vectors(np.arange(2 * pairs)).float(), dim=1).split(pairs)
        functional.cross_entropy(
            SCALE * query_BD @ answer_BD.T, torch.arange(pairs, device=answer_BD.device)
        ).backward()
        processes.sum_gradients(self.encoder.parameters())
        self.adamw.step()
        self.adamw.zero_grad()

    def seconds(self, times: int) -> float:
        took = []
        for _ in range(2 + times):
            synchronise()
            started = time.perf_counter()
            self.step()
            synchronise()
            took.append(time.perf_counter() - started)
        return float(np.median(took[2:]))


def training(tiny: bool, times: int) -> list[list[str]]:
    """Tokens a second of training BERT-base, and the share of the peak."""
    dtype = runtime.product_dtype("auto")
    precision = "bf16" if dtype == torch.bfloat16 else "fp32"
    peak = runtime.product_rate(device(), dtype, 256 if tiny else 8192 if torch.cuda.is_available() else 1024)
    table = []
    for length in LENGTHS:
        encoder, texts = bert(tiny), 4 if tiny else 65_536 // length
        vectors = LiveVectors(encoder, rows(texts, length), batch_tokens=65_536, precision=precision)
        rate = texts * length / Steps(encoder, vectors).seconds(times)
        width, layers = encoder.token_width, encoder.transformer.config.num_hidden_layers
        # Six operations a weight and token, and attention to every token of the text.
        flops = rate * (6 * layer_weights(encoder) + 12 * layers * width * length)
        cells = [f"{rate:,.0f}", f"{flops / 1e12:.3g}", f"{peak / 1e12:.3g}", f"{100 * flops / peak:.0f}"]
        table.append([f"{length} tokens, {texts} texts", precision, *cells])
    return table


def encoding(texts: int) -> list[list[str]]:
    """Texts a second of MiniLM, in turns."""
    from sentence_transformers import SentenceTransformer

    with tempfile.TemporaryDirectory(prefix="whyrank-gpu-") as folder:
        encoder = load(embedded_folder())
        system.save(system.untrained(encoder), Path(folder) / "base", longest=256)
        model = SentenceTransformer(str(Path(folder) / "base"), device=str(device()))
    encoder.to(device())
    words = np.array(["wallet", "reset", "the", "key", "of", "an", "account", "is", "lost"])
    drawn = np.random.default_rng(0)
    made = [" ".join(drawn.choice(words, n)) for n in drawn.integers(10, 200, texts)]
    sides = {
        "whyrank": lambda: encoder.encode(encoder.tokenise(made, 256), batch_tokens=65_536, precision="auto"),
        "sentence-transformers": lambda: model.encode(made, batch_size=256),
    }
    took: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(4):
        for name, work in sides.items():
            started = time.perf_counter()
            work()
            synchronise()
            took[name].append(time.perf_counter() - started)
    return [[name, f"{texts / float(np.median(seconds[1:])):,.0f}"] for name, seconds in took.items()]


def sharded(tiny: bool, shard: bool) -> dict[str, float]:
    """MiB of a process's weights, gradients and AdamW state; on a GPU also the most that was held."""
    processes.start()
    encoder = bert(tiny)
    how = {"batch_tokens": 8192, "precision": "fp32"}
    vectors = ShardedVectors(encoder, rows(8, 32), **how) if shard else LiveVectors(encoder, rows(8, 32), **how)
    steps = Steps(encoder, vectors)
    steps.step()
    kept = [value for state in steps.adamw.state.values() for value in state.values()] + [*encoder.parameters()]
    local = [value.to_local() if hasattr(value, "to_local") else value for value in kept]
    # A gradient is as large as its weight.
    size = sum(one.numel() * one.element_size() for one in [*local, *local[-len([*encoder.parameters()]) :]])
    peak = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
    return {"held": size / 2**20, "peak": peak / 2**20}


def in_processes(tiny: bool, shard: bool, count: int) -> dict[str, float]:
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    command = [sys.executable, *launcher, __file__, "--worker", "sharded" if shard else "whole"]
    ran = subprocess.run(command + ["--tiny"] * tiny, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(next(line for line in ran.stdout.splitlines() if line.startswith("{")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--texts", type=int, default=5_000, help="to encode")
    parser.add_argument("--processes", type=int, default=2, help="that share an encoder, each with a GPU of its own")
    parser.add_argument("--worker", choices=["sharded", "whole"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        with contextlib.redirect_stdout(io.StringIO()):
            found = sharded(options.tiny, options.worker == "sharded")
        if processes.is_first():
            print(json.dumps(found), flush=True)
        return
    gpus = torch.cuda.device_count()
    print(torch.cuda.get_device_name() if gpus else "No GPU here: figures of the processor, which say nothing of one.")
    head = ["training BERT-base", "precision", "tokens/s", "TFLOP/s", "peak TFLOP/s", "% of peak"]
    print(grid(head, training(options.tiny, options.steps)))
    print(grid(["encoding MiniLM", "texts/s"], encoding(options.texts)))
    if 0 < gpus < options.processes:
        print(f"FSDP not measured: {options.processes} processes need a GPU each, and there is {gpus}.")
        return
    table = []
    for name, shard in (("whole", False), ("shard_encoder", True)):
        found = in_processes(options.tiny, shard, options.processes)
        peak = f"{found['peak']:,.1f}" if gpus else "no GPU"
        table.append([name, f"{options.processes}", f"{found['held']:,.1f}", peak])
    print(grid(["encoder", "processes", "MiB of weights, gradients, AdamW", "MiB at most on a GPU"], table))


if __name__ == "__main__":
    main()
