"""The healthy configuration of each task: small budgets of tokens, and a head on cached
vectors, with which training brings a gain in seconds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.faults.fault import Task

# So that a case costs seconds: half the tokens of the default run.
SMALL = {
    "prepare.tokens.question": 32,
    "prepare.tokens.conversation": 96,
    "prepare.tokens.answer": 128,
    "preflight.stop_on": "never",
    "diagnose.resamples": 2000,
}
RANKING = SMALL | {
    "finetune_rank.train": "head",
    "finetune_rank.head.kind": "residual",
    "finetune_rank.head.hidden": 384,
    "finetune_rank.epochs": 6,
    "finetune_rank.learning_rate": 1.0e-3,
    "finetune_rank.early_stopping.evaluations": 5,
    "finetune_rank.early_stopping.patience": 5,
    "pretrain_barlow.steps": 0,
}
# The last weights are kept: what a fault does to them must be seen.
BARLOW = RANKING | {
    "pretrain_barlow.steps": 40,
    "pretrain_barlow.batch_size": 48,
    "pretrain_barlow.views": ["query-answer"],
    "pretrain_barlow.redundancy_weight": 0.005,
    "pretrain_barlow.learning_rate": 3.0e-4,
    "pretrain_barlow.early_stopping.metric": "",
}
PAIRS = RANKING | {
    "finetune_rank.objectives.rank.weight": 0.0,
    "finetune_rank.objectives.similarity.weight": 1.0,
    "finetune_rank.early_stopping.metric": "spearman_dev",
    "prepare.pairs.sources": [
        {
            "name": "nli", "use": "train", "kind": "classes", "path": "nli.csv",
            "labels": {"entailment": 0.8, "neutral": 0.5, "contradiction": 0.2},
        },
        {"name": "train", "use": "train", "kind": "scores", "path": "train.csv", "range": [0, 5]},
        {"name": "dev", "use": "dev", "kind": "scores", "path": "dev.csv", "range": [0, 5]},
        {"name": "test", "use": "test", "kind": "scores", "path": "test.csv", "range": [0, 5]},
    ],
}  # fmt: skip
RATINGS = RANKING | {
    "finetune_rank.objectives.rank.weight": 0.0,
    "finetune_rank.objectives.ratings.weight": 1.0,
    "finetune_rank.objectives.ratings.layer_means": True,
    "finetune_rank.head.kind": "none",
    "finetune_rank.epochs": 8,
    "finetune_rank.learning_rate": 1.0e-2,
    "finetune_rank.early_stopping.metric": "",
    "prepare.ratings.read": True,
    "prepare.ratings.layout": "separate",
    "prepare.ratings.tokens": {"title": 26, "body": 100, "answer": 130},
}
SETTINGS: Mapping[Task, Mapping[str, Any]] = {"ranking": RANKING, "barlow": BARLOW, "pairs": PAIRS, "ratings": RATINGS}
# Systems that only a task with pretraining has.
PRETRAINED = ("barlow", "barlow-tuned")


def settings(task: Task, folder: Path) -> dict[str, Any]:
    """Overrides of params.yaml by dotted key, for the raw set in `folder`."""
    own: dict[str, Any] = dict(SETTINGS[task])
    if task == "pairs":
        own["prepare.pairs.folder"] = str(folder)
    elif task == "ratings":
        own["prepare.ratings.source"] = str(folder / "ratings.csv")
    if task in ("ranking", "barlow"):
        own["prepare.source"] = str(folder)
    return own


def applied(values: dict[str, Any], task: Task, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The values of params.yaml with these overrides, and the systems of the task alone."""
    if task != "barlow":
        values["inits"] = ["base"]
        values["systems"] = {name: own for name, own in values["systems"].items() if name not in PRETRAINED}
    for key, value in overrides.items():
        *path, last = key.split(".")
        at = values
        for name in path:
            at = at.setdefault(name, {})
        at[last] = value
    return values
