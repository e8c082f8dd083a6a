"""Figures that prepare measures with the untrained encoder."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache

import pandas as pd

from whyrank.core.options.params import Encoder as EncoderParams
from whyrank.core.prepared import Prepared
from whyrank.core.progress import progress
from whyrank.data.pairs import sampling
from whyrank.data.ranking import corrections
from whyrank.data.ranking.validate import Validated
from whyrank.model.encoder.encoder import Encoder, TokenIds
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
    read = Read(own(texts, valid))
    drawn = sampling.sample(texts.pairs, pair_cosines.PAIRS, seed=seed)
    judged = cache(lambda: pair_cosines.with_cosines(drawn, texts, encoder, options))
    said = cache(lambda: wording.tables(read, seed))
    parts: list[Callable[[], Mapping[str, pd.DataFrame]]] = [
        lambda: {"tokenizer": tokenizer.figures(encoder, texts)},
        lambda: label_agreement.tables(judged(), seed),
        lambda: poolings.tables(encoder, texts, options),
        *health.parts(encoder, texts, options, otherwise),
        said,
        lambda: {"pair_shifts": row_shifts.pair_shifts(judged(), texts.pairs)},
        lambda: {"rating_shifts": row_shifts.rating_shifts(texts)},
        lambda: {"rating_parts": rating_parts.rating_parts(texts)},
        lambda: {"rating_copies": rating_parts.rating_copies(texts)},
        lambda: {"rating_levels": rating_rows.rating_levels(texts)},
        lambda: {"ratings_alike": rating_rows.ratings_alike(texts)},
        lambda: _labels(encoder, read, texts.token_ids, options, seed, valid, soundness.soundness(said(), read)),
        lambda: sanity.tables(encoder, texts, options, seed),
    ]
    found: dict[str, pd.DataFrame] = {}
    for part in progress(parts, total=len(parts), what="figures"):
        found |= part()
    return found | corrections.with_earlier(found, valid)


def own(texts: Prepared, valid: Validated) -> Prepared:
    """The ranking set without queries that prepare made of its answers: what they say is no fault of the set."""
    is_own = texts.queries["query_id"].isin(valid.queries["query_id"])
    queries = texts.queries[is_own]
    qrels = texts.qrels[texts.qrels["query_id"].isin(queries["query_id"])]
    return Prepared(texts.answers, queries.reset_index(drop=True), qrels.reset_index(drop=True))


def _labels(
    encoder: Encoder,
    read: Read,
    token_ids: Sequence[TokenIds],
    options: EncoderParams,
    seed: int,
    valid: Validated,
    sound: soundness.Soundness,
) -> dict[str, pd.DataFrame]:
    """Labels beside rankers that never saw them."""
    texts, ranked = read.prepared, rankers.ranked(encoder, read, token_ids, options)
    judged = sound.judged(judgements.judgements(ranked, texts))
    return {
        "judgements": judged,
        "untuned": judgements.untuned(ranked, seed),
        "rows_wrong-labels": suspects.rows(judged),
        **repairs.tables(ranked, texts, valid),
        **answer_votes.tables(ranked, texts),
        **unjudged.tables(ranked, read),
    }
