"""Faults in the ranked lists: ties decide their order, or one answer is in most of them."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from whyrank.core.options.systems import Kind
from whyrank.diagnosis.compare.ranking import per_query
from whyrank.diagnosis.examination import LEAST_EFFECT, Examination
from whyrank.diagnosis.probes.pretraining.pretraining import COSINE
from whyrank.diagnosis.probes.ranking.by_lists import is_relevant
from whyrank.diagnosis.probes.ranking.collapse import is_collapsed
from whyrank.diagnosis.probes.ranking.training import against_all, is_of_ranking
from whyrank.findings.finding import Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, passed
from whyrank.findings.probe import probe
from whyrank.findings.records import RunRecord
from whyrank.measure.metrics import geometry

# Lists of ten, or of a tenth of the answers where these are few: a random answer then stands in at most a tenth.
HUB_LIST = 10
HUB_PART = 0.1
# Skew of the k-occurrences; above 1.4 counts as high (scikit-hubness).
HUB_SKEW = 1.4
# Queries that it must be wrongly first for: one or two are nothing to warn of.
HUB_FIRST = 3
# Share of the lists that hold an answer without wanting it: a fifth, and five times what chance gives.
HUB_SHARE = 0.20
HUB_OVER_CHANCE = 5.0

NO_WORD = "Queries that share no word with any answer score 0 for all of them."
ONE_VECTOR = "Different texts have the same vector."
ONE_TEXT = "The same text has several ids."
NOT_LISTED = "Answers that its file does not list are tied, and so are those of a query without rows."
# Why answers of a system are tied, by its kind.
CAUSES: Mapping[Kind, str] = {
    "tfidf": NO_WORD,
    "bm25": NO_WORD,
    "encoder": ONE_VECTOR,
    "vectors": ONE_VECTOR,
    "served": ONE_VECTOR,
    "compressed": "Few bits, or few features, leave different answers the same vector, and with it the same score.",
    "nearest-query": "Answers without a training query are tied.",
    "classifier": "Answers without a training query are tied.",
    "fusion": "Answers that none of the fused systems lists are tied.",
    "reranker": "Answers that its first stage does not list, or to which the cross-encoder gives one score, are tied.",
    "run": NOT_LISTED,
}


@probe("ties-decide-the-metric", on="trained", about="ranking", layer="symptom")
def ties_decide_the_metric(case: Examination) -> Iterator[Finding | Outcome]:
    """The order within ties moves accuracy by more than the choice of test queries does."""
    cutoff = int(case.metric.removeprefix("accuracy@")) if case.metric.startswith("accuracy@") else 1
    for system, run in case.records.runs.items():
        above, tied = run.queries["above"], run.queries["tied"]
        # Of several relevant answers only the best-placed one is recorded: a second in its tie makes this a little low.
        optimistic, pessimistic = float((above < cutoff).mean()), float((above + tied <= cutoff).mean())
        interval = case.interval(per_query(run, case.metric), run.queries["cluster"])
        spread = optimistic - pessimistic
        least = max(LEAST_EFFECT, (interval.high - interval.low) / 2)
        if not spread > least:
            moved = Evidence(f"accuracy@{cutoff} by the order within ties", 100 * spread, "points")
            yield passed(system, moved, 100 * least)
            continue
        is_lexical = system not in case.systems.encoders
        yield Finding(
            severity="info" if is_lexical else "warning",
            system=system,
            sentence=f"accuracy@{cutoff} of {system} ranges from {pessimistic:.3f} to {optimistic:.3f} depending on "
            "tie-breaking.",
            evidence=(
                Evidence(f"accuracy@{cutoff} by the order within ties", 100 * spread, "points").against(100 * least),
                percent("queries whose correct answer is tied", run.metrics["tied_share"]),
                Evidence(f"accuracy@{cutoff}, correct answers first in their ties", optimistic),
                Evidence(f"accuracy@{cutoff}, correct answers last in their ties", pessimistic),
                Evidence(f"half width of the interval of {case.metric}", (interval.high - interval.low) / 2),
            ),
            cause=ONE_TEXT if _is_of_twins(case, run) else CAUSES[case.systems.options[system].kind],
            fix=_tie_fix(case, system, is_lexical=is_lexical),
            reference="ir_measures#18; BEIR#105; mteb#5241; McSherry and Najork 2008",
            weight=100 * spread / 2,
        )


def _is_of_twins(case: Examination, run: RunRecord) -> bool:
    """Whether most answers that are tied are there under another id, too."""
    answers = case.data.answers
    twins = answers.loc[answers["text"].duplicated(keep=False), "answer_id"]
    return bool(run.queries.loc[run.queries["tied"] > 1, "cluster"].isin(twins).mean() > 0.5)


def _tie_fix(case: Examination, system: str, *, is_lexical: bool) -> Fix:
    if _is_of_twins(case, case.records.runs[system]):
        return Fix({}, "give answers with the same text one id in corpus.jsonl and in the qrels")
    if is_lexical:
        return Fix({}, "none needed here, where ties are averaged; do not compare with tools that break ties at random")
    if case.systems.options[system].kind == "vectors":
        return Fix({}, "write the vectors anew, in float32")
    return Fix({"encoder.precision": "fp32"})


@probe("hub-answers", on="trained", about="ranking", layer="symptom")
def hub_answers(case: Examination) -> Iterator[Finding | Outcome]:
    """One answer is in the lists of many queries that it is not relevant to."""
    n_answers = len(case.data.answers)
    size = max(1, min(HUB_LIST, round(HUB_PART * n_answers)))
    least = max(HUB_SHARE, HUB_OVER_CHANCE * size / n_answers)
    for system, run in case.records.runs.items():
        # Where all vectors coincide the lists are the order of the corpus.
        if system not in case.systems.encoders or is_collapsed(run):
            continue
        near = run.top[run.top["rank"] <= size]
        unwanted = near[~is_relevant(case.data, near)]
        skew = _skew(near, size, case.data.answers["answer_id"])
        shares = unwanted["answer_id"].value_counts() / run.queries["query_id"].nunique()
        if skew < HUB_SKEW or unwanted.empty or shares.iloc[0] < least:
            most = float(shares.iloc[0]) if len(shares) else 0.0
            yield passed(system, percent(f"queries with one answer wrongly in the top {size}", most), 100 * least)
            continue
        wrong = float(((unwanted["answer_id"] == shares.index[0]) & (unwanted["rank"] == 1)).sum() / len(run.queries))
        is_tuned = system in case.systems.tuned and is_of_ranking(case, system)
        is_long = _is_long(case, run, str(shares.index[0]))
        yield Finding(
            severity="warning" if is_tuned and wrong >= max(LEAST_EFFECT, HUB_FIRST / len(run.queries)) else "info",
            system=system,
            sentence=f"Answer {shares.index[0]} is in the top {size} of {100 * shares.iloc[0]:.0f} % of the test "
            f"queries that it is not relevant to, and at rank 1 for {100 * wrong:.1f} %.",
            evidence=(
                percent(f"queries with it wrongly in the top {size}", float(shares.iloc[0])).against(100 * least),
                percent(f"queries with a random answer in the top {size}", size / n_answers),
                percent("queries with it wrongly at rank 1", wrong),
                Evidence(f"skew of the occurrences in the top {size}", skew),
            ),
            cause="Its vector is longer than most, and a dot product grows with the length."
            if is_long
            else "Its vector lies near the centre of all queries, so it is close to every one of them.",
            fix=Fix(COSINE if is_long else against_all(case))
            if is_tuned
            else Fix({}, "train for ranking, against all answers, and evaluate again"),
            reference="Radovanović et al. 2010; scikit-hubness",
            weight=100 * wrong,
        )


def _is_long(case: Examination, run: RunRecord, answer_id: str) -> bool:
    """Whether an answer owes its place to the length of its vector, which only a dot product sees."""
    if run.answer_vectors is None or run.metrics["score_kind_cosine"] == 1:
        return False
    length_A = np.linalg.norm(run.answer_vectors, axis=1)
    return bool(length_A[(case.data.answers["answer_id"] == answer_id).to_numpy()] > length_A.mean())


def _skew(near: pd.DataFrame, size: int, answer_ids: pd.Series) -> float:
    column = pd.Index(answer_ids).get_indexer(near["answer_id"])
    kept = int(near["rank"].max())  # fewer than `size` where evaluate kept shorter lists
    return geometry.hubness(np.reshape(column, (-1, kept)), len(answer_ids)).skew
