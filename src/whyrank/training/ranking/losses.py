"""The losses, each a pure function of tensors.

Shapes: B rows of a batch · C candidate answers · D features
"""

from typing import NamedTuple

import torch
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

# Scores that are held at a time, 8 MiB of float32: a table of more is made, used and left block by block.
TABLE = 2**21


def ranking_cross_entropy(logit_BC: torch.Tensor, target_B: torch.Tensor, ignored_BC: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of choosing each query's relevant answer among the candidates.

        L = mean_i -log( exp(s_it) / sum_{j not ignored} exp(s_ij) )

    logit_BC     (B, C) scores of B queries against C candidates
    target_B     (B,) int64, the column of one relevant answer of each query
    ignored_BC   (B, C) bool, columns left out of the sum: other relevant answers, so that no positive serves as a
                 negative. The target's own column is never ignored.
    Returns nats. Chance is log(candidates not ignored); perfect is 0.
    In the batch: van den Oord et al. 2018, arXiv:1807.03748; against all candidates: the softmax of a classifier.
    """
    ignored_BC = ignored_BC.scatter(1, target_B[:, None], False)
    return functional.cross_entropy(logit_BC.masked_fill(ignored_BC, float("-inf")), target_B)


class RankingTerms(NamedTuple):
    loss: torch.Tensor
    logit_std: float


def ranking_of_products(
    query_BD: torch.Tensor,
    answer_CD: torch.Tensor,
    scale: torch.Tensor,
    target_B: torch.Tensor,
    ignored_BC: torch.Tensor,
    *,
    table: int = TABLE,
) -> RankingTerms:
    """`ranking_cross_entropy` of the scores scale * query . answer, in the memory of `table` of them.

    query_BD, answer_CD   (B, D), (C, D) float;  scale   scalar;  target_B, ignored_BC   as there
    Where B * C is more, rows are taken in blocks whose scores are computed again for the gradient, as gradient
    checkpointing does (Chen et al. 2016, arXiv:1604.06174): one product more for a table of any size.
    `logit_std` is the standard deviation over all B * C scores.
    """
    rows = max(1, table // len(answer_CD))
    if len(query_BD) <= rows:
        logit_BC = query_BD @ answer_CD.T * scale
        return RankingTerms(ranking_cross_entropy(logit_BC, target_B, ignored_BC), logit_BC.detach().std().item())

    def block(query_bD: torch.Tensor, target_b: torch.Tensor, ignored_bC: torch.Tensor) -> tuple[torch.Tensor, ...]:
        logit_bC = query_bD @ answer_CD.T * scale
        share = len(query_bD) / len(query_BD)
        whole = logit_bC.detach().double()
        return share * ranking_cross_entropy(logit_bC, target_b, ignored_bC), whole.sum(), whole.square().sum()

    blocks = zip(query_BD.split(rows), target_B.split(rows), ignored_BC.split(rows), strict=True)
    done = [checkpoint(block, *one, use_reentrant=False, preserve_rng_state=False) for one in blocks]
    loss, total, squares = (torch.stack(parts).sum() for parts in zip(*done, strict=True))
    count = ignored_BC.numel()
    variance = (squares - total * total / count) / (count - 1)
    return RankingTerms(loss, variance.clamp(min=0).sqrt().item())
