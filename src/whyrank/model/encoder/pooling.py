"""Token vectors to one vector per text.

Shapes: B texts · T tokens of all of them, end to end · D features
"""

from collections.abc import Callable

import torch

from whyrank.model.encoder.packed import Layout


def mean(token_TD: torch.Tensor, layout: Layout) -> torch.Tensor:
    """Average over the tokens of a text (Reimers & Gurevych 2019, arXiv:1908.10084)."""
    return torch.segment_reduce(token_TD, "mean", lengths=layout.length_B)


def cls(token_TD: torch.Tensor, layout: Layout) -> torch.Tensor:
    """The first token, which BERT was trained to use for the whole text."""
    return token_TD[layout.starts]


def maximum(token_TD: torch.Tensor, layout: Layout) -> torch.Tensor:
    """The largest value of each feature over the tokens of a text."""
    return torch.segment_reduce(token_TD, "max", lengths=layout.length_B)


POOLINGS: dict[str, Callable[[torch.Tensor, Layout], torch.Tensor]] = {"mean": mean, "cls": cls, "max": maximum}
