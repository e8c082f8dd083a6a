"""Faults of the data that the metric of trained systems can weigh: the preflight findings, with their cost."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from whyrank.diagnosis.compare.ranking import per_query
from whyrank.diagnosis.examination import EXCLUDED, Examination, is_higher, is_lower, paired, spoken
from whyrank.findings.finding import CAUSE, Evidence, Finding, percent
from whyrank.findings.probe import probe
from whyrank.preflight.probes import data, truncation

# Queries on either side of a cut; fewer say nothing about their mean.
LEAST_GROUP = 10


@probe("duplicate-across-splits", on="trained", layer="data")
def duplicate_across_splits(case: Examination) -> Iterator[Finding]:
    """Leaked test queries, and what the metric is without them."""
    for finding in data.duplicate_across_splits(case.data):
        system = case.best_tuned()
        if system is None:
            yield finding
            continue
        queries = case.records.runs[system].queries
        value = per_query(case.records.runs[system], case.metric)
        clean = value[~queries["query_id"].isin(data.leaked_queries(case.data))]
        if len(clean) == 0:
            yield finding
            continue
        gift = 100 * float(value.mean() - clean.mean())
        yield replace(
            finding,
            sentence=f"{finding.sentence} Without them {case.metric} of {system} is {clean.mean():.3f}, not "
            f"{value.mean():.3f}.",
            evidence=(
                *finding.evidence,
                Evidence(f"{case.metric} of {system}, all test queries", float(value.mean())),
                Evidence(f"{case.metric} of {system}, without these queries", float(clean.mean())),
            ),
            weight=max(gift, 0.0) + (CAUSE if finding.severity == "error" else 0.0),
        )


@probe("thread-across-splits", on="trained", layer="data")
def thread_across_splits(case: Examination) -> Iterator[Finding]:
    """Test queries of a thread that training has a query of: a warning where training gained more on them."""
    yield from (_with_gains(case, finding) for finding in data.thread_across_splits(case.data))


def _with_gains(case: Examination, finding: Finding) -> Finding:
    """As it was where too few queries lie on a side, or nothing was tuned."""
    system = case.best_tuned()
    gain_Q = None if system is None else case.gains(system, case.systems.root(system))
    if system is None or gain_Q is None:
        return finding
    queries = case.records.runs[system].queries
    is_torn_Q = queries["query_id"].isin(data.torn_queries(case.data)).to_numpy()
    if min(is_torn_Q.sum(), (~is_torn_Q).sum()) < LEAST_GROUP:
        return finding
    more = case.contrast(gain_Q, is_torn_Q, queries["cluster"])
    is_gift = is_higher(more)
    share, name = float(is_torn_Q.mean()), f"gain of {system}, these queries less the others"
    told = (
        "gained more on them than on the others" if is_gift else "did not surely gain more on them than on the others"
    )
    changes = paired(more, finding.evidence, name=name) | {
        "severity": "warning" if is_gift else "info",
        "sentence": f"{finding.sentence} {system} {told}: {spoken(more, case.metric)}.",
        "weight": 100 * share * more.mean if is_gift else 0.0,
    }
    return replace(finding, **changes)


@probe("truncation-loses-evidence", on="trained", layer="data", explains=truncation.SYMPTOMS)
def truncation_loses_evidence(case: Examination) -> Iterator[Finding]:
    """Kinds of text that lost much, and the metric of cut texts against whole ones of the same kind."""
    if found := truncation.unread(case.data):
        yield from found.values()
        return
    system = case.best_tuned()
    for kind, finding in truncation.losses(case.data).items():
        yield finding if system is None else _weighed(case, system, kind, finding)


def _weighed(case: Examination, system: str, kind: str, finding: Finding) -> Finding:
    """A warning where cut texts rank worse, information where they do not; as it was where there is no comparison."""
    queries = case.records.runs[system].queries
    queries = queries.assign(
        value=per_query(case.records.runs[system], case.metric), is_cut=_is_cut(case, queries, kind)
    )
    part = queries if kind == "answer" else queries[queries["type"] == kind]
    if min(part["is_cut"].sum(), (~part["is_cut"]).sum()) < LEAST_GROUP:
        return finding
    difference = case.contrast(part["value"], part["is_cut"], part["cluster"])
    costs = is_lower(difference)
    affected = float(part["is_cut"].sum() / len(queries))
    what = "queries whose answer was cut" if kind == "answer" else f"cut {kind}s"
    if costs:
        found = f"rank worse than whole ones: {spoken(difference, case.metric)}"
    elif difference.low >= -EXCLUDED:
        found = f"rank no worse than whole ones: {spoken(difference, case.metric)}"
    else:
        n_cut, n_whole = int(part["is_cut"].sum()), int((~part["is_cut"]).sum())
        found = (
            f"({n_cut}, beside {n_whole} whole ones) are too few to tell whether cutting costs anything: "
            f"{spoken(difference, case.metric)}"
        )
    share, name = percent("test queries affected", affected), f"{case.metric} of {system}, cut minus whole"
    changes = paired(difference, finding.evidence, share, name=name) | {
        "severity": "warning" if costs else "info",
        "sentence": f"{finding.sentence} In {system}, {what} {found}.",
        "weight": affected * -100 * difference.mean if costs else 0.0,
    }
    return replace(finding, **changes)


def _is_cut(case: Examination, queries: pd.DataFrame, kind: str) -> np.ndarray:
    """Of each test query: was its text cut, or for `answer` that of its first relevant answer?"""
    table, key, wanted = (
        (case.data.answers, "answer_id", queries["cluster"])
        if kind == "answer"
        else (case.data.queries, "query_id", queries["query_id"])
    )
    is_cut = (table["tokens"] < table["tokens_raw"]).set_axis(table[key])
    return is_cut.loc[wanted].to_numpy()
