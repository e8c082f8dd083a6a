"""Does a cross-encoder that was trained on the same few pairs teach the encoder more than the labels do?

    python -m benchmarks.teach DATA WORK [--queries N] [--test N] [--tokens N] [--seed N]

DATA is a folder in BEIR layout (conditionalqa, stackexchange), WORK keeps what was prepared, the cross-encoder and the
table. Fixed before the runs: questions alone, so many of them to train and to test, and DEV to choose by, drawn by the
seed; texts cut to so many tokens, pairs to 32 more; the embedded MiniLM, frozen, under a residual head, trained for
EPOCHS, the weights of the last step (so that a training that does harm shows). The cross-encoder starts from the same
encoder, as `whyrank teach` trains it. Arms: untrained; labels alone; labels and the cross-encoder, by each loss, at
weight 1 and DEPTH wrong answers a pair; the cross-encoder itself over the first FIRST answers of the untrained encoder.
accuracy@1 and MRR of the test queries; gains over `labels` with 95 % intervals, answers resampled.
"""

import argparse
import dataclasses
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from benchmarks import task
from whyrank.core import io, runtime
from whyrank.core.options import overrides, params
from whyrank.core.prepared import Prepared
from whyrank.measure.significance.resampling import bootstrap, interval, numbered
from whyrank.model import cross_encoder, system
from whyrank.model.encoder import vector_cache
from whyrank.scoring.ranking import score
from whyrank.training import cross_encoder as teaching
from whyrank.training import finetune

DEV, FIRST, DEPTH, EPOCHS = 40, 20, 4, 8.0
CROSS = {
    "negatives": 2, "epochs": 2.0, "batch_size": 16, "learning_rate": 5e-5, "queries": 0,
    "dev_queries": DEV, "depth": 10, "evaluations": 1,
}  # fmt: skip
TUNING = {
    "finetune_rank.train": "head", "finetune_rank.head.kind": "residual", "finetune_rank.candidates": "batch",
    "finetune_rank.epochs": EPOCHS, "finetune_rank.early_stopping.metric": "", "finetune_rank.range_test.factors": [],
}  # fmt: skip
TAUGHT = {"reranker.model": "the one trained here", "reranker.weight": 1.0, "reranker.depth": DEPTH}
METRICS = ("accuracy@1", "mrr")


def drawn(texts: Prepared, train: int, test: int, seed: int) -> Prepared:
    """Questions alone, so many of each split; every answer stays."""
    random = np.random.default_rng(seed)
    kept = []
    for split, most in (("train", train), ("dev", DEV), ("test", test)):
        asked = score.queries_with_relevant(texts, split)
        asked = asked[(texts.queries["type"].to_numpy() == "question")[asked]]
        kept.append(random.choice(asked, min(most, len(asked)), replace=False))
    queries = texts.queries.iloc[np.sort(np.concatenate(kept))].reset_index(drop=True)
    qrels = texts.qrels[texts.qrels["query_id"].isin(queries["query_id"])].reset_index(drop=True)
    return dataclasses.replace(texts, queries=queries, qrels=qrels)


def measured(score_QA: np.ndarray, texts: Prepared, evaluate: params.Evaluate) -> pd.DataFrame:
    """Test queries with their cluster and METRICS."""
    asked = score.queries_with_relevant(texts, "test")
    return score.rank(lambda query_Q: score_QA[query_Q], texts, asked, evaluate).queries


def scores(one: system.System, texts: Prepared, encoder: params.Encoder) -> np.ndarray:
    vector_ND = vector_cache.encoded(one.encoder, texts.token_ids, encoder)
    with torch.no_grad():
        answer_ND, query_ND = vector_ND.tensor_split([len(texts.answers)])
        query_QD, answer_AD = one.eval().project(query_ND, answer_ND)
        found: np.ndarray = (query_QD @ answer_AD.T).numpy()
    return found


