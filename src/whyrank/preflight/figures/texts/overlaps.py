"""How much of what the encoder reads of an answer stands word for word in other answers, and in which pieces.

Shapes: N answers · W words of all · R runs of words · K different ones
"""

from collections.abc import Sequence

import numpy as np
import scipy.sparse

from whyrank.preflight.figures.texts.read import Figure, Read, Row, per_word, shown

# Answers that are looked at, the first ones, since those that overlap are neighbours; and words of each.
TEXTS, WORDS = 2000, 300
# Words in a row that two texts share by copying. Of real answers such runs take 4 % of the words at most.
RUN = 5
# Share of an answer's words in such runs from which it is one that borrows.
BORROWS = 0.15
# Mean share from which answers are told to overlap; below, no row is listed.
OVERLAP = 0.25
# Of a run that more answers have none is the source.
HOLDERS = 20
# Of Knuth's linear congruential generator, which mixes all 64 bits of a run.
FACTOR, ADDEND = np.uint64(6364136223846793005), np.uint64(1442695040888963407)


def figures(read: Read) -> tuple[list[Figure], list[Row]]:
    """Of answers, and the rows of those that borrow, where many do.

    borrowed             mean share of the words that the encoder reads that stand in runs of other answers
    borrowing            share of the answers with at least `BORROWS` of it; of these the means of
    borrowed_from        how many others they share a run with
    borrowed_stretches   in how many pieces they share with the one that they share most with
    borrowed_words       words of such a piece
    """
    own, whole = ([text[:WORDS] for text in texts[:TEXTS]] for texts in (read.answer_words, read.whole_answer_words))
    n, of_word = len(own), per_word(own)
    run = RUN * of_word
    run_R, text_R, place_R = runs([*own, *whole], run)
    run_R = np.unique(run_R, return_inverse=True)[1]
    shape = 2 * n, int(run_R.max(initial=0)) + 1
    held_2NK = scipy.sparse.csr_matrix((np.ones(len(run_R)), (text_R, run_R)), shape=shape)
    held_2NK.data[:] = 1
    read_NK, whole_NK = held_2NK[:n], held_2NK[n:]
    holders_K = np.asarray(whole_NK.sum(axis=0)).ravel()
    is_read = text_R < n
    run_R, text_R, place_R = run_R[is_read], text_R[is_read], place_R[is_read]
    is_shared = holders_K[run_R] >= 2
    length_N = np.array(list(map(len, own)))
    share_N = covered(text_R[is_shared], place_R[is_shared], length_N, run)[0] / np.maximum(length_N, 1)
    borrowing = np.flatnonzero(share_N >= BORROWS)
    found: list[Figure] = [
        ("borrowed", "answer", float(share_N.mean()), n, ""),
        ("borrowing", "answer", len(borrowing) / n, n, ""),
    ]
    if not len(borrowing) or share_N.mean() < OVERLAP:
        return found, []
    few = np.flatnonzero((holders_K >= 2) & (holders_K <= HOLDERS))
    others_NN = (read_NK[:, few] @ whole_NK[:, few].T).toarray()
    np.fill_diagonal(others_NN, 0)
    most_N, count_N = others_NN.argmax(axis=1), (others_NN > 0).sum(axis=1)
    is_of_most = np.asarray(whole_NK[most_N[text_R], run_R]).ravel() > 0
    words_N, stretches_N = covered(text_R[is_of_most], place_R[is_of_most], length_N, run)
    sharing = borrowing[count_N[borrowing] > 0]
    if len(sharing):
        first = sharing[0]
        example = f"{read.answer_id(int(first))} and {read.answer_id(int(most_N[first]))}: {shown(read.answers[first])}"
        values = {
            "borrowed_from": count_N[sharing].mean(),
            "borrowed_stretches": stretches_N[sharing].mean(),
            "borrowed_words": words_N[sharing].sum() / max(stretches_N[sharing].sum(), 1) / of_word,
        }
        found += [(name, "answer", float(value), len(sharing), example) for name, value in values.items()]
    return found, [
        ("", read.answer_id(int(i)), "", f"shares text with {read.answer_id(int(most_N[i]))}") for i in sharing
    ]


def runs(texts: Sequence[Sequence[str]], length: int = RUN) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(R,) each run of words as a number, its text, and its place among the words of all texts."""
    numbers: dict[str, int] = {}
    word_W = np.array([numbers.setdefault(word, len(numbers)) for text in texts for word in text], dtype=np.uint64)
    text_W = np.repeat(np.arange(len(texts)), list(map(len, texts)))
    count = max(len(word_W) - length + 1, 0)
    run_W = np.zeros(count, dtype=np.uint64)
    for i in range(length):
        run_W = run_W * FACTOR + word_W[i : count + i] + ADDEND
    place_R = np.flatnonzero(text_W[:count] == text_W[length - 1 :])
    return run_W[place_R], text_W[place_R], place_R


def covered(text_R: np.ndarray, place_R: np.ndarray, length_N: np.ndarray, run: int) -> tuple[np.ndarray, np.ndarray]:
    """(N,) words in runs, and the stretches that these make up. place_R   among the words of all texts, in order"""
    begins = np.bincount(place_R, minlength=int(length_N.sum()) + run)
    ends = np.concatenate([np.zeros(run, dtype=int), begins[:-run]])
    is_covered_W = (np.cumsum(begins - ends) > 0)[: int(length_N.sum())]
    text_W = np.repeat(np.arange(len(length_N)), length_N)
    is_new_W = np.diff(is_covered_W.astype(int), prepend=0) > 0
    is_new_W |= is_covered_W & (np.diff(text_W, prepend=-1) > 0)
    words_N, stretches_N = (
        np.bincount(text_W, weights=flags, minlength=len(length_N)) for flags in (is_covered_W, is_new_W)
    )
    return words_N, stretches_N
