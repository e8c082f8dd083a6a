"""Vectors of all texts of a prepared set under a system: each text is encoded once.

Shapes: N queries · A answers · D features of the result
"""

from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional

from whyrank.core import params
from whyrank.core.prepared import Prepared
from whyrank.model import vector_cache
from whyrank.model.system import System
from whyrank.scoring.rank import Score


class Vectors(NamedTuple):
    query_ND: np.ndarray  # float32, after the heads, before normalisation
    answer_AD: np.ndarray


def embed(system: System, prepared: Prepared, encoder: params.Encoder) -> Vectors:
    """Every query and every answer of all splits."""
    vector_MD = vector_cache.encode(
        system.encoder,
        prepared.token_ids,
        batch_tokens=encoder.batch_tokens,
        precision=encoder.precision,
        folder=vector_cache.cache_folder(),
    )
    answers = len(prepared.answers)
    device = next(system.encoder.parameters()).device
    with torch.inference_mode():
        query_ND = system.query_head(torch.as_tensor(vector_MD[answers:], device=device))
        answer_AD = system.answer_head(torch.as_tensor(vector_MD[:answers], device=device))
    return Vectors(query_ND.cpu().numpy(), answer_AD.cpu().numpy())


def scorer(vectors: Vectors, kind: str) -> Score:
    """Row numbers of queries -> their scores: cosine or dot product with every answer, (Q, A) float32."""
    query_ND, answer_AD = torch.as_tensor(vectors.query_ND), torch.as_tensor(vectors.answer_AD)
    if kind == "cosine":
        query_ND, answer_AD = functional.normalize(query_ND, dim=1), functional.normalize(answer_AD, dim=1)
    return lambda query_Q: (query_ND[torch.as_tensor(query_Q)] @ answer_AD.T).numpy()
