"""View pairs for Barlow Twins: which texts make a batch.

Every generator is endless, and the same generator state gives the same batches. Rows are text numbers (see
core/prepared.py).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from whyrank.core.errors import UserError
from whyrank.core.prepared import Prepared


@dataclass(frozen=True)
class Views:
    """Row i of both sides belongs to answer_B[i]."""

    first_B: np.ndarray
    second_B: np.ndarray
    answer_B: np.ndarray


QUERY_ANSWER = "query-answer"


def texts_by_answer(prepared: Prepared, kind: str | None = None) -> dict[int, np.ndarray]:
    """Text numbers of the training queries of each answer; `kind` (question | conversation) keeps one type."""
    pairs = prepared.relevant_in("train")
    if kind is not None:
        pairs = pairs[prepared.queries["type"].to_numpy()[pairs["query"]] == kind]
    text_P, answer_P = prepared.texts.of("query")[pairs["query"]], pairs["answer"].to_numpy()
    order = answer_P.argsort(kind="stable")
    answers, start = np.unique(answer_P[order], return_index=True)
    # Without any pair, split still gives one empty piece.
    return dict(zip(answers.tolist(), np.split(text_P[order], start[1:]), strict=bool(len(answers))))


def sides(prepared: Prepared, view: str) -> tuple[dict[int, np.ndarray], dict[int, np.ndarray]]:
    """The texts that may stand on either side of a view, by answer; only answers that have both."""
    if view == "question-conversation":
        first, second = texts_by_answer(prepared, "question"), texts_by_answer(prepared, "conversation")
    else:
        first = texts_by_answer(prepared)
        second = {answer: prepared.texts.of("answer")[[answer]] for answer in first}
    both = sorted(first.keys() & second.keys())
    if len(both) < 2:
        raise UserError(
            f"pretrain_barlow: {len(both)} training answers have both sides of the view {view}, which needs 2; "
            + (
                "choose another view with -S 'pretrain_barlow.views=[query-answer]', or "
                if view != QUERY_ANSWER
                else ""
            )
            + "turn pretraining off with -S pretrain_barlow.steps=0"
        )
    return {answer: first[answer] for answer in both}, {answer: second[answer] for answer in both}


def view_batches(
    prepared: Prepared, view: str, *, batches: str, size: int, random: np.random.Generator
) -> Iterator[Views]:
    """Batches of one view, composed as `batches` (across_answers | single_answer) says."""
    first, second = sides(prepared, view)
    if batches == "across_answers":
        return across_answers(first, second, size, random)
    return single_answer(first, second, random)


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
