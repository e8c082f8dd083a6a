"""How the labels of pairs agree with similarities that never saw them: the untrained encoder's, and shared words."""

import numpy as np
import pandas as pd

from whyrank.measure.metrics.correlation import spearman
from whyrank.measure.significance.independence import beyond, kruskal_p, shuffled_bounds

SHUFFLES, LEVEL = 2000, 0.99
AGREEMENT_COLUMNS = ["source", "use", "similarity", "n", "spearman", "floor_low", "floor_high", "kruskal_p", "reason"]
# Contradictions may repeat the words of their premise, and entailments use others: then only what the encoder knows
# beyond words tells the labels from their opposite.
SIMILARITIES = ("encoder", "tfidf", "beyond")
LEVEL_COLUMNS = ["source", "kind", "level", "label", "n"]
DECIMALS = 6


def tables(judged: pd.DataFrame, seed: int) -> dict[str, pd.DataFrame]:
    """Of each source two tables, by the name of their file; none without a pair.

    judged   source, use, class_name, label, stratum (class, or level of the score), encoder and tfidf (cosines)

    pair_agreement   source, use, similarity (encoder, tfidf: a cosine | beyond: ranks of the encoder's cosine less what
                     those of TF-IDF say of them), n; spearman of similarity and label (0 at chance), the bounds
                     between which 99 % of shuffled labels bring it, and the p of no difference between strata;
                     missing where a correlation is undefined, for the `reason` beside it
    pair_levels      source, kind (classes | scores), level (class, or bounds of the score), label (mean), n; of each
                     similarity the mean and its standard error (`encoder_mean`, `encoder_error`, …)
    """
    if judged.empty:
        return {}
    parts = [
        part.assign(beyond=beyond(part["encoder"], part["tfidf"]).round(DECIMALS))
        for _, part in judged.groupby("source", sort=False)
    ]
    agreement = [row for part in parts for row in _agreement(part, seed)]
    return {
        "pair_agreement": pd.DataFrame(agreement, columns=AGREEMENT_COLUMNS),
        "pair_levels": pd.DataFrame([row for part in parts for row in _levels(part)]),
    }


def _agreement(part: pd.DataFrame, seed: int) -> list[tuple[object, ...]]:
    """Rows of `pair_agreement` for one source."""
    rows: list[tuple[object, ...]] = []
    for name in SIMILARITIES:
        found = spearman(part[name], part["label"])
        chance = shuffled_bounds(part[name], part["label"], shuffles=SHUFFLES, seed=seed, level=LEVEL)
        bounds = (chance.low, chance.high) if chance else (np.nan, np.nan)
        value = np.nan if found.value is None else found.value
        p = kruskal_p(part[name], part["stratum"])
        where = part[["source", "use"]].iloc[0]
        rows.append((*where, name, len(part), value, *bounds, np.nan if p is None else p, found.reason))
    return rows


def _levels(part: pd.DataFrame) -> list[dict[str, object]]:
    """Rows of `pair_levels` for one source, the lowest label first."""
    rows: list[dict[str, object]] = []
    kind = "classes" if part["class_name"].any() else "scores"
    for level, of_level in part.groupby("stratum", sort=False):
        values = (part["source"].iloc[0], kind, level, of_level["label"].mean(), len(of_level))
        row = dict(zip(LEVEL_COLUMNS, values, strict=True))
        for name in SIMILARITIES:
            row |= {f"{name}_mean": of_level[name].mean(), f"{name}_error": of_level[name].sem()}
        rows.append(row)
    return sorted(rows, key=lambda row: float(str(row["label"])))
