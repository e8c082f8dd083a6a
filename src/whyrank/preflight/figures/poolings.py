"""How an encoder would rank if its token vectors were pooled otherwise, on a small sample and from one pass.

Shapes: S queries of the sample · C answers of these · D features
"""

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from whyrank.core.options.params import Encoder as Options
from whyrank.core.prepared import Prepared
from whyrank.measure.metrics import locating, ranking
from whyrank.model.encoder.encoder import Encoder
from whyrank.model.encoder.packed import Layout, length_batches
from whyrank.model.encoder.pooling import pool

COMMON = ("mean", "cls", "max")
# Training queries: enough for an interval of a few points, few enough for seconds.
QUERIES = 200


def tables(encoder: Encoder, prepared: Prepared, options: Options) -> dict[str, pd.DataFrame]:
    """The table `pooling` where there is a choice to judge; none for an encoder that its files declare the mean of.

    Files may name another pooling than the encoder was trained with; most were trained with the mean.
    """
    is_as_declared = encoder.declared.pooling == encoder.pooling
    return {} if is_as_declared and encoder.pooling == COMMON[0] else {"pooling": compare(encoder, prepared, options)}


def compare(encoder: Encoder, prepared: Prepared, options: Options) -> pd.DataFrame:
    """A row for each of some training queries: its answer, and its reciprocal rank under each pooling.

    query_id, answer_id   the query and its first right answer
    mean, cls, max, …     1 / place of that answer among the answers of the sample, by the cosine; ties averaged
    used, declared        names of poolings; declared is empty where the encoder's files name none
    """
    pairs = prepared.relevant_in("train").drop_duplicates("query")
    pairs = pairs.iloc[np.unique(np.linspace(0, len(pairs) - 1, min(QUERIES, len(pairs))).round().astype(int))]
    answer_C, own_S = np.unique(pairs["answer"], return_inverse=True)
    query_S = pairs["query"].to_numpy()
    texts = prepared.texts
    rows = [prepared.token_ids[i] for i in (*texts.of("answer")[answer_C], *texts.of("query")[query_S])]
    found = {
        name: reciprocal_ranks(functional.normalize(vector_ND, dim=1).numpy(), own_S, len(answer_C))
        for name, vector_ND in pooled(encoder, rows, options).items()
    }
    return pd.DataFrame(
        {
            "query_id": prepared.queries["query_id"].to_numpy()[query_S],
            "answer_id": prepared.answers["answer_id"].to_numpy()[answer_C[own_S]],
            **found,
            "used": encoder.pooling,
            "declared": encoder.declared.pooling,
        }
    )


def reciprocal_ranks(vector_ND: np.ndarray, own_S: np.ndarray, answers: int) -> np.ndarray:
    """(S,) of unit vectors, answers first, then queries."""
    score_SC = vector_ND[answers:] @ vector_ND[:answers].T
    row_S = np.arange(len(own_S))
    places = locating.locate(score_SC, row_S, own_S)
    return ranking.per_query(ranking.Places(row_S, *places, np.ones(len(own_S)), *score_SC.shape))["mrr"]


def candidates(encoder: Encoder) -> list[str]:
    """The poolings in common use, the one in use and the declared one, as far as what stands above takes them."""
    names = dict.fromkeys([*COMMON, encoder.pooling, encoder.declared.pooling or encoder.pooling])
    return [
        name
        for name in names
        if encoder.projection is None or len(name.split("+")) * encoder.token_width == encoder.pooled_width
    ]


def pooled(encoder: Encoder, rows: list[np.ndarray], options: Options) -> dict[str, torch.Tensor]:
    """Vectors (N, D) float32 of tokenised texts under each pooling, from one pass through the encoder."""
    names = candidates(encoder)
    place_N: list[int] = []
    parts: dict[str, list[torch.Tensor]] = {name: [] for name in names}
    with torch.inference_mode(), encoder.autocast(options.precision):
        for index_B in length_batches([len(row) for row in rows], options.batch_tokens):
            own = [rows[i] for i in index_B]
            layout = Layout([len(row) for row in own], encoder.device)
            token_TH = encoder.tokens(own, layout).float()
            place_N += index_B
            for name in names:
                parts[name].append(encoder.project(pool(name, token_TH, layout)).cpu())
    order_N = np.argsort(place_N)
    return {name: torch.cat(pieces)[order_N] for name, pieces in parts.items()}
