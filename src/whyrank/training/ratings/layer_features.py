"""What the layer of a ratings objective reads beside the encoder's vectors: means of the frozen layers.

Shapes: N texts of the set · B rows · R rows that are trained on · K layers · D features of a layer · F of a row
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

# Rows that are put together at once, to bound memory.
ROWS = 256
# Of its largest magnitude: a feature that varies by less is constant, and another value of it says nothing.
ROUNDING = 2.0**-20


class LayerFeatures:
    """(B, F) of rows by the numbers of their texts: each feature less its mean, in its own spread, times 1 / sqrt(D).

    A feature that is constant in the rows that are trained on is 0 in all.

    The features of a layer together have length 1 or so, however many they are: a step of the layer then changes a
    rating as much through them as through the encoder's own vector.
    """

    def __init__(self, text_N: np.ndarray, mean_NKD: torch.Tensor, texts_R2: np.ndarray) -> None:
        """text_N     numbers of the texts that `mean_NKD` is of, ascending
        texts_R2   of the rows that are trained on: from them alone come mean and spread
        """
        self.text_N, self.layers = text_N, mean_NKD.shape[1]
        self.scale = mean_NKD.shape[2] ** -0.5
        self.mean_NF = mean_NKD.flatten(1)
        self.centre_F = mean_of(self.of_rows(texts_B2) for texts_B2 in parts(texts_R2))
        squares_F = mean_of((self.of_rows(texts_B2) - self.centre_F) ** 2 for texts_B2 in parts(texts_R2))
        largest_F = torch.stack([self.of_rows(texts_B2).abs().amax(0) for texts_B2 in parts(texts_R2)]).amax(0)
        spread_F = squares_F.sqrt()
        self.spread_F = torch.where(spread_F > ROUNDING * largest_F, spread_F, torch.inf)
        self.width = len(self.centre_F)

    def of_rows(self, texts_B2: np.ndarray) -> torch.Tensor:
        """(B, F) as they are."""
        sides = [torch.as_tensor(np.searchsorted(self.text_N, side_B)) for side_B in texts_B2.T if (side_B >= 0).all()]
        return pair_features([self.mean_NF[side_B] for side_B in sides])

    def __call__(self, texts_B2: np.ndarray) -> torch.Tensor:
        """(B, F) float32 in main memory."""
        return (self.of_rows(texts_B2) - self.centre_F) / self.spread_F * self.scale


def pair_features(sides: Sequence[torch.Tensor]) -> torch.Tensor:
    """(B, D) of a row that is one text, as it is; of question u and answer v [u, v, |u - v|, u v], (B, 4 D)."""
    if len(sides) == 1:
        return sides[0]
    first_BD, second_BD = sides
    return torch.cat([first_BD, second_BD, (first_BD - second_BD).abs(), first_BD * second_BD], dim=1)


def parts(texts_R2: np.ndarray) -> list[np.ndarray]:
    return np.array_split(texts_R2, -(-len(texts_R2) // ROWS))


def mean_of(parts: Iterator[torch.Tensor]) -> torch.Tensor:
    """(F,) over the rows of all parts."""
    total, count = torch.zeros(1, dtype=torch.float64), 0
    for part_BF in parts:
        total, count = total + part_BF.sum(0, dtype=torch.float64), count + len(part_BF)
    return (total / count).float()
