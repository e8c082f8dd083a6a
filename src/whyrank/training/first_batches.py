"""The composition of the first batches that training would see, drawn without an encoder, so before any training."""

import numpy as np
import pandas as pd

from whyrank.core.params import BarlowBatches
from whyrank.core.params import RankBatches as RankParams
from whyrank.core.prepared import Prepared
from whyrank.training.rank_batches import RankBatches
from whyrank.training.view_batches import view_batches

DRAWN = 20


def first_batches(prepared: Prepared, barlow: BarlowBatches, rank: RankParams, seed: int) -> pd.DataFrame:
    """One row per batch: stage, rows, distinct_answers, rows_with_false_negatives (a share; NaN for Barlow Twins)."""
    records = []
    for view in barlow.views if barlow.steps else []:
        batches = view_batches(
            prepared, view, batches=barlow.batches, size=barlow.batch_size, random=np.random.default_rng(seed)
        )
        for _ in range(DRAWN):
            answer_B = next(batches).answer_B
            records.append(("pretrain_barlow", len(answer_B), len(np.unique(answer_B)), np.nan))
    ranking = RankBatches(
        prepared,
        candidates=rank.candidates,
        mask_same_answer=rank.same_answer == "masked",
        size=rank.batch_size,
        random=np.random.default_rng(seed),
    )
    for _ in range(DRAWN):
        batch = next(ranking)
        false_share = float(batch.false_BC.any(1).mean())
        records.append(("finetune_rank", len(batch.query_B), batch.distinct_answers, false_share))
    return pd.DataFrame(records, columns=["stage", "rows", "distinct_answers", "rows_with_false_negatives"])
