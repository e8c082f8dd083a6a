"""Figures that prepare measures with the untrained encoder."""

import pandas as pd

from whyrank.core.options.params import Encoder as EncoderParams
from whyrank.core.prepared import Prepared
from whyrank.data.pairs import sampling
from whyrank.data.ranking import corrections
from whyrank.data.ranking.validate import Validated
from whyrank.model.encoder.encoder import Encoder
from whyrank.preflight.figures import (
    answer_votes,
    judgements,
    label_agreement,
    pair_cosines,
    poolings,
    rankers,
    rating_parts,
    rating_rows,
    repairs,
    row_shifts,
    sanity,
    soundness,
    tokenizer,
    unjudged,
)
from whyrank.preflight.figures import encoder as health
from whyrank.preflight.figures import texts as wording
from whyrank.preflight.figures.texts.read import Read
from whyrank.preflight.probes import suspects


def tables(
    encoder: Encoder, texts: Prepared, options: EncoderParams, seed: int, valid: Validated, otherwise: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """By file name in metrics/prepare: `tokenizer`, those of labels beside cosines, of poolings, of the encoder's
    health and of the texts.

    valid       the ranking set as it was read, with the lines of its files and the corrections in effect
    otherwise   some texts as they could be cut instead
    """
    drawn = sampling.sample(texts.pairs, pair_cosines.PAIRS, seed=seed)
    judged = pair_cosines.with_cosines(drawn, texts, encoder, options)
    read = Read(texts)
    said = wording.tables(read, seed)
    found = {
        "tokenizer": tokenizer.figures(encoder, texts),
        **label_agreement.tables(judged, seed),
        **poolings.tables(encoder, texts, options),
        **health.tables(encoder, texts, options, otherwise),
        **said,
        "pair_shifts": row_shifts.pair_shifts(judged, texts.pairs),
        "rating_shifts": row_shifts.rating_shifts(texts),
        "rating_parts": rating_parts.rating_parts(texts),
        "rating_copies": rating_parts.rating_copies(texts),
        "rating_levels": rating_rows.rating_levels(texts),
        "ratings_alike": rating_rows.ratings_alike(texts),
        **_labels(encoder, read, options, seed, valid, soundness.soundness(said, read)),
        **sanity.tables(encoder, texts, options, seed),
    }
    return found | corrections.with_earlier(found, valid)


def _labels(
    encoder: Encoder,
    read: Read,
    options: EncoderParams,
    seed: int,
    valid: Validated,
    sound: soundness.Soundness,
) -> dict[str, pd.DataFrame]:
    """Labels beside rankers that never saw them."""
    texts, ranked = read.prepared, rankers.ranked(encoder, read, options)
    judged = sound.judged(judgements.judgements(ranked, texts))
    return {
        "judgements": judged,
        "untuned": judgements.untuned(ranked, seed),
        "rows_wrong-labels": suspects.rows(judged),
        **repairs.tables(ranked, texts, valid),
        **answer_votes.tables(ranked, texts),
        **unjudged.tables(ranked, read),
    }