def reranked(model: Any, first_QA: np.ndarray, texts: Prepared) -> np.ndarray:
    """`first_QA` of the test queries with the FIRST answers in the order of the cross-encoder, above the others."""
    asked = score.queries_with_relevant(texts, "test")
    query, answer = (table["text"].to_numpy() for table in (texts.queries, texts.answers))
    best_QK = np.argsort(-first_QA[asked], axis=1, kind="stable")[:, :FIRST]
    pairs = [(query[q], answer[a]) for q, best_K in zip(asked, best_QK, strict=True) for a in best_K]
    logit_QK = cross_encoder.predicted(model, pairs).reshape(best_QK.shape)
    result = first_QA.astype(np.float64)
    result[asked[:, None], best_QK] = logit_QK - logit_QK.min() + result.max() + 1
    return result


def gains(arms: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """A row for each arm: METRICS, and the gain over `labels` with its interval, in points."""
    rows = []
    for name, found in arms.items():
        row: dict[str, Any] = {"arm": name}
        for metric in METRICS:
            row[metric] = 100 * found[metric].mean()
            gain_N = 100 * (found[metric] - arms["labels"][metric]).to_numpy()[:, None]
            sample = bootstrap(gain_N, numbered(found["cluster"]), resamples=10_000, seed=0)[:, 0]
            bounds = interval(gain_N.mean(), sample, 0.95)
            row[f"gain of {metric}"] = f"{gain_N.mean():+.1f} [{bounds.low:+.1f}, {bounds.high:+.1f}]"
        rows.append(row)
    return pd.DataFrame(rows)


def main() -> None:
    told = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    told.add_argument("data", type=Path)
    told.add_argument("work", type=Path)
    told.add_argument("--queries", type=int, default=300)
    told.add_argument("--test", type=int, default=150)
    told.add_argument("--tokens", type=int, default=96)
    told.add_argument("--seed", type=int, default=17)
    given = told.parse_args()
    work, began = given.work / f"{given.data.name}-{given.seed}", time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:5.0f} s  {text}", file=sys.stderr, flush=True)

    made = task.make(given.data, work, tokens=given.tokens, batch=32, corpus=10, seed=given.seed)
    texts, values = drawn(made.texts, given.queries, given.test, given.seed), io.read_json(work / "params.json")
    values = overrides.put(values, TUNING)
    encoder = params.section(values, "encoder", params.Encoder)
    say(f"{len(texts.answers)} answers, {len(texts.queries)} questions")
    base = system.load(work / "base")
    first_QA = scores(base, texts, encoder)
    arms = {"untrained": measured(first_QA, texts, made.evaluate)}
    say("untrained")
    options = teaching.Options(**CROSS, tokens=given.tokens + 32, seed=given.seed)
    fitted = teaching.fitted(base, teaching.examples(base, texts, encoder, options), options)
    say(f"cross-encoder: dev MRR {fitted.mrr:.3f}, the encoder's order {fitted.encoder_mrr:.3f}")
    for name, loss in (("labels", ""), ("labels and cross-encoder, kl", "kl"), ("the same, margin_mse", "margin_mse")):
        taught = {f"finetune_rank.{key}": value for key, value in (TAUGHT | {"reranker.loss": loss}).items()}
        tuning = params.section(overrides.put(values, taught) if loss else values, "finetune_rank", params.FinetuneRank)
        runtime.seed_everything(given.seed)  # every arm begins with the same head
        trained = finetune.finetune_rank(
            system.load(work / "base"), texts, tuning, encoder, given.seed, reranker=fitted.model if loss else None
        )
        arms[name] = measured(scores(trained.system, texts, encoder), texts, made.evaluate)
        steps = trained.history.steps
        about = {key: float(steps[key].iloc[0]) for key in ("reranker_first", "reranker_above") if key in steps}
        say(f"{name}: {len(steps)} steps {about or ''}")
    arms["cross-encoder over the first 20"] = measured(reranked(fitted.model, first_QA, texts), texts, made.evaluate)
    table = gains(arms)
    io.write_table(work / "table.csv", table)
    print(table.to_string(index=False, float_format="%.1f"))


if __name__ == "__main__":
    main()
