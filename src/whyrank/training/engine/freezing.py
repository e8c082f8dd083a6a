"""Which blocks of the encoder learn at which step."""

from collections.abc import Sequence

from torch import nn

from whyrank.core.errors import UserError
from whyrank.core.options.params import Optimisation
from whyrank.training.engine.optimiser import block_of


def apply(trained: nn.Module, optimisation: Optimisation, step: int, steps: int, trainable: Sequence[str]) -> None:
    """Set `requires_grad` of the encoder's parameters as of `step`, counted from 1; heads always learn.

    steps          of the training
    trainable      names of the parameters that learn at the end
    freeze_steps   first steps, in which only the heads learn; below 1 that share of all
    unfreeze_every     after them, steps until one more block learns; 0: all at once
    thaw           top_down: the last block first (Howard and Ruder 2018, arXiv:1801.06146) | bottom_up
    The embeddings go with the first block.
    """
    if optimisation.freeze_steps == 0 and optimisation.unfreeze_every == 0:
        return
    block = {name: max(0, block_of(name)) for name in trainable if "encoder" in name.split(".")}
    if not block:
        return
    blocks = sorted(set(block.values()), reverse=optimisation.unfreeze == "top_down")
    past, every = step - 1 - freeze_steps(optimisation, steps), optimisation.unfreeze_every
    if past < 0:
        learning: set[int] = set()
    else:
        learning = set(blocks if every == 0 else blocks[: 1 + past // every])
    parameters = dict(trained.named_parameters())
    for name, own in block.items():
        parameters[name].requires_grad_(own in learning)


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
