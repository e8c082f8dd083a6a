"""Text that many texts of a kind share word for word, and how much of what the encoder reads it takes."""

from collections import Counter
from itertools import pairwise

import numpy as np

from whyrank.preflight.figures.texts.read import Figure, Read, per_word, shown, spread

# Words in a row that two texts share by copying. Of real answers, questions and conversations runs of 4 words that a
# tenth of the texts have take at most 3 % of the words.
RUN = 4
SHARE, FEWEST = 0.10, 8
# Texts of a kind that are looked at.
TEXTS = 400


def figures(read: Read) -> list[Figure]:
    """By kind: `shared_words`, mean share of a text's words in runs that many texts have, with the longest such run;
    `shared_texts`, share of the texts that hold it; and of queries the same of each split (`question train`).
    """
    found: list[Figure] = []
    split_Q = read.prepared.queries["split"].to_numpy()
    whole = read.prepared.queries["raw_text"].tolist()
    groups = {"answer": (read.prepared.answers["raw_text"].tolist(), read.answer_words)}
    for kind, rows in read.kinds.items():
        groups[kind] = [whole[i] for i in rows], [read.query_words[i] for i in rows]
        for split in ("train", "test"):
            own = rows[split_Q[rows] == split]
            groups[f"{kind} {split}"] = [whole[i] for i in own], [read.query_words[i] for i in own]
    for kind, (texts, words) in groups.items():
        # A text that stands there many times shares itself, which is another fault; what is read of it before a cut
        # may be all that texts share.
        different = list(dict(zip(texts, words, strict=True)).values())
        chosen = spread(len(different), TEXTS)
        if len(chosen) >= FEWEST:
            share, run, holders = shared([different[i] for i in chosen])
            found += [
                ("shared_words", kind, share, len(chosen), shown(run)),
                ("shared_texts", kind, holders, len(chosen), shown(run)),
            ]
    return found


def shared(texts: list[list[str]]) -> tuple[float, str, float]:
    """Mean share of the words that are shared, the longest run of them in a text, and the share of texts that "
    "has it."""
    length = RUN * per_word(texts)
    runs = [list(zip(*(text[i:] for i in range(length)), strict=False)) for text in texts]
    holders = Counter(run for own in runs for run in set(own))
    least = max(SHARE * len(texts), FEWEST / 2)
    common = {run for run, n in holders.items() if n >= least}
    covered: list[float] = []
    longest: tuple[list[str], int] = [], 0
    for text, own in zip(texts, runs, strict=True):
        is_shared = np.zeros(len(text), dtype=bool)
        for place in (i for i, run in enumerate(own) if run in common):
            is_shared[place : place + length] = True
        covered.append(float(is_shared.mean()) if len(text) else 0.0)
        longest = max(longest, _longest(text, is_shared, holders, length), key=lambda found: len(found[0]) * found[1])
    return float(np.mean(covered)), " ".join(longest[0]), longest[1] / len(texts)


def _longest(
    text: list[str], is_shared: np.ndarray, holders: Counter[tuple[str, ...]], length: int
) -> tuple[list[str], int]:
    """The longest run of shared words, and how many texts have the rarest part of it."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], is_shared.astype(int), [0]])))
    spans = [(int(start), int(stop)) for start, stop in pairwise(edges) if is_shared[start]]
    if not spans:
        return [], 0
    start, stop = max(spans, key=lambda span: span[1] - span[0])
    return text[start:stop], min(holders[tuple(text[i : i + length])] for i in range(start, stop - length + 1))
