"""What `prepare` records of a healthy encoder of six layers, in the figures of all-MiniLM-L6-v2."""

import numpy as np
import pandas as pd

LAYERS, ANSWERS, QUERIES = 6, 60, 100


def layers(**changes: object) -> pd.DataFrame:
    """changes   columns, one value for all layers or one for each"""
    table = pd.DataFrame(
        {"layer": range(1, LAYERS + 1), "change": 0.5, "spread": 0.9, "copy_of": 0, "made_here": False}
    )
    table = table.assign(rms_query=0.085, rms_key=0.083, rms_value=[0.044, 0.058, 0.065, 0.071, 0.067, 0.063])
    table = table.assign(rms_attention_output=0.05, rms_feed_forward_in=0.065, rms_feed_forward_out=0.045)
    table = table.assign(fit_query_key=[25.0, 16, 20, 21, 22, 9], fit_value_output=[13.0, 19, 41, 25, 38, 54])
    table = table.assign(fit_feed_forward=[81.0, 51, 57, 51, 48, 16], lean=[-3.6, -3.0, -2.8, -3.4, -4.0, -1.9])
    table = table.assign(levels=380.0, attention=[0.80, 0.49, 0.51, 0.63, 0.62, 0.76])
    return table.assign(gain_low=0.57, gain_high=[0.62, 0.61, 0.65, 0.72, 0.68, 0.64]).assign(**changes)


def pieces(words: float = 0.97, positions: float = 1.0, spread: float = 1.4) -> pd.DataFrame:
    """words, positions   share of the pairs that are nearer than others;  spread   1 of random directions"""
    rows = [("ending", 1000, 0.59, 0.0, words, spread), ("mark", 800, 0.3, 0.0, words, spread)]
    rows.append(("neighbours", 255, 0.8, -0.3, positions, 5.3))
    return pd.DataFrame(rows, columns=["relation", "pairs", "related", "random", "nearer", "spread"])


def halves(encoder: float = 0.78, embeddings: float = 0.46, tfidf: float = 0.8, moved: float = 0.3) -> pd.DataFrame:
    """Reciprocal ranks with these means, and noise."""
    random = np.random.default_rng(0)
    table = pd.DataFrame({"answer_id": [f"a{i:02d}" for i in range(ANSWERS)], "edited": 1.0, "moved": np.nan})
    table.loc[:9, "moved"] = moved
    means = {"encoder": encoder, "embeddings": embeddings, "shared_words": tfidf}
    noise = 0.15 * random.standard_normal((ANSWERS, len(means)))
    return table.assign(**{name: mean + noise[:, i] for i, (name, mean) in enumerate(means.items())})


def repeats(**least: float) -> pd.DataFrame:
    """least   the cosine of the longest text, by way"""
    table = pd.DataFrame({"kind": "answer", "tokens": range(8, 44)}).assign(again=1.0, regrouped=1.0, alone=np.nan)
    table["library"] = np.nan
    table.loc[::5, ["alone", "library"]] = 1.0
    for way, cosine in least.items():
        table.loc[35, way] = cosine
    return table


def specials(begins: float = 1.0, pooling: str = "mean", doubled: float = 0.0) -> pd.DataFrame:
    table = pd.DataFrame({"kind": ["answer", "query"], "texts": 40, "begins": [1.0, begins], "ends": 1.0})
    return table.assign(doubled=doubled, first="[CLS]", last="[SEP]", pooling=pooling)


def space(**changes: object) -> pd.DataFrame:
    row = {"answers": 80, "cosine_answers": 0.06, "cosine_queries": 0.06, "cosine_between": 0.06}
    row |= {"largest_feature": 0.01, "shortest": 1.8, "longest": 3.3, "finite": 1.0}
    row |= {"precision": "bfloat16", "score": "cosine", "used_prompts": " | "}
    return pd.DataFrame([row | changes])


def readings(**gains: float) -> pd.DataFrame:
    """gains   by way: what it gains over the reading in use, on two in three queries"""
    random = np.random.default_rng(0)
    table = pd.DataFrame({"query_id": [f"q{i}" for i in range(QUERIES)], "answer_id": np.arange(QUERIES) % 80})
    used = 0.6 + 0.2 * random.standard_normal(QUERIES)
    ways = (
        dict.fromkeys(("cosine", "dot", "centred", "by_side", "standardised", "float32", "shared_words"), 0.0) | gains
    )
    more = np.where(np.arange(QUERIES) % 3 == 0, 0.0, 1.5)
    return table.assign(used=used, **{way: used + gain * more for way, gain in ways.items()})


def tables(**changes: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """All of a healthy encoder; changes by what follows `encoder_` in the name."""
    found = {"layers": layers(), "pieces": pieces(), "halves": halves(), "repeats": repeats(), "specials": specials()}
    found |= {"space": space(), "readings": readings()}
    return {f"encoder_{name}": table for name, table in (found | changes).items()}
