"""Slips in how training looks up and compares texts, and in what evaluation does with vectors, as patches of ours."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from whyrank.model.encoder import vector_cache
from whyrank.model.system import System
from whyrank.scoring.search import embed
from whyrank.training.ranking import losses
from whyrank.training.ranking.objective import RankObjective

from ..fault import Fault
from ..patches import wrapped

LAST = {"finetune_rank.early_stopping.metric": ""}


def positions_for_numbers() -> None:
    """The text of a training query is looked up by its place among the training queries."""

    def change(old: Any, self: RankObjective, given: Any) -> None:
        old(self, given)
        train_Q = np.unique(self.batches.query_P)
        found_Q = self.query_text_Q.copy()
        found_Q[train_Q] = self.query_text_Q[: len(train_Q)]
        self.query_text_Q = found_Q

    wrapped(RankObjective, "__init__", change)


def positive_term_lost() -> None:
    """What is left of the cross-entropy draws every query away from all candidates, from its own answer most."""

    def change(old: Any, logit_BC: torch.Tensor, target_B: torch.Tensor, ignored_BC: torch.Tensor) -> torch.Tensor:
        ignored_BC = ignored_BC.scatter(1, target_B[:, None], False)
        return logit_BC.masked_fill(ignored_BC, float("-inf")).logsumexp(1).mean()

    wrapped(losses, "ranking_cross_entropy", change)


def of_vectors(edit: Callable[[embed.Vectors], embed.Vectors]) -> Callable[[], None]:
    """What evaluation computed goes through `edit`."""
    return lambda: wrapped(embed, "embed", lambda old, *given: edit(old(*given)))


def index_by_first_token() -> None:
    """The answers were pooled by [CLS], and the queries as the system says."""

    def change(old: Any, system: System, prepared: Any, encoder: Any) -> embed.Vectors:
        found, own = old(system, prepared, encoder), system.encoder.pooling
        system.encoder.pooling = "cls"
        try:
            vector_AD = vector_cache.encoded(system.encoder, prepared.token_ids[: len(prepared.answers)], encoder)
        finally:
            system.encoder.pooling = own
        with torch.inference_mode():
            return found._replace(answer_AD=system.answers(vector_AD).cpu().numpy())

    wrapped(embed, "embed", change)


def with_feedback(vectors: embed.Vectors, share: float = 0.9, best: int = 8) -> embed.Vectors:
    """Each query is moved so far to the mean of its best answers."""
    query_ND, answer_AD = (
        functional.normalize(torch.from_numpy(np.array(side)), dim=1) for side in (vectors.query_ND, vectors.answer_AD)
    )
    best_NK = (query_ND @ answer_AD.T).topk(min(best, len(answer_AD)), dim=1).indices
    moved_ND = (1 - share) * query_ND + share * answer_AD[best_NK].mean(1)
    return vectors._replace(query_ND=moved_ND.numpy())


def cut_by_the_store(vectors: embed.Vectors) -> embed.Vectors:
    """The first sixteenth of the features is left: 24 of 384."""
    kept = max(2, vectors.answer_AD.shape[1] // 16)
    return embed.Vectors(*(np.ascontiguousarray(side[:, :kept]) for side in vectors))


def answers_whitened(vectors: embed.Vectors) -> embed.Vectors:
    """By the axes of the answers, each divided by its deviation; of those that have none, nothing is left."""
    centred_AD = vectors.answer_AD - vectors.answer_AD.mean(0)
    variance_D, axes_DD = np.linalg.eigh(np.cov(centred_AD.T))
    is_there_D = variance_D > 1e-6 * variance_D.max()
    scale_D = np.where(is_there_D, 1 / np.sqrt(np.where(is_there_D, variance_D, 1.0)), 0.0)
    return vectors._replace(answer_AD=(centred_AD @ axes_DD * scale_D).astype(np.float32))


def fault(
    name: str, sentence: str, code: Callable[[], None], source: str, settings: Mapping[str, Any] | None = None
) -> Fault:
    return Fault(name, "code", sentence, source, settings=settings or {}, code=code)


FAULTS = (
    fault(
        "vectors-cut-by-the-store",
        "The store was set up for 24 dimensions and keeps the first 24 of 384 features of queries and answers, of a "
        "model that was not trained to be cut: most of what it learnt is gone. Set it up for all features.",
        of_vectors(cut_by_the_store),
        "open-metadata/OpenMetadata#29404: dimensions of an index; Kusupati et al. 2022, arXiv:2205.13147",
    ),
    fault(
        "positions-taken-for-row-numbers",
        "After the table was filtered its index was not reset: training looks up the text of a query by its place "
        "among the training queries, which is the text of another query. Reset the index.",
        positions_for_numbers,
        "reports on pandas loc and iloc after filtering; Humbatova et al. 2020: indices",
        LAST,
    ),
    fault(
        "positive-term-left-out-of-the-loss",
        "The loss is the log-sum over the candidates without the score of the right answer: training draws every query "
        "away from all answers, and from its own most. Subtract the score of the target.",
        positive_term_lost,
        "reports on reimplementations of InfoNCE; DEFault++ operators: loss terms",
        LAST,
    ),
    fault(
        "index-built-by-another-pooling",
        "The service that built the index pools answers by [CLS], and the one that reads queries by the mean, as the "
        "system was trained: the two sides lie in different spaces. Build the index with the mean.",
        index_by_first_token,
        "ggml-org/llama.cpp#14280 and #5801: vectors of two servers differ; jupyterlab/jupyter-ai#133",
    ),
    fault(
        "feedback-outweighs-the-query",
        "Evaluation moves each query to the mean of its eight best answers with a weight of 0.9 for 0.1: what was "
        "asked hardly counts any more, and the first answers become alike. Lower the weight of the feedback.",
        of_vectors(with_feedback),
        "Li et al. 2021, arXiv:2108.11044: pseudo-relevance feedback on dense vectors",
    ),
    fault(
        "answers-whitened-queries-not",
        "Evaluation turns the answers to the axes of their covariance and divides by the deviations, and does neither "
        "to the queries: the two sides no longer lie in one space. Whiten both, or none.",
        of_vectors(answers_whitened),
        "bojone/BERT-whitening#11; Huang et al. 2021, arXiv:2104.01767",
    ),
)
