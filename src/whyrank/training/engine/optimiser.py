"""AdamW with a learning rate for each part of the system: heads, encoder, and each block of the encoder."""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from whyrank.core.errors import UserError
from whyrank.core.options.params import Optimisation
from whyrank.model.heads.task_heads import RANK
from whyrank.training.engine.schedule import factor

BLOCK = re.compile(r"\.layer\.(\d+)\.")
OF_TASK = re.compile(
    r"heads\.(query|answer)\.|(heads\.tasks\.(own|embedding|attention\.\w+)|objectives)\.(?P<task>\w+)(\.|$)"
)


class Optimiser:
    """AdamW whose learning rates are a function of the step, so that a resumed run needs no scheduler's state."""

    def __init__(
        self, trained: nn.Module, optimisation: Optimisation, steps: int, rates: Mapping[str, float] | None = None
    ) -> None:
        self.optimisation, self.steps = optimisation, steps
        groups = parameter_groups(trained, optimisation, rates)
        self.peaks = [group["lr"] for group in groups]
        # One kernel over all weights; it takes floats of one device only, which ours are.
        self.adamw = torch.optim.AdamW(groups, weight_decay=optimisation.weight_decay, fused=True)

    def rates(self, step: int) -> dict[str, float]:
        """Set the rates of `step`, counted from 1, and return them as columns of the history.

        Beside them `rate_factor`, what the peak rates are multiplied by, and `progress`, the share of the planned steps
        that are made with this one: a run that is stopped ends below 1.
        """
        options = self.optimisation
        share = factor(step - 1, steps=self.steps, warmup_ratio=options.warmup_ratio, lr_scheduler=options.lr_scheduler)
        for group, peak in zip(self.adamw.param_groups, self.peaks, strict=True):
            group["lr"] = peak * share
        return learning_rates(self.adamw) | {"rate_factor": share, "progress": step / self.steps}


def learning_rates(adamw: torch.optim.Optimizer) -> dict[str, float]:
    """`learning_rate`: of the heads, else of the encoder; `encoder_learning_rate`: of its last trained block;
    `<task>_learning_rate`: of what a task has for itself, where that is another."""
    groups = adamw.param_groups
    encoder = [group["lr"] for group in groups if group["is_encoder"]]
    own = {f"{group['task']}_learning_rate": group["lr"] for group in groups if "task" in group}
    return {"learning_rate": groups[0]["lr"]} | ({"encoder_learning_rate": max(encoder)} if encoder else {}) | own


def parameter_groups(
    trained: nn.Module, optimisation: Optimisation, rates: Mapping[str, float] | None = None
) -> list[dict[str, Any]]:
    """Heads first, then the encoder, with their own learning rates; biases and normalisation weights without decay.

    rates   by task, of the weights that it has for itself. Raises UserError where it has none
    With `layer_decay` below 1 each block of the encoder learns that much slower than the one above it, the embeddings
    slowest (Howard and Ruder 2018, arXiv:1801.06146; Clark et al. 2020, arXiv:2003.10555).
    """
    rates = rates or {}
    named = [(name, parameter) for name, parameter in trained.named_parameters() if parameter.requires_grad]
    depth = 1 + max((block_of(name) for name, _ in trained.named_parameters()), default=-1)
    groups: dict[tuple[bool, str, float, bool], list[nn.Parameter]] = {}
    for name, parameter in named:
        is_encoder = "encoder" in name.split(".")
        task = "" if is_encoder or task_of(name) not in rates else task_of(name)
        rate = rates.get(task, optimisation.learning_rate)
        if is_encoder:
            rate = optimisation.encoder_learning_rate * optimisation.layer_decay ** (depth - 1 - block_of(name))
        groups.setdefault((is_encoder, task, -rate, parameter.ndim > 1), []).append(parameter)
    for task in rates.keys() - {key[1] for key in groups}:
        raise UserError(
            f"params.yaml: `finetune_rank.objectives.{task}.learning_rate` is {rates[task]}, and {task} has no weight "
            f"of its own; use -S finetune_rank.objectives.{task}.head.kind=residual, or learning_rate=0"
        )
    return [
        {"params": groups[key], "lr": -key[2], "is_encoder": key[0]}
        | ({"task": key[1]} if key[1] else {})
        | ({} if key[3] else {"weight_decay": 0.0})
        for key in sorted(groups)
    ]


def task_of(name: str) -> str:
    """The task that has a parameter of the heads or of an objective for itself; "" for those of all tasks.

    The names are those of `System.heads` and of `run.finetune_rank`: heads.query.0…, heads.answer.0… of ranking,
    heads.tasks.own.similarity.0…, heads.tasks.embedding.rank, heads.tasks.attention.query.rank,
    objectives.classification.classify.weight.
    """
    found = OF_TASK.match(name)
    return (found["task"] or RANK) if found else ""


def block_of(name: str) -> int:
    """Number of the block that a parameter of the encoder belongs to, from 0; -1 for embeddings and whatever else."""
    found = BLOCK.search(f".{name}.")
    return int(found.group(1)) if found else -1
