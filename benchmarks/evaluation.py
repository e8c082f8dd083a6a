"""How fast vectors become metrics and best answers, and in how much memory, beside sentence-transformers.

python benchmarks/evaluation.py                                # 10,000 queries x 50,000 answers, then 1,000,000 answers
python benchmarks/evaluation.py --queries 1000 --answers 5000 --large 0
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

# For all alike, and before torch starts its threads: a thread that waits sleeps, as whyrank sets it for itself.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import machine
import numpy as np
import pandas as pd
import torch
from speed_table import grid
from torch.nn import functional

from whyrank.core.options.params import Evaluate
from whyrank.core.prepared import Prepared
from whyrank.scoring.ranking import score as rank
from whyrank.scoring.search import embed

KEPT = 100
# The noise added to an answer to make its query: as many relevant answers are found at once as not.
NOISE = 4.0
BLOCK = 1024


class Side(NamedTuple):
    """A contender, its vectors read: what it does, timed, and the nDCG@10 that came out (NaN: none is computed)."""

    shown: str
    load: Callable[[Path], Callable[[], float]]


def ours(folder: Path, mapped: bool = False) -> Callable[[], float]:
    vectors = embed.Vectors(np.load(folder / "queries.npy"), np.load(folder / "answers.npy", "r" if mapped else None))
    queries, answers = (pd.Series(range(len(part))).astype(str) for part in vectors)
    prepared = Prepared(
        pd.DataFrame({"answer_id": "a" + answers}),
        pd.DataFrame({"query_id": "q" + queries, "type": "question", "split": "test"}),
        pd.DataFrame({"query_id": "q" + queries, "answer_id": "a" + queries, "score": 1.0}),
    )
    options = Evaluate([1, 3, 10], [3, 10], [10], "", keep=KEPT, pair_tokens=128)

    def run() -> float:
        found = rank.rank(
            embed.Product(vectors, "cosine"), prepared, rank.queries_with_relevant(prepared, "test"), options
        )
        assert len(found.top) == KEPT * len(queries)
        return rank.summary(found.queries)["ndcg@10_all"]

    return run


def evaluator(folder: Path) -> Callable[[], float]:
    from sentence_transformers import util
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

    query_QD, answer_AD = (torch.from_numpy(np.load(folder / f"{name}.npy")) for name in ("queries", "answers"))
    # A model that has encoded already.
    model: Any = SimpleNamespace(
        encode_query=lambda texts, **_: query_QD,
        similarity=util.cos_sim,
        similarity_fn_name="cosine",
        model_card_data=SimpleNamespace(set_evaluation_metrics=lambda *_: None),
    )
    queries: Any = {f"q{i}": "" for i in range(len(query_QD))}
    answers: Any = {f"a{i}": "" for i in range(len(answer_AD))}
    relevant = {f"q{i}": {f"a{i}"} for i in range(len(query_QD))}
    evaluate = InformationRetrievalEvaluator(queries, answers, relevant, write_csv=False)
    return lambda: evaluate(model, corpus_embeddings=answer_AD)["cosine_ndcg@10"]


def product(folder: Path) -> Callable[[], float]:
    query_QD, answer_AD = (torch.from_numpy(np.load(folder / f"{name}.npy")) for name in ("queries", "answers"))

    def run() -> float:
        unit_AD = functional.normalize(answer_AD, dim=1)
        for part in query_QD.split(BLOCK):
            torch.topk(functional.normalize(part, dim=1) @ unit_AD.T, KEPT, dim=1)
        return float("nan")

    return run


SIDES = {
    "ours": Side("whyrank: metrics, places, best answers", ours),
    "evaluator": Side("sentence-transformers, InformationRetrievalEvaluator", evaluator),
    "product": Side("matrix product and torch.topk, nothing else", product),
    "mapped": Side("whyrank, answers mapped from a file", lambda folder: ours(folder, mapped=True)),
}


def make(folder: Path, queries: int, answers: int, features: int) -> None:
    """Answers drawn at random, and for each of the first ones a query that is the answer with noise."""
    random = np.random.default_rng(0)
    shape = (answers, features)
    answer_AD = np.lib.format.open_memmap(folder / "answers.npy", mode="w+", dtype=np.float32, shape=shape)
    for start in range(0, answers, BLOCK):
        answer_AD[start : start + BLOCK] = random.standard_normal((min(BLOCK, answers - start), features))
    answer_AD.flush()
    noise_QD = NOISE * random.standard_normal((queries, features), dtype=np.float32)
    np.save(folder / "queries.npy", answer_AD[:queries] + noise_QD)


def peak() -> float:
    """GiB that this process has held at most."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def measure(side: str, folder: Path) -> dict[str, float]:
    run = SIDES[side].load(folder)
    torch.randn(512, 512) @ torch.randn(512, 512)  # starts torch's threads
    before, started, used = peak(), time.perf_counter(), time.process_time()
    ndcg = run()
    seconds, used = time.perf_counter() - started, time.process_time() - used
    return {"seconds": seconds, "processor": used, "peak": peak(), "rise": peak() - before, "ndcg": ndcg}


def in_own_process(side: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--side", side, "--folder", str(folder)]
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(ran.stdout.splitlines()[-1])


def rows(sides: list[str], options: argparse.Namespace, answers: int, repeats: int) -> list[list[str]]:
    """The sides take turns, so that a machine that grows slower or faster is not taken for a difference."""
    with tempfile.TemporaryDirectory(prefix="whyrank-evaluation-") as name:
        make(Path(name), options.queries, answers, options.features)
        rounds = [{side: in_own_process(side, Path(name)) for side in sides} for _ in range(repeats)]
    middle = {side: {key: np.median([each[side][key] for each in rounds]) for key in rounds[0][side]} for side in sides}
    size, first = f"{options.queries:,} x {answers:,} x {options.features}", middle[sides[0]]["seconds"]
    table = []
    for side, of in middle.items():
        figures = [of["seconds"], of["seconds"] / first, of["processor"], of["peak"], of["rise"]]
        ndcg = "" if np.isnan(of["ndcg"]) else f"{of['ndcg']:.4f}"
        table.append([size, SIDES[side].shown, *(f"{figure:.2f}" for figure in figures), ndcg])
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--answers", type=int, default=50_000, help="at least as many as queries")
    parser.add_argument("--large", type=int, default=1_000_000, help="answers of the run from a file; 0: no such run")
    parser.add_argument("--features", type=int, default=384)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(measure(options.side, options.folder)))
        return
    body = rows(["ours", "evaluator", "product"], options, options.answers, options.repeats)
    if options.large:
        body += rows(["mapped"], options, options.large, 1)
    head = ["queries x answers x features", "side", "s", "beside whyrank", "processor s", "peak GiB", "above the start"]
    print(f"{machine.processor()}, {torch.get_num_threads()} threads; the median of {options.repeats} rounds\n")
    print(grid([*head, "nDCG@10"], body))


if __name__ == "__main__":
    main()
