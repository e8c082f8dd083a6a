"""The work done by sentence-transformers and angle_emb, one run in one process: `python peers.py <folder of the run>`.

Imports nothing of whyrank, for angle_emb runs in an environment of its own.

reads   <folder>/job.json, and of the task that it names texts.json
writes  <folder>/result.json, <folder>/vectors.npy

Shapes: P pairs
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def finetune(job: dict[str, Any], texts: dict[str, Any], folder: Path) -> dict[str, float]:
    """The whole encoder under MultipleNegativesRankingLoss, by the Trainer of sentence-transformers.

    options   `bf16`, `grouped` (batches of like length), `attention_dropout` (else what the encoder declares)
    """
    from sentence_transformers import SentenceTransformer

    dropout = job["options"].get("attention_dropout")
    config = {} if dropout is None else {"attention_probs_dropout_prob": dropout}
    model = SentenceTransformer(texts["encoder"], device="cpu", config_kwargs=config)
    model.max_seq_length = job["tokens"]
    step = train(model, job, texts, folder)
    np.save(folder / "vectors.npy", model.encode(texts["scored"]))
    return {"step": step}


def frozen(job: dict[str, Any], texts: dict[str, Any], folder: Path) -> dict[str, float]:
    """Only a linear layer over the frozen encoder, which sentence-transformers runs anew for every step."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Dense

    encoder = SentenceTransformer(texts["encoder"], device="cpu")
    encoder.max_seq_length = job["tokens"]
    encoder.requires_grad_(False)
    width = encoder.get_embedding_dimension()
    assert width is not None
    model = SentenceTransformer(modules=[*encoder, Dense(width, width)], device="cpu")
    return {"step": train(model, job, texts, folder)}


