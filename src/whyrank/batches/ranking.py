"""Training pairs for ranking: which queries make a batch, against which candidates, and what must not be a negative.

Shapes: B queries of a batch · C candidate answers · A answers of the corpus · P relevant pairs of the training split ·
N mined negatives of a pair
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse

from whyrank.core.errors import UserError
from whyrank.core.options.finetune import RankBatches as Options
from whyrank.core.prepared import Prepared


@dataclass(frozen=True)
class RankBatch:
    """Row numbers of queries and candidates; `false_BC` marks positives that stand among the negatives."""

    query_B: np.ndarray
    candidate_C: np.ndarray
    target_B: np.ndarray  # column of each query's own answer
    ignored_BC: np.ndarray  # other relevant answers of the query, left out of the loss
    false_BC: np.ndarray
    distinct_answers: int
    pair_B: np.ndarray  # numbers of the training pairs


class RankBatches:
    """Endless batches of (query, relevant answer) pairs, each pair once before any comes again.

    With `candidates: all` or `kept` against the whole corpus; else against those of the batch, one column per row, and
    behind them the mined negatives of its rows that are not among these, one column per answer.
    """

    def __init__(self, prepared: Prepared, options: Options, random: np.random.Generator) -> None:
        pairs = prepared.relevant_in("train")
        if len(pairs) < 2:
            raise UserError(
                f"finetune_rank: {len(pairs)} training pairs; "
                "lower -S prepare.split.dev and prepare.split.test, or bring more data"
            )
        self.query_P, self.answer_P = pairs["query"].to_numpy(), pairs["answer"].to_numpy()
        self.answers, self.options = len(prepared.answers), options
        self.relevant_QA = scipy.sparse.csr_matrix(
            (np.ones(len(pairs), dtype=bool), (self.query_P, self.answer_P)),
            shape=(len(prepared.queries), self.answers),
        )
        # Answers of equal text are one answer under several ids; as a negative, such a one is a false negative.
        self.text_A = pd.factorize(prepared.answers["raw_text"])[0]
        self.rows = endless(len(pairs), options.batch_size, random)
        self.negative_PN = np.empty((len(pairs), 0), dtype=np.int64)

    def use(self, negative_PN: np.ndarray) -> None:
        """From the next batch on, these mined negatives: (P, N) int rows of answers, -1 for none.

        Rows in the order of `query_P` and `answer_P`. The order in which pairs are drawn stays as it is.
        """
        assert self.options.candidates == "batch", "with all candidates every answer is one already"
        assert len(negative_PN) == len(self.query_P), "one row of negatives per training pair"
        self.negative_PN = negative_PN

    def skip(self, batches: int) -> None:
        """Leave out the next `batches` batches: only their rows are drawn, and the batch after them stays the same."""
        for _ in range(batches):
            next(self.rows)

    def __iter__(self) -> Iterator[RankBatch]:
        return self

    def __next__(self) -> RankBatch:
        row_B = next(self.rows)
        query_B, answer_B = self.query_P[row_B], self.answer_P[row_B]
        against_all = self.options.candidates != "batch"
        candidate_C = np.arange(self.answers) if against_all else self._with_mined(row_B)
        target_B = answer_B if against_all else np.arange(len(row_B))
        positive_BC = self.relevant_QA[query_B][:, candidate_C].toarray()
        same_text_BC = self.text_A[candidate_C][None, :] == self.text_A[answer_B][:, None]
        target_BC = np.arange(len(candidate_C))[None, :] == target_B[:, None]
        ignored_BC = positive_BC & ~target_BC & (self.options.same_answer == "masked")
        false_BC = (positive_BC | same_text_BC) & ~ignored_BC & ~target_BC
        return RankBatch(query_B, candidate_C, target_B, ignored_BC, false_BC, len(np.unique(answer_B)), row_B)

    def _with_mined(self, row_B: np.ndarray) -> np.ndarray:
        answer_B, mined = self.answer_P[row_B], self.negative_PN[row_B]
        return np.concatenate([answer_B, np.setdiff1d(mined[mined >= 0], answer_B)])


def endless(count: int, size: int, random: np.random.Generator) -> Iterator[np.ndarray]:
    """Row numbers 0..count-1 in batches of `size`: every row once before any comes again, in a new order each round.

    A batch may span two rounds, so that all have the same size (BatchNorm cannot take a last batch of one row).
    """
    size = min(size, count)
    deck = np.empty(0, dtype=np.int64)
    while True:
        if len(deck) < size:
            deck = np.concatenate([deck, random.permutation(count)])
        yield deck[:size]
        deck = deck[size:]
