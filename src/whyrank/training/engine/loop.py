"""The training loop: objectives in, trained weights and history out. A killed training can resume."""

import math
import sys
import time
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import nn

from whyrank.core import processes
from whyrank.core.errors import Interrupted, UserError, is_out_of_memory
from whyrank.core.options.params import Optimisation
from whyrank.core.progress import Note, progress
from whyrank.core.runtime import product_dtype, seed_step
from whyrank.core.signals import interruption
from whyrank.training.engine import gradients, sharding
from whyrank.training.engine.checkpoint import Checkpoints
from whyrank.training.engine.footprint import Footprint, gradients_left
from whyrank.training.engine.monitor import Speed
from whyrank.training.engine.objective import Objective, Step, merged, not_finite
from whyrank.training.engine.optimiser import Movement, Optimiser, training_mode, unfreeze
from whyrank.training.engine.sides import SideGradients
from whyrank.training.engine.tasks import Tasks
from whyrank.training.engine.trackers import DEV, Trackers
from whyrank.training.engine.watch import DevWatch, changing

FP32 = "use -S encoder.precision=fp32"


class History(NamedTuple):
    steps: pd.DataFrame  # one row per step; only the column `step` where there was none
    evaluations: pd.DataFrame  # one row per evaluation on the dev set; empty without one
    best_step: int  # the step of the best weights; the last one without a dev set
    speed: pd.DataFrame  # wall-clock figures of the steps of this process; differ from run to run