def quality(job: dict[str, Any], texts: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Whole rounds of `finetune`, and after each the vectors and what training has taken so far.

    `evaluations`: for each `seconds` and `processor`, of training alone, and `vectors`, the file of those texts.
    """
    from sentence_transformers import SentenceTransformer
    from transformers import TrainerCallback

    model = SentenceTransformer(texts["encoder"], device="cpu", config_kwargs={"attention_probs_dropout_prob": 0.0})
    model.max_seq_length = job["tokens"]
    rounds: list[dict[str, Any]] = []
    spent = {"seconds": 0.0, "processor": 0.0}
    clocks = {"seconds": time.perf_counter, "processor": time.process_time}

    class Rounds(TrainerCallback):  # type: ignore[misc]
        def on_epoch_begin(self, *_: Any, **__: Any) -> None:
            self.began = {name: clock() for name, clock in clocks.items()}

        def on_epoch_end(self, *_: Any, **__: Any) -> None:
            for name, clock in clocks.items():
                spent[name] += clock() - self.began[name]
            file = folder / f"round-{len(rounds) + 1}.npy"
            np.save(file, model.encode(texts["scored"]))
            model.train()
            rounds.append(spent | {"vectors": str(file)})

    train(model, job, texts, folder, callbacks=[Rounds()])
    return {"evaluations": rounds}


def train(
    model: Any, job: dict[str, Any], texts: dict[str, Any], folder: Path, callbacks: list[Any] | None = None
) -> float:
    """Seconds per step."""
    from datasets import Dataset
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    options = job["options"]
    pairs = Dataset.from_dict(columns("anchor", "positive", texts))
    extra: dict[str, Any] = {"batch_sampler": grouped_by_length(model, texts, job)} if options.get("grouped") else {}
    arguments = SentenceTransformerTrainingArguments(
        per_device_train_batch_size=job["batch"],
        bf16=options.get("bf16", False),
        warmup_steps=job.get("warmup", 0),
        **common(job, folder),
        **extra,
    )
    trainer = SentenceTransformerTrainer(
        model=model, args=arguments, train_dataset=pairs, loss=MultipleNegativesRankingLoss(model), callbacks=callbacks
    )
    starts = note_steps()
    trainer.train()
    return per_step(starts, job)


def columns(query: str, answer: str, texts: dict[str, Any]) -> dict[str, list[str]]:
    return {query: [pair[0] for pair in texts["pairs"]], answer: [pair[1] for pair in texts["pairs"]]}


def grouped_by_length(model: Any, texts: dict[str, Any], job: dict[str, Any]) -> Callable[..., Any]:
    """Batches of like length, for `batch_sampler`: the trainer of 6.2 does not read `train_sampling_strategy`.

    The batches come in an order in which any few of them are a fair sample of all lengths: multiples of the golden
    ratio, less their whole part, are spread evenly however many are taken. transformers' own sampler begins with the
    longest, which in a short measurement would stand for all.
    """
    from sentence_transformers.base.sampler import DefaultBatchSampler

    sides = columns("query", "answer", texts).values()
    ids = [model.tokenizer(side, truncation=True, max_length=job["tokens"])["input_ids"] for side in sides]
    length_P = np.array([len(query) + len(answer) for query, answer in zip(*ids, strict=True)])
    count, size = len(length_P) // job["batch"], job["batch"]
    drawn = np.random.default_rng(job["seed"]).permutation(len(length_P))[: count * size]
    batches = drawn[np.argsort(length_P[drawn], kind="stable")].reshape(count, size)
    spread = np.argsort(np.argsort(np.arange(count) * (5**0.5 - 1) / 2 % 1))
    order = batches[spread].flatten().tolist()
    return lambda dataset, **options: DefaultBatchSampler(order, **options)


def angle(job: dict[str, Any], texts: dict[str, Any], folder: Path) -> dict[str, float]:
    """The whole encoder by angle_emb on queries and positives, its in-batch negatives.

    It starts with 1,000 steps of warm-up and drops pairs with a text that the batch has already; both are off, so that
    it trains as the others do.
    """
    from angle_emb import AnglE
    from datasets import Dataset

    model = AnglE.from_pretrained(
        texts["encoder"], pooling_strategy="mean", max_length=job["tokens"], train_mode=True, device="cpu"
    )
    arguments = common(job, folder)
    starts = note_steps()
    model.fit(
        train_ds=Dataset.from_dict(columns("query", "positive", texts)),
        batch_size=job["batch"],
        warmup_steps=0,
        filter_duplicate=False,
        **{name: arguments.pop(name) for name in ("output_dir", "learning_rate", "save_strategy")},
        argument_kwargs=arguments,
    )
    step = per_step(starts, job)
    scored = texts["scored"]
    vectors = [model.encode(scored[start : start + 32]) for start in range(0, len(scored), 32)]
    np.save(folder / "vectors.npy", np.concatenate(vectors))
    return {"step": step}


def common(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Arguments of transformers' Trainer; the last, short batch of a round is left out, so that all have one size."""
    return {
        "output_dir": str(folder / "trainer"),
        "max_steps": job["steps"],
        "learning_rate": job["learning_rate"],
        "seed": job["seed"],
        "dataloader_drop_last": True,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
    }


def note_steps() -> list[float]:
    """Filled with the moment at which each step begins, its batch being at hand."""
    import transformers

    starts: list[float] = []
    original = transformers.Trainer.training_step

    def training_step(*arguments: Any, **named: Any) -> Any:
        starts.append(time.perf_counter())
        return original(*arguments, **named)

    transformers.Trainer.training_step = training_step  # type: ignore[method-assign]
    return starts


def per_step(starts: list[float], job: dict[str, Any]) -> float:
    """From the beginning of a step to that of a later one: steps and the making of as many batches, all whole."""
    assert len(starts) == job["steps"], f"{len(starts)} steps, expected {job['steps']}"
    timed = starts[job["warm_up"] :]
    return (timed[-1] - timed[0]) / (len(timed) - 1)


def encode(job: dict[str, Any], texts: dict[str, Any], folder: Path) -> dict[str, float]:
    """`SentenceTransformer.encode` as it comes; option `bf16`: under autocast."""
    import torch
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(texts["encoder"], device="cpu")
    model.max_seq_length = job["tokens"]
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=job["options"].get("bf16", False)):
        model.encode(texts["corpus"][:32])
        started = time.perf_counter()
        vectors = model.encode(texts["corpus"])
        seconds = time.perf_counter() - started
    np.save(folder / "vectors.npy", vectors)
    return {"whole": seconds}


def main() -> None:
    folder = Path(sys.argv[1])
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    texts = json.loads((Path(job["task"]) / "texts.json").read_text(encoding="utf-8"))
    work = {"finetune": finetune, "frozen": frozen, "angle": angle, "encode": encode, "quality": quality}[job["work"]]
    result = work(job, texts, folder)
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
