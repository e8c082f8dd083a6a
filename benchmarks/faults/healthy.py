"""Runs in which nothing is wrong: seeds, sizes, heads, poolings, candidates, objectives, types, sets, encoders."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.faults import raw, sets
from benchmarks.faults.cases import Case
from benchmarks.faults.fault import Change, Fault, Task

# Folders of other encoders that rank well, where the machine has some.
ENCODERS = Path(os.environ.get("WHYRANK_OTHER_ENCODERS", "models/others"))
RANKING = ("sample", "conditionalqa", "stackexchange")
TRAINING = {
    "dual": {"encoders": "dual"},
    "experts": {"head.kind": "experts"},
    "wide-head": {"head.hidden": 768, "head.dropout": 0.1},
    "last-layer": {"train": "last", "last_layers": 1, "head.kind": "none", "epochs": 2},
    "all-candidates": {"candidates": "all"},
    "hard-negatives": {"hard_negatives.count": 2},
    "learnt-scale": {"similarity.learn_scale": True},
    "linear": {"lr_scheduler": "linear"},
    "constant": {"lr_scheduler": "constant"},
    "small-batch": {"batch_size": 16},
    "large-batch": {"batch_size": 64},
    "three-epochs": {"epochs": 3},
    "ten-epochs": {"epochs": 10},
    "slow": {"learning_rate": 3.0e-4, "epochs": 10},
    "accumulated": {"gradient_accumulation_steps": 2},
    "last-weights": {"early_stopping.metric": ""},
}
# Budgets that hold nearly all texts of the sets with long ones: what a cut takes is no part of a healthy run.
WHOLE = {"prepare.tokens.answer": 512, "prepare.tokens.conversation": 384}
BUDGETS = {"conditionalqa": WHOLE, "stackexchange": WHOLE}
PREPARED: Mapping[str, Mapping[str, Any]] = {
    "pooled-by-mean": {"encoder.pooling": "mean"},
    "pooled-by-root": {"encoder.pooling": "mean_sqrt_len_tokens"},
    "pooled-by-weight": {"encoder.pooling": "weightedmean"},
    "single-precision": {"encoder.precision": "fp32"},
    "long-texts": {"prepare.tokens.answer": 256, "prepare.tokens.conversation": 192, "prepare.tokens.question": 64},
    "head-and-tail": {"prepare.selection.answer": "head_tail", "prepare.selection.conversation": "head_tail"},
    "five-layers": {"encoder.keep_layers": 5},
}


def one(
    name: str, set_name: str, seed: int, settings: Mapping[str, Any] | None = None, task: Task = "ranking",
    queries: int = 0, data: Change | None = None,
) -> Case:  # fmt: skip
    fault = Fault(name, "data", "nothing is wrong", "", task=task, data=data)
    budgets = BUDGETS.get(set_name, {}) if task in ("ranking", "barlow") else {}
    return Case("healthy", fault, set_name, seed, queries, {**budgets, **(settings or {})})


def of_type(kind: str) -> Change:
    """Queries of one type alone."""

    def data(folder: Path, random: np.random.Generator) -> None:
        kept = {row["_id"] for row in raw.read_lines(folder / "queries.jsonl") if row["metadata"]["type"] == kind}
        for split in raw.SPLITS:
            raw.write_qrels(folder, split, [row for row in raw.read_qrels(folder, split) if row[0] in kept])

    return data


def runs() -> Iterator[Case]:
    """Those whose sets and encoders this machine has."""
    return (case for case in all_runs() if sets.is_there(case.task, case.set))


def all_runs() -> Iterator[Case]:
    yield from (one("plain", name, seed) for seed in range(1, 9) for name in RANKING)
    sizes = (150, 250, 350, 600)
    yield from (one(f"{size}-queries", name, size % 7, queries=size) for size in sizes for name in RANKING)
    for number, (name, settings) in enumerate(TRAINING.items()):
        own = {f"finetune_rank.{key}": value for key, value in settings.items()}
        yield from (one(name, set_name, 20 + number, own) for set_name in RANKING)
    for number, (name, own) in enumerate(PREPARED.items()):
        yield from (one(name, set_name, 40 + number, own) for set_name in RANKING)
    for kind in ("question", "conversation"):
        yield from (one(f"{kind}s-alone", name, 50, data=of_type(kind)) for name in RANKING)
    yield from (one("barlow", name, seed, task="barlow") for seed in (1, 2, 3) for name in RANKING)
    yield from (one("pairs", name, seed, task="pairs") for seed in (1, 2, 3) for name in sets.SETS["pairs"])
    yield from (one("ratings", name, seed, task="ratings") for seed in (1, 2, 3) for name in sets.SETS["ratings"])
    for folder in sorted(ENCODERS.glob("*")):
        own = {"encoder.source": str(folder.resolve())}
        yield from (one(f"encoder-{folder.name}", name, 60, own) for name in RANKING[:2])
