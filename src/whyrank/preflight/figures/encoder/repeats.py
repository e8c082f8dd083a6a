"""Whether the vector of a text is its own: whatever stands in the batch beside it, and however often it is asked for.

Shapes: N texts · D features
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd
import torch
import transformers

from whyrank.core.options.params import Encoder as Options
from whyrank.core.runtime import product_dtype
from whyrank.model.encoder.encoder import Encoder, TokenIds
from whyrank.model.encoder.packed import ATTENTION
from whyrank.preflight.figures.encoder.sample import Sample

# Texts that are encoded each by itself, and by the library's own forward pass.
ALONE = 6


def weighted(token_LH: torch.Tensor) -> torch.Tensor:
    weight_L = torch.arange(1.0, len(token_LH) + 1, device=token_LH.device)
    return weight_L @ token_LH / weight_L.sum()


# What poolings are of one text alone, (L, H) -> (H,), written anew so that a fault in `pooling` shows.
OF_ONE: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "mean": lambda token_LH: token_LH.mean(dim=0),
    "cls": lambda token_LH: token_LH[0],
    "max": lambda token_LH: token_LH.amax(dim=0),
    "mean_sqrt_len_tokens": lambda token_LH: token_LH.sum(dim=0) / len(token_LH) ** 0.5,
    "weightedmean": weighted,
    "lasttoken": lambda token_LH: token_LH[-1],
}


def table(encoder: Encoder, sample: Sample, options: Options) -> pd.DataFrame:
    """One row per text: kind, tokens, and the cosine of its vector with that of another way to the same.

    again       the same call once more
    regrouped   in another order and in smaller batches, so beside other texts
    alone       in a batch of its own; NaN beyond the first `ALONE` texts, which have every length
    library     transformers' own forward pass of this text alone, float32 both; NaN likewise
    """
    rows = sample.rows(encoder)
    encoded = partial(encoder.encode, precision=options.precision)
    first_ND = encoded(rows, batch_tokens=options.batch_tokens)
    again_ND = encoded(rows, batch_tokens=options.batch_tokens)
    smaller = max(max(map(len, rows)), sum(map(len, rows)) // 4)
    other_N = np.random.default_rng(0).permutation(len(rows))
    regrouped_ND = np.empty_like(first_ND)
    regrouped_ND[other_N] = encoded([rows[i] for i in other_N], batch_tokens=smaller)
    found = pd.DataFrame({"kind": sample.kinds, "tokens": [len(row) for row in rows]})
    found["again"], found["regrouped"] = same(first_ND, again_ND), same(first_ND, regrouped_ND)
    by_length = np.argsort([len(row) for row in rows], kind="stable")
    few = by_length[np.unique(np.linspace(0, len(rows) - 1, min(ALONE, len(rows))).astype(int))]
    rows_K = [rows[i] for i in few]
    alone_KD = np.concatenate([encoded([row], batch_tokens=options.batch_tokens) for row in rows_K])
    found.loc[few, "alone"] = same(first_ND[few], alone_KD)
    is_full = product_dtype(options.precision) == torch.float32
    own_KD = first_ND[few] if is_full else encoder.encode(rows_K, batch_tokens=options.batch_tokens, precision="fp32")
    found.loc[few, "library"] = same(own_KD, by_library(encoder, rows_K))
    return found


def same(one_ND: np.ndarray, other_ND: np.ndarray) -> np.ndarray:
    """(N,) cosines; 1 of equal vectors, also of two that are zero, and 0 where one is not finite."""
    one_ND, other_ND = one_ND.astype(np.float64), other_ND.astype(np.float64)
    lengths_N = np.linalg.norm(one_ND, axis=1) * np.linalg.norm(other_ND, axis=1)
    with np.errstate(invalid="ignore"):
        cosine_N = (one_ND * other_ND).sum(axis=1) / np.maximum(lengths_N, 1e-30)
    return np.where((one_ND == other_ND).all(axis=1), 1.0, np.nan_to_num(cosine_N, posinf=0.0, neginf=0.0))


def by_library(encoder: Encoder, rows: Sequence[TokenIds]) -> np.ndarray:
    """(N, D) float32: each text alone, as the authors of the architecture run it."""
    transformer = encoder.transformer
    if encoder.is_packed:
        transformer.set_attn_implementation("sdpa")
    try:
        with torch.no_grad():
            return np.stack([_alone(encoder, transformer, row) for row in rows])
    finally:
        if encoder.is_packed:
            transformer.set_attn_implementation(ATTENTION)


def _alone(encoder: Encoder, transformer: transformers.PreTrainedModel, row: TokenIds) -> np.ndarray:
    ids = torch.as_tensor(np.asarray(row, dtype=np.int64), device=encoder.device)[None]
    token_LH = transformer(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0].float()
    pooled = torch.cat([OF_ONE[name](token_LH).to(encoder.device) for name in encoder.pooling.split("+")])
    return encoder.project(pooled[None])[0].cpu().numpy()
