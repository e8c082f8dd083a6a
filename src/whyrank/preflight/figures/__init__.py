"""Figures that prepare measures with the untrained encoder."""

import pandas as pd

from whyrank.core.options.params import Encoder as EncoderParams
from whyrank.core.prepared import Prepared
from whyrank.data.pairs import sampling
from whyrank.model.encoder.encoder import Encoder
from whyrank.preflight.figures import label_agreement, pair_cosines, poolings, tokenizer


def tables(encoder: Encoder, texts: Prepared, options: EncoderParams, seed: int) -> dict[str, pd.DataFrame]:
    """By file name in metrics/prepare: `tokenizer`, those of labels beside cosines, and those of poolings."""
    drawn = sampling.sample(texts.pairs, pair_cosines.PAIRS, seed=seed)
    judged = pair_cosines.with_cosines(drawn, texts, encoder, options)
    return {
        "tokenizer": tokenizer.figures(encoder, texts),
        **label_agreement.tables(judged, seed),
        **poolings.tables(encoder, texts, options),
    }
