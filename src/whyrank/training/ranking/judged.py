"""What a batch is by the judgements alone, computed apart from its targets and its loss: a fault of these shows beside.

Shapes: B queries of a batch · C candidate answers · b rows of a block · D features
"""

from typing import NamedTuple

import numpy as np
import torch

from whyrank.training.ranking.losses import TABLE


class Judged(NamedTuple):
    """right_BC    relevant by the judgements
    ignored_BC    left out of the comparison, where it is not the row's own right answer
    own_B         column of the right answer that a row is to choose; -1 where no candidate is right
    """

    right_BC: np.ndarray
    ignored_BC: np.ndarray
    own_B: np.ndarray


def judged(right_BC: np.ndarray, target_B: np.ndarray, *, mask: bool) -> Judged:
    """mask   other right answers of a row are left out; else they count as wrong ones, as in training"""
    is_target_right_B = right_BC[np.arange(len(target_B)), target_B]
    own_B = np.where(is_target_right_B, target_B, np.where(right_BC.any(1), right_BC.argmax(1), -1))
    return Judged(right_BC, right_BC if mask else np.zeros_like(right_BC), own_B)


@torch.no_grad()
def figures(
    query_BD: torch.Tensor, answer_CD: torch.Tensor, scale: torch.Tensor, batch: Judged, *, table: int = TABLE
) -> dict[str, float]:
    """Columns of the history, over the rows with a right candidate; 0 where no row has one.

    rank_accuracy         share of the rows whose right answer has the highest score; a tie counts half
    rank_entropy          of the softmax over the candidates, as a share of its largest value: 1, all score alike;
                          0, one takes all
    rank_expected_loss    cross-entropy of the right answers, in nats
    """
    device = query_BD.device
    own_B = torch.as_tensor(batch.own_B, device=device)
    kept_B = torch.nonzero(own_B >= 0)[:, 0]
    if not len(kept_B):
        return {"rank_accuracy": 0.0, "rank_entropy": 0.0, "rank_expected_loss": 0.0}
    ignored_BC = torch.as_tensor(batch.ignored_BC, device=device)
    hits, entropies, losses = [], [], []
    for row_b in kept_B.split(max(1, table // len(answer_CD))):
        own_b1 = own_B[row_b][:, None]
        logit_bC = query_BD[row_b].float() @ answer_CD.float().T * scale
        logit_bC = logit_bC.masked_fill(ignored_BC[row_b].scatter(1, own_b1, False), float("-inf"))
        own_score_b = logit_bC.gather(1, own_b1)[:, 0]
        best_other_b = logit_bC.scatter(1, own_b1, float("-inf")).amax(1)
        log_p_bC = logit_bC.log_softmax(1)
        # p log p of a candidate that is left out is 0, not 0 times infinity.
        entropy_b = -(log_p_bC.exp() * log_p_bC.clamp(min=-1e4)).sum(1)
        hits.append((own_score_b > best_other_b).double() + 0.5 * (own_score_b == best_other_b).double())
        entropies.append(entropy_b / torch.isfinite(logit_bC).sum(1).clamp(min=2).log())
        losses.append(-log_p_bC.gather(1, own_b1)[:, 0])
    return {
        "rank_accuracy": torch.cat(hits).mean().item(),
        "rank_entropy": torch.cat(entropies).mean().item(),
        "rank_expected_loss": torch.cat(losses).mean().item(),
    }
