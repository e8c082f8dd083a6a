"""What draws the student's scores of a list of answers to those of a teacher.

Shapes: B pairs of a batch · L answers listed for a pair, its own right one first

student_BL     (B, L) float32 scores, as the ranking softmax takes them
teacher_BL     (B, L) float32 scores of the teacher, on a scale of its own; no gradient reaches it
is_listed_BL   (B, L) bool: False where a list is shorter; the first column is always listed
"""

import torch

from whyrank.training.distillation import distillation_scores

# Exponential 0 at any temperature, and no infinity whose difference is not a number.
LEAST = -1e9


def kl(
    student_BL: torch.Tensor, teacher_BL: torch.Tensor, is_listed_BL: torch.Tensor, *, temperature: float
) -> torch.Tensor:
    """Listwise: the student spreads a softmax over the list as the teacher does.

        L = t^2 * mean_i KL(softmax(teacher_i / t) || softmax(student_i / t)), over what is listed

    Returns nats. Perfect: 0, also where the two differ by a shift of a list.
    Hinton et al. 2015, arXiv:1503.02531; over lists of a reranker: Qu et al. 2021 (RocketQA v2), arXiv:2110.07367.
    """
    student_BL, teacher_BL = (score_BL.masked_fill(~is_listed_BL, LEAST) for score_BL in (student_BL, teacher_BL))
    return distillation_scores(student_BL, teacher_BL, "kl", temperature=temperature)


def margin_mse(student_BL: torch.Tensor, teacher_BL: torch.Tensor, is_listed_BL: torch.Tensor) -> torch.Tensor:
    """The right answer leads each other one by as much as it does for the teacher.

        L = mean_{i, j listed, j > 0} ((s_i0 - s_ij) - (t_i0 - t_ij))^2

    Returns squared units of the teacher's scores; 0 where nothing but the right answer is listed.
    Hofstaetter et al. 2020, arXiv:2010.02666.
    """
    student_BN, teacher_BN = (score_BL[:, :1] - score_BL[:, 1:] for score_BL in (student_BL, teacher_BL.detach()))
    is_listed_BN = is_listed_BL[:, 1:]
    return ((student_BN - teacher_BN).square() * is_listed_BN).sum() / is_listed_BN.sum().clamp(min=1)
