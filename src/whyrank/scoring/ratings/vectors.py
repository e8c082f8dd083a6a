"""Features of rated rows under a frozen encoder.

Shapes: N rows · K those whose products are asked for · M different texts · D features of the encoder · F of a row
"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from whyrank.core import cache
from whyrank.core.options.params import Encoder
from whyrank.core.prepared import Prepared
from whyrank.lexical.ratings import Kernel
from whyrank.scoring.ratings.layouts import Row

if TYPE_CHECKING:
    from whyrank.model.system import System

# Of its largest magnitude: a feature that varies by less is constant, and would be noise once standardised.
ROUNDING = 2.0**-20


def features(system: "System", rows: list[Row], encoder: Encoder) -> np.ndarray:
    """(N, F) float32: of a row that is one text its vector u, of question and answer [u, v, |u - v|, u * v].

    u and v are what a head of the ratings task would see, after the head that the system has for it, not of unit
    length. Each different text is encoded once.
    """
    # The baselines and the summary should not wait for torch.
    import torch

    from whyrank.model.encoder import vector_cache

    text_M = {text_L.tobytes(): text_L for row in rows for text_L in row}
    encoded_MD = vector_cache.encoded(system.encoder, list(text_M.values()), encoder)
    with torch.inference_mode():
        own_MD = system.features("ratings", encoded_MD).cpu().numpy()
    place = {text: number for number, text in enumerate(text_M)}
    return of_rows(own_MD, [[place[text_L.tobytes()] for text_L in row] for row in rows])


def layer_features(system: "System", texts: Prepared, rows: pd.DataFrame, encoder: Encoder) -> list[np.ndarray] | None:
    """(N, F) float32 for the embeddings and each layer but the last: the same of means over the tokens.

    Of all texts of the ratings at once, as a training computes them, so that either finds what the other left.
    None of an encoder whose layers are not known (not of the BERT family).
    """
    from whyrank.model.encoder import layers, vector_cache

    if not system.encoder.is_packed:
        return None
    mean_MKD = layers.layer_means(
        system.encoder,
        texts.texts.token_ids("rated text"),
        1,
        batch_tokens=encoder.batch_tokens,
        precision=encoder.precision,
        folder=cache.folder() / vector_cache.ACTIVATIONS,
    ).numpy()
    numbers_N2 = rows[["first", "second"]].to_numpy(dtype=np.int64)
    places = [np.searchsorted(texts.texts.of("rated text"), row[row >= 0]).tolist() for row in numbers_N2]
    return [of_rows(mean_MKD[:, layer], places) for layer in range(mean_MKD.shape[1])]


def of_rows(vector_MD: np.ndarray, places: list[list[int]]) -> np.ndarray:
    """(N, F) of rows by the places of their texts, one or two each."""
    # A row without one of two parts is joined with itself, so that all have as many features.
    first_ND, second_ND = (vector_MD[[row[side] for row in places]] for side in (0, -1))
    if all(len(row) == 1 for row in places):
        return first_ND
    return np.concatenate([first_ND, second_ND, np.abs(first_ND - second_ND), first_ND * second_ND], axis=1)


def kernel(feature_NF: np.ndarray) -> Kernel:
    """Mean over the features of their products, each standardised by the training rows of a fold; constant ones are 0.

    feature_NF   (N, F) float32
    """

    def of_fold(train_N: np.ndarray, row_K: np.ndarray) -> np.ndarray:
        train_MF = feature_NF[train_N].astype(np.float64)
        mean_F, spread_F = train_MF.mean(axis=0), train_MF.std(axis=0)
        scale_F = np.where(spread_F > ROUNDING * np.abs(train_MF).max(axis=0), spread_F, np.inf)
        standard_KF = ((feature_NF[row_K] - mean_F) / scale_F).astype(np.float32)
        product_KK = standard_KF @ standard_KF.T
        product_KK /= np.float32(feature_NF.shape[1])
        return product_KK

    return of_fold


def mean_kernel(kernels: list[Kernel]) -> Kernel:
    """The mean of several."""

    def of_fold(train_N: np.ndarray, row_K: np.ndarray) -> np.ndarray:
        product_KK = np.zeros((len(row_K), len(row_K)), dtype=np.float32)
        for one in kernels:
            product_KK += one(train_N, row_K)
        product_KK /= np.float32(len(kernels))
        return product_KK

    return of_fold
