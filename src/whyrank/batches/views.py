"""Pairs of views for pretraining: which texts make a batch.

Every generator is endless, and the same generator state gives the same batches. Rows are text numbers (see
core/prepared.py). Two views of a pair are texts of one thing: of an answer, of a thread of queries, or of one text.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from whyrank.batches.made_texts import MAKE
from whyrank.core.errors import UserError
from whyrank.core.options.barlow import LABEL_FREE
from whyrank.core.prepared import Prepared


@dataclass(frozen=True)
class Views:
    """Row i of both sides belongs to answer_B[i]: an answer, or what the view has in its place."""

    first_B: np.ndarray
    second_B: np.ndarray
    answer_B: np.ndarray


class Sides(NamedTuple):
    """The texts that may stand on either side of a view, by what they belong to; only what has both."""

    first: Mapping[int, np.ndarray]
    second: Mapping[int, np.ndarray]


QUERY_ANSWER, NATURAL = "query-answer", "question-in-conversation"
PRETRAINING = "pretrain_barlow"


def texts_by_answer(prepared: Prepared, kind: str | None = None) -> dict[int, np.ndarray]:
    """Text numbers of the training queries of each answer; `kind` (question | conversation) keeps one type."""
    pairs = prepared.relevant_in("train")
    if kind is not None:
        pairs = pairs[prepared.queries["type"].to_numpy()[pairs["query"]] == kind]
    return grouped(prepared.texts.of("query")[pairs["query"]], pairs["answer"].to_numpy())


def texts_by_thread(prepared: Prepared, kind: str) -> dict[int, np.ndarray]:
    """Text numbers of the training queries of a type, of each thread."""
    queries = prepared.queries
    is_own = (queries["split"] == "train") & (queries["type"] == kind) & (queries["thread"] >= 0)
    return grouped(prepared.texts.of("query")[is_own], queries.loc[is_own, "thread"].to_numpy())


def grouped(text_P: np.ndarray, group_P: np.ndarray) -> dict[int, np.ndarray]:
    """The texts of each group."""
    order = group_P.argsort(kind="stable")
    groups, start = np.unique(group_P[order], return_index=True)
    # Without any pair, split still gives one empty piece.
    return dict(zip(groups.tolist(), np.split(text_P[order], start[1:]), strict=bool(len(groups))))


def sides(prepared: Prepared, view: str) -> Sides:
    """Both sides of a view. Those of a label-free view belong to a text or to a thread, the others to an answer."""
    if view in MAKE:
        is_own = (prepared.view_texts["view"] == view).to_numpy()
        of_V = prepared.view_texts.loc[is_own, "of"].to_numpy(dtype=np.int64)
        first = grouped(prepared.texts.of("view")[is_own], of_V)
        second = {number: np.array([number]) for number in first}
    elif view == NATURAL:
        first, second = (texts_by_thread(prepared, kind) for kind in ("question", "conversation"))
    elif view == QUERY_ANSWER:
        first = texts_by_answer(prepared)
        second = {answer: prepared.texts.of("answer")[[answer]] for answer in first}
    else:
        first, second = texts_by_answer(prepared, "question"), texts_by_answer(prepared, "conversation")
    both = sorted(first.keys() & second.keys())
    return Sides({group: first[group] for group in both}, {group: second[group] for group in both})


def rows(prepared: Prepared, views: Sequence[str]) -> int:
    """Pairs of texts of a round through those views that have two or more things to tell apart.

    Of each thing as many as the side has that has more: each text made of another, each labelled query, once.
    """
    usable = [both for both in (sides(prepared, view) for view in views) if len(both.first) > 1]
    return sum(max(len(both.first[group]), len(both.second[group])) for both in usable for group in both.first)


def all_sides(prepared: Prepared, views: Sequence[str], section: str = PRETRAINING) -> dict[str, Sides]:
    """The sides of those views that have two or more things to tell apart.

    section   of params.yaml, which names the views
    Says on the standard error which is left out. Raises UserError where none is left.
    """
    found = {view: sides(prepared, view) for view in views}
    few = {view: len(both.first) for view, both in found.items() if len(both.first) < 2}
    what = {
        view: f"{count} {'texts' if view in LABEL_FREE else 'training answers'} have both sides of the view {view}"
        for view, count in few.items()
    }
    if len(few) == len(views):
        others = [view for view in ("span-document", QUERY_ANSWER) if view not in views]
        choice = f"choose another view with -S '{section}.views=[{others[0]}]', or " if others else ""
        off = "steps" if section == PRETRAINING else "weight"
        raise UserError(
            f"{section}: {'; '.join(what.values())}; a view needs 2: {choice}leave them out with -S {section}.{off}=0"
        )
    for said in what.values():
        print(f"{section}: {said}; left out", file=sys.stderr)
    return {view: both for view, both in found.items() if view not in few}


def view_batches(both: Sides, *, batches: str, size: int, random: np.random.Generator) -> Iterator[Views]:
    """Batches of one view, composed as `batches` (across_answers | single_answer) says."""
    if batches == "across_answers":
        return across_answers(*both, size, random)
    return single_answer(*both, random)


def across_answers(
    first: Mapping[int, np.ndarray], second: Mapping[int, np.ndarray], size: int, random: np.random.Generator
) -> Iterator[Views]:
    """Every row another answer, so that telling answers apart is what the two views share.

    Every answer comes once before any comes again; the batch is smaller than `size` when there are fewer answers.
    """
    answers = np.array(sorted(first))
    size = min(size, len(answers))
    deck = np.empty(0, dtype=answers.dtype)
    while True:
        if len(deck) < size:
            # Leftovers stay on top of the new deck; an answer that would come twice in one batch waits below.
            fresh = random.permutation(answers)
            deck = np.concatenate([deck, fresh[~np.isin(fresh, deck)], fresh[np.isin(fresh, deck)]])
        chosen, deck = deck[:size], deck[size:]
        yield Views(
            np.array([random.choice(first[answer]) for answer in chosen]),
            np.array([random.choice(second[answer]) for answer in chosen]),
            chosen,
        )


def single_answer(
    first: Mapping[int, np.ndarray], second: Mapping[int, np.ndarray], random: np.random.Generator
) -> Iterator[Views]:
    """One answer per batch: the smaller side whole, as many of the larger side drawn at random, paired at random.

    The seed project's batches, kept to show what they do.
    """
    usable = [answer for answer in sorted(first) if min(len(first[answer]), len(second[answer])) >= 2]
    if not usable:
        raise UserError(
            "pretrain_barlow: no training answer has two texts on both sides, as single_answer batches need; "
            "use -S pretrain_barlow.batches=across_answers"
        )
    while True:
        for answer in random.permutation(usable):
            rows = min(len(first[answer]), len(second[answer]))
            yield Views(
                random.choice(first[answer], rows, replace=False),
                random.choice(second[answer], rows, replace=False),
                np.full(rows, answer),
            )
