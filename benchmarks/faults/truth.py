"""What a run's systems are worth, measured on the clean test data by code that no fault has touched.

A measure is {system: {unit: [value, cluster]}}: of a ranking query its reciprocal rank, clustered by answer; of a test
pair its part of the correlation of ranks; of a rated row its mean part over the targets, clustered by question.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.stats import rankdata

from benchmarks.faults import raw
from benchmarks.faults.fault import Task
from whyrank.core import cache, prepared
from whyrank.model import system as models
from whyrank.model.encoder import vector_cache
from whyrank.scoring.ranking import score

Measure = dict[str, dict[str, tuple[float, str]]]


def recorded(folder: Path, task: Task, clean: Path) -> Measure:
    """What the run itself says of each of its systems."""
    found: Measure = {}
    for run in sorted((folder / "data/runs").glob("*")):
        if task in ("ranking", "barlow"):
            rows = pd.read_parquet(run / "queries.parquet")
            found[run.name] = as_units(rows["query_id"], rows["mrr"], rows["cluster"])
        elif task == "pairs" and (run / "pairs.parquet").exists():
            rows = pd.read_parquet(run / "pairs.parquet")
            column = "prediction" if "prediction" in rows else "cosine"
            parts = correlation_parts(rows["label"].to_numpy(float), rows[column].to_numpy(float))
            found[run.name] = as_units(range(len(rows)), parts, range(len(rows)))
        elif task == "ratings" and (run / "ratings.parquet").exists():
            found[run.name] = of_ratings(pd.read_parquet(run / "ratings.parquet"), clean)
    return found


def true(folder: Path, task: Task, clean: Path, prepared_folder: Path, skipped: Sequence[str] = ()) -> Measure:
    """Of each system in models/, on the clean test data; of ratings, whose predictions are out of fold, as recorded.

    clean   the raw folder without the fault;  prepared_folder   the same, prepared with the healthy configuration
    """
    if task == "ratings":
        own = recorded(folder, task, clean)
        return {name: units for name, units in own.items() if name.endswith("-tuned") or name == "base"}
    found: Measure = {}
    for model in sorted((folder / "models").glob("*")):
        if model.name not in skipped and (model / "heads.json").exists():
            system = models.load(model)
            found[model.name] = ranked(system, prepared_folder) if task != "pairs" else paired(system, clean)
    return found


def ranked(system: models.System, prepared_folder: Path) -> dict[str, tuple[float, str]]:
    texts = prepared.read(prepared_folder)
    rows = score.queries_with_relevant(texts, "test")
    query_Q = vectors(system, texts.queries.iloc[rows], "query")
    answer_A = vectors(system, texts.answers, "document")
    with torch.no_grad():
        query_Q, answer_A = (
            system.normalise(side(one)) for side, one in ((system.queries, query_Q), (system.answers, answer_A))
        )
        score_QA = torch.nan_to_num(query_Q @ answer_A.T).numpy()
    place = {number: row for row, number in enumerate(rows)}
    best: dict[int, float] = {}
    for query, answer in texts.relevant[["query", "answer"]].to_numpy():
        if query in place:
            row = score_QA[place[query]]
            # Ties take the middle of their places.
            rank = 1 + (row > row[answer]).sum() + ((row == row[answer]).sum() - 1) / 2
            best[query] = max(best.get(query, 0.0), 1 / rank)
    first = texts.relevant.drop_duplicates("query").set_index("query")["answer"]
    ids, answers = texts.queries["query_id"].to_numpy(), texts.answers["answer_id"].to_numpy()
    return {ids[query]: (value, answers[first[query]]) for query, value in best.items()}


def vectors(system: models.System, table: pd.DataFrame, side: Any) -> torch.Tensor:
    """Of the texts as the healthy run cut them, by the system's own tokenizer, within what it can read."""
    limit = min(system.encoder.longest, 256)
    ids = system.encoder.tokenise(table["text"].tolist(), limit, side)
    return encoded(system, ids)


def encoded(system: models.System, ids: list[list[int]]) -> torch.Tensor:
    """(N, D), from the cache where the encoder was not trained."""
    limits: dict[str, Any] = {"batch_tokens": 8192, "precision": "auto"}
    return torch.from_numpy(vector_cache.encode(system.encoder, ids, **limits, folder=cache.folder()))


def paired(system: models.System, clean: Path) -> dict[str, tuple[float, str]]:
    rows = raw.read_table(clean / "test.csv")
    sides = []
    for name in ("sentence1", "sentence2"):
        ids = system.encoder.tokenise([row[name] for row in rows], min(system.encoder.longest, 128))
        vector_ND = encoded(system, ids)
        with torch.no_grad():
            sides.append(system.of_task("similarity", vector_ND))
    cosine_N = (sides[0] * sides[1]).sum(1).numpy()
    parts = correlation_parts(np.array([float(row["score"]) for row in rows]), cosine_N)
    return as_units(range(len(rows)), parts, range(len(rows)))


def of_ratings(table: pd.DataFrame, clean: Path) -> dict[str, tuple[float, str]]:
    """Predictions against the labels of the clean rows of the same ids."""
    rows = pd.DataFrame(raw.read_table(clean / "ratings.csv"))
    labels = rows.set_index("qa_id").drop(columns=["question_title", "question_body", "answer"]).astype(float)
    group = rows.set_index("qa_id")["question_title"]
    wide = table.pivot_table(index="rating_id", columns="target", values="prediction")
    wide.index = wide.index.astype(str)
    ids = [one for one in wide.index if one in labels.index]
    targets = [name for name in wide.columns if name in labels.columns]
    parts = np.mean(
        [correlation_parts(labels.loc[ids, name].to_numpy(), wide.loc[ids, name].to_numpy()) for name in targets],
        axis=0,
    )
    return as_units(ids, parts, group[ids])


def correlation_parts(label_N: np.ndarray, value_N: np.ndarray) -> np.ndarray:
    """Products of standardised ranks: their mean is Spearman's correlation, 0 where one side is constant."""
    ranks = [rankdata(np.nan_to_num(one)) for one in (label_N, value_N)]
    scaled = [(one - one.mean()) / (one.std() or 1.0) for one in ranks]
    return np.asarray(scaled[0] * scaled[1])


def as_units(ids: Any, values: Any, clusters: Any) -> dict[str, tuple[float, str]]:
    return {str(one): (float(value), str(own)) for one, value, own in zip(ids, values, clusters, strict=True)}
