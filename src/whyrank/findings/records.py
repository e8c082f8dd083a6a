"""What the pipeline recorded, as probes read it.

A fault is seen by what was recorded, whatever parameter, file or bug caused it. `Records.params` says what was asked
for: which of several explanations a run allows, and which key a fix sets; never that something is wrong.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from whyrank.core.prepared import Prepared
from whyrank.findings.systems import Systems

# Of the metrics of a training that no stage made: nothing evaluated it while it went on.
ELSEWHERE = "trained_elsewhere"
# Of such a training whose weights came in half precision: the share of them that are as before it.
AS_BEFORE = "weights_as_before"
# And the pairs of a batch, where its log says them.
BATCH = "batch_size"
OBJECTIVE_LOSS = re.compile(r"([a-z]+)_loss")


def rows_of(table: pd.DataFrame) -> list[Any]:
    """Rows of a table, each cell an attribute by the name of its column."""
    return list(table.itertuples(index=False))


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
    ratings: pd.DataFrame = field(default_factory=pd.DataFrame)

    def table(self, name: str) -> pd.DataFrame:
        """The one of `tables`; an empty one where it was not recorded."""
        return self.tables.get(name, pd.DataFrame())

    @cached_property
    def text_figures(self) -> dict[tuple[str, str], tuple[float, int, str]]:
        """Value, texts and example of the figures of texts, by figure and kind of text; empty where none was recorded.

        Two hundred of them are asked for: searching the table for each would take a second.
        """
        table = self.table("text_figures")
        found: dict[tuple[str, str], tuple[float, int, str]] = {}
        rows = [] if table.empty else rows_of(table[["figure", "kind", "value", "texts", "example"]])
        for name, kind, value, texts, example in rows:
            found.setdefault((name, kind), (float(value), int(texts), str(example or "")))
        return found

    @cached_property
    def ranking(self) -> Prepared:
        """The prepared tables of ranking, which know what is relevant."""
        return Prepared(self.answers, self.queries, self.qrels)


@dataclass(frozen=True)
class TrainingRecord:
    """One training run: history per step and, for fine-tuning, one row per evaluation on the dev set.

    rating_folds   one row per fold and evaluation: fold, step, ratings_spearman (mean over the defined columns of the
                   held-out rows; NaN without any), train_ratings_spearman, …; empty without ratings. `history` and
                   `evaluations` are then those of fold 0.
    """

    metrics: dict[str, float]
    history: pd.DataFrame
    evaluations: pd.DataFrame = field(default_factory=pd.DataFrame)
    rating_folds: pd.DataFrame = field(default_factory=pd.DataFrame)
    golden: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def objectives(self) -> set[str]:
        """Names of those that steps followed: each records its own loss as `<name>_loss`."""
        return {found.group(1) for name in self.history if (found := OBJECTIVE_LOSS.fullmatch(str(name)))}

    @property
    def is_for_ratings(self) -> bool:
        """Ratings were trained, and ranking was not."""
        return "ratings" in self.objectives and "rank" not in self.objectives


@dataclass(frozen=True)
class RunRecord:
    """One evaluated system.

    metrics   the flat numbers of metrics/evaluate/<system>.json
    queries   one row per test query: query_id, type, cluster (its first relevant answer), the per-query metrics
              (`accuracy@1`, …, NaN never), above and tied of its best-placed relevant answer, score, top_score
    top       query_id, rank (from 1), answer_id, score: the best answers of each query
    query_vectors, answer_vectors   (N, D) and (A, D) float32 before normalisation, rows as in the prepared tables
              (all splits); None for the lexical baselines
    other_splits   one row per judged dev query, and per drawn training query, as the same code scores them: `split`
              beside the columns of `queries`; None for a run of another tool that lists none
    golden    vectors of a few texts by a pass of their own, see `model.golden`; None for the lexical baselines
    library   cosines of a few texts by sentence-transformers with what was evaluated, see `model.library`; None but for
              a model that was made elsewhere
    pairs     one row per test pair of sentences: pair_id, source, subset, label, prediction (cosine), text1, text2, …;
              None where there are none, or the system has no cosine
    training_pairs   the same of a draw of the training pairs
    ratings   one row per rated row and target: rating_id, fold, group, target, label (0 to 1), prediction (made by what
              was trained on the other folds), snapped (the same brought to the distribution of the training labels, in
              the columns where that helped within the fold); None where there are none, or the system rates nothing
    rating_layouts   the same of ridge on the frozen encoder for each `layout` (joint | separate); of untuned encoders
    rating_blocks    the same of ridge on means over the tokens of all layers but the last, in the layout asked for
    analyser  how a lexical baseline of ours read the texts: language (ISO 639, "" unknown), share (of the texts, 0 to
              1), answers and queries (the language of each), stemmer (Snowball's, "" for none); else None
    how       what a rival chose on the dev queries (C, weights, systems, dev_mrr), and of what it learned from training
              queries: unseen_answers (ids), unseen_answer_share, unseen_query_share (0 to 1); else None
    """

    metrics: dict[str, float]
    queries: pd.DataFrame
    top: pd.DataFrame
    query_vectors: np.ndarray | None = None
    answer_vectors: np.ndarray | None = None
    other_splits: pd.DataFrame | None = None
    golden: pd.DataFrame | None = None
    library: pd.DataFrame | None = None
    pairs: pd.DataFrame | None = None
    training_pairs: pd.DataFrame | None = None
    ratings: pd.DataFrame | None = None
    rating_layouts: pd.DataFrame | None = None
    rating_blocks: pd.DataFrame | None = None
    analyser: dict[str, Any] | None = None
    how: dict[str, Any] | None = None


@dataclass(frozen=True)
class Records:
    """Everything one `dvc repro` recorded. Systems and runs are in the order of params.yaml.

    params   the values of params.yaml that it ran with; empty where they are not known
    """

    data: DataRecords
    barlow: TrainingRecord | None
    finetune: dict[str, TrainingRecord]  # by the one of `inits` that it started from
    runs: dict[str, RunRecord]  # by system
    systems: Systems
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def pretraining(self) -> TrainingRecord | None:
        """None where no step was made."""
        return self.barlow if self.barlow is not None and len(self.barlow.history) else None

    def training_of(self, system: str) -> TrainingRecord | None:
        """The training that made a system; None of an untrained one, and where it was trained elsewhere."""
        if self.systems.is_made_by_pretraining(system):
            return self.barlow
        return self.finetune.get(self.systems.init(system) or "")


def objectives_trained(records: Records) -> set[str]:
    """Those that fine-tuning followed, from whichever encoder."""
    return {name for record in records.finetune.values() for name in record.objectives}
