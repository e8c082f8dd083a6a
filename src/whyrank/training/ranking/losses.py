"""The losses of ranking, each a pure function of tensors.

Shapes: B queries of a batch · C candidate answers · D features

A loss of the table of the objective has its own options for keyword parameters, and may ask for these columns of a
batch by name:

query_BD, answer_CD   (B, D), (C, D) float32, of unit length where the score is the cosine
scale                 scalar, what a product of the two is multiplied by
target_B              (B,) int64, the column of one relevant answer of each query
ignored_BC            (B, C) bool, columns left out: other relevant answers, so that no positive serves as a negative
"""

import torch
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

# Scores in memory at a time, 8 MiB of float32: a larger table is computed block by block.
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


def cross_entropy(
    query_BD: torch.Tensor,
    answer_CD: torch.Tensor,
    scale: torch.Tensor,
    target_B: torch.Tensor,
    ignored_BC: torch.Tensor,
    *,
    table: int = TABLE,
) -> torch.Tensor:
    """`ranking_cross_entropy` of the scores scale * query . answer, in the memory of `table` of them.

    Where B * C is more, rows are taken in blocks whose scores are computed again for the gradient, as gradient
    checkpointing does (Chen et al. 2016, arXiv:1604.06174): one product more for a table of any size.
    """
    rows = max(1, table // len(answer_CD))
    if len(query_BD) <= rows:
        return ranking_cross_entropy(query_BD @ answer_CD.T * scale, target_B, ignored_BC)

    def block(query_bD: torch.Tensor, target_b: torch.Tensor, ignored_bC: torch.Tensor) -> torch.Tensor:
        loss = ranking_cross_entropy(query_bD @ answer_CD.T * scale, target_b, ignored_bC)
        return len(query_bD) / len(query_BD) * loss

    blocks = zip(query_BD.split(rows), target_B.split(rows), ignored_BC.split(rows), strict=True)
    done = [checkpoint(block, *one, use_reentrant=False, preserve_rng_state=False) for one in blocks]
    return torch.stack(done).sum()


@torch.no_grad()
def logit_std(query_BD: torch.Tensor, answer_CD: torch.Tensor, scale: torch.Tensor, *, table: int = TABLE) -> float:
    """Standard deviation over all B * C scores, in the memory of `table` of them."""
    rows = max(1, table // len(answer_CD))
    if len(query_BD) <= rows:
        return (query_BD @ answer_CD.T * scale).std().item()
    total = squares = torch.zeros((), dtype=torch.float64, device=query_BD.device)
    for query_bD in query_BD.split(rows):
        logit_bC = (query_bD @ answer_CD.T * scale).double()
        total, squares = total + logit_bC.sum(), squares + logit_bC.square().sum()
    count = len(query_BD) * len(answer_CD)
    return ((squares - total * total / count) / (count - 1)).clamp(min=0).sqrt().item()
