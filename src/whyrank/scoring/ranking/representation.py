"""The geometry of a system's vectors as flat numbers: what the seed project plotted, and what collapse looks like.

Shapes: N queries of all splits · A answers · D features · P relevant pairs
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from whyrank.core.prepared import Prepared
from whyrank.measure.metrics import geometry, separation

HUB_CUTOFF = 10


class Vectors(NamedTuple):
    query_ND: np.ndarray  # float32, after the heads, before normalisation
    answer_AD: np.ndarray


def describe(vectors: Vectors, prepared: Prepared, top: pd.DataFrame, seed: int) -> dict[str, float]:
    """Numbers of unit vectors, except `vector_norm`; an undefined one is left out."""
    query_ND, answer_AD = geometry.unit_rows(vectors.query_ND), geometry.unit_rows(vectors.answer_AD)
    pairs = prepared.relevant
    matched = geometry.matched_and_permuted_cosine(query_ND[pairs["query"]], answer_AD[pairs["answer"]], seed)
    distance_P = separation.query_to_answer_distance(query_ND[pairs["query"]], answer_AD[pairs["answer"]])
    metrics = {
        "features": query_ND.shape[1],
        "vector_norm": float(np.linalg.norm(vectors.query_ND, axis=1).mean()),
        "mean_off_pair_cosine": geometry.mean_off_pair_cosine(query_ND),
        "matched_cosine": matched.matched,
        "permuted_cosine": matched.permuted,
        "feature_std": geometry.feature_std(query_ND),
        "effective_rank": geometry.effective_rank(query_ND),
        "centred_effective_rank": geometry.centred_effective_rank(query_ND),
        "alignment": geometry.alignment(query_ND[pairs["query"]], answer_AD[pairs["answer"]]),
        "uniformity": geometry.uniformity(query_ND, seed=seed),
        "query_answer_distance": float(distance_P.mean()),
    }
    metrics |= hubs(top, prepared) | clusters(query_ND, prepared, seed)
    return {name: value for name, value in metrics.items() if np.isfinite(value)}


def hubs(top: pd.DataFrame, prepared: Prepared) -> dict[str, float]:
    """How unevenly the answers fill the ten best places."""
    near = top[top["rank"] <= HUB_CUTOFF]
    column = pd.Index(prepared.answers["answer_id"]).get_indexer(near["answer_id"])
    hubness = geometry.hubness(column.reshape(-1, int(near["rank"].max())), len(prepared.answers))
    found = {"skew": hubness.skew, "never_share": hubness.never, "largest_share": hubness.largest}
    return {f"hubness_{name}": value for name, value in found.items()}


def clusters(query_ND: np.ndarray, prepared: Prepared, seed: int) -> dict[str, float]:
    """How the queries of one answer lie together, and how the two types lie apart."""
    answer_N = np.full(len(prepared.queries), -1)
    first = prepared.relevant.drop_duplicates("query")
    answer_N[first["query"]] = first["answer"]
    judged_N = answer_N >= 0
    rows_ND, answer_N = query_ND[judged_N], answer_N[judged_N]
    question_N = prepared.queries["type"].to_numpy()[judged_N] == "question"
    within = separation.within_answer_share(rows_ND, answer_N)
    metrics = {
        "within_answer_share": within.share,
        "within_answer_share_chance": within.chance,
        "cluster_size": mean(separation.cluster_size(rows_ND, answer_N)),
    }
    if question_N.any() and not question_N.all():
        distances = separation.centroid_distances(rows_ND, answer_N, question_N)
        metrics["question_conversation_distance"] = mean(distances.distance_A)
        metrics["type_probe_auc"] = separation.linear_probe_auc(rows_ND, question_N, answer_N, seed=seed)
    return metrics


def mean(value_A: np.ndarray) -> float:
    """NaN of none, without NumPy's warning."""
    return float(value_A.mean()) if len(value_A) else float("nan")
