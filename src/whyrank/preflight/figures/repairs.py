"""Repairs of labels that a slip of rows would need: shifted, or in reverse order, as a whole or from a row on.

A repair gives each judgement another answer. Where the labels are right it loses what rankers found without them; where
rows slipped it wins as much. Shapes: P relevant judgements
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from whyrank.core.prepared import CORRECTION_COLUMNS, Prepared
from whyrank.data.ranking.validate import Validated
from whyrank.preflight.figures.rankers import Ranked

STEPS = (1, -1, 2, -2, 3, -3)
COLUMNS = ["repair", "rows_of", "first_line", "last_line", "judgements", "looked_at", "before", "after"]
# The best of them are recorded.
KEPT = 10
# Queries that a repair must win, the share of them that it may lose, and the share of those it changes that it must
# win. With labels in order (sample, subsets of ConditionalQA and Stack Exchange) no repair wins more than 3; with
# answers joined at random one of the sample wins 18 % of 55 by luck.
WON, LOST, SHARE = 8, 0.2, 0.25


class Repair(NamedTuple):
    """what   in words;  after_P   (P,) answer of each judgement;  opposite   `what` of the move the other way"""

    what: str
    after_P: np.ndarray
    opposite: str = ""


class Tried(NamedTuple):
    """A repair on the part of a group of judgements where it wins most. place_G   places of the judgements changed"""

    repair: Repair
    group: str
    place_G: np.ndarray
    won: int
    lost: int
    looked_at: int
    hits_before: int

    @property
    def holds(self) -> bool:
        return self.won >= WON and self.lost <= LOST * self.won and self.won >= SHARE * self.looked_at


def tables(ranked: Ranked, prepared: Prepared, valid: Validated) -> dict[str, pd.DataFrame]:
    """`label_repairs`, the most winning first, and `rows_labels-shifted`: the best where it holds.

    repair, rows_of        what is done to which rows;  first_line, last_line   of the judgements in their files
    judgements, looked_at  that it changes, and those of them whose queries were ranked
    before, after          share of these whose label is what the untuned rankers put first
    """
    judged = _in_file_order(ranked, prepared, valid)
    tried = sorted(_tried(judged, ranked, prepared, valid), key=lambda one: one.lost - one.won)
    rows = [
        (
            one.repair.what,
            one.group,
            *judged["line"].to_numpy()[one.place_G[[0, -1]]],
            len(one.place_G),
            one.looked_at,
            one.hits_before / one.looked_at,
            (one.hits_before + one.won - one.lost) / one.looked_at,
        )
        for one in tried[:KEPT]
    ]
    held = _together(tried)
    return {
        "label_repairs": pd.DataFrame(rows, columns=COLUMNS).assign(
            holds=[int(any(one is other for other in held)) for one in tried[:KEPT]]
        ),
        "rows_labels-shifted": _corrections(held, judged, prepared),
    }


def _together(tried: list[Tried]) -> list[Tried]:
    """The best repair where it holds, and the same one of other rows: each file may have slipped by itself.

    Where rows of an answer stand together, the label of a neighbour helps a wrong one whichever way rows move: what
    slipped has one way back.
    """
    gain = {(one.group, one.repair.what): one.won - one.lost for one in tried}
    held: list[Tried] = []
    taken = np.zeros(0, dtype=np.int64)
    for one in tried if tried and tried[0].holds else []:
        is_same = one.holds and one.repair.what == tried[0].repair.what and not np.isin(one.place_G, taken).any()
        if is_same and gain.get((one.group, one.repair.opposite), 0) <= (one.won - one.lost) / 2:
            held.append(one)
            taken = np.concatenate([taken, one.place_G])
    return held


def _in_file_order(ranked: Ranked, prepared: Prepared, valid: Validated) -> pd.DataFrame:
    """Relevant judgements as their files have them: file, line, query, answer, split, type, first (-1: not ranked)."""
    qrels = valid.qrels[valid.qrels["score"] > 0].sort_values(["file", "line"], kind="stable", ignore_index=True)
    query_P = pd.Index(prepared.queries["query_id"]).get_indexer(qrels["query_id"])
    first_Q = np.full(len(prepared.queries), -1)
    first_Q[ranked.query_S] = ranked.together.argmax(axis=1)
    return qrels[["file", "line"]].assign(
        query=query_P,
        answer=pd.Index(prepared.answers["answer_id"]).get_indexer(qrels["answer_id"]),
        split=prepared.queries["split"].to_numpy()[query_P],
        type=prepared.queries["type"].to_numpy()[query_P],
        first=first_Q[query_P],
    )


def _tried(judged: pd.DataFrame, ranked: Ranked, prepared: Prepared, valid: Validated) -> Iterator[Tried]:
    for name, place_G in _groups(judged):
        part = judged.iloc[place_G]
        for repair in _repairs(part, prepared, valid):
            if (found := _best_part(part, repair, name, place_G)) is not None:
                yield found


def _groups(judged: pd.DataFrame) -> Iterator[tuple[str, np.ndarray]]:
    """Judgements that may have slipped together: of a file, of a split, of a type in a split."""
    seen: set[bytes] = set()
    for columns in (["file"], ["split"], ["split", "type"]):
        for names, found in judged.groupby(columns).indices.items():
            name, place_G = " ".join(names) if isinstance(names, tuple) else str(names), np.asarray(found)
            if len(place_G) > WON and (key := place_G.tobytes()) not in seen:
                seen.add(key)
                yield name, place_G


def _repairs(part: pd.DataFrame, prepared: Prepared, valid: Validated) -> Iterator[Repair]:
    answer_P = part["answer"].to_numpy()
    for step in STEPS:
        yield _move("answers of the judgements", step, np.roll(answer_P, step))
    yield Repair("answers of the judgements in reverse order", answer_P[::-1])
    orders = {
        "answers in the order of the corpus": (answer_P, _by(prepared.answers, valid.answers, "answer_id", "line")),
        "answers in the order of their ids": (answer_P, _by(prepared.answers, valid.answers, "answer_id", "")),
    }
    for name, (own_P, order_A) in orders.items():
        place_A = np.argsort(order_A)
        for step in STEPS:
            yield _move(name, step, order_A[(place_A[own_P] - step) % len(order_A)])
        yield Repair(f"{name}, in reverse", order_A[::-1][place_A[own_P]])


def _move(what: str, step: int, after_P: np.ndarray) -> Repair:
    return Repair(_moved(what, step), after_P, _moved(what, -step))


def _moved(what: str, step: int) -> str:
    rows = "a row" if abs(step) == 1 else f"{abs(step)} rows"
    return f"{what}, moved {'down' if step > 0 else 'up'} by {rows}"


def _by(prepared: pd.DataFrame, read: pd.DataFrame, key: str, column: str) -> np.ndarray:
    """Rows of a prepared table in the order of a column of what was read; "" is that of ids, 9 before 10."""
    if column:
        value = read.set_index(key)[column].reindex(prepared[key])
        return np.argsort(value.to_numpy(), kind="stable")
    parts = [[int(x) if x.isdigit() else x for x in re.split(r"(\d+)", name)] for name in prepared[key]]
    return np.array(sorted(range(len(parts)), key=parts.__getitem__))


def _best_part(part: pd.DataFrame, repair: Repair, group: str, place_G: np.ndarray) -> Tried | None:
    """The run of rows on which a repair wins most: where only some rows slipped, the rest is left alone."""
    answer_P, first_P = part["answer"].to_numpy(), part["first"].to_numpy()
    changed_P = (repair.after_P != answer_P) & (first_P >= 0)
    before_P, after_P = (changed_P & (first_P == label_P) for label_P in (answer_P, repair.after_P))
    total_P = np.cumsum(after_P.astype(int) - before_P.astype(int))
    lowest_P = np.minimum.accumulate(np.concatenate([[0], total_P[:-1]]))
    end = int(np.argmax(total_P - lowest_P))
    if total_P[end] - lowest_P[end] < 1:
        return None
    start = int(np.flatnonzero(np.concatenate([[0], total_P[:end]]) == lowest_P[end])[-1])
    # To the ends of the group where nothing that was found is lost.
    start = start if before_P[:start].any() else 0
    end = end if before_P[end + 1 :].any() else len(part) - 1
    within = np.arange(start, end + 1)
    within = within[repair.after_P[within] != answer_P[within]]
    looked = within[changed_P[within]]
    whole = repair._replace(after_P=repair.after_P[within])
    return Tried(
        whole, group, place_G[within], int(after_P[looked].sum()), int(before_P[looked].sum()), len(looked),
        int(before_P[looked].sum()),
    )  # fmt: skip


def _corrections(held: list[Tried], judged: pd.DataFrame, prepared: Prepared) -> pd.DataFrame:
    rows: list[tuple[str, str, str, str]] = []
    queries, answers = prepared.queries["query_id"].to_numpy(), prepared.answers["answer_id"].to_numpy()
    for one in held:
        own = judged.iloc[one.place_G]
        for query, answer, after in zip(own["query"], own["answer"], one.repair.after_P, strict=True):
            rows.append((queries[query], answers[answer], answers[after], f"labels shifted: {one.repair.what}"))
    return pd.DataFrame(rows, columns=CORRECTION_COLUMNS)
