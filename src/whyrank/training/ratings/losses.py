"""The losses of texts rated on several targets, each a pure function of float32 tensors.

Shapes: B rows of a batch · T targets

A loss of the table of the objective has its own options for keyword parameters, and may ask for these columns of a
batch by name:

logit_BT    (B, T) real numbers; their sigmoid is the prediction
label_BT    (B, T) in [0, 1], no NaN
weight_BT   (B, T) at least 0: what an entry counts beside one of weight 1. None: all 1
mean_T      (T,) mean label of each target over the training rows

Each returns a scalar, the sum over the entries of weight times loss by their number: a batch of rows that are worth a
tenth moves the weights by a tenth of what others do. 0, with its graph, where nothing has a weight.
"""

import torch
from torch.nn import functional

# Added to the variance of ranks in [0, 1], at most 1/4: predictions that are all equal have a gradient, not a NaN.
LEAST_VARIANCE = 1e-9
# Below, weights of a target over a batch are rounding.
LEAST_WEIGHT = 1e-30


def bce(logit_BT: torch.Tensor, label_BT: torch.Tensor, weight_BT: torch.Tensor | None = None) -> torch.Tensor:
    """Binary cross-entropy with labels as probabilities.

        L = mean -y log p - (1 - y) log(1 - p),   p = sigmoid(logit)

    Returns nats. Chance, p = 1/2: log 2. Perfect: the entropy of the labels, 0 only where each is 0 or 1.
    """
    return weighted_mean(functional.binary_cross_entropy_with_logits(logit_BT, label_BT, reduction="none"), weight_BT)


def weighted_bce(
    logit_BT: torch.Tensor, label_BT: torch.Tensor, weight_BT: torch.Tensor | None = None, *, mean_T: torch.Tensor
) -> torch.Tensor:
    """`bce` in which the two sides of a target, towards 1 and towards 0, have the same weight over the training rows.

        L = mean -y log p / (2 m) - (1 - y) log(1 - p) / (2 (1 - m))

    mean_T   (T,) m, the mean label of each target over the training rows, above 0 and below 1; at 1/2 this is `bce`
    Returns nats. Chance, p = 1/2: log 2 over rows whose mean is m. The best p for a label y is
    y (1 - m) / (y (1 - m) + (1 - y) m): above 1/2 where y > m, and in the order of the labels.
    King and Zeng 2001, "Logistic regression in rare events data", section 4.2.
    """
    up_BT = label_BT * functional.softplus(-logit_BT) / (2 * mean_T)
    down_BT = (1 - label_BT) * functional.softplus(logit_BT) / (2 * (1 - mean_T))
    return weighted_mean(up_BT + down_BT, weight_BT)


def focal(
    logit_BT: torch.Tensor, label_BT: torch.Tensor, weight_BT: torch.Tensor | None = None, *, gamma: float
) -> torch.Tensor:
    """`bce` of each entry times |y - p|^gamma: what is nearly right counts less.

    gamma   0: `bce`; 2 in the papers
    Returns nats. Chance, p = 1/2, labels 0 and 1: log 2 / 2^gamma. Perfect: 0, whatever the labels.
    Lin et al. 2017, arXiv:1708.02002, for labels 0 and 1; Li et al. 2020, arXiv:2006.04388, section 3, for those
    between.
    """
    loss_BT = functional.binary_cross_entropy_with_logits(logit_BT, label_BT, reduction="none")
    return weighted_mean((label_BT - logit_BT.sigmoid()).abs() ** gamma * loss_BT, weight_BT)


def mse(logit_BT: torch.Tensor, label_BT: torch.Tensor, weight_BT: torch.Tensor | None = None) -> torch.Tensor:
    """Squared error of the prediction.

        L = mean (p - y)^2

    Chance, the best constant of each target: the variance of its labels. Perfect: 0. Its gradient at the logit has the
    factor p (1 - p), so that a prediction that is wrong and sure hardly moves.
    """
    return weighted_mean((logit_BT.sigmoid() - label_BT).square(), weight_BT)


def rank_correlation(
    logit_BT: torch.Tensor, label_BT: torch.Tensor, weight_BT: torch.Tensor | None = None, *, temperature: float
) -> torch.Tensor:
    """1 - Spearman's correlation over the batch, with soft ranks of the logits; the mean over targets.

        rank_i = sum_j sigmoid((z_i - z_j) / temperature),   L = mean over targets of 1 - Pearson(rank, rank of labels)

    temperature   below the usual gap of two logits the ranks are nearly hard ones, and only neighbours have a gradient
    Labels have their exact ranks, equal ones the mean of theirs. Ranks and correlation are those of rows drawn by their
    weights, and a target counts by the mean of its own. A target whose labels are all equal in the batch is left out.
    Chance: 1 (standard deviation 1 / sqrt(B - 1)). Perfect: near 0, as soft ranks are not evenly spaced.
    Opposite: near 2. O(B^2 T) time and memory.
    Qin et al. 2010, doi:10.1007/s10791-009-9124-x, for ranks by sigmoids of differences.
    """
    weight_BT = torch.ones_like(label_BT) if weight_BT is None else weight_BT
    total_T = weight_BT.sum(0)
    share_BT = torch.where(total_T > 0, weight_BT / total_T.clamp(min=LEAST_WEIGHT), 1 / len(weight_BT))
    soft_BT = centred_ranks(((logit_BT[:, None] - logit_BT[None]) / temperature).sigmoid(), share_BT)
    hard_BT = centred_ranks(((label_BT[:, None] - label_BT[None]).sign() + 1) / 2, share_BT)
    variance_T, label_variance_T = ((share_BT * rank_BT.square()).sum(0) for rank_BT in (soft_BT, hard_BT))
    is_defined_T = label_variance_T > LEAST_VARIANCE
    if not is_defined_T.any():
        return logit_BT.sum() * 0
    covariance_T = (share_BT * soft_BT * hard_BT).sum(0)
    correlation_T = covariance_T * ((variance_T + LEAST_VARIANCE) * (label_variance_T + LEAST_VARIANCE)).rsqrt()
    return (weight_BT.mean(0) * (1 - correlation_T))[is_defined_T].mean()


def centred_ranks(above_BBT: torch.Tensor, share_BT: torch.Tensor) -> torch.Tensor:
    """(B, T) ranks between -1 and 1 less their mean, of how far row i lies above row j: 0, 1/2 for a tie, 1."""
    rank_BT = (above_BBT * share_BT[None]).sum(1)
    return rank_BT - (share_BT * rank_BT).sum(0)


def weighted_mean(loss_BT: torch.Tensor, weight_BT: torch.Tensor | None) -> torch.Tensor:
    return (loss_BT if weight_BT is None else weight_BT * loss_BT).mean()
