"""Slips in how training looks up and compares texts, and in what evaluation does with vectors, as patches of ours."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from whyrank.model.encoder import vector_cache
from whyrank.model.system import System
from whyrank.scoring.search import embed
from whyrank.training.engine import loop
from whyrank.training.ranking.objective import RankObjective

from ..fault import Fault
from ..patches import wrapped

LAST = {"finetune_rank.early_stopping.metric": ""}
# So that a head moves far from the identity.
FAR = LAST | {
    "finetune_rank.train": "head",
    "finetune_rank.head.kind": "residual",
    "finetune_rank.epochs": 20.0,
    "finetune_rank.learning_rate": 3.0e-3,
}


def normalised_over_the_batch() -> None:
    def change(old: Any, self: System, *sides: torch.Tensor) -> tuple[torch.Tensor, ...]:
        projected = (self.queries(sides[0]), self.answers(sides[1]))
        return tuple(functional.normalize(side_BD, dim=0) for side_BD in projected)

    wrapped(System, "project", change)


def positions_for_numbers() -> None:
    """The text of a training query is looked up by its place among the training queries."""

    def change(old: Any, self: RankObjective, given: Any) -> None:
        old(self, given)
        train_Q = np.unique(self.batches.query_P)
        found_Q = self.query_text_Q.copy()
        found_Q[train_Q] = self.query_text_Q[: len(train_Q)]
        self.query_text_Q = found_Q

    wrapped(RankObjective, "__init__", change)


def optimiser_made_anew() -> None:
    """Adam forgets its averages before each step, so that every weight moves by the whole rate."""

    def change(old: Any, self: loop.Loop, step: int) -> None:
        self.optimiser.adamw.state.clear()
        old(self, step)

    wrapped(loop.Loop, "step", change)


def of_vectors(edit: Callable[[embed.Vectors], embed.Vectors]) -> Callable[[], None]:
    """What evaluation computed goes through `edit`."""
    return lambda: wrapped(embed, "embed", lambda old, *given: edit(old(*given)))


def index_of_the_start() -> None:
    """The answers have the vectors of the encoder without the trained head."""

    def change(old: Any, system: System, prepared: Any, encoder: Any) -> embed.Vectors:
        found = old(system, prepared, encoder)
        vector_MD = vector_cache.encoded(system.encoder, prepared.token_ids, encoder)
        return found._replace(answer_AD=vector_MD[: len(prepared.answers)].cpu().numpy())

    wrapped(embed, "embed", change)


def with_feedback(vectors: embed.Vectors, share: float = 0.9, best: int = 8) -> embed.Vectors:
    """Each query is moved so far to the mean of its best answers."""
    query_ND, answer_AD = (
        functional.normalize(torch.from_numpy(np.array(side)), dim=1) for side in (vectors.query_ND, vectors.answer_AD)
    )
    best_NK = (query_ND @ answer_AD.T).topk(min(best, len(answer_AD)), dim=1).indices
    moved_ND = (1 - share) * query_ND + share * answer_AD[best_NK].mean(1)
    return vectors._replace(query_ND=moved_ND.numpy())


def answers_whitened(vectors: embed.Vectors) -> embed.Vectors:
    centred_AD = vectors.answer_AD - vectors.answer_AD.mean(0)
    return vectors._replace(answer_AD=(centred_AD / (centred_AD.std(0) + 1e-6)).astype(np.float32))


def fault(
    name: str, sentence: str, code: Callable[[], None], source: str, settings: Mapping[str, Any] | None = None
) -> Fault:
    return Fault(name, "code", sentence, source, settings=settings or {}, code=code)


FAULTS = (
    fault(
        "normalised-over-the-batch",
        "Training normalises over the batch, dim=0, and not over the features of each text: the scores that it trains "
        "are no cosines and depend on what else is in the batch. Normalise over dim=1.",
        normalised_over_the_batch,
        "alireza-nasiri/SoundCLR#4 and tensorflow/similarity#237: the axis of the norm",
        LAST,
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
        "optimiser-made-anew-each-step",
        "The optimiser is created inside the loop, so Adam has forgotten its averages at each step and every weight "
        "moves by the whole learning rate, however small its gradient. Create it once.",
        optimiser_made_anew,
        "reports on optimisers inside the loop; DeepCrime: optimiser operators",
        FAR,
    ),
    fault(
        "index-not-rebuilt-after-tuning",
        "The answers in the index still have the vectors of the pretrained encoder, and the queries those of the tuned "
        "system, which lie in another space. Build the index again after training.",
        index_of_the_start,
        "sourcegraph-public-snapshot#52668 and run-llama/llama_index#13506: index of another model",
        FAR,
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
        "Evaluation subtracts the mean of the answers from them and divides by their deviations, and does neither to "
        "the queries: the two sides no longer lie in one space. Whiten both, or none.",
        of_vectors(answers_whitened),
        "bojone/BERT-whitening#11; Huang et al. 2021, arXiv:2104.01767",
    ),
)
