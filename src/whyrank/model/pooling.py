"""Token vectors to one vector per text.

Shapes: B texts · L tokens, padded · D features
"""

from collections.abc import Callable

import torch


def mean(token_BLD: torch.Tensor, mask_BL: torch.Tensor) -> torch.Tensor:
    """Average over the real tokens (Reimers & Gurevych 2019, arXiv:1908.10084); padding has no influence."""
    weight_BL1 = mask_BL.unsqueeze(-1).to(token_BLD.dtype)
    return (token_BLD * weight_BL1).sum(1) / weight_BL1.sum(1)


def cls(token_BLD: torch.Tensor, mask_BL: torch.Tensor) -> torch.Tensor:
    """The first token, which BERT was trained to use for the whole text; expects right-side padding."""
    return token_BLD[:, 0]


def maximum(token_BLD: torch.Tensor, mask_BL: torch.Tensor) -> torch.Tensor:
    """The largest value of each feature over the real tokens."""
    return token_BLD.masked_fill(mask_BL.unsqueeze(-1) == 0, float("-inf")).amax(1)


POOLINGS: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {"mean": mean, "cls": cls, "max": maximum}
