"""How similar the two texts of a pair are to those that never saw its label: the untrained encoder, and shared words.

Shapes: N pairs · M different texts · D features
"""

import numpy as np
import pandas as pd

from whyrank.core import cache
from whyrank.core.options.params import Encoder as EncoderParams
from whyrank.core.prepared import Prepared
from whyrank.lexical.ranking import tfidf_pairs
from whyrank.model.encoder import vector_cache
from whyrank.model.encoder.encoder import Encoder

# Pairs of a source that are looked at, by its use. Of shuffled labels 99 % then correlate by less than .12, or .18 with
# 200 pairs; proper labels of STS, SICK and SNLI by .38 and more.
PAIRS = {"train": 500, "dev": 200, "test": 200}
# Cosines that differ by less are equal: a collapsed encoder must come out as constant, not as ordered by rounding.
DECIMALS = 6


def with_cosines(drawn: pd.DataFrame, prepared: Prepared, encoder: Encoder, options: EncoderParams) -> pd.DataFrame:
    """`drawn`, rows of `prepared.pairs`, with the cosines `encoder` (-1 to 1) and `tfidf` (0 to 1).

    TF-IDF is fitted on the texts of these pairs.
    """
    if drawn.empty:
        return drawn
    table = prepared.texts.table
    text = table["text"].to_numpy()
    first_N, second_N = (drawn[name].to_numpy(dtype=np.int64) for name in ("first", "second"))
    cosine_N = encoder_cosines(first_N, second_N, table["input_ids"], encoder, options)
    words_N = tfidf_pairs(text[first_N].tolist(), text[second_N].tolist())
    return drawn.assign(encoder=cosine_N.round(DECIMALS), tfidf=words_N.round(DECIMALS))


def encoder_cosines(
    first_N: np.ndarray, second_N: np.ndarray, token_ids: pd.Series, encoder: Encoder, options: EncoderParams
) -> np.ndarray:
    """(N,) float64 cosine of the encoder's own vectors; `first_N` and `second_N` are rows of `token_ids`."""
    text_M = np.unique(np.concatenate([first_N, second_N]))
    vector_MD = vector_cache.encode(
        encoder,
        token_ids.iloc[text_M].tolist(),
        batch_tokens=options.batch_tokens,
        precision=options.precision,
        folder=cache.folder(),
    ).astype(np.float64)
    unit_MD = vector_MD / np.maximum(np.linalg.norm(vector_MD, axis=1, keepdims=True), 1e-12)
    return (unit_MD[np.searchsorted(text_M, first_N)] * unit_MD[np.searchsorted(text_M, second_N)]).sum(axis=1)
