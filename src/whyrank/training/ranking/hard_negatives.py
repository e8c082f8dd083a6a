"""Hard negatives for ranking: the answers that a model takes most for relevant, and that are not.

Shapes: Q queries · A answers · P relevant (query, answer) pairs · B pairs of a block · N negatives of a pair ·
T different texts of answers · Z answers of a block with the text of a relevant one · D features
"""

import numpy as np
import scipy.sparse
import torch

# Pairs scored at a time: 512 against 50,000 answers are 130 MB, with float32 scores and the mask beside them.
BLOCK = 512


@torch.no_grad()
def mine(
    query_QD: torch.Tensor | np.ndarray,
    answer_AD: torch.Tensor | np.ndarray,
    query_P: np.ndarray,
    answer_P: np.ndarray,
    relevant_QA: scipy.sparse.csr_matrix,
    *,
    count: int,
    margin: float | None,
    text_A: np.ndarray,
    block: int = BLOCK,
) -> np.ndarray:
    """For each pair, the `count` best-scoring answers that are not relevant and stay clear of the pair's own answer.

    query_QD, answer_AD   (Q, D), (A, D) float, on one device; the score is their dot product, higher is better (the
                          cosine for vectors of length 1)
    query_P, answer_P     (P,) row numbers of the pairs, in any order
    relevant_QA           (Q, A), not zero where an answer is relevant to the query; holds the pairs
    margin                relative: a negative scores strictly below own - margin * |own|, where own is the score of the
                          pair's own answer. That is (1 - margin) * own for a positive score. Multiplying a negative
                          score by 1 - margin would lift the bound above it and let in what scores better than the
                          own answer; so defined, the bound lies below for either sign. 0 demands only less than own.
                          None: no bound.
    text_A                (A,) int, equal where the texts are: no answer with the text of a relevant one is a negative
    Returns (P, N) int64 rows of answers, best first, -1 where fewer remain. Equal scores come in no stated order, but
    the same one every time. Temporaries take about 5 * block * A bytes in float32.
    Moreira et al. 2024, arXiv:2407.15831, TopK-PercPos (best at a margin of 0.05); the bound of a negative score as in
    sentence-transformers' `mine_hard_negatives(relative_margin=...)` since its issue 3819. From that one it differs in
    two points: that one keeps scores equal to the bound, and holds every pair of a query to the bound of its
    lowest-scoring relevant answer.
    """
    query_QD, answer_AD = torch.as_tensor(query_QD), torch.as_tensor(answer_AD)
    device, answers = answer_AD.device, len(answer_AD)
    text_AT = scipy.sparse.csr_matrix((np.ones(answers, dtype=bool), (np.arange(answers), text_A)))
    relevant_QT = relevant_QA.astype(bool) @ text_AT
    kept = min(count, answers)
    negative_PN = np.full((len(query_P), count), -1, dtype=np.int64)
    for start in range(0, len(query_P), block):
        pairs = slice(start, start + block)
        query_B = query_P[pairs]
        score_BA = query_QD[torch.tensor(query_B, device=device)] @ answer_AD.T
        own_B1 = score_BA.gather(1, torch.tensor(answer_P[pairs], device=device)[:, None])
        row_Z, answer_Z = (relevant_QT[query_B] @ text_AT.T).nonzero()
        score_BA[torch.as_tensor(row_Z, device=device), torch.as_tensor(answer_Z, device=device)] = -torch.inf
        if margin is not None:
            is_clear_BA = score_BA < own_B1 - margin * own_B1.abs()
            score_BA.masked_fill_(is_clear_BA.logical_not_(), -torch.inf)
        score_BN, answer_BN = score_BA.topk(kept, dim=1)
        negative_PN[pairs, :kept] = answer_BN.masked_fill(score_BN == -torch.inf, -1).cpu().numpy()
    return negative_PN


# Of the score of its own right answer: what scores so high is as often right as not (Moreira et al. 2024).
NEAR = 0.95


@torch.no_grad()
def near(
    query_QD: torch.Tensor,
    answer_AD: torch.Tensor,
    query_P: np.ndarray,
    answer_P: np.ndarray,
    negative_PN: np.ndarray,
    relevant_QA: scipy.sparse.csr_matrix,
    block: int = BLOCK,
) -> dict[str, float]:
    """Columns of the history about mined negatives, 0 without any; arguments as of `mine`.

    negatives_near    share that score `NEAR` of the pair's own answer or more
    negatives_right   share that the judgements call relevant
    """
    close = right = total = 0
    # Here a score is of one pair and one of its negatives, whose vector lies beside.
    block = max(1, block // max(1, negative_PN.shape[1]))
    for start in range(0, len(query_P), block):
        pairs = slice(start, start + block)
        query_bD, negative_bN = query_QD[torch.tensor(query_P[pairs], device=query_QD.device)], negative_PN[pairs]
        is_there_bN = negative_bN >= 0
        own_b1 = (query_bD * answer_AD[torch.tensor(answer_P[pairs], device=answer_AD.device)]).sum(1, keepdim=True)
        vector_bND = answer_AD[torch.as_tensor(np.maximum(negative_bN, 0), device=answer_AD.device)]
        score_bN = (vector_bND @ query_bD[:, :, None])[:, :, 0]
        is_close_bN = (score_bN >= own_b1 - (1 - NEAR) * own_b1.abs()).cpu().numpy()
        row_Z, column_Z = np.nonzero(is_there_bN)
        right += int(relevant_QA[query_P[pairs][row_Z], negative_bN[row_Z, column_Z]].sum()) if len(row_Z) else 0
        close, total = close + int((is_close_bN & is_there_bN).sum()), total + int(is_there_bN.sum())
    return {"negatives_near": close / max(total, 1), "negatives_right": right / max(total, 1)}