@dataclass
class Loop:
    """Minimises the weighted sum of the objectives over the parameters of `trained` that require gradients.

    trained       holds every module whose weights change; the encoder is its child `encoder`, if it is among them
    steps         updates; 0 trains nothing
    watch         evaluates on the dev set, and says when to stop; its best weights are left in `trained`
    checkpoints   where the state is saved from time to time; resumes from the newest whole one, to the same bytes
    precision     fp16 scales the loss, so that small gradients do not vanish
    sharing       which objectives a batch takes and how they are weighed; without it all, with weight 1
    """

    trained: nn.Module
    objectives: Mapping[str, Objective]
    optimisation: Optimisation
    _: KW_ONLY
    steps: int
    what: str
    seed: int = 0
    watch: DevWatch | None = None
    checkpoints: Checkpoints | None = None
    precision: str = "fp32"
    sharing: Tasks | None = None

    def __post_init__(self) -> None:
        self.tasks = self.sharing or Tasks(dict.fromkeys(self.objectives, 1.0))
        self.trainable = [name for name, parameter in self.trained.named_parameters() if parameter.requires_grad]
        self.movement = Movement(self.trained, self.trainable)
        self.footprint = Footprint(self.trained, self.trainable)
        self.optimiser = Optimiser(self.trained, self.optimisation, self.steps, self.tasks.rate)
        device = next(self.trained.parameters()).device.type
        self.scaler = torch.amp.GradScaler(device, enabled=self.precision == "fp16")
        self.done = 0
        self.rows: list[dict[str, float]] = []
        self.note = Note()
        self.speed = Speed()
        self.trackers = Trackers(self.what)

    def fit(self) -> History:
        """Train, or go on where a killed run was. Leaves everything in evaluation mode.

        Raises UserError, naming the step, when a loss or a gradient is not finite or memory runs out; Interrupted after
        SIGINT or SIGTERM, with the state saved.
        """
        self.resume()
        left = range(self.done + 1, 1 + (self.done if self.watch and self.watch.is_over else self.steps))
        with interruption(impatient=True) as interrupted:
            for step in progress(left, total=self.steps, what=self.what, done=self.done, note=self.note):
                self.step(step)
                ended = self.evaluate(step)
                signal, is_due = processes.agree(interrupted.signal, self.is_checkpoint_due)
                self.keep(now=bool(signal or is_due))
                if signal:
                    raise Interrupted(signal, f"training stopped after step {self.done}; run it again to go on there")
                if ended:
                    break
        return self.end()

    def resume(self) -> None:
        """Load the newest whole checkpoint; without one, evaluate on the dev set before the first step."""
        saved = self.checkpoints.latest() if self.checkpoints else None
        if saved is None:
            self.evaluate(0)
            self.speed = Speed()
            return
        self.done = saved.step
        state = saved.state
        sharding.load(self.trained, state["trained"])
        sharding.load_optimiser(self.optimiser.adamw, state["optimiser"])
        self.scaler.load_state_dict(state["scaler"])
        self.rows = state["rows"]
        if self.watch:
            self.watch.load_state_dict(state["watch"])
        for name, objective in self.objectives.items():
            objective.skip(self.tasks.drawn(name, self.done, self.optimisation.gradient_accumulation_steps))
            objective.load_state_dict(state["objectives"][name])
        self.note(f"resumes after step {self.done}")

    def state(self) -> dict[str, Any]:
        return {
            "trained": changing(self.trained, self.trainable),
            "optimiser": self.optimiser.adamw.state_dict(),
            "scaler": self.scaler.state_dict(),
            "rows": self.rows,
            "watch": self.watch.state_dict() if self.watch else {},
            "objectives": {name: objective.state_dict() for name, objective in self.objectives.items()},
        }

    def step(self, step: int) -> None:
        """One update, and its row of the history."""
        # Drawn from the step alone: neither a resumed run nor another process needs the state of a generator.
        seed_step(self.seed, step)
        began = time.monotonic()
        unfreeze(self.trained, self.optimisation, step, self.steps, self.trainable)
        training_mode(self.trained)
        self.optimiser.adamw.zero_grad(set_to_none=True)
        left = gradients_left(self.trained)
        try:
            record = self.accumulated(step)
            gradient_norm = self.clipped(step, record)
            rates = self.optimiser.rates(step)
            self.footprint.before()
            self.scaler.step(self.optimiser.adamw)
            self.scaler.update()
        except (RuntimeError, MemoryError) as error:
            if is_out_of_memory(error):
                raise UserError(
                    f"step {step}: out of memory; lower batch_size, set cache_tokens (4096, say) so that any batch "
                    f"takes the memory of one group of texts, or lower prepare.tokens ({str(error).splitlines()[0]})"
                ) from error
            raise
        first = {"step": step, "loss": record.pop("loss")}
        clip = min(1.0, self.optimisation.max_grad_norm / max(gradient_norm, 1e-12))
        norms = {"gradient_norm": gradient_norm, "clip_factor": clip, "gradient_left": left}
        self.rows.append(first | rates | norms | record | self.movement() | self.footprint.after())
        self.trackers(step, self.rows[-1])
        self.done = step
        self.speed.count(step, began, record.get("tokens", 0.0))
        self.note(f"loss {first['loss']:.3f}, {self.speed}{self.watch or ''}")

    def accumulated(self, step: int) -> dict[str, float]:
        """Gradients of the weighted sum, the mean over the batches of a step; records are means, too."""
        times = self.optimisation.gradient_accumulation_steps
        records: list[dict[str, float]] = []
        for batch in range(times):
            results = {name: self.objectives[name].step() for name in self.tasks.active(step, batch)}
            losses = self.tasks.weigh({name: result.loss for name, result in results.items()})
            total = torch.stack(list(losses.values())).sum()
            if not torch.isfinite(total):
                raise UserError(f"step {step}: {not_finite(results)}; lower the learning rate, or {FP32}")
            scaled = {name: self.scaler.scale(loss / times) for name, loss in losses.items()}
            sides = SideGradients(results)
            shares = gradients.backward(scaled, self.trained, equal=self.tasks.is_equal)
            record = {"loss": total.item()} | shares | sides.columns | self.tasks.record() | self.drawn(results)
            records.append(record | merged(result.record for result in results.values()))
        processes.sum_gradients(p for name, p in self.trained.named_parameters() if "encoder" in name.split("."))
        # With a draw among objectives, a batch has the columns of its own objective alone.
        return {str(name): float(value) for name, value in pd.DataFrame(records).mean().items()}

    def drawn(self, results: Mapping[str, Step]) -> dict[str, float]:
        """`<objective>_batches`, 1 for the one that a batch took, where one is drawn: also of those never drawn."""
        if self.tasks.options.sampling == "all" or len(self.objectives) == 1:
            return {}
        return {f"{name}_batches": float(name in results) for name in self.objectives}

    def clipped(self, step: int, record: dict[str, float]) -> float:
        """The gradient norm before clipping. In fp16 an overflow is the scaler's business: it leaves the step out."""
        self.scaler.unscale_(self.optimiser.adamw)
        norm = sharding.clip(self.trained.parameters(), self.optimisation.max_grad_norm)
        if not math.isfinite(norm) and not self.scaler.is_enabled():
            raise UserError(
                f"step {step}: loss {record['loss']} with gradient norm {norm} is not finite; "
                f"lower the learning rate, or {FP32}"
            )
        return norm

    def evaluate(self, step: int) -> bool:
        """Whether the dev set says that training is over."""
        if not self.watch or not self.watch.is_due(step):
            return False
        is_over = self.watch.evaluate(step)
        self.trackers(step, {f"{DEV}{name}": value for name, value in self.watch.rows[-1].items()})
        return is_over

    @property
    def is_checkpoint_due(self) -> bool:
        return bool(self.checkpoints and processes.is_first() and self.checkpoints.is_due())

    def keep(self, *, now: bool) -> None:
        """Save the history, and with `now`, which all processes say, the state: each may hold a part of it."""
        if not self.checkpoints:
            return
        is_first = processes.is_first()
        state = sharding.whole(self.state(), keep=is_first) if now else None
        if is_first:
            self.checkpoints.write_history(self.rows)
            if state:
                self.checkpoints.save(self.done, state)
        if now:
            # A process that ended on a signal would have the launcher stop the first one while it still writes.
            processes.wait()

    def end(self) -> History:
        self.trackers.end()
        best_step = self.watch.restore() if self.watch else self.done
        self.trained.eval()
        steps = pd.DataFrame(self.rows, columns=None if self.rows else ["step"])
        padding = float(steps["padding_share"].mean()) if "padding_share" in steps else 0.0
        reached = self.speed.summary(self.trained, padding, product_dtype(self.precision))
        if reached and processes.is_first():
            print(f"{self.what}: {reached}", file=sys.stderr)
        evaluations = pd.DataFrame(self.watch.rows if self.watch else [])
        return History(steps, evaluations, best_step, self.speed.table())
