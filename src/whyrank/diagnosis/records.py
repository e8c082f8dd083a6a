"""What the pipeline recorded, as probes read it. A probe sees only this, never the intention in params.yaml."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class DataRecords:
    """What `prepare` recorded; enough for the preflight probes.

    answers, queries, qrels   the prepared tables
    metrics                   the flat numbers of metrics/prepare.json
    tables                    the tables of metrics/prepare/, by file name without suffix
    batches                   composition of training batches: one row per batch with columns `stage`
                              (pretrain_barlow | finetune_rank), `rows`, `distinct_answers`,
                              `rows_with_false_negatives` (share of rows, NaN for pretrain_barlow)
    """

    answers: pd.DataFrame
    queries: pd.DataFrame
    qrels: pd.DataFrame
    metrics: dict[str, float]
    tables: dict[str, pd.DataFrame]
    batches: pd.DataFrame


@dataclass(frozen=True)
class TrainingRecord:
    """One training run: history per step and, for fine-tuning, one row per look at the dev set."""

    metrics: dict[str, float]
    history: pd.DataFrame
    evaluations: pd.DataFrame = field(default_factory=pd.DataFrame)


@dataclass(frozen=True)
class RunRecord:
    """One evaluated system.

    metrics   the flat numbers of metrics/evaluate/<system>.json
    queries   one row per test query: query_id, type, cluster (its first relevant answer), the per-query metrics
              (`accuracy@1`, …, NaN never), above and tied of its best-placed relevant answer, score, top_score
    top       query_id, rank (from 1), answer_id, score: the best answers of each query
    query_vectors, answer_vectors   (N, D) and (A, D) float32 before normalisation, rows as in the prepared tables
              (all splits); None for the lexical floors
    """

    metrics: dict[str, float]
    queries: pd.DataFrame
    top: pd.DataFrame
    query_vectors: np.ndarray | None = None
    answer_vectors: np.ndarray | None = None


@dataclass(frozen=True)
class Records:
    """Everything one `dvc repro` recorded. `runs` is in the order of params.yaml."""

    data: DataRecords
    barlow: TrainingRecord | None
    finetune: dict[str, TrainingRecord]  # by initial encoder: base, barlow
    runs: dict[str, RunRecord]  # by system: tfidf, bm25, base, barlow, base-tuned, barlow-tuned
