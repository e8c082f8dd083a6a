"""A cross-encoder over the best answers of another system.

Shapes: Q queries · A answers · K answers reranked · L answers listed by the first stage
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from whyrank.core import cache
from whyrank.core.errors import UserError, said_by
from whyrank.core.options.systems import System
from whyrank.scoring.rivals.fusion import best_on_dev
from whyrank.scoring.rivals.sources import Lists, lists
from whyrank.scoring.tasks import Scored, Tasks

# Pairs of texts at a time; the library sorts them by length.
BATCH = 32


class Reranked:
    """Scores of the cross-encoder; below them the rest of the list in its order, and the others tied at the end."""

    def __init__(self, first: Lists, score_QK: np.ndarray, answers: int) -> None:
        self.first, self.score_QK, self.answers = first, score_QK, answers

    def __call__(self, query_Q: np.ndarray) -> np.ndarray:
        """(Q, A) float64"""
        row_Q = np.searchsorted(self.first.query_Q, query_Q)
        answer_QL, score_QK = self.first.answer_QK[row_Q], self.score_QK[row_Q]
        kept, listed = score_QK.shape[1], answer_QL.shape[1]
        least_Q1 = score_QK.min(axis=1, keepdims=True)
        # No further below than the scores are large: equal scores are told by the largest magnitude of a query.
        span_Q1 = np.abs(score_QK).max(axis=1, keepdims=True)
        score_QA = np.repeat(least_Q1 - span_Q1, self.answers, axis=1)
        below_QL = least_Q1 - span_Q1 * np.arange(1 - kept, listed - kept + 1) / (listed - kept + 1)
        below_QL[:, :kept] = score_QK
        np.put_along_axis(score_QA, answer_QL, below_QL, axis=1)
        return score_QA


def reranker(system: System, tasks: Tasks) -> Scored:
    """Rerank the first `depth` answers of the system that is best on the dev queries.

    Raises UserError for a model that cannot be loaded, or has more than one score for a pair.
    """
    found = lists(system, tasks.systems)
    name = best_on_dev(found, tasks)
    first, texts = found[name], tasks.texts
    depth = min(system.depth, first.answer_QK.shape[1])
    queries, answers = (table["text"].to_numpy() for table in (texts.queries, texts.answers))
    pairs = [
        (queries[query], answers[answer])
        for query, answer_L in zip(first.query_Q, first.answer_QK, strict=True)
        for answer in answer_L[:depth]
    ]
    model = load(system.model, trust_remote_code=tasks.encoder.trust_remote_code)
    score = Reranked(first, predicted(model, pairs).reshape(-1, depth), len(answers))
    how = {"first_stage": name, "depth": depth, "model": system.model}
    return Scored(tasks.rank(score), others=tasks.rank_others(score), how=how)


def load(model: str, *, trust_remote_code: bool) -> Any:
    """A cross-encoder of sentence-transformers. Raises UserError where it is none."""
    from sentence_transformers import CrossEncoder  # takes torch, which the other rivals do without

    try:
        found = CrossEncoder(model, trust_remote_code=trust_remote_code)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{model} is no cross-encoder that can be loaded ({said_by(error)}); name another") from error
    if (scores := found.config.num_labels) != 1:
        raise UserError(f"{model} has {scores} scores for a pair of texts; a reranker has one")
    return found


def predicted(model: Any, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
    """Logits of the pairs, float32; kept in the user's cache by the weights and the texts."""
    import torch

    digest = hashlib.sha256()
    for name, weight in model.state_dict().items():
        digest.update(name.encode())
        digest.update(weight.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    for pair in pairs:
        digest.update("\0".join((*pair, "")).encode())
    file = cache.folder() / f"pairs-{digest.hexdigest()}.npy"
    if (kept := cache.read(file)) is not None:
        return kept
    found = model.predict(pairs, batch_size=BATCH, activation_fn=torch.nn.Identity(), show_progress_bar=False)
    logits = np.asarray(found, dtype=np.float32)
    cache.write(file, logits)
    return logits
