"""Labels of a split that a keyword search gave: it finds them better than those of other splits, the encoder worse."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy import stats

from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed, too_little
from whyrank.findings.probe import probe
from whyrank.findings.records import DataRecords
from whyrank.preflight.probes.label_symptoms import OF_TRAINING

# Queries of a split, and of the others, from which means tell something.
ENOUGH = 30
# Standard errors by which a split differs in the log of lexical ranks over the encoder's, and in lexical ranks alone:
# 3.2 at most of splits with labels of people, 6.6 and more of those that a search gave.
APART, BETTER = 5.0, 3.0
# Places that count as found.
TOP = 3


@probe(
    "labels-from-keyword-search",
    on="preflight",
    layer="labels",
    about="ranking",
    explains=(*OF_TRAINING, "split-labels-wrong", "wrong-labels", "type-labels-wrong", "splits-differ"),
)
def labels_from_keyword_search(data: DataRecords) -> Iterator[Finding | Outcome]:
    """The split whose labels TF-IDF and BM25 find better than elsewhere, and the encoder worse."""
    judged = data.table("judgements")
    names = [name for name in judged["split"].unique() if _is_enough(judged["split"] == name)] if len(judged) else []
    if judged.empty or judged["split"].nunique() < 2:
        yield not_applicable("data", "judgements of two splits of queries under untuned rankers")
        return
    if not names:
        yield too_little("data", f"no split has {ENOUGH} queries, and the others as many")
        return
    lexical, encoder = judged[["rank_tfidf", "rank_bm25"]].min(axis=1).to_numpy(), judged["rank_encoder"].to_numpy()
    split_J = judged["split"].to_numpy()
    apart = {name: _apart(np.log(lexical / encoder), split_J == name) for name in names}
    split = min(names, key=lambda name: apart[name])
    is_own = split_J == split
    measured = Evidence(
        "standard errors by which lexical rankers find a split better, beside the encoder", -apart[split]
    )
    if apart[split] > -APART or _apart(np.log(lexical), is_own) > -BETTER:
        yield passed("data", measured, APART)
        return
    found, by_encoder = (
        [float((rank[which] <= TOP).mean()) for which in (is_own, ~is_own)] for rank in (lexical, encoder)
    )
    yield Finding(
        severity="error",
        system="data",
        sentence=f"The {split} labels look like results of a keyword search: TF-IDF or BM25 puts {100 * found[0]:.0f} "
        f"% of them among the first {TOP} and {100 * found[1]:.0f} % of the others, while the untrained encoder finds "
        f"{100 * by_encoder[0]:.0f} % and {100 * by_encoder[1]:.0f} %.",
        evidence=(
            percent(f"{split} labels among the first {TOP} by TF-IDF or BM25", found[0]),
            percent("other labels", found[1]),
            percent(f"{split} labels among the first {TOP} by the encoder", by_encoder[0]),
            percent("other labels by the encoder", by_encoder[1]),
            measured.against(APART),
        ),
        cause="They were taken from the results of a search by words, or judged among its first results alone: what "
        f"is measured on {split} is agreement with that search.",
        fix=Fix({}, f"have people judge the {split} queries, among the results of more than one ranker"),
        reference="Thakur et al. 2021, arXiv:2104.08663 (lexical bias of judgements)",
        weight=CAUSE + 50,
    )


def _is_enough(is_own: pd.Series) -> bool:
    return bool(min(is_own.sum(), (~is_own).sum()) >= ENOUGH)


def _apart(value: np.ndarray, is_own: np.ndarray) -> float:
    """Mean of a split less that of the others, in standard errors (Welch 1947)."""
    found = float(stats.ttest_ind(value[is_own], value[~is_own], equal_var=False).statistic)
    return found if np.isfinite(found) else 0.0
