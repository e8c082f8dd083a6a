"""Labels beside rankers that never saw them: each judgement, and means by split and type of query.

Shapes: S queries of the sample · A answers · P judgements of them
"""

import numpy as np
import pandas as pd

from whyrank.core.prepared import Prepared
from whyrank.measure.metrics import ranking
from whyrank.measure.significance.statistics import resample_means
from whyrank.preflight.figures.rankers import RANKERS, Ranked

RESAMPLES = 1000
# Of `untuned`: a perfect ranking has 1 in both; all scores equal give `…_chance`.
METRICS = ("mrr", "auc")


def judgements(ranked: Ranked, prepared: Prepared) -> pd.DataFrame:
    """A row per relevant judgement of the queries that were ranked.

    query_id, answer_id, split, type
    rank, first             of the labelled answer under all trusted rankers together, and the answer they put first
    rank_<r>, first_<r>     the same of encoder, tfidf, bm25; ranks count from 1, ties averaged, other right answers
                            left out; a query whose scores are all equal has no first
    far                     where the label lies together, 0 (first) to 1 (last)
    margin                  score of the first less that of the label together, in standard deviations of the scores
    is_agreed               the encoder and a lexical ranker put the same answer first, whatever the label
    """
    pairs, answers = ranked.pairs, prepared.answers["answer_id"].to_numpy()
    row_P, answer_P = pairs["row"].to_numpy(), pairs["answer"].to_numpy()
    table = pd.DataFrame(
        {
            "query_id": prepared.queries["query_id"].to_numpy()[pairs["query"]],
            "answer_id": answers[answer_P],
            "split": pairs["split"],
            "type": pairs["type"],
        }
    )
    together_SA = ranked.together
    for name in ("", *ranked.score):
        ending = f"_{name}" if name else ""
        first_S = ranked.first[name]
        table[f"rank{ending}"] = ranked.ranks[name]
        table[f"first{ending}"] = np.where(first_S[row_P] < 0, "", answers[first_S[row_P]])
    first_S = together_SA.argmax(axis=1)
    table["far"] = (table["rank"] - 1) / max(len(answers) - 1, 1)
    table["margin"] = together_SA.max(axis=1)[row_P] - together_SA[row_P, answer_P]
    table["is_agreed"] = ranked.is_agreed(first_S)[row_P]
    return table


def untuned(ranked: Ranked, seed: int) -> pd.DataFrame:
    """A row per ranker, split ("" all) and type ("" all).

    n          queries;  is_trusted   1: a ranker whose word counts;  meeting   see `Ranked`
    mrr, auc   mean reciprocal rank, and mean share of the answers that stand below a right one; each with its
               bounds (`…_low`, `…_high`: 95 %, clustered by answer) and its value where all scores are equal
    """
    first_S = ranked.pairs.drop_duplicates("row").sort_values("row")
    answers = next(iter(ranked.score.values())).shape[1]
    places = ranking.at_chance(ranked.pairs["row"], ranked.pairs["gain"], len(ranked.query_S), answers)
    chance_S = ranking.reciprocal_rank(places)
    value_S2 = {}
    for name in RANKERS:
        rank_S = ranked.ranks[name][first_S.index]
        auc_S = 1 - (rank_S - 1) / max(answers - 1, 1)
        value_S2[name] = np.stack([ranking.reciprocal_rank(ranked.places[name]), auc_S], axis=1)
    rows: dict[str, list[dict[str, object]]] = {name: [] for name in RANKERS}
    for split in ("", *dict.fromkeys(first_S["split"])):
        for kind in ("", *sorted(set(first_S["type"]))):
            is_in = ((first_S["split"] == split) | (not split)) & ((first_S["type"] == kind) | (not kind))
            if not is_in.any():
                continue
            is_in_S = is_in.to_numpy()
            own = {name: of_name[is_in_S] for name, of_name in value_S2.items()}
            drawn = resample_means(own, first_S["answer"][is_in], resamples=RESAMPLES, seed=seed)
            for name in RANKERS:
                row: dict[str, object] = {"ranker": name, "split": split, "type": kind, "n": int(is_in.sum())}
                for place, metric in enumerate(METRICS):
                    found = drawn.interval(name, 0.95, place)
                    row |= {metric: found.mean, f"{metric}_low": found.low, f"{metric}_high": found.high}
                row |= {"mrr_chance": chance_S[is_in_S].mean(), "auc_chance": 0.5}
                rows[name].append(row | {"is_trusted": int(name in ranked.trusted), "meeting": ranked.meeting})
    return pd.DataFrame([row for of_name in rows.values() for row in of_name])
