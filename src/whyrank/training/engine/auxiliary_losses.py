"""Terms added to a loss: balance of a mixture's experts, and agreement with a teacher. Pure functions, float32.

Shapes: B rows of a batch · C candidates · D features · E experts
"""

from typing import Literal

import torch
from torch.nn import functional


def load_balancing(gate_BE: torch.Tensor) -> torch.Tensor:
    """Make a mixture use all its experts.

        L = E * sum_e f_e P_e      f_e: share of the rows whose first choice is e, P_e: mean gate of e

    gate_BE   (B, E) float32, each row a softmax over the experts, before any is dropped
    Returns a scalar; its gradient goes through P alone. Chance, an even gate: 1, also the value of evenly used
    experts. All rows to one expert: up to E. Fedus et al. 2021 (Switch), arXiv:2101.03961.
    """
    experts = gate_BE.shape[1]
    share_E = functional.one_hot(gate_BE.argmax(1), experts).to(gate_BE.dtype).mean(0)
    return experts * (share_E * gate_BE.mean(0)).sum()


def distillation_vectors(
    student_BD: torch.Tensor, teacher_BD: torch.Tensor, kind: Literal["cosine", "mse"]
) -> torch.Tensor:
    """Draw each vector to the teacher's vector of the same text.

        cosine: L = mean_i (1 - cos(student_i, teacher_i))
        mse:    L = mean_{i, d} (student_id - teacher_id)^2

    student_BD, teacher_BD   (B, D) float32; no gradient reaches the teacher
    Returns a scalar. Chance, unrelated directions: 1 for cosine; the two mean squares together for mse. Perfect: 0.
    mse: Reimers and Gurevych 2020, arXiv:2004.09813. cosine leaves the lengths free.
    """
    teacher_BD = teacher_BD.detach()
    if kind == "cosine":
        return (1 - functional.cosine_similarity(student_BD, teacher_BD)).mean()
    return functional.mse_loss(student_BD, teacher_BD)


def distillation_scores(
    student_BC: torch.Tensor, teacher_BC: torch.Tensor, kind: Literal["kl", "mse"], *, temperature: float
) -> torch.Tensor:
    """Make the student score as the teacher does; their vectors may differ in width.

        kl:  L = t^2 * mean_i KL(softmax(teacher_i / t) || softmax(student_i / t))
        mse: L = mean_{i, c} (student_ic - teacher_ic)^2      the same under t^2 and 1 / t, so t has no part in it

    student_BC, teacher_BC   (B, C) float32, scores of row i with C candidates; no gradient reaches the teacher
    t^2 keeps the gradient of kl as large as without a temperature. kl leaves a shift of a row's scores free.
    Returns nats for kl. An even student: log C less the teacher's entropy, times t^2. Perfect: 0.
    kl: Hinton et al. 2015, arXiv:1503.02531.
    """
    teacher_BC = teacher_BC.detach()
    if kind == "mse":
        return functional.mse_loss(student_BC, teacher_BC)
    log_student_BC = (student_BC / temperature).log_softmax(1)
    log_teacher_BC = (teacher_BC / temperature).log_softmax(1)
    return temperature**2 * functional.kl_div(log_student_BC, log_teacher_BC, reduction="batchmean", log_target=True)
