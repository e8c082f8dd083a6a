"""Which training queries the batches had, and in which order, by the judgements as `prepare` left them.

Shapes: B queries of a batch · C candidate answers · T training queries
"""

import numpy as np
import scipy.sparse

from whyrank.core.prepared import Prepared


class Coverage:
    """is_seen_T   (T,) bool: queries that were in a batch so far"""

    def __init__(self, prepared: Prepared) -> None:
        pairs = prepared.relevant
        shape = len(prepared.queries), len(prepared.answers)
        self.right_QA = scipy.sparse.csr_matrix(
            (np.ones(len(pairs), dtype=bool), (pairs["query"], pairs["answer"])), shape
        )
        self.train_T = np.unique(prepared.relevant_in("train")["query"].to_numpy())
        self.is_seen_T = np.zeros(len(self.train_T), dtype=bool)

    def right(self, query_B: np.ndarray, candidate_C: np.ndarray) -> np.ndarray:
        """(B, C) bool: the candidate is relevant to the query."""
        right_BC: np.ndarray = self.right_QA[query_B][:, candidate_C].toarray()
        return right_BC

    def of_batch(self, query_B: np.ndarray) -> dict[str, float]:
        """Columns of the history.

        queries_seen   training queries that were in a batch so far, this one included
        row_gap        mean distance of neighbours of the batch in the order of the data, over that of a random order:
                       about 1; near 0 where queries come as they stand in the data
        """
        place_B = np.searchsorted(self.train_T, query_B)
        self.is_seen_T[place_B[self.train_T[np.minimum(place_B, len(self.train_T) - 1)] == query_B]] = True
        gap = float(np.abs(np.diff(place_B)).mean()) if len(place_B) > 1 else 0.0
        return {"queries_seen": int(self.is_seen_T.sum()), "row_gap": 3 * gap / max(len(self.train_T), 1)}
