"""Golden vectors: a few texts as a system gives them, once when it was trained and once when it is evaluated.

Shapes: G texts · D features of the encoder · O of a head
"""

import numpy as np
import pandas as pd
import torch

from whyrank.core.options import params
from whyrank.core.prepared import Prepared
from whyrank.model.encoder.modes import evaluating
from whyrank.model.system import System

# Queries, and as many answers: evenly spread over their tables. They are encoded by every training and evaluation.
TEXTS = 12


def golden_vectors(system: System, prepared: Prepared, encoder: params.Encoder) -> pd.DataFrame:
    """One row per text: side (query | answer), row (of its table), and its vectors before normalisation.

    encoder_vector   (D,) float32 below the heads
    query_vector, answer_vector   (O,) float32 of the head for queries and of that for answers, whatever the side: a
        text that went through the other head is recognised by them
    All processes compute them together.
    """
    parts = {"query": prepared.queries, "answer": prepared.answers}
    table = pd.concat([pd.DataFrame({"side": side, "row": spread(len(part))}) for side, part in parts.items()])
    rows = [parts[side]["input_ids"].iloc[row] for side, row in table.itertuples(index=False)]
    vector_GD = system.encoder.encode(rows, batch_tokens=encoder.batch_tokens, precision=encoder.precision)
    with evaluating(system), torch.no_grad():
        below_GD = torch.as_tensor(vector_GD, device=system.encoder.device)
        query_GO, answer_GO = (side(below_GD).cpu().numpy() for side in (system.queries, system.answers))
    vectors = {"encoder_vector": vector_GD, "query_vector": query_GO, "answer_vector": answer_GO}
    return table.assign(**{name: list(vector_G) for name, vector_G in vectors.items()}).reset_index(drop=True)


def spread(rows: int) -> np.ndarray:
    """At most TEXTS row numbers, evenly spread."""
    return np.unique(np.linspace(0, rows - 1, min(rows, TEXTS)).round().astype(int))
