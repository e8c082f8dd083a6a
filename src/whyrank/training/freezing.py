"""Which blocks of the encoder learn at which step."""

from collections.abc import Sequence

from torch import nn

from whyrank.core.params import Optimisation
from whyrank.training.optimiser import block_of


def apply(trained: nn.Module, optimisation: Optimisation, step: int, trainable: Sequence[str]) -> None:
    """Set `requires_grad` of the encoder's parameters as of `step`, counted from 1; heads always learn.

    trainable      names of the parameters that learn at the end
    frozen_steps   first steps, in which only the heads learn
    thaw_every     after them, steps until one more block learns; 0: all at once
    thaw           top_down: the last block first (Howard and Ruder 2018, arXiv:1801.06146) | bottom_up
    The embeddings go with the first block.
    """
    if optimisation.frozen_steps == 0 and optimisation.thaw_every == 0:
        return
    block = {name: max(0, block_of(name)) for name in trainable if "encoder" in name.split(".")}
    blocks = sorted(set(block.values()), reverse=optimisation.thaw == "top_down")
    past, every = step - 1 - optimisation.frozen_steps, optimisation.thaw_every
    if past < 0:
        learning: set[int] = set()
    else:
        learning = set(blocks if every == 0 else blocks[: 1 + past // every])
    parameters = dict(trained.named_parameters())
    for name, own in block.items():
        parameters[name].requires_grad_(own in learning)
