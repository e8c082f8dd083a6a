"""The losses of pairs of texts with a similarity, each a pure function of float32 tensors.

Shapes: B pairs of a batch, row i of first_BD and second_BD being pair i · D features
        N = 2B texts, the first ones before the second ones · A of them that are anchors · C candidates
        T different texts · M pairs with an opposite

A loss of the table of the objective has its own options for keyword parameters, and may ask for these columns of a
batch by name:

first_BD, second_BD             (B, D) float32
opposite_MD                     (M, D) texts that are the opposite of the first text of a pair, of those that have one
label_B                         (B,) similarity in [0, 1]
group_first_B, group_second_B   (B,) int64, number of each text; the same text has the same number on either side
group_opposite_B                (B,) the same of the opposites; -1 where a pair has none
positive_from                   label from which a pair is a positive
"""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch.nn import functional

from whyrank.training.ranking.losses import ranking_cross_entropy

Loss = TypeVar("Loss", bound=Callable[..., torch.Tensor])
# Losses of the order of labels: a batch of one label teaches them nothing.
ORDER_LOSSES: set[str] = set()


def of_order(loss: Loss) -> Loss:
    ORDER_LOSSES.add(loss.__name__)
    return loss


def cosent(score_B: torch.Tensor, label_B: torch.Tensor, *, temperature: float) -> torch.Tensor:
    """Order loss: a pair of higher label must score above every pair of lower label, by no fixed margin.

        L = log(1 + sum_{label_i > label_j} exp((s_j - s_i) / temperature))

    score_B   (B,) float32, predicted similarity of each pair
    label_B   (B,) of any ordered dtype; only its order counts, and equal labels ask for nothing of each other
    Returns a scalar. Chance, all scores equal: log(1 + ordered pairs). Perfect: 0. One label only, or one pair: 0.
    O(B log B) time, O(B) memory: sorted by label, the pairs below i are a prefix, so their sum is a cumulative one.
    Su 2022, kexue.fm/archives/8847; Huang et al. 2024, doi:10.1109/TASLP.2024.3402087.
    """
    label_B, order_B = label_B.sort()
    score_B = score_B[order_B] / temperature
    below_B = torch.searchsorted(label_B, label_B)  # how many labels are strictly lower
    nothing = score_B.new_full((1,), float("-inf"))
    sum_below_B = torch.cat([nothing, score_B.logcumsumexp(0)])[below_B]
    return torch.cat([score_B.new_zeros(1), sum_below_B - score_B]).logsumexp(0)


@of_order
def cosine(
    first_BD: torch.Tensor, second_BD: torch.Tensor, label_B: torch.Tensor, *, temperature: float
) -> torch.Tensor:
    """`cosent` on the cosine similarity of each pair.

    Returns a scalar. Chance: log(1 + ordered pairs). A cosine reaches from -1 to 1, so the least possible is
    log(1 + ordered pairs * exp(-2 / temperature)) for two labels: nearly 0 at 0.05. Su 2022, kexue.fm/archives/8847.
    """
    score_B = functional.cosine_similarity(first_BD, second_BD)
    return cosent(score_B, label_B, temperature=temperature)


@of_order
def angle(
    first_BD: torch.Tensor, second_BD: torch.Tensor, label_B: torch.Tensor, *, temperature: float = 1.0
) -> torch.Tensor:
    """`cosent` on AnglE's absolute angle difference, as the authors' package angle_emb 0.6.1 computes it.

        first = a + bi, second = c + di      the halves of a vector are its real and imaginary parts
        quotient = (a + bi) / (c + di) * |second| / |first|
        s = | sum of its real and imaginary parts | = | cos(first, second) + (b c - a d) / (|first| |second|) |

    first_BD, second_BD   (B, D), D even
    temperature           1 / tau of the package
    Returns a scalar. Chance: log(1 + ordered pairs). s lies in [0, sqrt 2], so the least possible for two labels is
    log(1 + ordered pairs * exp(-sqrt 2 / temperature)): far from 0 at 1.0, nearly 0 at 0.05.
    Opposite vectors score 1 like equal ones, by the absolute value: see `angle_signed`. The divisor of a zero vector
    is kept off 0, where the package has NaN. Li and Li 2023, arXiv:2309.12871.
    """
    return cosent(_angle_difference(first_BD, second_BD).abs(), label_B, temperature=temperature)


