"""What a batch of ratings is by the table of ratings alone, computed apart from the losses.

Shapes: R training rows · B rows of a batch · T targets
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch

from whyrank.core.prepared import Prepared
from whyrank.training.ratings.rows import RatingRows

# Labels are float32 in a batch.
SAME = 1e-5


def labels_right(prepared: Prepared, rows: RatingRows) -> float:
    """Share of the training rows whose texts have these labels in the table; smoothed ones have not."""
    table = prepared.rated(held_out=False)
    known: dict[tuple[int, int], list[np.ndarray]] = {}
    for key, label_T in zip(texts(table), table[prepared.rating_targets].to_numpy(dtype=float), strict=True):
        known.setdefault(key, []).append(label_T)
    labelled = len(rows.label_RT) - rows.pseudo
    keys = [(int(first), int(second)) for first, second in rows.texts_R2[:labelled]]
    hits = [
        any(np.allclose(label_T, own_T, atol=SAME) for own_T in known.get(key, ()))
        for key, label_T in zip(keys, rows.label_RT, strict=False)
    ]
    return float(np.mean(hits)) if hits else 1.0


def texts(table: pd.DataFrame) -> list[tuple[int, int]]:
    return [(int(first), int(second)) for first, second in table[["first", "second"]].to_numpy()]


def expected_loss(weights: Mapping[str, float], logit_BT: torch.Tensor, label_BT: np.ndarray) -> float | None:
    """Of `bce` and `mse` from their formulas, every entry of one weight; None where another loss is on."""
    if not set(weights) <= {"bce", "mse"}:
        return None
    value_BT = logit_BT.detach().double().cpu().numpy()
    found = {
        "bce": np.logaddexp(0.0, value_BT) - label_BT * value_BT,
        "mse": np.square(0.5 + 0.5 * np.tanh(value_BT / 2) - label_BT),
    }
    return float(sum(weight * found[name].mean() for name, weight in weights.items()))
