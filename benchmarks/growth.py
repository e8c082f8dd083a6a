"""How cost grows: with the number of texts, with their length, with the batch and with the number of answers.

    python benchmarks/growth.py [--write docs/growth.md]

Each exponent is the slope of log seconds over log size, by least squares over at least four sizes; each size is timed
three times and the median taken. Texts are random ids: only their lengths matter.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from whyrank.core import io
from whyrank.model.encoder.encoder import Encoder
from whyrank.model.encoder.loading import load
from whyrank.model.encoder.source import embedded_folder

REPEATS = 3


class Curve(NamedTuple):
    what: str
    sizes: Sequence[int]
    seconds: Sequence[float]

    @property
    def exponent(self) -> float:
        return float(np.polyfit(np.log(self.sizes), np.log(self.seconds), 1)[0])


def curve(what: str, sizes: Sequence[int], work: Callable[[int], object]) -> Curve:
    work(sizes[0])  # the first call pays for what is set up once
    return Curve(what, sizes, [timed(lambda size=size: work(size)) for size in sizes])


def timed(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds))


def texts(count: int, length: int) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(1000, 30000, (count, length)))


def encode(encoder: Encoder, rows: list[np.ndarray]) -> object:
    return encoder.encode(rows, batch_tokens=8192, precision="auto")


def train(encoder: Encoder, rows: list[np.ndarray]) -> None:
    encoder.train()
    with encoder.autocast("auto"):
        vector_BD = encoder(rows)
    (vector_BD @ vector_BD.T).logsumexp(1).mean().backward()


def score(answers: int) -> object:
    query_QD, answer_AD = torch.randn(256, 384), torch.randn(answers, 384)
    return (query_QD @ answer_AD.T).topk(100)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--write", type=Path, help="Markdown file to write the table to")
    arguments.add_argument("--divide", type=int, default=1, help="all sizes, for a smoke run")
    options = arguments.parse_args()

    def sizes(*full: int) -> list[int]:
        return [size // options.divide for size in full]

    encoder = load(embedded_folder(), attention_dropout=0.0)
    curves = [
        curve("encoding, texts of 64 tokens", sizes(64, 128, 256, 512), lambda n: encode(encoder, texts(n, 64))),
        curve(
            "encoding 64 texts, tokens of each", sizes(32, 64, 128, 256, 512), lambda n: encode(encoder, texts(64, n))
        ),
        curve("a training step, texts of 64 tokens", sizes(16, 32, 64, 128), lambda n: train(encoder, texts(n, 64))),
        curve(
            "a training step of 16 texts, tokens of each",
            sizes(32, 64, 128, 256),
            lambda n: train(encoder, texts(16, n)),
        ),
        curve("256 queries against answers", sizes(10_000, 20_000, 40_000, 80_000), score),
    ]
    lines = ["| what | sizes | seconds | exponent |", "|---|---|---|---|"]
    for one in curves:
        sizes, seconds = ", ".join(f"{n:,}" for n in one.sizes), ", ".join(f"{s:.2g}" for s in one.seconds)
        lines.append(f"| {one.what} | {sizes} | {seconds} | {one.exponent:.2f} |")
    table = "\n".join(lines) + "\n"
    sys.stdout.write(table)
    if options.write:
        io.write_text(options.write, table)


if __name__ == "__main__":
    main()
