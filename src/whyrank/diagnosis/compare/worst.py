"""The queries that the best system ranks worst, with what it preferred and what the baselines did."""

from dataclasses import dataclass
from typing import Any

from whyrank.diagnosis.compare.ranking import shown_system
from whyrank.diagnosis.compare.text import shorten
from whyrank.findings.records import Records, RunRecord, rows_of

QUERY_LENGTH, ANSWER_LENGTH = 320, 160


@dataclass(frozen=True)
class Hit:
    """An answer, shortened; score is NaN where it is not among the answers kept for the query."""

    answer_id: str
    title: str
    text: str
    score: float
    is_relevant: bool


@dataclass(frozen=True)
class WorstQuery:
    """place   rank of its best-placed relevant answer, `7` or `7 to 9` where scores are equal
    others   the same of the lexical baselines, by system
    """

    system: str
    query_id: str
    type: str
    text: str
    place: str
    n_answers: int
    right: tuple[Hit, ...]
    top: tuple[Hit, ...]
    others: dict[str, str]


def worst_queries(records: Records, metric: str, *, n: int = 8, hits: int = 3) -> list[WorstQuery]:
    """The n queries with most answers above the right one in the best tuned system (of all, where none was tuned).

    Best by the mean of `metric` over all test queries. Equals stand in the order of their ids.
    Queries whose right answer is first are never among them.
    """
    system = shown_system(records, metric)
    if system is None:
        return []
    run = records.runs[system]
    missed = run.queries[run.queries["above"] > 0].sort_values(["above", "query_id"], ascending=[False, True])
    texts = records.data.queries.set_index("query_id")
    places = {name: _places(records.runs[name]) for name in records.systems.baselines if name in records.runs}
    qrels = records.data.qrels[records.data.qrels["score"] > 0]
    found = []
    for query in rows_of(missed.head(n)):
        relevant = qrels.loc[qrels["query_id"] == query.query_id, "answer_id"].tolist()
        top = run.top[run.top["query_id"] == query.query_id].sort_values("rank").set_index("answer_id")["score"]
        # Of a relevant answer that fell out of the kept run only the best-placed score is known.
        alone = float(query.score) if len(relevant) == 1 else float("nan")
        found.append(
            WorstQuery(
                system=system,
                query_id=query.query_id,
                type=texts.loc[query.query_id, "type"],
                text=shorten(texts.loc[query.query_id, "raw_text"], QUERY_LENGTH),
                place=_place(query),
                n_answers=len(records.data.answers),
                right=tuple(_hit(records, one, top.get(one, alone), True) for one in relevant),
                top=tuple(_hit(records, one, score, one in relevant) for one, score in top.head(hits).items()),
                others={name: place[query.query_id] for name, place in places.items()},
            )
        )
    return found


def _places(run: RunRecord) -> dict[str, str]:
    return {row.query_id: _place(row) for row in rows_of(run.queries[["query_id", "above", "tied"]])}


def _place(row: Any) -> str:
    return str(row.above + 1) if row.tied == 1 else f"{row.above + 1} to {row.above + row.tied}"


def _hit(records: Records, answer_id: str, score: float, is_relevant: bool) -> Hit:
    answers = records.data.answers
    answer = answers[answers["answer_id"] == answer_id].iloc[0]
    title, text = str(answer["title"]), str(answer["raw_text"])
    body = text.removeprefix(title)
    return Hit(answer_id, shorten(title, 80), shorten(body, ANSWER_LENGTH), float(score), is_relevant)
