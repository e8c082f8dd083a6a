"""Vectors of all texts of a prepared set under a system, each text encoded once; and the scores of vectors.

Shapes: N queries · A answers · D features of the result
        Q queries scored · R queries and B answers of a tile · P pairs
"""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import torch
from torch.nn import functional

from whyrank.core.options import params
from whyrank.core.prepared import Prepared
from whyrank.core.progress import progress
from whyrank.model.encoder import vector_cache
from whyrank.model.system import System
from whyrank.scoring.ranking.representation import Vectors
from whyrank.scoring.search import tiles

Rows = np.ndarray | slice


def embed(system: System, prepared: Prepared, encoder: params.Encoder) -> Vectors:
    """Every query and every answer of all splits."""
    vector_MD = vector_cache.encoded(system.encoder, prepared.token_ids, encoder)
    answers = len(prepared.answers)
    with torch.inference_mode():
        query_ND, answer_AD = system.queries(vector_MD[answers:]), system.answers(vector_MD[:answers])
    return Vectors(query_ND.cpu().numpy(), answer_AD.cpu().numpy())


class Product:
    """Cosine or dot product of each query with each answer, float32: a `Score`, and in tiles (`tiles.Tiled`).

    The answer vectors may be mapped from a file larger than memory (`np.load(..., mmap_mode="r")`): a sweep over the
    tiles reads them once, in order, and so does the bound of a dot product.
    """

    def __init__(self, vectors: Vectors, kind: str) -> None:
        self.vectors, self.kind = vectors, kind
        self.n_answers = len(vectors.answer_AD)

    def __call__(self, query_Q: np.ndarray) -> np.ndarray:
        return (self._queries(query_Q) @ self._answers(slice(None)).T).numpy()

    def tiles(self, query_Q: np.ndarray) -> Iterator[tiles.Tile]:
        query_QD = self._queries(query_Q)
        score = torch.empty(tiles.ROWS * tiles.COLUMNS)
        parts = tiles.cuts(self.n_answers, tiles.COLUMNS)
        for columns in progress(parts, total=len(parts), what="score"):
            answer_BD = self._answers(columns)
            for rows in tiles.cuts(len(query_QD), tiles.ROWS):
                query_RD = query_QD[rows]
                score_RB = score[: len(query_RD) * len(answer_BD)].view(len(query_RD), len(answer_BD))
                yield tiles.Tile(rows, columns.start, torch.mm(query_RD, answer_BD.T, out=score_RB).numpy())

    def pairs(self, query_P: np.ndarray, answer_P: np.ndarray) -> np.ndarray:
        parts = tiles.cuts(len(query_P), tiles.COLUMNS)
        products = [self._queries(query_P[part]).double() * self._answers(answer_P[part]) for part in parts]
        return torch.cat([product_PD.sum(dim=1) for product_PD in products]).numpy()

    def bounds(self, query_Q: np.ndarray) -> np.ndarray:
        # Cauchy and Schwarz; the rest is for rounding.
        return 1.0001 * torch.linalg.vector_norm(self._queries(query_Q).double(), dim=1).numpy() * self._longest

    @cached_property
    def _longest(self) -> float:
        """Largest norm of an answer vector; of unit vectors 1, without reading them."""
        if self.kind == "cosine":
            return 1.0
        parts = tiles.cuts(self.n_answers, tiles.COLUMNS)
        return max(float(torch.linalg.vector_norm(self._answers(part), dim=1).max()) for part in parts)

    def _queries(self, row: Rows) -> torch.Tensor:
        return self._read(self.vectors.query_ND[row])

    def _answers(self, row: Rows) -> torch.Tensor:
        return self._read(self.vectors.answer_AD[row])

    def _read(self, vector_ND: np.ndarray) -> torch.Tensor:
        # A copy: torch warns of a file mapped for reading, and a product has its memory aligned.
        tensor_ND = torch.from_numpy(np.array(vector_ND, dtype=np.float32))
        return functional.normalize(tensor_ND, dim=1) if self.kind == "cosine" else tensor_ND