@of_order
def angle_signed(
    first_BD: torch.Tensor, second_BD: torch.Tensor, label_B: torch.Tensor, *, temperature: float = 1.0
) -> torch.Tensor:
    """`angle` without the absolute value, so that opposite vectors score -1 and equal ones 1.

        s = cos(first, second) + (b c - a d) / (|first| |second|)

    Shapes, dtype and chance as for `angle`; s lies in [-sqrt 2, sqrt 2]. In each plane (a, b) it is
    sqrt 2 sin(turn + 45 degrees): the highest score is at a turn of 45 degrees, not of 0, and exchanging first and
    second turns the sign of the second term. Per plane as in github.com/SeanLee97/AnglE/issues/55.
    """
    return cosent(_angle_difference(first_BD, second_BD), label_B, temperature=temperature)


def _angle_difference(first_BD: torch.Tensor, second_BD: torch.Tensor) -> torch.Tensor:
    # An odd D would broadcast the shorter half when that has one feature, and return a wrong number.
    assert first_BD.shape[1] % 2 == 0, "the halves of a vector are its real and imaginary parts: D must be even"
    a, b = functional.normalize(first_BD, dim=1).chunk(2, dim=1)
    c, d = functional.normalize(second_BD, dim=1).chunk(2, dim=1)
    return (a * c + b * d + b * c - a * d).sum(1)


def in_batch(
    first_BD: torch.Tensor,
    second_BD: torch.Tensor,
    label_B: torch.Tensor,
    group_first_B: torch.Tensor,
    group_second_B: torch.Tensor,
    *,
    positive_from: float,
    temperature: float,
) -> torch.Tensor:
    """Contrastive with in-batch negatives: each text of a positive pair must pick its partner among the other texts.

        L = mean over texts a of positive pairs of
            -log( exp(cos(a, partner) / t) / sum_{c not ignored} exp(cos(a, c) / t) )

    Ignored, wherever they stand in the batch: the text itself, its partner, and the texts of other positive pairs that
    share a text with this pair. The other text of a pair of lower label is a negative, even if it shares a text.
    Returns nats; 0, with its graph, if no pair is positive. Chance: log(candidates not ignored), at most
    log(2B - 1). Perfect: near 0, cosines being bounded. O(B^2) memory.
    Chen et al. 2020 (NT-Xent), arXiv:2002.05709; Li and Li 2023, arXiv:2309.12871. angle_emb's
    in_batch_negative_loss has the same anchors and candidates; it differs in dividing by all 2B texts, those without
    a positive counting 0, in cutting labels down to integers, and in ignoring nothing but the text's own row.
    """
    text_ND = functional.normalize(torch.cat([first_BD, second_BD]), dim=1)
    is_positive_N = (label_B >= positive_from).repeat(2)
    group_N = torch.cat([group_first_B, group_second_B])
    partner_group_N = torch.cat([group_second_B, group_first_B])
    anchor_A = is_positive_N.nonzero().flatten()
    logit_AN = text_ND[anchor_A] @ text_ND.T / temperature
    if not len(anchor_A):
        return logit_AN.sum()
    pair_A2 = torch.stack([group_N, partner_group_N], 1)[anchor_A]
    is_same_AN, is_shared_AN = (
        (pair_A2[:, :1] == other_N) | (pair_A2[:, 1:] == other_N) for other_N in (group_N, partner_group_N)
    )
    texts, text_N = group_N.unique(return_inverse=True)
    known_AN = (is_same_AN | is_shared_AN & is_positive_N).to(logit_AN.dtype)
    # By text, not by row: a text of such a pair may stand in a further pair that shares none with this one.
    is_known_AT = torch.zeros_like(logit_AN[:, : len(texts)]).index_add(1, text_N, known_AN) > 0
    target_A = (anchor_A + len(first_BD)) % len(text_ND)
    return ranking_cross_entropy(logit_AN, target_A, is_known_AT[:, text_N])


