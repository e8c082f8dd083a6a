"""A training elsewhere that had pairs of a few answers alone: which answers it was about, its vectors show.

Shapes: Q training queries · K answers with two of them or more · D features
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from whyrank.diagnosis.examination import Examination, is_higher, is_lower, points, spoken
from whyrank.diagnosis.probes.ranking.training import is_of_ranking
from whyrank.diagnosis.recount import MOST_SCORES, recount, score_kind, unit
from whyrank.findings.finding import Evidence, Finding, Fix
from whyrank.findings.outcome import Outcome, not_applicable, passed
from whyrank.findings.probe import probe
from whyrank.findings.records import RunRecord

# Training queries that are ranked by both systems; fewer where there are many answers.
QUERIES = 4000
# Robust standard deviations by which the queries of an answer moved further and closer together than those of others.
APART = 4.0
# Answers and queries that stand out like this at least: of a healthy training some of two queries do. And at most, as
# a share of the answers: of more nobody would say few.
ANSWERS, QUERIES_OF_THEM, MOST = 3, 10, 0.25
# Answers with two training queries or more, without which nothing stands out.
LEAST_ANSWERS = 12
NAMED = 3


class Moved(NamedTuple):
    """query_Q, answer_Q   rows of training queries, and of the first answer that is relevant to each
    is_out_Q   whether its answer stands out
    answers    that have two training queries or more;  out   those of them that stand out, rows
    """

    query_Q: np.ndarray
    answer_Q: np.ndarray
    is_out_Q: np.ndarray
    answers: int
    out: np.ndarray


@probe("trained-on-few-answers", on="trained", layer="data", about="ranking",
       explains=("tuning-brought-nothing", "worse-than-zero-shot", "worse-than-lexical", "underfitted"))  # fmt: skip
def trained_on_few_answers(case: Examination) -> Iterator[Finding | Outcome]:
    """Training queries of few answers moved far and together, and gained; those of all other answers did not gain."""
    for system, start in case.systems.untuned.items():
        record, runs = case.records.training_of(system), case.records.runs
        # What batches of ours held was recorded, see `rows-never-seen`.
        is_ours = record is not None and "queries_seen" in record.history
        pair = None if is_ours or not is_of_ranking(case, system) else _pair(runs.get(start), runs.get(system))
        moved = None if pair is None else movement(case, *pair)
        if pair is None or moved is None or moved.answers < LEAST_ANSWERS:
            yield not_applicable(
                system, f"a training elsewhere, vectors before and after it, and {LEAST_ANSWERS} answers with two "
                "training queries"
            )  # fmt: skip
            continue
        number = Evidence("answers whose training queries moved apart from all others", len(moved.out), "answers")
        few, share = int(moved.is_out_Q.sum()), len(moved.out) / moved.answers
        if len(moved.out) < ANSWERS or few < QUERIES_OF_THEM or share > MOST:
            yield passed(system, number, ANSWERS if share <= MOST else MOST * moved.answers)
            continue
        gain_Q = _gain(case, moved, *pair)
        few_gain, other_gain = (case.interval(gain_Q[of_Q], moved.answer_Q[of_Q])
                                for of_Q in (moved.is_out_Q, ~moved.is_out_Q))  # fmt: skip
        between = case.contrast(gain_Q, moved.is_out_Q, moved.answer_Q)
        others = Evidence("gain on training queries of the other answers", 100 * other_gain.mean, "points")
        if is_higher(other_gain) or not is_higher(between):
            yield passed(system, others, 0.0, "few answers stand out, and the others gained, too, or those did not")
            continue
        first = ", ".join(case.data.answers["answer_id"].iloc[moved.out[:NAMED]])
        yield Finding(
            system=system,
            sentence=f"Training changed {len(moved.out)} of {moved.answers} answers: their {few} training queries "
            f"gained {spoken(few_gain, case.metric)}, those of all others "
            f"{'lost' if is_lower(other_gain) else 'gained nothing'}, {spoken(other_gain, case.metric)}.",
            evidence=(
                number.against(ANSWERS),
                Evidence("gain on their training queries", 100 * few_gain.mean, "points"),
                others,
                Evidence("difference of the two gains", 100 * between.mean, "points"),
            ),
            interval=points(between),
            cause="A training on pairs of few answers leaves such vectors, as that of a classifier of few examples, or "
            f"one whose file was cut or filtered: it tells these answers apart ({first}, …) and no others.",
            fix=Fix({}, "train on pairs of all answers, each in as many batches as its queries allow; or rank only "
                        "these answers with it"),
            reference="Tunstall et al. 2022, arXiv:2209.11055 (SetFit); setfit#120",
            weight=20.0 + max(0.0, -100 * other_gain.mean),
        )  # fmt: skip


def _pair(start: RunRecord | None, after: RunRecord | None) -> tuple[RunRecord, RunRecord] | None:
    """Both, where they have vectors of one width."""
    if start is None or after is None or start.query_vectors is None or after.query_vectors is None:
        return None
    return (start, after) if start.query_vectors.shape == after.query_vectors.shape else None


def movement(case: Examination, start: RunRecord, after: RunRecord) -> Moved | None:
    """Which answers' training queries stand out by how far they moved and how much closer they came to each other."""
    assert start.query_vectors is not None and after.query_vectors is not None
    own = case.data.ranking.relevant_in("train").drop_duplicates("query")
    most = max(1, min(QUERIES, MOST_SCORES // max(1, len(case.data.answers))))
    if len(own) > most:
        own = own.sample(most, random_state=case.seed).sort_values("query")
    query_Q, answer_Q = own["query"].to_numpy(), own["answer"].to_numpy()
    before_QD, after_QD = (unit(run.query_vectors[query_Q].astype(np.float64)) for run in (start, after)
                           if run.query_vectors is not None)  # fmt: skip
    number_Q = np.unique(answer_Q, return_inverse=True)[1]
    size = np.bincount(number_Q)
    far = np.bincount(number_Q, 1 - (before_QD * after_QD).sum(axis=1)) / np.maximum(size, 1)
    closer = _within(after_QD, number_Q) - _within(before_QD, number_Q)
    rows = np.flatnonzero(size >= 2)
    if not len(rows):
        return None
    apart_K = (_robust(far[rows]) + _robust(closer[rows])) / np.sqrt(2)
    out = rows[apart_K > APART]
    is_out_Q = np.isin(number_Q, out)
    return Moved(query_Q, answer_Q, is_out_Q, len(rows), np.unique(answer_Q[is_out_Q]))


def _within(unit_QD: np.ndarray, number_Q: np.ndarray) -> np.ndarray:
    """Mean cosine of two queries of the same answer, for each answer; 0 of one with a single query."""
    size = np.bincount(number_Q)
    total = np.zeros((len(size), unit_QD.shape[1]))
    np.add.at(total, number_Q, unit_QD)
    found: np.ndarray = ((total**2).sum(axis=1) - size) / np.maximum(size * (size - 1), 1)
    return np.where(size > 1, found, 0.0)


def _robust(value_K: np.ndarray) -> np.ndarray:
    """Distances from the median in standard deviations, as the median distance gives them."""
    away_K = value_K - np.median(value_K)
    spread = 1.4826 * float(np.median(np.abs(away_K)))
    found: np.ndarray = away_K / spread if spread > 1e-9 else np.zeros_like(away_K)
    return found


def _gain(case: Examination, moved: Moved, start: RunRecord, after: RunRecord) -> np.ndarray:
    """(Q,) of the metric, training queries ranked among all answers."""
    value = []
    for run in (start, after):
        found = recount(run, case.data.ranking, moved.query_Q, score_kind(run), most=QUERIES, seed=case.seed)
        value.append(found.per_query(case.metric, found.ranks()))
    gain: np.ndarray = value[1] - value[0]
    return gain
