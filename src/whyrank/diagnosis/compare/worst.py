"""The queries that the best system ranks worst, with what it preferred and what the baselines did."""

from dataclasses import dataclass

from whyrank.diagnosis.compare.ranking import best_system
from whyrank.diagnosis.compare.text import shorten
from whyrank.findings.records import Records, RunRecord

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
    system = best_system(records, metric, records.systems.tuned) or best_system(records, metric, tuple(records.runs))
    if system is None:
        return []
    run = records.runs[system]
    missed = run.queries[run.queries["above"] > 0].sort_values(["above", "query_id"], ascending=[False, True])
    texts = records.data.queries.set_index("query_id")
    places = {name: _places(records.runs[name]) for name in records.systems.baselines if name in records.runs}
    own = _places(run)
    return [
        WorstQuery(
            system=system,
            query_id=query_id,
            type=texts.loc[query_id, "type"],
            text=shorten(texts.loc[query_id, "raw_text"], QUERY_LENGTH),
            place=own[query_id],
            n_answers=len(records.data.answers),
            right=_right(records, run, query_id),
            top=_top(records, run, query_id, hits),
            others={name: place[query_id] for name, place in places.items()},
        )
        for query_id in missed["query_id"].head(n)
    ]


def _places(run: RunRecord) -> dict[str, str]:
    rows = run.queries[["query_id", "above", "tied"]].itertuples(index=False)
    return {i: str(above + 1) if tied == 1 else f"{above + 1} to {above + tied}" for i, above, tied in rows}


def _relevant(records: Records, query_id: str) -> list[str]:
    qrels = records.data.qrels
    return qrels.loc[(qrels["query_id"] == query_id) & (qrels["score"] > 0), "answer_id"].tolist()


def _top(records: Records, run: RunRecord, query_id: str, hits: int) -> tuple[Hit, ...]:
    kept = run.top[run.top["query_id"] == query_id].sort_values("rank").head(hits)
    relevant = set(_relevant(records, query_id))
    return tuple(
        _hit(records, answer_id, score, answer_id in relevant)
        for answer_id, score in kept[["answer_id", "score"]].itertuples(index=False)
    )


def _right(records: Records, run: RunRecord, query_id: str) -> tuple[Hit, ...]:
    """Its relevant answers; of one that fell out of the kept run only the best-placed score is known."""
    kept = run.top[run.top["query_id"] == query_id].set_index("answer_id")["score"]
    relevant = _relevant(records, query_id)
    own = run.queries.set_index("query_id")["score"]
    alone = float(own[query_id]) if len(relevant) == 1 else float("nan")
    return tuple(_hit(records, answer_id, float(kept.get(answer_id, alone)), True) for answer_id in relevant)


def _hit(records: Records, answer_id: str, score: float, is_relevant: bool) -> Hit:
    answers = records.data.answers
    answer = answers[answers["answer_id"] == answer_id].iloc[0]
    title, text = str(answer["title"]), str(answer["raw_text"])
    body = text.removeprefix(title)
    return Hit(answer_id, shorten(title, 80), shorten(body, ANSWER_LENGTH), float(score), is_relevant)