def contrastive(
    first_BD: torch.Tensor,
    second_BD: torch.Tensor,
    opposite_MD: torch.Tensor,
    label_B: torch.Tensor,
    group_first_B: torch.Tensor,
    group_second_B: torch.Tensor,
    group_opposite_B: torch.Tensor,
    *,
    positive_from: float,
    temperature: float,
) -> torch.Tensor:
    """`contrastive_with_hard_negatives` of the positive pairs alone; 0, with its graph, if no pair is positive.

    A positive of the same first text elsewhere in the batch, and the text itself, are no negatives.
    """
    is_positive_B = label_B >= positive_from
    if not is_positive_B.any():
        return first_BD.sum() * 0
    has_B = group_opposite_B >= 0
    negative_BD = torch.zeros_like(second_BD).index_copy(0, has_B.nonzero().flatten(), opposite_MD)
    first_P, second_P, opposite_P = (part[is_positive_B] for part in (group_first_B, group_second_B, group_opposite_B))
    candidate_C = torch.cat([second_P, opposite_P])
    known_PP = first_P[:, None] == first_P[None, :]
    same_PC = (candidate_C[None, :] == second_P[:, None]) | (candidate_C[None, :] == first_P[:, None])
    chosen = is_positive_B.nonzero().flatten()
    return contrastive_with_hard_negatives(
        first_BD[chosen],
        second_BD[chosen],
        negative_BD[chosen],
        has_B[is_positive_B],
        same_PC | torch.cat([known_PP, torch.zeros_like(known_PP)], dim=1),
        temperature=temperature,
    )


def contrastive_with_hard_negatives(
    anchor_BD: torch.Tensor,
    positive_BD: torch.Tensor,
    negative_BD: torch.Tensor,
    has_negative_B: torch.Tensor,
    ignored_BC: torch.Tensor,
    *,
    temperature: float,
) -> torch.Tensor:
    """Each anchor must pick its positive among all positives and all hard negatives of the batch.

        L = mean_i -log( exp(cos(a_i, p_i) / t) / sum_j (exp(cos(a_i, p_j) / t) + exp(cos(a_i, n_j) / t)) )

    anchor_BD, positive_BD, negative_BD   (B, D) float32: a premise, what it entails, what contradicts it; B >= 1
    has_negative_B                        (B,) bool; where false, negative_BD holds any finite row, and it is left out
    ignored_BC                            (B, 2B) bool, further columns left out, positives before negatives: texts that
                                          are positives of the anchor too. The own positive is never ignored.
    Returns nats. Chance: log(candidates not ignored), at most log(2B). Perfect: near 0, cosines being bounded.
    SimCSE, supervised: Gao et al. 2021, arXiv:2104.08821.
    """
    candidate_CD = functional.normalize(torch.cat([positive_BD, negative_BD]), dim=1)
    logit_BC = functional.normalize(anchor_BD, dim=1) @ candidate_CD.T / temperature
    is_absent_C = torch.cat([torch.zeros_like(has_negative_B), ~has_negative_B])
    target_B = torch.arange(len(anchor_BD), device=logit_BC.device)
    return ranking_cross_entropy(logit_BC, target_B, ignored_BC | is_absent_C)


def mse(first_BD: torch.Tensor, second_BD: torch.Tensor, label_B: torch.Tensor) -> torch.Tensor:
    """Squared error of the cosine as an estimate of the label.

        L = mean_i (cos(first_i, second_i) - label_i)^2

    Returns a scalar. Chance, orthogonal vectors: mean label^2; the best constant reaches the variance of the labels.
    Perfect: 0. Reimers and Gurevych 2019, arXiv:1908.10084.
    """
    return functional.mse_loss(functional.cosine_similarity(first_BD, second_BD), label_B)
