"""What a small training before the training shows: pairs that no training can tell apart, and labels that leak."""

from collections.abc import Iterator

import pandas as pd

from whyrank.findings.finding import Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed, too_little
from whyrank.findings.probe import probe
from whyrank.findings.records import DataRecords
from whyrank.measure.significance.statistics import mean_interval

# Share of the pairs that are first after learning them by heart. Healthy encoders: all of them.
LEARNT, FEWEST_PAIRS = 0.9, 8
# Reciprocal rank that shuffled labels gain on dev by queries whose vector stands in train, and the lower end of its
# interval. Healthy data: at most 0.002.
LEAKED, SURELY, FEWEST_QUERIES = 0.01, 0.005, 30
# Dev queries that shuffled labels put right: one or two of 40 to 70 are so by chance.
KNOWN = 3
LEVEL, RESAMPLES = 0.95, 2000
# Reciprocal rank that learning the labels of train costs dev. Healthy data gain 0.01 to 0.04; wrong labels in every row
# cost 0.2.
CONTRADICTED = 0.02
# Share of the training queries that are right before training from which there is little to learn.
SOLVED = 0.95


def of(data: DataRecords, training: str, part: str) -> pd.DataFrame:
    """Rows of the table `sanity`."""
    table = data.table("sanity")
    if table.empty:
        return table
    return table[(table["training"] == training) & (table["part"] == part)]


def contradicted(data: DataRecords) -> bool:
    """Whether what is learnt of the labels of train makes dev worse: one of them is wrong."""
    rows = of(data, "labels", "dev")
    if len(rows) < FEWEST_QUERIES:
        return False
    gain = mean_interval(rows["after"] - rows["before"], rows["answer_id"], resamples=RESAMPLES, seed=0, level=LEVEL)
    return gain.high < 0 and gain.mean <= -CONTRADICTED


@probe(
    "cannot-learn-by-heart",
    on="preflight",
    explains=("underfitted", "tuning-brought-nothing", "worse-than-lexical", "collapsed-embeddings"),
    layer="symptom",
    about="ranking",
)
def cannot_learn_by_heart(data: DataRecords) -> Iterator[Finding | Outcome]:
    """A linear map does not learn a few pairs that it sees again and again."""
    rows = of(data, "by_heart", "train")
    if rows.empty:
        yield not_applicable("prepare", "training queries with an answer")
        return
    first = float((rows["after"] >= 1).mean())
    if len(rows) < FEWEST_PAIRS:
        yield too_little("prepare", f"{len(rows)} pairs with different answers")
        return
    if first >= LEARNT:
        yield passed("prepare", percent("pairs learnt by heart", first), 100 * LEARNT)
        return
    stuck = rows.loc[rows["after"] < 1, "query_id"].head(5)
    yield Finding(
        severity="warning",
        system="prepare",
        sentence=f"A linear map on the encoder's vectors learns only {100 * first:.0f} % of {len(rows)} training "
        f"pairs by "
        f"heart; not, for instance, {', '.join(stuck)}.",
        evidence=(
            percent("pairs learnt by heart", first).against(100 * LEARNT),
            percent("pairs that were first before", float((rows["before"] >= 1).mean())),
            Evidence("pairs", len(rows), "pairs"),
        ),
        cause="Queries, or answers, have the same vector: equal texts under several ids, texts cut to the same "
        "beginning, or "
        "an encoder that makes one vector of everything. No training on them can tell them apart.",
        fix=Fix({}, "look at the texts of these queries and their answers as they are encoded; then at the encoder"),
        reference="Karpathy 2019, A recipe for training neural networks: overfit one batch",
        weight=100 * (LEARNT - first),
    )


@probe("no-headroom", on="preflight", layer="symptom", about="ranking")
def no_headroom(data: DataRecords) -> Iterator[Finding | Outcome]:
    """The pretrained encoder ranks the training queries right already. What a training made of it, `trained` says."""
    rows = of(data, "labels", "train")
    if len(rows) < FEWEST_QUERIES:
        yield too_little("prepare", f"{len(rows)} training queries")
        return
    share = percent("training queries whose answer the encoder ranks first", float((rows["before"] >= 1).mean()))
    if share.value < 100 * SOLVED:
        yield passed("prepare", share, 100 * SOLVED)
        return
    yield Finding(
        severity="info",
        system="prepare",
        sentence=f"The pretrained encoder ranks the answer of {share.value:.0f} % of {len(rows)} training queries "
        "first, before any training: there is little to learn from them.",
        evidence=(share.against(100 * SOLVED), Evidence("training queries looked at", len(rows), "queries")),
        cause="The training queries are easier than what the encoder can do already, or nearly copies of their "
        "answers.",
        fix=Fix({"finetune_rank.hard_negatives.count": 4, "finetune_rank.candidates": "batch"}),
        reference="arXiv:2502.19712; FE#1422; ST#2358",
        weight=1.0,
    )


@probe(
    "learns-shuffled-labels",
    on="preflight",
    explains=("duplicate-across-splits", "overfitted"),
    layer="data",
    about="ranking",
)
def learns_shuffled_labels(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Labels drawn at random, learnt on train, help on dev: the same queries stand in both."""
    rows, train = of(data, "shuffled", "dev"), of(data, "shuffled", "train")
    if rows.empty or len(rows) < FEWEST_QUERIES:
        yield too_little("prepare", f"{len(rows)} dev queries")
        return
    # Among few answers a label drawn at random is right by luck for some; only a shared vector carries it to dev.
    gain_S = ((rows["after"] - rows["before"]) * rows["is_shared"]).to_numpy()
    gain = mean_interval(gain_S, rows["query_id"], resamples=RESAMPLES, seed=0, level=LEVEL)
    known = int((rows["is_shared"] & (rows["after"] > 0.5)).sum())
    if not (gain.low > SURELY and gain.mean >= LEAKED and known >= KNOWN):
        yield passed(
            "prepare", Evidence("gain of shuffled labels on dev", 100 * gain.mean, "points of MRR"), 100 * LEAKED
        )
        return
    yield Finding(
        severity="warning",
        system="prepare",
        sentence=f"Labels drawn at random and learnt on train help on dev: {100 * gain.mean:.1f} points of MRR "
        f"[{100 * gain.low:.1f}, {100 * gain.high:.1f}], {known} of {len(rows)} dev queries.",
        evidence=(
            Evidence("gain of shuffled labels on dev", 100 * gain.mean, "points of MRR").against(100 * LEAKED),
            Evidence(
                "gain on the training queries themselves",
                100 * float((train["after"] - train["before"]).mean()),
                "points",
            ),
            Evidence("dev queries", len(rows), "queries"),
        ),
        cause="The same queries, or texts with the same vector, stand in train and dev: what is measured there is "
        "memory.",
        fix=Fix({}, "one qrels file, so that `prepare` splits by text; or delete the copies from dev and test"),
        reference="Zhang et al. 2017, arXiv:1611.03530: random labels can be learnt, and must not generalise",
        interval=(100 * gain.low, 100 * gain.high),
        weight=100 * gain.mean,
    )
