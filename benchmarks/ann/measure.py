"""What approximate search would bring evaluation: time to build and to search an index beside exact search, and recall.

    python benchmarks/ann/measure.py [--vectors FILE.npy --queries FILE.npy] [--answers 100000] [--asked 2000]

Needs what `requirements-peers.txt` lists. Without files, answers are drawn around 1,000 centres, and a query is an
answer with noise. One thread; set OMP_NUM_THREADS=1.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from whyrank.scoring.search.running_topk import Best, answers
from whyrank.scoring.search.tiles import COLUMNS, ROWS, cuts

KEPT = 100
CENTRES, SPREAD, NOISE = 1_000, 0.7, 0.5

# Vectors of the answers -> a search: vectors of queries -> (Q, KEPT) answers.
Search = Callable[[np.ndarray], np.ndarray]


def made(count: int, asked: int, features: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    centre_CD = random.standard_normal((CENTRES, features), dtype=np.float32)
    answer_AD = SPREAD * random.standard_normal((count, features), dtype=np.float32)
    answer_AD += centre_CD[random.integers(0, CENTRES, count)]
    chosen = random.choice(count, min(asked, count), replace=False)
    query_QD = answer_AD[chosen] + NOISE * random.standard_normal((len(chosen), features), dtype=np.float32)
    return unit(answer_AD), unit(query_QD)


def unit(vector_ND: np.ndarray) -> np.ndarray:
    return vector_ND / np.linalg.norm(vector_ND, axis=1, keepdims=True)


def exact(answer_AD: np.ndarray) -> Search:
    """The product's own: tiles and a running top-k."""

    def search(query_QD: np.ndarray) -> np.ndarray:
        best = Best(len(query_QD), KEPT)
        for rows in cuts(len(query_QD), ROWS):
            for columns in cuts(len(answer_AD), COLUMNS):
                best.add(rows, columns.start, query_QD[rows] @ answer_AD[columns].T)
        return answers(np.sort(best.key_QW, axis=1)[:, ::-1])

    return search


def usearch_hnsw(answer_AD: np.ndarray) -> Search:
    from usearch.index import Index

    index = Index(ndim=answer_AD.shape[1], metric="ip", dtype="f32", connectivity=16, expansion_search=128)
    index.add(np.arange(len(answer_AD)), answer_AD, threads=1)
    return lambda query_QD: np.asarray(index.search(query_QD, KEPT, threads=1).keys, dtype=np.int64)


def faiss_hnsw(answer_AD: np.ndarray) -> Search:
    import faiss

    faiss.omp_set_num_threads(1)
    index = faiss.IndexHNSWFlat(answer_AD.shape[1], 16, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efSearch = 128
    index.add(answer_AD)
    return lambda query_QD: index.search(query_QD, KEPT)[1]


def faiss_ivf(answer_AD: np.ndarray) -> Search:
    import faiss

    faiss.omp_set_num_threads(1)
    lists = max(int(4 * len(answer_AD) ** 0.5) // 2, 1)
    flat = faiss.IndexFlatIP(answer_AD.shape[1])
    index = faiss.IndexIVFFlat(flat, answer_AD.shape[1], lists, faiss.METRIC_INNER_PRODUCT)
    index.train(answer_AD)
    index.add(answer_AD)
    index.nprobe = max(lists // 32, 1)
    return lambda query_QD: index.search(query_QD, KEPT)[1]


SIDES = {"exact": exact, "usearch HNSW": usearch_hnsw, "faiss HNSW": faiss_hnsw, "faiss IVF": faiss_ivf}


def recall(found_QK: np.ndarray, right_QK: np.ndarray, cutoff: int) -> float:
    pairs = zip(found_QK[:, :cutoff].tolist(), right_QK[:, :cutoff].tolist(), strict=True)
    return float(np.mean([len(set(one) & set(other)) / cutoff for one, other in pairs]))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--vectors", type=Path, help="of answers, (A, D) float32")
    arguments.add_argument("--queries", type=Path, help="(Q, D) float32")
    arguments.add_argument("--answers", type=int, default=100_000)
    arguments.add_argument("--asked", type=int, default=2_000)
    arguments.add_argument("--features", type=int, default=384)
    arguments.add_argument("--sides", nargs="+", default=list(SIDES), choices=list(SIDES))
    options = arguments.parse_args()
    if options.vectors:
        answer_AD, query_QD = (unit(np.load(file).astype(np.float32)) for file in (options.vectors, options.queries))
    else:
        answer_AD, query_QD = made(options.answers, options.asked, options.features)
    size = f"{len(query_QD):,} x {len(answer_AD):,} x {answer_AD.shape[1]}"
    table, right_QK, alone = [], np.zeros((0, 0)), 0.0
    for name in options.sides:
        started = time.process_time()
        search = SIDES[name](answer_AD)
        built, started = time.process_time() - started, time.process_time()
        found_QK = search(query_QD)
        searched = time.process_time() - started
        if name == "exact":
            right_QK, alone = found_QK, searched / len(query_QD)
        gained = alone - searched / len(query_QD)
        pays = f"{built / gained:,.0f}" if name != "exact" and gained > 0 else ""
        recalls = [f"{recall(found_QK, right_QK, k):.3f}" for k in (10, KEPT)] if len(right_QK) else ["", ""]
        table.append([name, size, f"{built:.1f}", f"{1000 * searched / len(query_QD):.2f}", *recalls, pays])
    head = ["search", "queries x answers x features", "build, s", "ms a query", "recall@10", "recall@100", "pays from"]
    for cells in (head, ["---"] * len(head), *table):
        sys.stdout.write(f"| {' | '.join(cells)} |\n")


if __name__ == "__main__":
    main()
