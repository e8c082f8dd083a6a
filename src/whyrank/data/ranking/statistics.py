"""Figures of a prepared ranking set: counts, balance, leaks, lexical overlap, lengths, and what the selection lost.

Every function returns flat metrics (finite numbers; an undefined one is left out) and, where it helps, a tidy table.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from whyrank.data.files.cells import TYPES
from whyrank.data.files.readers import SPLITS
from whyrank.data.ranking.duplicates import Duplicates
from whyrank.data.ranking.judgements import CONSEQUENCES, NO_JUDGEMENT
from whyrank.lexical.analysis import Analyser, language_shares, snowball_of
from whyrank.lexical.counts import WordCounts, word_counts

Metrics = dict[str, float]


def count_queries(answers: pd.DataFrame, queries: pd.DataFrame, relevant: pd.DataFrame) -> tuple[Metrics, pd.DataFrame]:
    """Metrics such as `queries_train`, `questions_test`; table type, split, queries.

    answers: answer_id; queries: query_id, type, declared_type, split; relevant: query_id, answer_id
    """
    index = pd.MultiIndex.from_product([TYPES, SPLITS], names=["type", "split"])
    table = queries.groupby(["type", "split"]).size().reindex(index, fill_value=0).reset_index(name="queries")
    metrics: Metrics = {"answers": len(answers), "queries": len(queries), "relevant_pairs": len(relevant)}
    for split, n in table.groupby("split", sort=False)["queries"].sum().items():
        metrics[f"queries_{split}"] = int(n)
    for kind, n in table.groupby("type", sort=False)["queries"].sum().items():
        metrics[f"{kind}s"] = int(n)
    for kind, split, n in table.itertuples(index=False):
        metrics[f"{kind}s_{split}"] = int(n)
    metrics["queries_of_undeclared_type"] = int((queries["declared_type"] == "").sum())
    return metrics, table


def count_per_answer(
    answers: pd.DataFrame, queries: pd.DataFrame, relevant: pd.DataFrame
) -> tuple[Metrics, pd.DataFrame]:
    """Queries per answer, over the answers that have any; table answer_id, question, conversation, train, dev, test."""
    pairs = relevant.merge(queries[["query_id", "type", "split"]], on="query_id")
    parts = [pd.crosstab(pairs["answer_id"], pairs[column]) for column in ("type", "split")]
    table = pd.concat(parts, axis=1).reindex(index=answers["answer_id"], columns=[*TYPES, *SPLITS], fill_value=0)
    table = table.fillna(0).astype(int).rename_axis(None, axis=1).reset_index()
    total = table[list(TYPES)].sum(axis=1)
    metrics: Metrics = {
        "answers_without_queries": int((total == 0).sum()),
        "answers_without_train_queries": int((table["train"] == 0).sum()),
    }
    for name, per_answer in (("queries_per_answer", total), ("train_queries_per_answer", table["train"])):
        counted = per_answer[per_answer > 0]
        if len(counted):
            metrics |= {f"{name}_{how}": float(counted.agg(how)) for how in ("min", "median", "max")}
    return metrics, table


def type_imbalance(per_answer: pd.DataFrame) -> Metrics:
    """The larger type over the smaller one: overall, and the median over the answers that have both.

    per_answer: question and conversation counts. 1 is balance; left out where a type is missing altogether.
    """
    counts = per_answer[list(TYPES)]
    asked = counts[counts.sum(axis=1) > 0]
    both = asked[asked.min(axis=1) > 0]
    metrics: Metrics = {"answers_with_one_type": len(asked) - len(both)}
    overall = asked.sum()
    if overall.min() > 0:
        metrics["type_imbalance"] = float(overall.max() / overall.min())
    if len(both):
        metrics["type_imbalance_per_answer"] = float((both.max(axis=1) / both.min(axis=1)).median())
    return metrics


def count_duplicates(duplicates: Duplicates) -> Metrics:
    """Pairs by kind, and the groups of two or more; `queries_duplicated` stand in one of these."""
    kinds = duplicates.pairs["kind"].value_counts()
    sizes = pd.Series(duplicates.group).value_counts()
    several = sizes[sizes > 1]
    metrics: Metrics = {f"duplicate_pairs_{kind}": int(kinds.get(kind, 0)) for kind in ("exact", "near", "contained")}
    return metrics | {
        "duplicate_groups": len(several),
        "queries_duplicated": int(several.sum()),
        "duplicate_group_max": int(sizes.max()),
    }


def count_leaks(leaks: pd.DataFrame, conflicts: pd.DataFrame, queries: pd.DataFrame) -> Metrics:
    """`leaked_queries_train_test`: test queries with a duplicate in train; the share where the split has queries."""
    metrics: Metrics = {"conflicting_duplicates": len(conflicts)}
    sizes = queries["split"].value_counts()
    for left, right in (("train", "dev"), ("train", "test"), ("dev", "test")):
        crossing = leaks[(leaks["split_left"] == left) & (leaks["split_right"] == right)]
        n = crossing["query_right"].nunique()
        metrics[f"leaked_queries_{left}_{right}"] = n
        if sizes.get(right, 0):
            metrics[f"leaked_share_{left}_{right}"] = float(n / sizes[right])
    return metrics


def count_rows(rows_in: dict[str, int], rejected: pd.DataFrame, left_out: pd.DataFrame) -> tuple[Metrics, pd.DataFrame]:
    """Rows read, rejected and left out; `queries_without_judgements` are normal, and among the latter.

    Returns the metrics, and the table file, rows, rejected, left_out, kept.
    """
    table = pd.DataFrame({"file": list(rows_in), "rows": list(rows_in.values())})
    for name, rows in (("rejected", rejected), ("left_out", left_out)):
        lost = rows["file"].value_counts()
        table[name] = [int(lost.get(file, 0)) for file in rows_in]
    table["kept"] = table["rows"] - table["rejected"] - table["left_out"]
    total = sum(rows_in.values())
    metrics: Metrics = {
        "rows_read": total,
        "rows_rejected": len(rejected),
        "rows_left_out": len(left_out),
        "queries_without_judgements": int((left_out["reason"] == NO_JUDGEMENT).sum()),
        "rejected_share": len(rejected) / total,
    }
    return metrics, table


def left_out_table(left_out: pd.DataFrame) -> pd.DataFrame:
    """file, reason, rows, line (the first); is_consequence: of a fault in another row."""
    table = left_out.groupby(["file", "reason"], sort=False)["line"].agg(rows="size", line="first").reset_index()
    return table.assign(is_consequence=table["reason"].isin(CONSEQUENCES))


def languages(texts: pd.DataFrame) -> pd.DataFrame:
    """Languages of some texts of each type (question, conversation, answer): kind, language (ISO 639), share.

    texts   type, raw_text
    The most frequent one of each type comes first; texts without letters count for none.
    """
    rows = [
        {"kind": kind, "language": language, "share": share}
        for kind, part in texts.groupby("type", sort=False)
        for language, share in language_shares(part["raw_text"].tolist()).most_common()
    ]
    return pd.DataFrame(rows, columns=["kind", "language", "share"])


def lexical_overlap(
    answers: pd.DataFrame, queries: pd.DataFrame, relevant: pd.DataFrame, languages: pd.DataFrame
) -> tuple[Metrics, pd.DataFrame]:
    """Share of each query's distinct content words that its answer holds, in [0, 1]; the best of several answers.

    answers: answer_id, raw_text; queries: query_id, type, split, raw_text; relevant: query_id, answer_id
    languages: language, share; the most frequent one says what counts for a word (`Analyser.content`)
    Returns `lexical_overlap`, `lexical_overlap_<type>` (means), `queries_without_content_words` (left out of both),
    and the table query_id, type, split, overlap.
    """
    most = languages.groupby("language")["share"].sum()
    language = str(most.idxmax()) if len(most) else "en"
    content = Analyser(language, stemmer=snowball_of(language)).content
    n_words = np.array([len(set(content(text))) for text in queries["raw_text"]])
    if not n_words.any():
        return {"queries_without_content_words": len(queries)}, queries[["query_id", "type", "split"]].head(0).assign(
            overlap=0.0
        )
    counter = CountVectorizer(analyzer=content, binary=True, dtype=np.int32)
    query_words = counter.fit_transform(queries["raw_text"])
    query = pd.Series(np.arange(len(queries)), index=queries["query_id"]).loc[relevant["query_id"]].to_numpy()
    asked = answers[answers["answer_id"].isin(relevant["answer_id"])]
    answer = pd.Series(np.arange(len(asked)), index=asked["answer_id"]).loc[relevant["answer_id"]].to_numpy()
    answer_words = counter.transform(asked["raw_text"])
    shared = np.asarray(query_words[query].multiply(answer_words[answer]).sum(axis=1)).ravel()
    best = np.zeros(len(queries), dtype=np.int64)
    np.maximum.at(best, query, shared)
    table = queries[["query_id", "type", "split"]].assign(overlap=best / np.maximum(n_words, 1))[n_words > 0]
    metrics: Metrics = {"queries_without_content_words": int((n_words == 0).sum())}
    if len(table):
        metrics["lexical_overlap"] = float(table["overlap"].mean())
    metrics |= {
        f"lexical_overlap_{kind}": float(mean) for kind, mean in table.groupby("type")["overlap"].mean().items()
    }
    return metrics, table.reset_index(drop=True)


QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def token_lengths(texts: pd.DataFrame) -> tuple[Metrics, pd.DataFrame]:
    """Tokens per text and the share lost, by type.

    texts     type, tokens_raw, tokens (answers are a type of their own)
    Returns metrics `tokens_median_<type>` (before selection), `texts_cut_share_<type>`, `tokens_lost_share_<type>`
    (tokens lost / tokens, over all texts of the type), and the table type, stage (raw | selected), n, mean, q05 ..
    q95, max in tokens.
    """
    metrics: Metrics = {}
    rows = []
    for kind, part in texts.groupby("type"):
        raw, kept = part["tokens_raw"], part["tokens"]
        metrics[f"tokens_median_{kind}"] = float(raw.median())
        metrics[f"texts_cut_share_{kind}"] = float((kept < raw).mean())
        if raw.sum() > 0:
            metrics[f"tokens_lost_share_{kind}"] = float((raw - kept).sum() / raw.sum())
        for stage, tokens in (("raw", raw), ("selected", kept)):
            quantiles = {f"q{round(100 * q):02d}": float(tokens.quantile(q)) for q in QUANTILES}
            rows.append({"type": kind, "stage": stage, "n": len(part), "mean": float(tokens.mean())} | quantiles)
            rows[-1]["max"] = int(tokens.max())
    return metrics, pd.DataFrame(rows)


def tfidf_mass_lost(
    types: Sequence[str],
    raw: Sequence[str],
    selected: Sequence[str],
    idf: TfidfVectorizer,
    counted: Sequence[WordCounts] | None = None,
) -> Metrics:
    """`tfidf_lost_share_<type>`: share of the sum of tf x idf that the selection lost, over all texts of the type.

    tf is the plain count here, so that the mass of a text is the sum of the masses of its parts. Left out for a type
    without any word known to `idf`. counted   the words of `raw`, one part after the other, where they were counted
    """
    weight_of = {word: idf.idf_[column] for word, column in idf.vocabulary_.items()}
    before_N = np.concatenate([part.weighed(weight_of) for part in counted or [word_counts(raw)]])
    after_N, cut = before_N.copy(), [row for row, text in enumerate(raw) if text != selected[row]]
    if cut:
        whole, kept = ([texts[row] for row in cut] for texts in (raw, selected))
        whole_NV, kept_NV = (word_counts(texts).within(idf.vocabulary_) for texts in (whole, kept))
        # A word cut in two can make a word that was not there.
        after_N[cut] = kept_NV.minimum(whole_NV) @ idf.idf_
    mass = pd.DataFrame({"type": list(types), "before": before_N, "after": after_N})
    total = mass.groupby("type").sum()
    total = total[total["before"] > 0]
    lost = 1 - total["after"] / total["before"]
    return {f"tfidf_lost_share_{kind}": float(np.clip(share, 0, 1)) for kind, share in lost.items()}
