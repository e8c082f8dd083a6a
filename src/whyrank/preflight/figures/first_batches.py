"""The composition of the first batches that training would see, drawn without an encoder, so before any training."""

import itertools
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd

from whyrank.batches import made_texts
from whyrank.batches.pairs import PairBatches
from whyrank.batches.ranking import RankBatches
from whyrank.batches.views import Sides, all_sides, view_batches
from whyrank.core.options.params import BarlowBatches, FirstBatches
from whyrank.core.prepared import Prepared

DRAWN = 20


def first_batches(prepared: Prepared, barlow: BarlowBatches, rank: FirstBatches, seed: int) -> pd.DataFrame:
    """One row per batch: stage, rows, distinct_answers, rows_with_false_negatives (a share; NaN for Barlow Twins)."""
    records = []
    for both in _sides(prepared, barlow, seed) if barlow.steps else []:
        batches = view_batches(both, batches=barlow.batches, size=barlow.batch_size, random=np.random.default_rng(seed))
        for _ in range(DRAWN):
            answer_B = next(batches).answer_B
            records.append(("pretrain_barlow", len(answer_B), len(np.unique(answer_B)), np.nan))
    has_training = bool((prepared.queries["split"] == "train").any())  # judgements of a test set alone have none
    ranking = RankBatches(prepared, rank, np.random.default_rng(seed)) if has_training else iter(())
    for batch in itertools.islice(ranking, DRAWN):
        false_share = float(batch.false_BC.any(1).mean())
        records.append(("finetune_rank", len(batch.query_B), batch.distinct_answers, false_share))
    return pd.DataFrame(records, columns=["stage", "rows", "distinct_answers", "rows_with_false_negatives"])


def _sides(prepared: Prepared, barlow: BarlowBatches, seed: int) -> Iterable[Sides]:
    """Of the views that have pairs; one made text of each is enough to see what stands together."""
    made = made_texts.made(prepared, barlow.views, replace(barlow.texts, per_text=1), np.random.default_rng(seed))
    return all_sides(made_texts.with_made(prepared, made), barlow.views).values()


def first_pair_batches(prepared: Prepared, rank: FirstBatches, seed: int) -> dict[str, pd.DataFrame]:
    """`pair_batches`: one row per batch of training pairs, labels mixed where there are several; nothing without pairs.

    rows, distinct_labels   pairs and different labels of the batch
    positives               pairs with a label of `positive_from` or above
    """
    options = rank.objectives.similarity
    train = prepared.pairs[prepared.pairs["use"] == "train"]
    if len(train) < 2:
        return {}
    batches = PairBatches(
        train,
        size=options.batch_size,
        distinct_labels=len(train["label"].unique()) > 1,
        negative_to=options.negative_to,
        random=np.random.default_rng(seed),
    )
    labels = [next(batches).label_B for _ in range(DRAWN)]
    return {
        "pair_batches": pd.DataFrame(
            {
                "rows": [len(label_B) for label_B in labels],
                "distinct_labels": [len(np.unique(label_B)) for label_B in labels],
                "positives": [int((label_B >= options.positive_from).sum()) for label_B in labels],
                "positive_from": options.positive_from,
            }
        )
    }
