"""How similar a system finds the two texts of a pair, and how far the labels of graded sets agree.

A pairs table has one row per pair: pair_id, source, subset, use (train | dev | test), text1, text2, label in [0, 1].

Shapes: N pairs · M different texts · D features
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from whyrank.core.errors import UserError
from whyrank.core.options.params import Encoder
from whyrank.core.prepared import STS_SETS, STS_YEARS, Prepared
from whyrank.lexical import ranking as words
from whyrank.measure.metrics.correlation import Correlation, Kind, correlate, mean_defined
from whyrank.scoring.search import tiles

if TYPE_CHECKING:
    from whyrank.model.system import System

KINDS: tuple[Kind, ...] = ("spearman", "pearson")
WHOLE = "all"
# Enough training pairs to see whether their labels were learnt; more would cost time and tell no more.
TRAINING_PAIRS = 1000


class Judged(NamedTuple):
    """tables   by file name: the predictions for each part of `judged`, and its lists;  metrics   flat and finite"""

    tables: dict[str, pd.DataFrame]
    metrics: dict[str, float]


NOTHING = Judged({}, {})


def pairs_to_score(texts: Prepared, seed: int) -> dict[str, pd.DataFrame]:
    """`pairs`, those of the test, and `training_pairs`, an even draw of the others, as `Prepared.pairs_of` gives them.

    Without test pairs nothing is judged; at most TRAINING_PAIRS are drawn, in their order.
    """
    parts = {"pairs": texts.pairs_of("test"), "training_pairs": texts.pairs_of("train")}
    drawn = np.random.default_rng(seed).permutation(len(parts["training_pairs"]))[:TRAINING_PAIRS]
    parts["training_pairs"] = parts["training_pairs"].iloc[np.sort(drawn)]
    return {name: part for name, part in parts.items() if len(part)} if len(parts["pairs"]) else {}


def predict(system: "System", pairs: pd.DataFrame, encoder: Encoder, *, longest: int) -> pd.DataFrame:
    """pair_id and prediction: the cosine (-1 to 1) of the vectors of text1 and text2, whatever score the system has.

    longest   tokens after which a text is cut, special tokens included; at most those that the encoder takes
    Raises UserError where special tokens and prompt leave a text none of them.
    The texts are tokenised by the system's own tokenizer, and each different one is encoded once. Both go through the
    head of the similarity task; where that has none of its own, through the one for queries: neither text of a pair is
    the answer to the other, and through two heads that differ a text would not even be like itself.
    """
    # The baselines and the summary should not wait for torch.
    import torch

    from whyrank.model.encoder import vector_cache
    from whyrank.scoring.ranking import representation
    from whyrank.scoring.search import embed

    around = sum(map(len, system.encoder.tokens_around()))
    if longest <= around:
        raise UserError(
            f"params.yaml: `evaluate.pair_tokens` is {longest}, but this encoder takes at least {around + 1}"
        )
    longest = min(longest, system.encoder.longest)
    text_M = list(dict.fromkeys([*pairs["text1"], *pairs["text2"]]))
    encoded_MD = vector_cache.encoded(system.encoder, system.encoder.tokenise(text_M, longest), encoder)
    with torch.inference_mode():
        projected_MD = system.of_task("similarity", encoded_MD).cpu().numpy()
    first_N, second_N = (pd.Index(text_M).get_indexer(pairs[name]) for name in ("text1", "text2"))
    product = embed.Product(representation.Vectors(projected_MD, projected_MD), "cosine")
    return _table(pairs, product.pairs(first_N, second_N))


def predict_tfidf(pairs: pd.DataFrame) -> pd.DataFrame:
    """pair_id and prediction of the lexical baseline, `words.tfidf_pairs`."""
    return _table(pairs, words.tfidf_pairs(pairs["text1"].tolist(), pairs["text2"].tolist()))


def _table(pairs: pd.DataFrame, cosine_N: np.ndarray) -> pd.DataFrame:
    # As for rankings: a collapsed encoder must come out as constant, not as ordered by rounding.
    level_N = tiles.levels(cosine_N, np.asarray(tiles.TIE))
    return pd.DataFrame({"pair_id": pairs["pair_id"].to_numpy(), "prediction": tiles.TIE * level_N.astype(np.float64)})


def judge(pairs: Mapping[str, pd.DataFrame], predicted: Mapping[str, pd.DataFrame]) -> Judged:
    """What is recorded of a system; nothing where it predicted nothing.

    pairs, predicted   as `pairs_to_score` gives them, and `predict` for each part
    """
    if "pairs" not in predicted:
        return NOTHING
    metrics, lists = summary(pairs["pairs"], predicted["pairs"])
    tables = {f"{name}.parquet": part.merge(pairs[name], on="pair_id") for name, part in predicted.items()}
    return Judged(tables | {"pair_lists.csv": lists}, metrics)


def summary(pairs: pd.DataFrame, predictions: pd.DataFrame) -> tuple[dict[str, float], pd.DataFrame]:
    """Agreement of the predictions with the labels of the test pairs, for every source: metrics, and a row a list.

    predictions   pair_id, prediction; for each test pair one, in any order
    A list: source, subset ("all": the source as one list), n, spearman, pearson, reason why these are undefined.
    Metrics of each source, correlations from -1 to 1 with 0 at chance: `<source>_n`, `<source>_spearman`,
    `<source>_pearson`; of a year with several subsets `<source>_subset_mean_spearman` and `…_pearson` as well.
    `sts_mean_spearman` is the mean of all `STS_SETS`, each as one list; where only some are there and defined, say 3,
    it is called `sts_mean_of_3_spearman` instead.
    `similarity_undefined` counts the lists without a correlation.
    """
    test = pairs.loc[pairs["use"] == "test"].merge(predictions, on="pair_id", how="inner", validate="one_to_one")
    assert len(test) == (pairs["use"] == "test").sum(), "test pairs without a prediction"
    rows: list[dict[str, object]] = []
    found: dict[tuple[str, str], dict[Kind, Correlation]] = {}
    for source, subset, part in _lists(test):
        of = {kind: correlate(part["prediction"], part["label"], kind) for kind in KINDS}
        found[source, subset] = of
        row = {"source": source, "subset": subset, "n": len(part), "reason": of["spearman"].reason}
        rows.append(row | {kind: one.value for kind, one in of.items()})
    lists = pd.DataFrame(rows, columns=["source", "subset", "n", *KINDS, "reason"]).astype(dict.fromkeys(KINDS, float))
    whole = lists[lists["subset"] == WHOLE]
    metrics: dict[str, float] = {f"{source}_n": n for source, n in zip(whole["source"], whole["n"], strict=True)}
    for kind in KINDS:
        metrics.update(_of_kind({key: of[kind] for key, of in found.items()}, kind))
    return metrics | {"similarity_undefined": int((lists["reason"] != "").sum())}, lists


def _lists(test: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Each source as a whole, and after it the subsets of a year that has several: years are published both ways."""
    for source, part in test.groupby("source"):
        yield str(source), WHOLE, part
        subsets = list(part.groupby("subset"))
        if source in STS_YEARS and len(subsets) > 1:
            for subset, of_subset in subsets:
                yield str(source), str(subset), of_subset


def _of_kind(found: dict[tuple[str, str], Correlation], kind: Kind) -> dict[str, float]:
    """The metrics of one kind of correlation, keyed (source, subset), that are defined."""
    wholes = {source: one for (source, subset), one in found.items() if subset == WHOLE}
    values = {f"{source}_{kind}": one.value for source, one in wholes.items()}
    for year in STS_YEARS:
        subsets = {key[1]: one for key, one in found.items() if key[0] == year and key[1] != WHOLE}
        values[f"{year}_subset_mean_{kind}"] = mean_defined(subsets).value
    mean = mean_defined({source: one for source, one in wholes.items() if source in STS_SETS})
    name = "sts_mean" if mean.n_defined == len(STS_SETS) else f"sts_mean_of_{mean.n_defined}"
    values[f"{name}_{kind}"] = mean.value
    return {name: value for name, value in values.items() if value is not None}
