"""Splits that differ, and splits that are too small to learn from or to judge by."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from whyrank.findings.finding import Evidence, Finding, Fix, Severity, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed, too_little
from whyrank.findings.probe import probe
from whyrank.findings.records import DataRecords, rows_of
from whyrank.preflight.probes.texts.figure import figure, no_texts

# AUC less two standard errors. Splits drawn at random: 0.55 at most, those of Stack Exchange by answer too.
DIFFER = 0.70
PROPERTIES = {
    "conversations": "share of conversations",
    "characters": "length in characters",
    "answer_words": "share of a query's words that its answer has",
    "capitals": "share of capitals",
    "digits": "share of digits",
    "punctuation": "share of punctuation",
    "right_answers": "right answers per query",
}


class Least(NamedTuple):
    """Queries of a split below which it is a warning, and information."""

    warning: int
    info: int


# 30 queries are a batch or two; a few hundred rows overfit in public reports (FlagEmbedding#707).
TRAIN = Least(30, 150)
# One of 10 queries is 10 points, and an interval of 20 spans 44: less than that no result can be told from. Of 60
# queries an interval spans 25.
DEV, TEST = Least(10, 60), Least(20, 100)
# Of the queries that a share asks for: by less they differ by chance, where groups are large.
GOT, GOT_HALF = 0.8, 0.5


@probe(
    "splits-differ", on="preflight", layer="data",
    explains=("overfitted", "worse-than-zero-shot", "worse-than-lexical", "tuning-brought-nothing"),
)  # fmt: skip
def splits_differ(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Dev or test queries that a classifier tells from those of train; the split that differs more."""
    found: list[Finding] = []
    best = 0.0
    for split in ("test", "dev"):
        auc, error = figure(data, f"auc_{split}", "query"), figure(data, f"auc_error_{split}", "query")
        if auc is None or error is None:
            continue
        sides = {name: one for name in PROPERTIES if (one := figure(data, f"{name}_{split}", "auc")) is not None}
        name, apart = max(
            ((name, abs(one.value - 0.5)) for name, one in sides.items()), key=lambda item: item[1], default=("", 0.0)
        )
        low = max(auc.value, 0.5 + apart) - 2 * error.value
        best = max(best, low)
        if low >= DIFFER:
            found.append(_differs(data, split, auc.value, auc.example, name, apart, low))
    if found:
        yield max(found, key=lambda finding: finding.weight)
    elif data.table("text_figures").empty:
        yield no_texts()
    elif not best:
        yield too_little("data", "fewer than 30 queries in train, or in dev and in test")
    else:
        yield passed("data", Evidence("AUC of telling a split from train, less two standard errors", best), DIFFER)


def _differs(data: DataRecords, split: str, auc: float, words: str, name: str, apart: float, low: float) -> Finding:
    evidence = [Evidence(f"AUC of words that tell {split} from train", auc).where_from(DIFFER)]
    there, train = figure(data, f"{name}_{split}", split), figure(data, f"{name}_{split}", "train")
    most = f"words: {words}"
    if there is not None and train is not None and 0.5 + apart >= min(auc, 0.9) - 0.05:
        most = f"{PROPERTIES[name]}, {there.value:.3g} against {train.value:.3g}; words: {words}"
        evidence.append(Evidence(f"AUC of {PROPERTIES[name]}", 0.5 + apart).where_from(DIFFER))
    return Finding(
        system="data",
        sentence=f"The {split} queries differ from the training queries: a classifier tells them apart with AUC "
        f"{max(auc, 0.5 + apart):.2f}. What differs most: {most}.",
        evidence=tuple(evidence),
        interval=(low, min(1.0, 2 * max(auc, 0.5 + apart) - low)),
        cause="The splits come from different sources, times or ways of writing. What training learns about its own "
        f"queries need not hold for {split}.",
        fix=Fix(
            {},
            "merge the qrels into one file, so that prepare splits at random; or add training queries like those of "
            f"{split}. If {split} is what users ask, it is the training queries that are wrong",
        ),
        reference="2505.19274; practitioners' reports of synthetic queries",
        weight=100 * (max(auc, 0.5 + apart) - 0.5),
    )


