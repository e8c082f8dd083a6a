"""A training before the training: a linear map of queries on the base's vectors, on a hundred queries, in a second.

What it cannot learn by heart no training can tell apart; what it learns of shuffled labels leaks between splits; and
what it learns of the real ones tells whether the labels of train are those of dev.

Shapes: S queries of a part · C answers · D features
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from whyrank.core.options.params import Encoder as Options
from whyrank.core.prepared import Prepared
from whyrank.measure.metrics import locating, ranking
from whyrank.model.encoder import vector_cache
from whyrank.model.encoder.encoder import Encoder

# Pairs that are learnt by heart, each with an answer of its own; queries to train on, and to look at on dev.
BY_HEART, TRAIN, DEV = 32, 200, 200
# Answers that a query is ranked among.
ANSWERS = 500
STEPS, RATE, SCALE, DECAY = 40, 4e-3, 20.0, 1e-2
COLUMNS = ["training", "part", "query_id", "answer_id", "before", "after", "is_shared"]


class Part(NamedTuple):
    """Some queries of a split: their vectors, the column of one right answer of each, and which have the vector of a
    training query.
    """

    row_S: np.ndarray
    query_SD: torch.Tensor
    own_S: np.ndarray
    is_shared_S: np.ndarray


def tables(encoder: Encoder, prepared: Prepared, options: Options, seed: int) -> dict[str, pd.DataFrame]:
    """`sanity`: a row for each training, part and query; none without training or dev queries.

    training            by_heart (32 pairs), labels (as they are), shuffled (equal vectors have the same wrong answer)
    part                train, dev
    query_id, answer_id   the query, and the answer that it is to find
    before, after       reciprocal rank of that answer among those of the sample, before and after the training
    is_shared           whether a training query has the same vector
    """
    train, dev = (prepared.relevant_in(split).drop_duplicates("query") for split in ("train", "dev"))
    if len(train) < 2 or dev.empty:
        return {}
    random = np.random.default_rng(seed)
    pairs = {"train": _drawn(train, TRAIN, random), "dev": _drawn(dev, DEV, random)}
    answer_C = np.unique(np.concatenate([part["answer"] for part in pairs.values()]))
    others = np.setdiff1d(np.arange(len(prepared.answers)), answer_C)
    answer_C = np.sort(np.concatenate([answer_C, random.permutation(others)[: max(0, ANSWERS - len(answer_C))]]))
    unit_ND = functional.normalize(vector_cache.encoded(encoder, prepared.token_ids, options).float(), dim=1).cpu()
    texts = prepared.texts
    answer_CD = unit_ND[texts.of("answer")[answer_C]]
    vectors = {name: unit_ND[texts.of("query")[part["query"].to_numpy()]] for name, part in pairs.items()}
    number_N = _numbers(torch.cat(list(vectors.values())))
    shared = np.isin(number_N, number_N[: len(pairs["train"])])
    parts = {
        name: Part(part["query"].to_numpy(), vectors[name], np.searchsorted(answer_C, part["answer"]), is_shared_S)
        for (name, part), is_shared_S in zip(pairs.items(), np.split(shared, [len(pairs["train"])]), strict=True)
    }
    found = _trainings(parts, number_N, answer_CD, random)
    ids, answer_ids = prepared.queries["query_id"].to_numpy(), prepared.answers["answer_id"].to_numpy()
    table = pd.concat(found, ignore_index=True)
    table["query_id"], table["answer_id"] = ids[table["query_id"]], answer_ids[answer_C[table["answer_id"]]]
    return {"sanity": table[COLUMNS]}


def _drawn(pairs: pd.DataFrame, most: int, random: np.random.Generator) -> pd.DataFrame:
    return pairs.iloc[np.sort(random.permutation(len(pairs))[:most])]


def _numbers(vector_ND: torch.Tensor) -> np.ndarray:
    """(N,) int64, the same of equal vectors."""
    return np.unique(vector_ND.numpy().round(3), axis=0, return_inverse=True)[1].reshape(-1)


def _trainings(
    parts: dict[str, Part], number_N: np.ndarray, answer_CD: torch.Tensor, random: np.random.Generator
) -> list[pd.DataFrame]:
    train = parts["train"]
    first_S = np.sort(np.unique(train.own_S, return_index=True)[1])[:BY_HEART]
    by_heart = Part(train.row_S[first_S], train.query_SD[first_S], train.own_S[first_S], train.is_shared_S[first_S])
    shuffled = _shuffled(parts, number_N, len(answer_CD), random)
    found = []
    for name, own in (("by_heart", {"train": by_heart}), ("labels", parts), ("shuffled", shuffled)):
        map_DD = learnt(own["train"], answer_CD, decay=0.0 if name == "by_heart" else DECAY)
        for part, queries in own.items():
            columns = {
                "before": reciprocal_ranks(queries.query_SD, answer_CD, queries.own_S),
                "after": reciprocal_ranks(queries.query_SD @ map_DD, answer_CD, queries.own_S),
            }
            rows = {"training": name, "part": part, "query_id": queries.row_S, "answer_id": queries.own_S}
            rows["is_shared"] = queries.is_shared_S
            found.append(pd.DataFrame(rows | columns))
    return found


def _shuffled(
    parts: dict[str, Part], number_N: np.ndarray, answers: int, random: np.random.Generator
) -> dict[str, Part]:
    """The same queries, each with an answer drawn at random: equal vectors, of whatever part, with the same one."""
    drawn_N = random.integers(answers, size=number_N.max() + 1)[number_N]
    first = len(parts["train"].own_S)
    return {
        "train": parts["train"]._replace(own_S=drawn_N[:first]),
        "dev": parts["dev"]._replace(own_S=drawn_N[first:]),
    }


def learnt(train: Part, answer_CD: torch.Tensor, *, decay: float) -> torch.Tensor:
    """(D, D) map of queries, from the identity: cross-entropy of the right answer among all, so many whole batches.

    decay   weight of the squared distance to the identity
    """
    width = answer_CD.shape[1]
    change_DD = torch.zeros(width, width, requires_grad=True)
    target_S = torch.as_tensor(train.own_S)
    adam = torch.optim.Adam([change_DD], lr=RATE)
    with torch.enable_grad():
        for _ in range(STEPS):
            adam.zero_grad()
            query_SD = functional.normalize(train.query_SD + train.query_SD @ change_DD, dim=1)
            loss = functional.cross_entropy(SCALE * query_SD @ answer_CD.T, target_S)
            (loss + decay * change_DD.square().sum()).backward()
            adam.step()
    return torch.eye(width) + change_DD.detach()


def reciprocal_ranks(query_SD: torch.Tensor, answer_CD: torch.Tensor, own_S: np.ndarray) -> np.ndarray:
    """(S,) by the cosine; ties averaged."""
    # So that equal texts tie, and rounding of a product does not decide.
    score_SC = (functional.normalize(query_SD, dim=1) @ answer_CD.T).numpy().round(6)
    row_S = np.arange(len(own_S))
    places = ranking.Places(row_S, *locating.locate(score_SC, row_S, own_S), np.ones(len(own_S)), *score_SC.shape)
    return ranking.per_query(places)["mrr"]
