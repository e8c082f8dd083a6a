"""Lengths before and after selection, and what the selection lost: texts, tokens, TF-IDF mass."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from whyrank.data.files.words import words
from whyrank.data.ranking.statistics import Metrics

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def token_lengths(texts: pd.DataFrame) -> tuple[Metrics, pd.DataFrame]:
    """Tokens per text and the share lost, by type.

    texts     type, tokens_raw, tokens (answers are a type of their own)
    Returns metrics `tokens_median_<type>` (before selection), `texts_cut_share_<type>`, `tokens_lost_share_<type>`
    (tokens lost / tokens, over all texts of the type), and the table type, stage (raw | selected), n, mean, q05 ..
    q95, max in tokens.
    """
    metrics: Metrics = {}
    rows = []
    for kind, part in texts.groupby("type"):
        raw, kept = part["tokens_raw"], part["tokens"]
        metrics[f"tokens_median_{kind}"] = float(raw.median())
        metrics[f"texts_cut_share_{kind}"] = float((kept < raw).mean())
        if raw.sum() > 0:
            metrics[f"tokens_lost_share_{kind}"] = float((raw - kept).sum() / raw.sum())
        for stage, tokens in (("raw", raw), ("selected", kept)):
            quantiles = {f"q{round(100 * q):02d}": float(tokens.quantile(q)) for q in QUANTILES}
            rows.append({"type": kind, "stage": stage, "n": len(part), "mean": float(tokens.mean())} | quantiles)
            rows[-1]["max"] = int(tokens.max())
    return metrics, pd.DataFrame(rows)


def tfidf_mass_lost(types: Sequence[str], raw: Sequence[str], selected: Sequence[str], idf: TfidfVectorizer) -> Metrics:
    """`tfidf_lost_share_<type>`: share of the sum of tf x idf that the selection lost, over all texts of the type.

    tf is the plain count here, so that the mass of a text is the sum of the masses of its parts. Left out for a type
    without any word known to `idf`.
    """
    counter = CountVectorizer(analyzer=words, vocabulary=idf.vocabulary_)
    before = counter.transform(raw)
    # A word cut in two can make a word that was not there.
    after = counter.transform(selected).minimum(before)
    mass = pd.DataFrame({"type": list(types), "before": before @ idf.idf_, "after": after @ idf.idf_})
    total = mass.groupby("type").sum()
    total = total[total["before"] > 0]
    lost = 1 - total["after"] / total["before"]
    return {f"tfidf_lost_share_{kind}": float(np.clip(share, 0, 1)) for kind, share in lost.items()}
