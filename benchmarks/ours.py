"""The work done by whyrank, one run in one process: `python ours.py <folder of the run>`.

reads   <folder>/job.json, and of the task that it names prepared/, base/, texts.json, params.json
writes  <folder>/result.json, <folder>/vectors.npy

Shapes: N texts
"""

import dataclasses
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from whyrank.core import io, prepared, runtime
from whyrank.core.options import overrides, params
from whyrank.model import system
from whyrank.model.encoder import source
from whyrank.scoring.ranking import score as rank
from whyrank.training import finetune


def finetuning(job: dict[str, Any], folder: Path) -> dict[str, float]:
    """The ranking objective; option `train`: all | last (two layers) | head.

    Seconds: `setup`, before training (kept activations, the table of vectors); `step`, of one step; `whole`, of all.
    The last two with the tokenising of the pairs, which whyrank does in an earlier stage and the peers in every step.
    """
    task = Path(job["task"])
    texts = prepared.read(task / "prepared")
    values = io.read_json(task / "params.json")
    encoder = params.section(values, "encoder", params.Encoder)
    options = as_peers(params.section(values, "finetune_rank", params.FinetuneRank), job)
    start = system.load(task / "base")
    setup = Stopwatch(finetune.vectors_for)
    started = time.perf_counter()
    # An evaluation that costs nothing and always prefers the later weights: those of the last step are kept, as by the
    # other libraries.
    with patch.object(finetune, "dev_metrics", ever_better), patch.object(finetune, "vectors_for", setup):
        trained = finetune.finetune_rank(start, texts, options, encoder, job["seed"])
    whole = time.perf_counter() - started
    speed = trained.history.speed.iloc[job["warm_up"] :]
    seconds, steps = speed["seconds"].iloc[-1] - speed["seconds"].iloc[0], len(speed) - 1
    tokenising = tokenising_a_pair(start.encoder, job)
    result = {
        "setup": setup.seconds,
        "step": seconds / steps + job["batch"] * tokenising,
        "whole": whole + len(texts.relevant_in("train")) * tokenising,
        "tokens_per_second": speed["tokens"].iloc[1:].sum() / seconds,
    }
    if options.train == "all":
        shown_N = [
            *texts.answers["input_ids"],
            *texts.queries["input_ids"].iloc[rank.queries_with_relevant(texts, "dev")],
        ]
        limits: dict[str, Any] = {"batch_tokens": encoder.batch_tokens, "precision": encoder.precision}
        np.save(folder / "vectors.npy", trained.system.encoder.encode(shown_N, **limits))
    return {name: float(value) for name, value in result.items()}


def quality(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The shipped parameters changed by the options. `evaluations`: what each took from the start, and its MAP@10."""
    task = Path(job["task"])
    texts = prepared.read(task / "prepared")
    values = io.read_json(task / "params.json")
    values = overrides.put(values, {f"finetune_rank.{key}": value for key, value in job["options"].items()})
    encoder = params.section(values, "encoder", params.Encoder)
    options = params.section(values, "finetune_rank", params.FinetuneRank)
    start = system.load(task / "base")
    clocks = {"seconds": time.perf_counter, "processor": time.process_time}
    before = {name: clock() for name, clock in clocks.items()}
    tokenising_a_pair(start.encoder, job)
    evaluations: list[dict[str, float]] = []
    metrics_of = finetune.dev_metrics

    def noted(*given: Any) -> Callable[[], dict[str, float]]:
        metrics = metrics_of(*given)

        def evaluate() -> dict[str, float]:
            found = metrics()
            spent = {name: clock() - before[name] for name, clock in clocks.items()}
            evaluations.append(spent | {"map@10": found["map@10_all"]})
            return found

        return evaluate

    with patch.object(finetune, "dev_metrics", noted):
        finetune.finetune_rank(start, texts, options, encoder, job["seed"])
    return {"evaluations": evaluations}


def as_peers(options: params.FinetuneRank, job: dict[str, Any]) -> params.FinetuneRank:
    """In-batch negatives under a fixed scale, and the optimisation that transformers' Trainer comes with."""
    train = job["options"]["train"]
    return dataclasses.replace(
        options,
        train=train,
        last_layers=2,
        # A new head is what a frozen encoder has to train.
        head=dataclasses.replace(options.head, kind="residual" if train == "head" else "none"),
        candidates="batch",
        batch_size=job["batch"],
        similarity=dataclasses.replace(options.similarity, kind="cosine", scale=20.0, learn_scale=False),
        epochs=10_000.0,  # as many as `max_steps` takes
        max_steps=job["steps"],
        early_stopping=dataclasses.replace(
            options.early_stopping, metric="turn", evaluations=1, eval_steps=0, patience=1
        ),
        learning_rate=job["learning_rate"],
        encoder_learning_rate=job["learning_rate"],
        weight_decay=0.0,
        warmup_ratio=0.0,
        lr_scheduler="linear",
        max_grad_norm=1.0,
    )


def ever_better(*_: Any) -> Callable[[], dict[str, float]]:
    evaluations: list[float] = []

    def evaluate() -> dict[str, float]:
        evaluations.append(len(evaluations))
        return {"turn": evaluations[-1]}

    return evaluate


class Stopwatch:
    """A function that adds up the seconds it takes."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.seconds = 0.0

    def __call__(self, *arguments: Any) -> Any:
        started = time.perf_counter()
        result = self.function(*arguments)
        self.seconds += time.perf_counter() - started
        return result


def tokenising_a_pair(encoder: Any, job: dict[str, Any]) -> float:
    """Seconds, a mean over the training pairs."""
    pairs = io.read_json(Path(job["task"]) / "texts.json")["pairs"]
    started = time.perf_counter()
    for side in zip(*pairs, strict=True):
        encoder.tokenise(side, job["tokens"])
    return (time.perf_counter() - started) / len(pairs)


def encode(job: dict[str, Any], folder: Path) -> dict[str, float]:
    """Texts to vectors, tokenising included."""
    task = Path(job["task"])
    options = params.section(io.read_json(task / "params.json"), "encoder", params.Encoder)
    corpus = io.read_json(task / "texts.json")["corpus"]
    encoder = source.bring(options, [])

    def vectors(texts: list[str]) -> np.ndarray:
        rows = encoder.tokenise(texts, job["tokens"])
        return encoder.encode(rows, batch_tokens=options.batch_tokens, precision=options.precision)

    vectors(corpus[:32])
    started = time.perf_counter()
    vector_ND = vectors(corpus)
    seconds = time.perf_counter() - started
    np.save(folder / "vectors.npy", vector_ND)
    return {"whole": seconds}


def main() -> None:
    folder = Path(sys.argv[1])
    job = io.read_json(folder / "job.json")
    runtime.seed_everything(job["seed"])
    runtime.arrange_memory(keep=True)
    io.write_json(
        folder / "result.json", {"finetune": finetuning, "encode": encode, "quality": quality}[job["work"]](job, folder)
    )


if __name__ == "__main__":
    main()
