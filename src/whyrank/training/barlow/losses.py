"""Losses of two views of the same things, pure functions of tensors.

Shapes: B rows of a batch · D features
"""

from typing import NamedTuple

import torch
from torch.nn import functional


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


class VicregTerms(NamedTuple):
    loss: torch.Tensor  # 25 invariance + 25 variance + covariance
    invariance: torch.Tensor
    variance: torch.Tensor
    covariance: torch.Tensor


def vicreg(first_BD: torch.Tensor, second_BD: torch.Tensor) -> VicregTerms:
    """Bring two views together, while each feature keeps a spread and no two features tell the same.

        invariance = mean_{b,d} (first - second)^2
        variance   = mean over both views of  mean_d max(0, 1 - sqrt(var_d + 1e-4))
        covariance = sum over both views of  sum_{i != j} cov_ij^2 / D

    first_BD, second_BD   (B, D) float; row i of both are views of the same thing; B >= 2
    Unlike Barlow Twins it is no function of the correlations: the scale of features counts, and an offset between the
    two views does. Of constant features, invariance 0, variance 1, covariance 0. Bardes et al. 2022, arXiv:2105.04906,
    with their weights 25, 25 and 1.
    """
    invariance = functional.mse_loss(first_BD, second_BD)
    sides = [side_BD - side_BD.mean(0) for side_BD in (first_BD, second_BD)]
    covariances = [side_BD.T @ side_BD / (len(side_BD) - 1) for side_BD in sides]
    spreads = [(covariance_DD.diagonal() + 1e-4).sqrt() for covariance_DD in covariances]
    variance = torch.stack([functional.relu(1 - spread_D).mean() for spread_D in spreads]).mean()
    apart = [(one_DD.square().sum() - one_DD.diagonal().square().sum()) / len(one_DD) for one_DD in covariances]
    covariance = torch.stack(apart).sum()
    return VicregTerms(25 * invariance + 25 * variance + covariance, invariance, variance, covariance)


def info_nce(first_BD: torch.Tensor, second_BD: torch.Tensor, *, temperature: float) -> torch.Tensor:
    """A view must be nearer to the other view of its thing than to those of other things, both ways round.

        mean of the cross-entropies of  cosine(first_b, second_c) / temperature  over c and over b, c = b being right

    first_BD, second_BD   (B, D) float, of any length; B >= 2
    log(B) where all cosines are equal. Unlike Barlow Twins, it sees what all vectors share: that makes all cosines
    alike. van den Oord et al. 2018, arXiv:1807.03748; symmetric as in Radford et al. 2021, arXiv:2103.00020.
    """
    first_BD, second_BD = functional.normalize(first_BD, dim=1), functional.normalize(second_BD, dim=1)
    logit_BB = first_BD @ second_BD.T / temperature
    own_B = torch.arange(len(logit_BB), device=logit_BB.device)
    return (functional.cross_entropy(logit_BB, own_B) + functional.cross_entropy(logit_BB.T, own_B)) / 2


def _standardise(vector_BD: torch.Tensor) -> torch.Tensor:
    centred_BD = vector_BD - vector_BD.mean(0)
    # BatchNorm's guard: a feature that is constant over the batch stays 0 instead of becoming NaN.
    return centred_BD * (centred_BD.square().mean(0) + 1e-5).rsqrt()
