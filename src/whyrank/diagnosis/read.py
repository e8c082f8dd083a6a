"""The recorded files as `Records`. Folders come as arguments; the names of the files in them are known here."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from whyrank.core import checksums, io
from whyrank.core.options.system_links import check_scored_with
from whyrank.findings.records import DataRecords, Records, RunRecord, TrainingRecord
from whyrank.findings.systems import Systems


def read_records(*, prepared: Path, runs: Path, metrics: Path, systems: Systems, params: Mapping[str, Any]) -> Records:
    """Everything recorded about the systems.

    prepared   tables of `prepare`;  runs   one folder per system;  metrics   `<stage>.json` beside a folder `<stage>`
    params     the values of params.yaml
    Raises UserError, naming the file and the stage that makes it anew, where one is not as its stage wrote it, is
    of another run than what lies beside it, or was scored with a system that is gone.
    """
    found = {system: read_run(runs / system, metrics / "evaluate" / system) for system in systems.options}
    for system, run in found.items():
        check_scored_with(system, systems.options, run.how or {})
    barlow = read_training(metrics / "pretrain_barlow")
    return Records(
        data=read_data(prepared, metrics / "prepare"),
        barlow=None if barlow.history.empty else barlow,
        finetune={init: read_training(metrics / "finetune_rank" / init) for init in systems.inits},
        runs=found,
        systems=systems,
        params=params,
    )


def read_data(prepared: Path, recorded: Path) -> DataRecords:
    checksums.verify(prepared)
    checksums.verify(recorded, recorded.with_suffix(".json"))
    tables = {file.stem: io.read_table(file) for file in sorted(recorded.glob("*.csv"))}
    answers, queries, qrels = (io.read_table(prepared / f"{name}.parquet") for name in ("answers", "queries", "qrels"))
    return DataRecords(
        answers,
        queries,
        qrels,
        metrics=io.read_json(recorded.with_suffix(".json")),
        tables=tables,
        batches=tables["batches"],
        ratings=_or_empty(prepared / "ratings.parquet"),
    )


def read_training(recorded: Path) -> TrainingRecord:
    checksums.verify(recorded, recorded.with_suffix(".json"))
    history = io.read_table(recorded / "history.csv")
    # An objective that no step drew was not trained, and has no figures.
    drawn = history.dropna(axis=1, how="all") if len(history) else history
    return TrainingRecord(
        metrics=io.read_json(recorded.with_suffix(".json")),
        history=drawn,
        evaluations=_or_empty(recorded / "evaluations.csv"),
        rating_folds=_or_empty(recorded / "rating_folds.csv"),
        golden=_or_empty(recorded / "golden.parquet"),
    )


def read_run(run: Path, recorded: Path) -> RunRecord:
    checksums.verify(run, recorded.parent / f"{recorded.name}.json")
    return RunRecord(
        io.read_json(recorded.parent / f"{recorded.name}.json"),
        io.read_table(run / "queries.parquet"),
        io.read_table(run / "top.parquet"),
        query_vectors=_vectors(run / "query_vectors.npy"),
        answer_vectors=_vectors(run / "answer_vectors.npy"),
        other_splits=_table(run / "other_splits.parquet"),
        golden=_table(run / "golden.parquet"),
        library=_table(run / "library.parquet"),
        pairs=_table(run / "pairs.parquet"),
        training_pairs=_table(run / "training_pairs.parquet"),
        ratings=_rows(run / "ratings.parquet"),
        rating_layouts=_rows(run / "ratings_layouts.parquet"),
        rating_blocks=_rows(run / "ratings_blocks.parquet"),
        analyser=_json(run / "analyser.json"),
        how=_json(run / "how.json"),
    )


def _vectors(file: Path) -> np.ndarray | None:
    return io.read_array(file) if file.exists() else None


def _json(file: Path) -> dict[str, Any] | None:
    return io.read_json(file) if file.exists() else None


def _table(file: Path) -> pd.DataFrame | None:
    return io.read_table(file) if file.exists() else None


def _or_empty(file: Path) -> pd.DataFrame:
    table = _table(file)
    return pd.DataFrame() if table is None else table


def _rows(file: Path) -> pd.DataFrame | None:
    """None for a table without rows too."""
    table = _table(file)
    return None if table is None or table.empty else table
