"""AdamW with a learning rate for each part of the system: which part learns when, how fast, and how far it moves."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from whyrank.core.errors import UserError
from whyrank.core.options.params import Optimisation
from whyrank.model.heads.task_heads import RANK
from whyrank.training.engine import sharding

LAYER = re.compile(r"\.layer\.(\d+)\.")
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
    """`learning_rate`: of the heads, else of the encoder; `encoder_learning_rate`: of its last trained layer;
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
    With `layer_decay` below 1 each layer of the encoder learns that much slower than the one above it, the embeddings
    slowest (Howard and Ruder 2018, arXiv:1801.06146; Clark et al. 2020, arXiv:2003.10555).
    """
    rates = rates or {}
    named = [(name, parameter) for name, parameter in trained.named_parameters() if parameter.requires_grad]
    layer = layers_of([name for name, _ in trained.named_parameters()])
    depth = 1 + max(layer.values(), default=-1)
    groups: dict[tuple[bool, str, float, bool], list[nn.Parameter]] = {}
    for name, parameter in named:
        is_encoder = "encoder" in name.split(".")
        task = "" if is_encoder or task_of(name) not in rates else task_of(name)
        rate = rates.get(task, optimisation.learning_rate)
        if is_encoder:
            rate = optimisation.encoder_learning_rate * optimisation.layer_decay ** (depth - 1 - layer[name])
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


def layer_of(name: str) -> int:
    """Number of the layer that a parameter of the encoder belongs to, from 0; -1 for embeddings and whatever else."""
    found = LAYER.search(f".{name}.")
    return int(found.group(1)) if found else -1


def layers_of(names: Sequence[str]) -> dict[str, int]:
    """`layer_of` each; what an encoder has above its pooling learns as its last layer does."""
    layer = {name: layer_of(name) for name in names}
    top = max(layer.values(), default=-1)
    return {name: top if is_projection(name) else own for name, own in layer.items()}


def is_projection(name: str) -> bool:
    return ".projection." in f".{name}"


def factor(step: int, *, steps: int, warmup_ratio: float, lr_scheduler: str) -> float:
    """Between 0 and 1: a straight rise over the first `warmup_ratio` of the steps, then the decay to 0 at the end.

    step   counted from 0; the first step already trains (its factor is above 0)
    """
    warmup = math.ceil(warmup_ratio * steps)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    done = (step - warmup) / max(1, steps - warmup)
    return {"cosine": (1 + math.cos(math.pi * done)) / 2, "linear": 1 - done, "constant": 1.0}[lr_scheduler]


def unfreeze(trained: nn.Module, optimisation: Optimisation, step: int, steps: int, trainable: Sequence[str]) -> None:
    """Set `requires_grad` of the encoder's parameters as of `step`, counted from 1; heads always learn.

    trainable   names of the parameters that learn at the end
    The layers follow one by one (Howard and Ruder 2018, arXiv:1801.06146), the embeddings with the first layer.
    """
    if optimisation.freeze_steps == 0 and optimisation.unfreeze_every == 0:
        return
    own = layers_of([name for name in trainable if "encoder" in name.split(".")])
    layer = {name: max(0, number) for name, number in own.items()}
    if not layer:
        return
    layers = sorted(set(layer.values()), reverse=optimisation.unfreeze == "top_down")
    past, every = step - 1 - freeze_steps(optimisation, steps), optimisation.unfreeze_every
    if past < 0:
        learning: set[int] = set()
    else:
        learning = set(layers if every == 0 else layers[: 1 + past // every])
    parameters = dict(trained.named_parameters())
    for name, number in layer.items():
        parameters[name].requires_grad_(number in learning)


def freeze_steps(optimisation: Optimisation, steps: int) -> int:
    """Raises UserError where the encoder, which is to be trained, would never learn."""
    asked = optimisation.freeze_steps
    frozen = round(asked * steps) if asked < 1 else round(asked)
    if 0 < steps <= frozen:
        raise UserError(
            f"params.yaml: `freeze_steps` is {asked:g}, and training has {steps} steps: the encoder would never learn; "
            "take fewer (below 1: a share of all steps), or set train to head"
        )
    return frozen


class Movement:
    """Remembers where the named parameters of `trained` start."""

    def __init__(self, trained: nn.Module, names: Sequence[str]) -> None:
        self.trained = trained
        parameters = dict(trained.named_parameters())
        self.start: dict[str, dict[str, torch.Tensor]] = {}
        for name in names:
            self.start.setdefault(part_of(name), {})[name] = parameters[name].detach().clone()
        self.length = {part: float(sharding.norm(own.values())) for part, own in self.start.items()}

    def __call__(self) -> dict[str, float]:
        """`moved_heads`, `moved_block_5`, …: length of the change of the weights over the length they started with.

        Without unit, at least 0; AdamW moves every weight by about one learning rate a step.
        """
        parameters = dict(self.trained.named_parameters())
        moved = {}
        for part, own in self.start.items():
            change = sharding.norm([parameters[name].detach() - start for name, start in own.items()])
            moved[part] = float(change) / max(self.length[part], 1e-12)
        return moved


def part_of(name: str) -> str:
    """The column of the history."""
    if "encoder" not in name.split("."):
        return "moved_heads"
    if is_projection(name):
        return "moved_projection"
    return f"moved_block_{layer_of(name)}" if layer_of(name) >= 0 else "moved_embeddings"


def training_mode(trained: nn.Module) -> None:
    """Dropout and batch statistics on, except in frozen parts, whose output must not change."""
    trained.train()
    has, learns = set(), set()  # names of the modules with a parameter in them, and with one that learns
    for name, parameter in trained.named_parameters(remove_duplicate=False):
        above = {name[:at] for at, letter in enumerate(name) if letter == "."} | {""}
        has |= above
        if parameter.requires_grad:
            learns |= above
    for name in has - learns:
        trained.get_submodule(name).eval()
