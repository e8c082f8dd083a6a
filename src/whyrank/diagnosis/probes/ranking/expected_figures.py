"""A figure from elsewhere (a model card, another evaluator) beside ours: the definition under which it is this run's.

Shapes: Q queries · P relevant pairs
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.recount import Recount, metrics_of, recount, score_kind, values
from whyrank.findings.finding import Evidence, Finding, Fix
from whyrank.findings.outcome import Outcome, not_applicable, passed
from whyrank.findings.probe import probe
from whyrank.findings.records import RunRecord

# A figure is printed with two or three decimals, and a set of a hundred queries has steps of a point.
SAME = 0.005
CUTOFFS = (1, 3, 5, 10, 20, 50, 100)


class Way(NamedTuple):
    """words continue "… is the figure "."""

    words: str
    value: float


@probe("expected-figure-differs", on="trained", about="ranking", layer="evaluation")
def expected_figure_differs(case: Examination) -> Iterator[Finding | Outcome]:
    """What `systems.<name>.expected` says is not what is measured."""
    for system, run in case.records.runs.items():
        expected = case.systems.options[system].expected
        if not expected:
            yield not_applicable(system, f"a figure from elsewhere in systems.{system}.expected")
            continue
        known = measured(case, run, [*expected])
        off = {name: abs(known[name] - value) for name, value in expected.items() if name in known}
        if off and max(off.values()) <= SAME and len(off) == len(expected):
            yield passed(system, Evidence("largest difference from a figure from elsewhere", max(off.values())), SAME)
            continue
        for name, value in expected.items():
            if name not in known or off[name] > SAME:
                yield _differs(case, system, run, name, value, known.get(name, float("nan")))


def measured(case: Examination, run: RunRecord, names: Sequence[str]) -> dict[str, float]:
    """Those that were recorded, or that the vectors give."""
    found = {name: float(run.queries[name].mean()) for name in names if name in metrics_of(run.queries)}
    if len(found) < len(names) and run.query_vectors is not None:
        counted = _counted(case, run, score_kind(run))
        rank_P = counted.ranks()
        others = {name: float(counted.per_query(name, rank_P).mean()) for name in names if name not in found}
        found |= {name: value for name, value in others.items() if np.isfinite(value)}
    return found


def _differs(case: Examination, system: str, run: RunRecord, name: str, value: float, own: float) -> Finding:
    found = list(ways(case, run, name))
    near = sorted((abs(way.value - value), i) for i, way in enumerate(found) if np.isfinite(way.value))
    same = [found[i] for far, i in near if far <= SAME]
    closest = [found[i] for _, i in near[:3]]
    here = f"is {own:.3f} here" if np.isfinite(own) else "is not measured here"
    if same:
        said = f"; {same[0].value:.3f} is the figure {same[0].words}."
    else:
        said = ", and no other definition gives it with these vectors and judgements."
    return Finding(
        severity="info" if same else "warning",
        system=system,
        sentence=f"{name} of {system} {here}, and {value:.3f} was expected{said}",
        evidence=(
            Evidence(f"{name} expected", value),
            *((Evidence(f"{name} here", own),) if np.isfinite(own) else ()),
            *((Evidence("difference of the two", abs(own - value)).against(SAME),) if np.isfinite(own) else ()),
            *(Evidence(f"{name} {way.words}", way.value) for way in (same or closest)[:3]),
        ),
        cause="Tools define one name otherwise: the figure from elsewhere is another quantity of the same lists."
        if same
        else "The lists themselves are others: another prompt, cut or pooling of the texts, another version of the "
        "model or of the data, or other queries.",
        fix=Fix({}, "compare figures under one definition")
        if same
        else Fix({}, "compare prompts, max_seq_length, pooling and the number of queries and answers with those of the "
                     "other tool; library-disagrees says whether its library gives the same vectors"),
        reference="mteb#642, #2867; ST#3450; trec_eval, ranx and ir_measures",
        weight=100 * abs(own - value) if np.isfinite(own) else 1.0,
    )  # fmt: skip


def ways(case: Examination, run: RunRecord, name: str) -> Iterator[Way]:
    """The metric under other definitions; of a system with vectors also among other candidates and by another score."""
    family, _, cut = name.partition("@")
    table = run.queries
    if name in table:
        own_Q = table[name]
        for kind, of_kind in own_Q.groupby(table["type"]):
            yield Way(f"on {kind}s alone", float(of_kind.mean()))
        by_answer = own_Q.groupby(table["cluster"]).mean()
        yield Way("as a mean over answers of the mean over their queries", float(by_answer.mean()))
        is_answer = table["query_id"].isin(case.data.answers["answer_id"])
        if is_answer.any() and not is_answer.all():
            yield Way("without queries that are answers themselves", float(own_Q[~is_answer].mean()))
        for split, own in _other_splits(run, name).items():
            yield Way(f"on {split} queries", own)
    for depth in CUTOFFS:
        other = f"{family}@{depth}"
        if other != name and other in table:
            yield Way(f"at cut-off {depth}", float(table[other].mean()))
    if family == "recall" and f"accuracy@{cut}" in table:
        yield Way("counted once a query, as accuracy and hit rate are", float(table[f"accuracy@{cut}"].mean()))
    if run.query_vectors is None or run.answer_vectors is None:
        return
    yield from _recounted(case, run, name, score_kind(run))


def _counted(case: Examination, run: RunRecord, kind: str) -> Recount:
    """Of all judged test queries, as far as their scores fit into memory."""
    data = case.data.ranking
    judged = np.intersect1d(data.rows("test"), data.relevant["query"])
    return recount(run, data, judged, kind, most=len(judged), seed=case.seed)


def _other_splits(run: RunRecord, name: str) -> dict[str, float]:
    table = run.other_splits
    if table is None or name not in table:
        return {}
    return {str(split): float(own.mean()) for split, own in table[name].groupby(table["split"])}


def _recounted(case: Examination, run: RunRecord, name: str, kind: str) -> Iterator[Way]:
    data, family = case.data.ranking, name.partition("@")[0]
    if family not in ("mrr", "accuracy", "map", "ndcg"):
        return

    def mean(one: Recount) -> float:
        return float(one.per_query(name, one.ranks()).mean())

    plain = _counted(case, run, kind)
    other = "dot" if kind == "cosine" else "cosine"
    yield Way(
        f"of the {'dot product' if other == 'dot' else other} in place of the {kind}", mean(_counted(case, run, other))
    )
    if name == "mrr":
        for depth in CUTOFFS:
            rank_P = plain.ranks()
            cut_P = np.where(rank_P <= depth, rank_P, np.iinfo(np.int64).max)
            yield Way(f"at cut-off {depth}", float(plain.per_query(name, cut_P).mean()))
    asked = np.unique(plain.pairs["answer"])
    if len(asked) < len(data.answers):
        kept = Recount(data, plain.query_Q, _only(plain.score_QA, asked), plain.rounding)
        yield Way(f"among the {len(asked)} answers that test queries ask for", mean(kept))
    rank_P, pairs = plain.ranks(), plain.pairs
    gain_P = pairs["gain"].to_numpy(dtype=np.float64)
    if family == "ndcg" and len(np.unique(gain_P)) > 1:
        for words, other_P in (("with gains 2^score - 1", 2**gain_P - 1), ("with every gain 1", np.ones(len(gain_P)))):
            per_Q = values(name, pairs["row"].to_numpy(), rank_P, other_P, len(plain.query_Q))
            yield Way(words, float(per_Q.mean()))


def _only(score_QA: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """The other answers score below all."""
    found: np.ndarray = np.full_like(score_QA, -np.inf)
    found[:, kept] = score_QA[:, kept]
    return found
