"""Training pairs of sentences in batches, and for each an opposite of the same first text.

Shapes: B pairs of a batch · P training pairs
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from whyrank.batches.ranking import endless
from whyrank.core.errors import UserError


@dataclass(frozen=True)
class PairBatch:
    first_B: np.ndarray  # numbers of texts
    second_B: np.ndarray
    label_B: np.ndarray  # float32; similarity in [0, 1]
    negative_B: np.ndarray  # number of a text that is the opposite of the first one's; -1: there is none


class PairBatches:
    """Endless batches of pairs, each once before any comes again.

    distinct_labels   every batch holds at least two labels, as an order loss needs: where all rows drawn have the same
                      one, the last gives way to the next pair with another
    negative_to       a pair with a label up to this gives its second text as the opposite of its first
    """

    def __init__(
        self,
        pairs: pd.DataFrame,
        *,
        size: int,
        distinct_labels: bool,
        negative_to: float,
        random: np.random.Generator,
    ) -> None:
        """pairs   columns first, second (numbers of texts) and label; the training rows

        Raises UserError for fewer than two pairs, and where all labels are the same though distinct ones are needed.
        """
        if len(pairs) < 2:
            raise UserError(f"similarity: {len(pairs)} training pairs; add a source with `use: train` to prepare.pairs")
        self.first_P, self.second_P = pairs["first"].to_numpy(), pairs["second"].to_numpy()
        self.label_P = pairs["label"].to_numpy(dtype=np.float32)
        self.distinct_labels = distinct_labels
        if distinct_labels and len(np.unique(self.label_P)) < 2:
            raise UserError(
                f"similarity: all {len(pairs)} training pairs have the label {self.label_P[0]:g}, and an order loss "
                "compares labels; bring pairs with others, or set its weight to 0"
            )
        self.random = random
        self.rows = endless(len(pairs), size, random)
        is_opposite_P = self.label_P <= negative_to
        self.opposites: dict[int, list[int]] = {}
        for first, second in zip(self.first_P[is_opposite_P], self.second_P[is_opposite_P], strict=True):
            self.opposites.setdefault(int(first), []).append(int(second))

    def __iter__(self) -> Iterator[PairBatch]:
        return self

    def __next__(self) -> PairBatch:
        row_B = self.mixed(next(self.rows))
        draw_B = self.random.random(len(row_B))
        found = [self.opposites.get(int(first), [-1]) for first in self.first_P[row_B]]
        negative_B = [own[int(draw * len(own))] for own, draw in zip(found, draw_B, strict=True)]
        return PairBatch(self.first_P[row_B], self.second_P[row_B], self.label_P[row_B], np.array(negative_B))

    def mixed(self, row_B: np.ndarray) -> np.ndarray:
        """The rows, with at least two labels among them where that is asked for."""
        label_B = self.label_P[row_B]
        if not self.distinct_labels or len(row_B) < 2 or (label_B != label_B[0]).any():
            return row_B
        others = np.flatnonzero(self.label_P != label_B[0])
        return np.append(row_B[:-1], self.random.choice(others))