@probe(
    "few-training-queries",
    on="preflight",
    layer="data",
    explains=("overfitted", "tuning-brought-nothing", "worse-than-zero-shot"),
)
def few_training_queries(data: DataRecords) -> Iterator[Finding | Outcome]:
    # With `prepare.labels` some have their text alone.
    n = data.ranking.relevant_in("train")["query"].nunique() if len(data.queries) else 0
    severity = _severity(n, TRAIN)
    if not n:
        yield not_applicable("data", "a ranking set with training queries")
    elif severity is None:
        yield passed("data", Evidence("training queries", n, "queries"), TRAIN.info)
    else:
        yield Finding(
            severity=severity,
            system="data",
            sentence=f"There are {n} training queries, which are few to tune an encoder on.",
            evidence=(Evidence("training queries", n, "queries").against(TRAIN.info),),
            cause="So few pairs are learnt by heart within some rounds, and say little about other queries.",
            fix=Fix({}, "label or write more queries; until then compare with the pretrained encoder (zero-shot)"),
            reference="FE#707; jina-ai/now#76",
            weight=10.0,
        )


@probe("dev-too-small", on="preflight", layer="evaluation", explains=("overfitted", "best-not-kept", "few-evaluations"))
def dev_too_small(data: DataRecords) -> Iterator[Finding | Outcome]:
    yield from _too_small(data, "dev", DEV, "Early stopping and the choice of weights follow chance")


@probe("test-too-small", on="preflight", layer="evaluation")
def test_too_small(data: DataRecords) -> Iterator[Finding | Outcome]:
    yield from _too_small(data, "test", TEST, "No comparison of systems can be told from chance")


@probe("split-smaller-than-asked", on="preflight", layer="evaluation", explains=("test-too-small", "dev-too-small"))
def smaller_than_asked(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Splits that got clearly fewer queries than their share asks for."""
    table = data.table("split_shares")
    if table.empty:
        yield not_applicable("data", "a dev or test set that prepare draws")
        return
    got = dict(zip(table["split"], table["queries"] / table["asked"], strict=True))
    for row in rows_of(table):
        if got[row.split] < GOT:
            yield _smaller(row.split, int(row.queries), round(row.asked))
    if min(got.values()) >= GOT:
        yield passed("data", percent("queries of the share that was asked for", min(got.values())), 100 * GOT)


def _smaller(split: str, n: int, asked: int) -> Finding:
    return Finding(
        severity="warning" if n < GOT_HALF * asked else "info",
        system="data",
        sentence=f"The {split} set has {n} queries where prepare.split.{split} asks for {asked}: a 95 % interval of "
        f"accuracy@1 spans {span(n):.0f} points instead of {span(asked):.0f}.",
        evidence=(
            Evidence(f"{split} queries", n, "queries").against(GOT * asked),
            Evidence("asked for", asked, "queries"),
            Evidence("points that an interval spans", span(n), "points"),
        ),
        cause="Queries that are copies of each other stay on one side, and each answer keeps a query to train on, so "
        "an answer with one query, or with copies of one, gives none to dev or test.",
        fix=Fix(
            {},
            "collect a second query of more answers; or hold answers out with -S prepare.split.by=answer, if answers "
            "that training never saw are what is asked of the ranker",
        ),
        reference="Sakai 2014 (topic set size)",
        weight=4.0,
    )


def span(n: int) -> float:
    """Points from end to end of a 95 % interval of an accuracy of one half."""
    return 100 * 2 * 1.96 * math.sqrt(0.25 / max(n, 1))


def _too_small(data: DataRecords, split: str, least: Least, cause: str) -> Iterator[Finding | Outcome]:
    n = int((data.queries["split"] == split).sum()) if len(data.queries) else 0
    if not n:
        yield not_applicable("data", f"{split} queries")
        return
    severity = _severity(n, least)
    if severity is None:
        yield passed("data", Evidence(f"{split} queries", n, "queries"), least.info)
        return
    yield Finding(
        severity=severity,
        system="data",
        sentence=f"The {split} set has {n} queries: a 95 % interval of accuracy@1 spans {span(n):.0f} points, and one "
        f"query is {100 / n:.1f}.",
        evidence=(
            Evidence(f"{split} queries", n, "queries").against(least.info),
            Evidence("points that an interval spans", span(n), "points"),
        ),
        cause=f"{cause} unless systems differ by more than that.",
        fix=_larger(data, split),
        reference="Sakai 2014 (topic set size); docs/trust.md",
        weight=5.0,
    )


def _larger(data: DataRecords, split: str) -> Fix:
    return Fix({}, f"label more queries for {split}, or give it a larger share (prepare.split.{split})")


def _severity(n: int, least: Least) -> Severity | None:
    return "warning" if n < least.warning else "info" if n < least.info else None
