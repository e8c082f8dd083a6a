"""Which read-out a system gets: as asked, or the one that its dev queries surely gain by.

Shapes: N texts · Q dev queries · A answers · O features · P relevant pairs
"""

from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
import torch

from whyrank.core.options import params
from whyrank.core.prepared import Prepared
from whyrank.measure.significance import resampling
from whyrank.model import system
from whyrank.model.encoder import vector_cache
from whyrank.model.encoder.encoder import Encoder
from whyrank.model.heads.readout import Kind, Readout, fitted
from whyrank.model.judged import judged, per_query
from whyrank.model.system import System

Asked = Literal["auto", "raw", "centred", "standardised"]
KINDS: tuple[Kind, ...] = ("centred", "standardised")
# Of both kinds together; drawn from so many dev queries at most, and not from fewer than a figure can be had of.
LEVEL, RESAMPLES, MOST_QUERIES, FEWEST_QUERIES = 0.95, 2000, 2000, 20
SCORES = 2**26
COLUMNS = ["kind", "gain", "low", "high"]


class Choice(NamedTuple):
    """chosen   the read-out; None: as the vectors were
    gains    one row for each kind: kind, gain, low, high (of the MRR of dev queries against the vectors as they were,
             with an interval that holds for both kinds together), whatever was asked; empty without dev queries
    """

    chosen: Readout | None
    gains: pd.DataFrame


def choose(of: System, encode: Callable[[], torch.Tensor], prepared: Prepared, asked: Asked, *, seed: int) -> Choice:
    """The read-out for a system, fitted on the corpus and the training queries.

    encode   gives the encoder's vectors (N, D) of the ranking texts, answers first; not called where none is needed
    auto keeps what the system has unless a newly fitted one is surely better on dev. A dot product keeps its vectors:
    their length counts, and a mean taken off changes it.
    """
    nothing = Choice(of.readout, pd.DataFrame(columns=COLUMNS))
    dev_Q = dev_queries(prepared, seed)
    if of.score != "cosine":
        return nothing._replace(chosen=None)
    is_told = len(dev_Q) >= FEWEST_QUERIES
    if not is_told and (asked == "auto" or asked == "raw"):
        return nothing._replace(chosen=of.readout if asked == "auto" else None)
    answer_AO, query_NO = sides(of, encode(), len(prepared.answers))
    train_N = torch.as_tensor(prepared.rows("train"), device=query_NO.device)
    fit: dict[str, Readout] = {kind: fitted(kind, torch.cat([answer_AO, query_NO[train_N]])) for kind in KINDS}
    if not is_told:
        return nothing._replace(chosen=fit[asked])
    before_Q = reciprocal_ranks(of.readout, query_NO, answer_AO, prepared, dev_Q)
    rows = []
    for kind, readout in fit.items():
        gain_Q = reciprocal_ranks(readout, query_NO, answer_AO, prepared, dev_Q) - before_Q
        rows.append((kind, *gain(gain_Q, prepared, dev_Q, seed)))
    gains = pd.DataFrame(rows, columns=COLUMNS)
    sure = {kind: mean for kind, mean, low, _ in rows if low > 0}
    best = fit[max(sure, key=lambda kind: sure[kind])] if sure else of.readout
    return Choice(best if asked == "auto" else None if asked == "raw" else fit[asked], gains)


def untrained(encoder: Encoder, prepared: Prepared, options: params.Encoder, seed: int) -> tuple[System, pd.DataFrame]:
    """The pretrained encoder (zero-shot) with its read-out; what each kind gains, see `Choice`, and `is_used`."""
    base = system.untrained(encoder)
    encode = partial(vector_cache.encoded, encoder, prepared.token_ids, options)
    base.readout, gains = choose(base, encode, prepared, options.readout, seed=seed)
    return base, gains.assign(is_used=gains["kind"] == (base.readout and base.readout.kind))


def sides(of: System, vector_ND: torch.Tensor, answers: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Answers and queries as the heads give them, before any read-out."""
    with torch.no_grad():
        return of.before_readout("answer", vector_ND[:answers]), of.before_readout("query", vector_ND[answers:])


def dev_queries(prepared: Prepared, seed: int) -> np.ndarray:
    return np.sort(np.random.default_rng(seed).permutation(judged(prepared, "dev"))[:MOST_QUERIES])


def reciprocal_ranks(
    readout: Readout | None, query_NO: torch.Tensor, answer_AO: torch.Tensor, prepared: Prepared, dev_Q: np.ndarray
) -> np.ndarray:
    """(Q,) of the best relevant answer by the cosine, ties averaged."""
    read = readout or torch.nn.Identity()
    query_QO, answer_AO = (
        torch.nn.functional.normalize(read(side), dim=1) for side in (query_NO[torch.as_tensor(dev_Q)], answer_AO)
    )
    found = []
    for block in np.array_split(np.arange(len(dev_Q)), -(-len(dev_Q) * len(answer_AO) // SCORES)):
        score_QA = (query_QO[torch.as_tensor(block)] @ answer_AO.T).cpu().numpy()
        found.append(per_query(prepared, dev_Q[block], score_QA)["mrr"])
    return np.concatenate(found)


def gain(
    gain_Q: np.ndarray, prepared: Prepared, dev_Q: np.ndarray, seed: int, level: float = 1 - (1 - LEVEL) / len(KINDS)
) -> resampling.Interval:
    """Mean and bounds; answers are resampled. The usual level is shared by all kinds (Bonferroni)."""
    first = prepared.relevant.drop_duplicates("query").set_index("query")["answer"]
    cluster_Q = resampling.numbered(first[dev_Q])
    sample_B = resampling.bootstrap(gain_Q[:, None], cluster_Q, resamples=RESAMPLES, seed=seed)[:, 0]
    return resampling.interval(float(gain_Q.mean()), sample_B, level)
