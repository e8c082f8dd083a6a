"""Scores of ranked lists: their precision, their scale, and what other definitions would make of them."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from whyrank.diagnosis.compare.ranking import per_query
from whyrank.diagnosis.examination import LEAST_EFFECT, Examination
from whyrank.diagnosis.probes.ranking.by_lists import first_relevant
from whyrank.diagnosis.probes.ranking.by_vectors import by_vectors
from whyrank.diagnosis.recount import ON_GRID, half_precision, score_kind, unit
from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed
from whyrank.findings.probe import probe
from whyrank.findings.records import RunRecord

# Scores from which that share tells anything.
ENOUGH = 200
DEPTH = 10
# Share of the lists with a tie among the first ten whose answers have different vectors.
TIED = 0.05
FEW_TIED = 0.05
# Shift of the median best score, and share of the scores on one side of the former median, that a threshold notices.
SHIFT, ONE_SIDE = 0.2, 0.9


@probe(
    "ties-by-precision",
    on="trained",
    explains=("metrics-do-not-follow", "ties-decide-the-metric", "evaluation-differs-from-training",
              "half-precision-changes-ranks", "worse-than-zero-shot", "worse-than-lexical"),
    about="ranking",
    layer="evaluation",
)  # fmt: skip
def ties_by_precision(case: Examination) -> Iterator[Finding | Outcome]:
    """Scores of different vectors are equal, because they were computed in half precision."""
    for system, run in case.records.runs.items():
        if run.query_vectors is None or len(run.top) < ENOUGH:
            yield not_applicable(system, f"the vectors of an encoder, and {ENOUGH} listed scores")
            continue
        name, share = half_precision(run)
        measured = percent("scores that half precision holds exactly", share)
        if not name:
            yield passed(system, measured, 100 * ON_GRID)
            continue
        tied, exact = tied_lists(case, run), exact_value(case, run)
        cost = abs(exact - case.mean(system))
        yield Finding(
            severity="error" if cost >= LEAST_EFFECT else "warning" if tied >= TIED else "info",
            system=system,
            sentence=f"The scores of {system} were computed in half precision ({name}): in {100 * tied:.0f} % of the "
            f"lists different answers share a score among the first {DEPTH}, and {case.metric} is "
            f"{case.mean(system):.3f}; from the same vectors in full precision it is {exact:.3f}.",
            evidence=(
                percent(f"scores that {name} holds exactly", share).against(100 * ON_GRID),
                percent(f"lists with a tie of different vectors among the first {DEPTH}", tied),
                Evidence("different scores per listed answer", distinct(run.top)),
                Evidence(f"{case.metric} recorded", case.mean(system)),
                Evidence(f"{case.metric} from the vectors in float64", exact),
            ),
            cause="Half precision keeps 8 or 11 bits of a score: near answers fall onto one number, and their order is "
            "that of the corpus, of a sort, or of chance.",
            fix=Fix({}, "compute scores in float32 from the same vectors; only the encoder's products may be in half "
                        "precision"),
            reference="ST#3894; mteb#4932; michaelfeil/infinity#203; pylate#237",
            weight=100 * cost + (CAUSE if cost >= LEAST_EFFECT else 100 * tied),
        )  # fmt: skip


def tied_lists(case: Examination, run: RunRecord) -> float:
    """Share of the lists that hold, among the first ten, equal scores of answers whose vectors differ."""
    assert run.answer_vectors is not None
    top = run.top[run.top["rank"] <= DEPTH]
    row = pd.Index(case.data.answers["answer_id"]).get_indexer(top["answer_id"])
    unit_ND = unit(run.answer_vectors[row].astype(np.float64))
    next_is_tied = (top["query_id"] == top["query_id"].shift()) & (top["score"].diff() == 0)
    differ = np.r_[False, (unit_ND[1:] * unit_ND[:-1]).sum(axis=1) < 1 - 1e-5]
    found = (next_is_tied & differ).groupby(top["query_id"]).any()
    return float(found.mean())


def distinct(top: pd.DataFrame) -> float:
    groups = top.groupby("query_id")["score"]
    return float((groups.nunique() / groups.size()).mean())


def exact_value(case: Examination, run: RunRecord) -> float:
    counted = by_vectors(case, run, score_kind(run))
    assert counted is not None
    return float(counted.per_query(case.metric, counted.ranks()).mean())


class Definition(NamedTuple):
    words: str
    value: float
    source: str


@probe("other-definition", on="trained", about="ranking", layer="evaluation")
def other_definition(case: Examination) -> Iterator[Finding | Outcome]:
    """Under another published definition a figure of this run is another by more than a point."""
    for system, run in case.records.runs.items():
        own = float(per_query(run, case.metric).mean())
        ways = [way for way in definitions(case, run, own) if np.isfinite(way.value)]
        far = max(ways, key=lambda way: abs(way.value - own), default=None)
        if far is None or abs(far.value - own) < LEAST_EFFECT:
            off = 0.0 if far is None else abs(far.value - own)
            yield passed(
                system, Evidence("largest difference between definitions", 100 * off, "points"), 100 * LEAST_EFFECT
            )
            continue
        shown = [way for way in ways if abs(way.value - own) >= LEAST_EFFECT]
        yield Finding(
            severity="info",
            system=system,
            sentence=f"{case.metric} of {system} is {own:.3f} here and {far.value:.3f} {far.words}.",
            evidence=(
                Evidence(case.metric, own),
                *(
                    Evidence(f"{case.metric} {way.words}", way.value).against(
                        own + (LEAST_EFFECT if way.value > own else -LEAST_EFFECT)
                    )
                    for way in shown
                ),
            ),
            cause="Tools define one name otherwise. Compare with a figure from elsewhere only under its definition.",
            fix=Fix({}, "none needed; say the definition beside the figure"),
            reference=far.source,
            weight=100 * abs(far.value - own),
        )  # fmt: skip


def definitions(case: Examination, run: RunRecord, own: float) -> Iterator[Definition]:
    """The deciding metric as other tools would count it; NaN where the lists do not say."""
    data, name, cutoff = case.data.ranking, *case.metric.partition("@")[::2]
    test = data.rows("test")
    if len(test) > len(run.queries):
        words = f"where the {len(test) - len(run.queries)} test queries without a relevant answer count as 0"
        yield Definition(words, own * len(run.queries) / len(test), "ranx scores them 0; trec_eval leaves them out")
    depth = int(cutoff) if cutoff else int(run.top["rank"].max())
    by_id = run.top.sort_values(["query_id", "score", "answer_id"], ascending=[True, False, False])
    place = first_relevant(case, run.__class__(run.metrics, run.queries, by_id))["place"]
    # Where many are tied, `ties-decide-the-metric` says more.
    is_told = float((run.queries["tied"] > 1).mean()) < FEW_TIED
    if name == "accuracy" and depth <= run.top["rank"].max() and is_told:
        source = "trec_eval breaks ties by id; McSherry and Najork 2008"
        yield Definition("with ties broken as trec_eval does", float((place <= depth).mean()), source)
    self_found = run.queries["query_id"].isin(case.data.answers["answer_id"])
    if self_found.any() and name == "accuracy":
        kept = per_query(run, case.metric)[~self_found]
        words = f"without the {int(self_found.sum())} queries that are answers themselves"
        yield Definition(words, float(kept.mean()), "mteb#642 (self-retrieval removed)")
    if name == "map":
        relevant = data.relevant.groupby("query").size()
        row = pd.Index(case.data.queries["query_id"]).get_indexer(run.queries["query_id"])
        count = pd.Series(row).map(relevant).fillna(1).to_numpy()
        value_Q = per_query(run, case.metric).to_numpy() * np.minimum(count, depth) / count
        yield Definition(
            "with all relevant answers as its denominator", float(value_Q.mean()), "trec_eval's map_cut; ranx"
        )


@probe("score-scale-moved", on="trained", about="ranking", layer="training")
def score_scale_moved(case: Examination) -> Iterator[Finding | Outcome]:
    """Training moved the scores, so that a threshold for the one system means another thing for the other."""
    runs = case.records.runs
    for system, start in case.systems.untuned.items():
        if system not in runs or start not in runs or score_kind(runs[system]) != score_kind(runs[start]):
            yield not_applicable(system, f"runs of {system} and {start} with the same kind of score")
            continue
        before, after = (runs[name].queries for name in (start, system))
        least = float(before["top_score"].median())
        shift = float(after["top_score"].median()) - least
        measured = Evidence("shift of the median best score", shift)
        above = float((after["top_score"] >= least).mean())
        if abs(shift) < SHIFT or max(above, 1 - above) < ONE_SIDE:
            yield passed(system, measured, SHIFT)
            continue
        cut = threshold(before, after, least)
        queries = {start: before, system: after}
        yield Finding(
            severity="info",
            system=system,
            sentence=f"The scores of {system} are on another scale than those of {start}: the median best score is "
            f"{least + shift:.2f} instead of {least:.2f}. {cut}",
            evidence=(
                measured.against(SHIFT),
                *(
                    Evidence(f"{100 * q:.0f} % quantile of the best score, {name}", float(best.quantile(q)))
                    for name, best in ((name, table["top_score"]) for name, table in queries.items())
                    for q in (0.1, 0.5, 0.9)
                ),
                *(
                    Evidence(f"median score of the correct answer, {name}", float(table["score"].median()))
                    for name, table in queries.items()
                ),
            ),
            cause="A contrastive loss asks for the order of scores, not for their height.",
            fix=Fix({}, "set thresholds anew from the scores of the tuned system"),
            reference="FlagEmbedding#1035, #1422; model cards of E5",
            weight=10 * abs(shift),
        )  # fmt: skip


def threshold(before: pd.DataFrame, after: pd.DataFrame, least: float) -> str:
    """What the score `least` kept before and keeps now, and which one has the precision of before, in words."""
    kept, now = before["top_score"] >= least, after["top_score"] >= least
    shares = f"{100 * kept.mean():.0f} % of the best answers and now keeps {100 * now.mean():.0f} %"
    words = f"A threshold of {least:.2f} kept {shares}"
    if "accuracy@1" not in before or "accuracy@1" not in after:
        return f"{words}."
    precision = float(before.loc[kept, "accuracy@1"].mean())
    order = after.sort_values("top_score", ascending=False)
    enough = order.loc[order["accuracy@1"].expanding().mean() >= precision, "top_score"]
    if enough.empty:
        return f"{words}; no threshold has its precision of {precision:.2f}."
    return f"{words}; its precision of {precision:.2f} is now that of {float(enough.min()):.2f}."
