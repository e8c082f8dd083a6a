"""The training loop: objectives in, trained weights and history out."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import nn

from whyrank.core.errors import UserError
from whyrank.core.params import EarlyStopping, Optimisation
from whyrank.core.progress import progress
from whyrank.training.objective import Objective
from whyrank.training.schedule import factor


class Weighted(NamedTuple):
    weight: float
    objective: Objective


class History(NamedTuple):
    steps: pd.DataFrame  # one row per step; only the column `step` where there was none
    evaluations: pd.DataFrame  # one row per look at the dev set; empty without one
    best_step: int  # the step whose weights were kept; the last one without a dev set


def fit(
    trained: nn.Module,
    objectives: Mapping[str, Weighted],
    optimisation: Optimisation,
    *,
    steps: int,
    what: str,
    evaluate: Callable[[], dict[str, float]] | None = None,
    early_stopping: EarlyStopping | None = None,
) -> History:
    """Minimise the weighted sum of the objectives over the parameters of `trained` that require gradients.

    trained         holds every module whose weights change; the encoder is its child `encoder`, if it is among them
    steps           upper bound; 0 trains nothing
    evaluate        dev metrics, larger is better; looked at before the first step, every steps / `early_stopping.looks`
                    steps and after the last one
    Leaves in `trained` the weights of the best look (the earliest best), and everything in evaluation mode.
    Stops at once, naming the step, when a loss or a gradient is not finite.
    """
    optimiser = torch.optim.AdamW(parameter_groups(trained, optimisation), weight_decay=optimisation.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: factor(step, steps=steps, warmup_ratio=optimisation.warmup_ratio, decay=optimisation.decay),
    )
    watch = DevWatch(trained, evaluate, early_stopping, steps) if evaluate and early_stopping else None
    if watch:
        watch.look(0)
    rows: list[dict[str, float]] = []
    for step in progress(range(1, steps + 1), total=steps, what=what):
        training_mode(trained)
        rows.append({"step": step} | one_step(trained, objectives, optimiser, optimisation.clip, step))
        schedule.step()
        if watch and (step % watch.every == 0 or step == steps) and watch.look(step):
            break
    best_step = watch.restore() if watch else steps
    trained.eval()
    history = pd.DataFrame(rows, columns=None if rows else ["step"])
    return History(history, pd.DataFrame(watch.rows if watch else []), best_step)


def one_step(
    trained: nn.Module,
    objectives: Mapping[str, Weighted],
    optimiser: torch.optim.Optimizer,
    clip: float,
    step: int,
) -> dict[str, float]:
    """One update; returns the row of the history."""
    record: dict[str, float] = {}
    total: torch.Tensor | float = 0.0
    for weight, objective in objectives.values():
        result = objective.step()
        total = total + weight * result.loss
        record |= result.record
    assert isinstance(total, torch.Tensor)
    optimiser.zero_grad(set_to_none=True)
    total.backward()
    gradient_norm = nn.utils.clip_grad_norm_(trained.parameters(), clip)
    if not (torch.isfinite(total) and torch.isfinite(gradient_norm)):
        raise UserError(
            f"step {step}: loss {total.item()} with gradient norm {gradient_norm.item()} is not finite; "
            "lower the learning rate, or use -S encoder.precision=fp32"
        )
    rates = learning_rates(optimiser)
    optimiser.step()
    return {"loss": total.item()} | rates | {"gradient_norm": gradient_norm.item()} | record


def learning_rates(optimiser: torch.optim.Optimizer) -> dict[str, float]:
    """`learning_rate`: of the heads, else of the encoder; `encoder_learning_rate`: where the encoder is trained."""
    groups = optimiser.param_groups
    encoder = [group["lr"] for group in groups if group["is_encoder"]]
    return {"learning_rate": groups[0]["lr"]} | ({"encoder_learning_rate": encoder[0]} if encoder else {})


def parameter_groups(trained: nn.Module, optimisation: Optimisation) -> list[dict[str, Any]]:
    """Heads first, then the encoder, with their own learning rates; biases and normalisation weights without decay."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in trained.named_parameters():
        if parameter.requires_grad:
            key = ("encoder" in name.split("."), parameter.ndim > 1)
            groups.setdefault(key, []).append(parameter)
    rate = {True: optimisation.encoder_learning_rate, False: optimisation.learning_rate}
    return [
        {"params": groups[is_encoder, decays], "lr": rate[is_encoder], "is_encoder": is_encoder}
        | ({} if decays else {"weight_decay": 0.0})
        for is_encoder, decays in sorted(groups)
    ]


def training_mode(trained: nn.Module) -> None:
    """Dropout and batch statistics on, except in frozen parts, which must go on giving what they gave."""
    trained.train()
    for module in trained.modules():
        parameters = list(module.parameters())
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            module.eval()


class DevWatch:
    """Looks at the dev set now and then, keeps the best weights, and says when patience is at its end."""

    def __init__(
        self, trained: nn.Module, evaluate: Callable[[], dict[str, float]], stopping: EarlyStopping, steps: int
    ) -> None:
        if stopping.looks < 1:
            raise UserError(
                f"params.yaml: `finetune_rank.early_stopping.looks` is {stopping.looks}; it takes 1 or more, "
                "as in -S finetune_rank.early_stopping.looks=4"
            )
        self.trained = trained
        self.evaluate = evaluate
        self.metric, self.patience = stopping.metric, stopping.patience
        self.every = max(1, round(steps / stopping.looks))
        self.rows: list[dict[str, float]] = []
        self.best_row = 0
        self.best_state: dict[str, torch.Tensor] = {}

    def look(self, step: int) -> bool:
        """Record the dev metrics; True when the last `patience` looks brought nothing better."""
        self.trained.eval()
        with torch.inference_mode():
            metrics = self.evaluate()
        if self.metric not in metrics:
            raise UserError(
                f"params.yaml: `finetune_rank.early_stopping.metric` is {self.metric!r}; known are {', '.join(metrics)}"
            )
        self.rows.append({"step": step} | metrics)
        if len(self.rows) == 1 or metrics[self.metric] > self.rows[self.best_row][self.metric]:
            self.best_row, self.best_state = len(self.rows) - 1, self._changing()
        return len(self.rows) - 1 - self.best_row >= self.patience

    def _changing(self) -> dict[str, torch.Tensor]:
        """A copy of what training changes: weights with gradients, and buffers such as BatchNorm's statistics."""
        frozen = {name for name, parameter in self.trained.named_parameters() if not parameter.requires_grad}
        return {name: value.clone() for name, value in self.trained.state_dict().items() if name not in frozen}

    def restore(self) -> int:
        """Put the best weights back; returns their step."""
        self.trained.load_state_dict(self.best_state, strict=False)
        return int(self.rows[self.best_row]["step"])
