"""Judgements of a ranking set: the texts that they mean, what is relevant, and which split owns a query."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from whyrank.core.options.files import Spelling
from whyrank.data.files.cells import CellError, printable, read_id, read_number
from whyrank.data.files.readers import RawTable
from whyrank.data.ranking.rejected import Account, ConsequenceError, Placed, Record

# Why rows are left out. The first three follow from a fault in another row, which is counted there.
QUERY_REJECTED, ANSWER_REJECTED = "its query is rejected", "its answer is rejected"
JUDGEMENTS_REJECTED = "its judgements are rejected"
NO_RELEVANT, NO_JUDGEMENT = "no relevant answer", "no judgement"
CONSEQUENCES = (QUERY_REJECTED, ANSWER_REJECTED, JUDGEMENTS_REJECTED)


@dataclass(frozen=True)
class Ids:
    """known   id as a judgement may write it -> id;  lost   ids of rejected rows"""

    known: dict[str, str]
    lost: set[str]

    @classmethod
    def of(cls, table: RawTable, rows: list[Placed], key: str) -> "Ids":
        ids = [row[key] for _, row in rows]
        # pandas writes whole numbers with gaps among them as 7.0.
        loose = {_whole(name): name for name in ids}
        lost = set()
        for row in table.rows:
            try:
                lost.add(read_id(row.cells, "_id"))
            except CellError:
                continue
        return cls(loose | {name: name for name in ids}, lost - set(ids))

    def find(self, name: str) -> str | None:
        return self.known.get(name) or self.known.get(_whole(name))


def _whole(name: str) -> str:
    return name[:-2] if name.endswith(".0") and name[:-2].isdecimal() else name


def judgement_reader(
    answers: Ids, queries: Ids, spellings: Sequence[Spelling], fate: dict[str, str]
) -> Callable[[Record], Record]:
    """What reads a row of qrels; it leaves in `fate` why a query may have no judgement in the end."""

    def judgement(values: Record) -> Record:
        query, answer = read_id(values, "query-id"), read_id(values, "corpus-id")
        found, wanted = queries.find(query), answers.find(answer)
        if found is None:
            if query in queries.lost:
                raise ConsequenceError("query-id", QUERY_REJECTED, query)
            raise CellError("query-id", "unknown query", query)
        if fate.get(found) != ANSWER_REJECTED:
            fate[found] = ANSWER_REJECTED if answer in answers.lost else JUDGEMENTS_REJECTED
        if wanted is None:
            if answer in answers.lost:
                raise ConsequenceError("corpus-id", ANSWER_REJECTED, answer)
            raise CellError("corpus-id", "unknown answer", answer)
        score = read_number(values, "score", spellings)
        if fate[found] == JUDGEMENTS_REJECTED:
            fate[found] = NO_RELEVANT
        return {"query_id": found, "answer_id": wanted, "score": score}

    return judgement


def apply_threshold(judged: dict[str, list[Placed]], relevant_from: float) -> pd.DataFrame:
    """The table of scores. Changes scores that do not count as relevant to 0: below it nothing has a gain."""
    counts: Counter[float] = Counter()
    for rows in judged.values():
        for _, row in rows:
            counts[row["score"]] += 1
            if row["score"] < relevant_from or row["score"] < 0:
                row["score"] = 0.0
    table = [(score, n, score > 0 and score >= relevant_from) for score, n in sorted(counts.items())]
    return pd.DataFrame(table, columns=["score", "judgements", "is_relevant"])


def owners(judged: dict[str, list[Placed]]) -> dict[str, str]:
    """Query -> the split it belongs to: the last in the order train, dev, test with a relevant row.

    A query in two splits stays where it is evaluated, so that held-out figures compare with other people's.
    """
    return {row["query_id"]: split for split, rows in judged.items() for _, row in rows if row["score"] > 0}


def of_owner(
    tables: dict[str, RawTable], judged: dict[str, list[Placed]], owner: dict[str, str], account: Account
) -> list[Placed]:
    kept: list[Placed] = []
    for split, rows in judged.items():
        for line, row in rows:
            query, file = row["query_id"], tables[split].file
            if owner.get(query) == split:
                kept.append((line, row | {"file": file}))
            elif query in owner:
                reason = f"query is in {owner[query]} too"
                account.rejected.append((file, line, "query-id", reason, printable(query)))
            else:
                account.left_out.append((file, line, "query-id", NO_RELEVANT, printable(query)))
    return kept


def with_relevant(
    table: RawTable, queries: list[Placed], owner: dict[str, str], fate: dict[str, str], account: Account
) -> list[Placed]:
    kept = [(line, row) for line, row in queries if row["query_id"] in owner]
    for line, row in queries:
        query = row["query_id"]
        if query not in owner:
            account.left_out.append((table.file, line, "_id", fate.get(query, NO_JUDGEMENT), printable(query)))
    return kept
