"""Raw source -> prepared tables, in one call: read, validate, type, group, split, select text, count."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from whyrank.core.errors import UserError
from whyrank.core.options import params
from whyrank.data.files.cells import TYPES, count_as
from whyrank.data.files.text import CountTokens
from whyrank.data.ranking import corrections, labels, statistics
from whyrank.data.ranking.duplicates import Duplicates, conflict_table, find_duplicates, leak_table
from whyrank.data.ranking.judgements import CONSEQUENCES
from whyrank.data.ranking.otherwise import otherwise
from whyrank.data.ranking.pseudo_queries import with_pseudo
from whyrank.data.ranking.rejected import check_rejected
from whyrank.data.ranking.selection import SELECTIONS, Document, Rules, idf_of
from whyrank.data.ranking.source import read_source
from whyrank.data.ranking.split import drawn_shares, kept_together, split_queries
from whyrank.data.ranking.threads import threads, torn_table
from whyrank.data.ranking.validate import Reading, Validated, text_column, validate
from whyrank.lexical.counts import word_counts

ANSWER_COLUMNS = ["answer_id", "title", "raw_text", "text", "tokens_raw", "tokens", "sections"]
QUERY_COLUMNS = ["query_id", "type", "declared_type", "split", "raw_text", "text", "tokens_raw", "tokens", "group",
                 "thread"]  # fmt: skip
QREL_COLUMNS = ["query_id", "answer_id", "score"]


@dataclass(frozen=True)
class Preparation:
    """answers    `ANSWER_COLUMNS`, sorted by id
    queries    `QUERY_COLUMNS`, sorted by id
    qrels      query_id, answer_id, score (> 0 is relevant), sorted
    rejected   file, line, column, reason, value; after those with a fault, those that are left out
    tables     rows, left_out, unread, types, scores, corrections, counts, per_answer, duplicates, leaks, conflicts,
               torn_threads, lengths, overlap, languages, split_shares: tidy, for reports
    metrics    flat and finite
    otherwise  some cut texts of the dev set as every way would cut them, see `whyrank.data.ranking.otherwise`
    """

    answers: pd.DataFrame
    queries: pd.DataFrame
    qrels: pd.DataFrame
    rejected: pd.DataFrame
    tables: dict[str, pd.DataFrame]
    metrics: dict[str, float]
    otherwise: pd.DataFrame


def read(options: params.Prepare) -> Validated:
    """The rows of the source that are sound, with their corrections, and those that are not with their reasons.

    Raises UserError for whatever the user has to fix in the source, and for one that leaves nothing to rank.
    """
    if options.hub and Path(options.hub).is_dir():
        raise UserError(
            f"params.yaml: `prepare.hub` is {options.hub!r}, a folder, which is not watched for changes; name it with "
            f"-S prepare.source={options.hub} -S 'prepare.hub=\"\"'"
        )
    raw = read_source(options.hub or options.source, options.files, test_alone=options.split.test_alone)
    valid = validate(raw, Reading(options.types, options.relevant_from, options.files.numbers))
    consequences = int(valid.left_out["reason"].isin(CONSEQUENCES).sum())
    check_rejected(valid.rejected, sum(valid.rows_in.values()), options.max_rejected, consequences)
    valid = corrections.apply(valid, options.corrections, options.files)
    asked = valid.qrels.loc[valid.qrels["score"] > 0, "answer_id"].unique()
    if len(asked) < 2:
        raise UserError(
            f"all {len(valid.queries)} queries have one relevant answer, '{asked[0]}': there is nothing to rank; add "
            "judgements of other answers to the qrels"
        )
    return valid


def answer_texts(valid: Validated) -> list[str]:
    """The whole text of every answer, title first."""
    return [document.whole for document in _documents(valid.answers)]


def prepare(
    valid: Validated,
    options: params.Prepare,
    *,
    tokens: Mapping[str, int],
    count_tokens: CountTokens,
    seed: int,
) -> Preparation:
    """Prepare a ranking set; the same for any order of the rows. A source with several qrels files keeps its splits.

    tokens         budget of question, conversation and answer without the special tokens that `options.tokens` counts
    count_tokens   texts -> tokens of each, without special tokens

    Raises UserError for whatever the user has to fix in the parameters.
    """
    relevant = valid.qrels.loc[valid.qrels["score"] > 0, ["query_id", "answer_id"]]
    queries, duplicates = _grouped_queries(valid, options.short_conversation, options.near_duplicate)
    shares = options.split
    together = queries.assign(group=kept_together(duplicates.group, queries["declared_thread"].tolist()))
    queries["split"] = split_queries(
        together, relevant, by=shares.by, dev=shares.dev, test=shares.test, seed=seed, given=valid.given
    )
    queries["thread"] = threads(queries)
    qrels = valid.qrels[labels.kept(queries, valid.qrels, options.labels, seed)].reset_index(drop=True)
    documents = _documents(valid.answers)
    # Lists beside the tables, since pandas copies a column of texts whenever it is read.
    raw = {"query": [], "answer": [document.whole for document in documents]}
    answers = valid.answers.assign(raw_text=text_column(raw["answer"]))
    queries, qrels = with_pseudo(queries, qrels, answers, options.pseudo_queries)
    relevant = qrels.loc[qrels["score"] > 0, ["query_id", "answer_id"]]
    raw["query"] = queries["raw_text"].tolist()
    query_counts, answer_counts = map(word_counts, raw.values())
    # Held-out queries stay out: what they say must not weigh in what the encoder reads.
    idf = idf_of(answer_counts, query_counts.rows(np.flatnonzero(queries["split"] == "train")))
    kinds = [*queries["type"], *repeat("answer", len(answers))]
    as_read = pd.DataFrame({"type": kinds, "raw_text": text_column([*raw["query"], *raw["answer"]])})
    languages = statistics.languages(as_read)
    count = _remembering(count_tokens)
    select = partial(_select, options=options, tokens=tokens, languages=languages, count_tokens=count, idf=idf)
    for kind in TYPES:
        of_kind = queries["type"] == kind
        whole = [Document("", text) for text in queries.loc[of_kind, "raw_text"]]
        queries.loc[of_kind, "text"] = select(kind, whole, getattr(options.selection, kind))
    cut = {"query": queries["text"].tolist(), "answer": select("answer", documents, options.selection.answer)}
    answers["text"] = text_column(cut["answer"])
    for table, kind in ((answers, "answer"), (queries, "query")):
        table["tokens_raw"], table["tokens"] = count(raw[kind]), count(cut[kind])
    # What is said of the set is said of its own queries.
    own = queries.iloc[: len(valid.queries)]
    of_own = relevant[relevant["query_id"].isin(own["query_id"])]
    own_counts = query_counts.rows(np.arange(len(own))), answer_counts
    of_own_kinds = [*own["type"], *repeat("answer", len(answers))]
    before, after = ([*texts["query"][: len(own)], *texts["answer"]] for texts in (raw, cut))
    lost = statistics.tfidf_mass_lost(of_own_kinds, before, after, idf, own_counts)
    metrics, tables = _statistics(valid, answers, own, of_own, duplicates, lost, languages)
    metrics["pseudo_queries"] = len(queries) - len(own)
    tables["split_shares"] = drawn_shares(queries["split"], dev=shares.dev, test=shares.test, given=valid.given)
    rejected = pd.concat([valid.rejected, valid.left_out], ignore_index=True)
    qrels = qrels[QREL_COLUMNS]
    ways = {kind: getattr(options.selection, kind) for kind in (*TYPES, "answer")}
    lost_share = {kind: metrics.get(f"tfidf_lost_share_{kind}", 0.0) for kind in ways}
    tried = otherwise(answers, queries, relevant, documents, select, used=ways, lost=lost_share)
    return Preparation(answers[ANSWER_COLUMNS], queries[QUERY_COLUMNS], qrels, rejected, tables, metrics, tried)


def _grouped_queries(valid: Validated, short_conversation: int, threshold: float) -> tuple[pd.DataFrame, Duplicates]:
    texts = valid.queries["raw_text"].tolist()
    kinds = count_as(valid.queries["declared_type"].tolist(), texts, short_conversation=short_conversation)
    duplicates = find_duplicates(texts, threshold=threshold)
    return valid.queries.assign(type=kinds, group=duplicates.group, text=""), duplicates


def _documents(answers: pd.DataFrame) -> list[Document]:
    return [
        Document(title, body, tuple((section["title"], section["text"]) for section in sections or ()))
        for title, body, sections in zip(answers["title"], answers["body"], answers["sections"], strict=True)
    ]


def _select(
    kind: str,
    documents: list[Document],
    way: str,
    *,
    options: params.Prepare,
    tokens: Mapping[str, int],
    languages: pd.DataFrame,
    **ways: Any,
) -> list[str]:
    """What the encoder reads of the texts of a kind; an unknown language is split into sentences as English is."""
    language = next(iter(languages.loc[languages["kind"] == kind, "language"]), "en")
    return SELECTIONS[way](documents, tokens[kind], Rules(head_share=options.head_share, language=language, **ways))


def _remembering(count_tokens: CountTokens) -> CountTokens:
    """Count each distinct text once."""
    known: dict[str, int] = {}

    def count(texts: list[str]) -> list[int]:
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            known.update(zip(new, count_tokens(new), strict=True))
        return [known[text] for text in texts]

    return count


def _with_type(queries: pd.DataFrame, answers: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """type and some columns of both, queries first; no others, which take seconds to copy."""
    return pd.concat([queries[["type", *columns]], answers[columns].assign(type="answer")[["type", *columns]]])


def _statistics(
    valid: Validated,
    answers: pd.DataFrame,
    queries: pd.DataFrame,
    relevant: pd.DataFrame,
    duplicates: Duplicates,
    lost: dict[str, float],
    languages: pd.DataFrame,
) -> tuple[dict[str, float], dict[str, pd.DataFrame]]:
    ids, pairs = queries["query_id"].to_numpy(), duplicates.pairs
    leaks, conflicts = leak_table(queries, relevant, duplicates), conflict_table(queries, relevant, duplicates)
    named_pairs = {"query_left": ids[pairs["left"]], "query_right": ids[pairs["right"]]}
    length_metrics, lengths = statistics.token_lengths(_with_type(queries, answers, ["tokens_raw", "tokens"]))
    found: dict[str, tuple[dict[str, float], pd.DataFrame]] = {
        "rows": statistics.count_rows(valid.rows_in, valid.rejected, valid.left_out),
        "left_out": ({}, statistics.left_out_table(valid.left_out)),
        "unread": ({}, pd.DataFrame({"file": valid.unread})),
        "types": ({}, valid.types),
        "scores": ({}, valid.scores),
        "corrections": ({"rows_corrected": len(valid.corrected)}, valid.corrected),
        "counts": statistics.count_queries(answers, queries, relevant),
        "per_answer": (per_answer := statistics.count_per_answer(answers, queries, relevant)),
        "duplicates": (
            statistics.type_imbalance(per_answer[1]) | statistics.count_duplicates(duplicates),
            pd.DataFrame(named_pairs).assign(kind=pairs["kind"], similarity=pairs["similarity"]),
        ),
        "leaks": (statistics.count_leaks(leaks, conflicts, queries), leaks),
        "conflicts": ({}, conflicts),
        "torn_threads": ({"queries_of_threads": queries["declared_thread"].ne("").sum()}, torn_table(queries)),
        "lengths": (length_metrics | lost, lengths),
        "overlap": statistics.lexical_overlap(answers, queries, relevant, languages),
        "languages": ({}, languages),
    }
    metrics = {name: value for part, _ in found.values() for name, value in part.items()}
    return metrics, {name: table for name, (_, table) in found.items()}
