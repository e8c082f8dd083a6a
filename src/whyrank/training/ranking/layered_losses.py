"""Losses over shortened vectors and over several layers, made from any loss of vectors. Pure functions, float32.

Shapes: B rows of a batch · N rows of all vectors of a layer · D features · K features kept
"""

import math
from collections.abc import Callable, Sequence

import torch

from whyrank.core.errors import UserError
from whyrank.training.distillation import distillation_scores, distillation_vectors

# (B, D) vectors, as many as the loss takes, to a scalar; labels, groups and temperature are already bound.
VectorLoss = Callable[..., torch.Tensor]


def matryoshka(loss: VectorLoss, dims: Sequence[int], weights: Sequence[float]) -> VectorLoss:
    """The loss of vectors cut to their first features, so that a prefix of a vector serves as a vector.

        L = sum_m weights_m * loss(first dims_m features)

    dims      1 <= dims_m <= D; D itself for the whole vector
    Returns a loss of the same vectors, so that it can be handed on. Chance and perfect: the loss's own, weighted.
    A loss of cosines scales each cut to length 1 itself. Kusupati et al. 2022, arXiv:2205.13147.
    """

    def over_dims(*vectors: torch.Tensor) -> torch.Tensor:
        terms = [weight * loss(*_cut(vectors, width)) for width, weight in zip(dims, weights, strict=True)]
        return torch.stack(terms).sum()

    return over_dims


def espresso(
    loss: VectorLoss,
    layers: Sequence[Sequence[torch.Tensor]],
    dims: Sequence[int],
    *,
    align_weight: float,
    numbers: Sequence[int] | None = None,
) -> torch.Tensor:
    """Espresso Sentence Embeddings (ESE): every layer and every prefix of a vector serves as a vector.

        L = loss(X_n) + T_n + mean_{i < n} T_i / (1 + ln i)
        T_i = sum_k ( loss(X_i[:k]) + align_weight * align(X_i[:k], P_i[:k]) )      express, compress
        P_i = X_i U S,  U S V^T = svd(softmax(X_i^T X_i / sqrt D)),  align = mse + KL over the features

    layers         layers[i - 1] holds the vectors of layer i, those the loss takes, each (B, D) float32; the last
                   layer at the end. Without the output of the embeddings: i is the number of transformer layers run.
    dims           1 <= k < D
    align_weight   0 leaves the compression out
    numbers        i of each layer, where not every layer is among them; 1, 2, 3, … without
    Chance and perfect: the loss's own, in the same weights, plus the alignment's, which is 0 at X[:k] = P[:k].
    No gradient goes through P. Li et al. 2024, arXiv:2402.14776, in the form of its authors' package angle_emb, but:
    the decomposition is whole, not randomised, so that the same batch gives the same loss; each feature of P has the
    sign that agrees with the feature it is the target of, as that of a singular vector is arbitrary and would turn
    from step to step; and no layer of `layers` is passed over.
    """
    *shallow, last = layers
    total = loss(*last) + _espresso_layer(loss, last, dims, align_weight)
    if not shallow:
        return total
    terms = [
        _espresso_layer(loss, layer, dims, align_weight) / (1 + math.log(number))
        for number, layer in zip(numbers or range(1, len(layers) + 1), shallow, strict=False)
    ]
    return total + torch.stack(terms).mean()


def _espresso_layer(
    loss: VectorLoss, layer: Sequence[torch.Tensor], dims: Sequence[int], align_weight: float
) -> torch.Tensor:
    vector_ND = torch.cat(list(layer))
    assert max(dims) < vector_ND.shape[1], f"{max(dims)} features are no cut of {vector_ND.shape[1]}"
    terms = [loss(*_cut(layer, width)) for width in dims]
    if align_weight:
        target_NK = _principal_features(vector_ND, max(dims))
        for width in dims:
            cut_NK, aim_NK = vector_ND[:, :width], target_NK[:, :width]
            divergence = distillation_scores(cut_NK, aim_NK, "kl", temperature=1.0)
            terms.append(align_weight * (distillation_vectors(cut_NK, aim_NK, "mse") + divergence))
    return torch.stack(terms).sum()


def _principal_features(vector_ND: torch.Tensor, width: int) -> torch.Tensor:
    """(N, K) X U S, each column in the sign that agrees with the same column of X."""
    relation_DD = (vector_ND.T @ vector_ND / math.sqrt(vector_ND.shape[1])).softmax(1)
    left_DD, singular_D, _ = torch.linalg.svd(relation_DD)
    feature_NK = vector_ND @ (left_DD * singular_D)[:, :width]
    agreement_K = (feature_NK * vector_ND[:, :width]).sum(0)
    return torch.where(agreement_K < 0, -feature_NK, feature_NK)


def _cut(vectors: Sequence[torch.Tensor], width: int) -> list[torch.Tensor]:
    features = vectors[0].shape[1]
    assert 1 <= width <= features, f"{width} features cannot be cut from {features}"
    return [vector_BD[:, :width] for vector_BD in vectors]


def check_dims(dims: Sequence[int], most: int, key: str) -> None:
    for dim in dims:
        if not 1 <= dim <= most:
            raise UserError(f"params.yaml: `{key}` has {dim}; of these vectors 1 to {most} features can be kept")
