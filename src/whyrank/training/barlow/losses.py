"""The loss of Barlow Twins, a pure function of tensors.

Shapes: B rows of a batch · D features
"""

from typing import NamedTuple

import torch


class BarlowTerms(NamedTuple):
    loss: torch.Tensor  # invariance + weight * redundancy
    invariance: torch.Tensor  # sum over the diagonal of (1 - C_ii)^2
    redundancy: torch.Tensor  # sum off the diagonal of C_ij^2
    correlation_DD: torch.Tensor  # detached


def barlow_twins(first_BD: torch.Tensor, second_BD: torch.Tensor, *, redundancy_weight: float) -> BarlowTerms:
    """Make the same feature of two views agree, and different features independent.

        C = standardise(first)^T standardise(second) / B
        L = sum_i (1 - C_ii)^2 + redundancy_weight * sum_{i != j} C_ij^2

    first_BD, second_BD   (B, D) float; row i of both are views of the same thing; B >= 2
    Each feature is standardised over the batch: the batch mean is subtracted. So if all rows of a batch share
    something (say, one answer), that is removed, and nothing common to the two views may be left.
    At chance, views unrelated: C_ii is about 0 +- 1/sqrt(B), invariance about D (1 + 1/B), off-diagonal RMS 1/sqrt(B).
    Perfect: 0. Zbontar et al. 2021, arXiv:2103.03230.
    """
    correlation_DD = _standardise(first_BD).T @ _standardise(second_BD) / len(first_BD)
    diagonal_D = correlation_DD.diagonal()
    invariance = (1 - diagonal_D).square().sum()
    redundancy = correlation_DD.square().sum() - diagonal_D.square().sum()
    return BarlowTerms(invariance + redundancy_weight * redundancy, invariance, redundancy, correlation_DD.detach())


def _standardise(vector_BD: torch.Tensor) -> torch.Tensor:
    centred_BD = vector_BD - vector_BD.mean(0)
    # BatchNorm's guard: a feature that is constant over the batch stays 0 instead of becoming NaN.
    return centred_BD * (centred_BD.square().mean(0) + 1e-5).rsqrt()
