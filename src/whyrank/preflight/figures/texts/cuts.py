"""Cuts: those made before the texts came, which leave many of one length, and the end that the token budget drops."""

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from whyrank.lexical.words import words
from whyrank.preflight.figures.texts.read import Figure, Read, shown

# Texts of a kind that lengths are compared of.
FEWEST = 20
# Ends of a sentence, or of what is quoted, listed or written without any.
END = re.compile("[.!?\u2026\u3002\uff01\uff1f\u0964\u061f:;)\\]}\"'\u201d\u2019\u00bb`*>0-9]\\s*$")
TURN = re.compile(r"(?m)(?:^|(?<=\s))(?:user|customer|client|agent|assistant|bot|support|[A-Z][\w ]{0,20}):\s")
USER = re.compile(r"(?:user|customer|client)\s*:", re.IGNORECASE)


def figures(read: Read) -> list[Figure]:
    """Of each kind, by the raw texts; none of fewer than 20 different ones.

    at_limit_<unit>   share of the texts within 1 % below the longest one, since a cut may end before a word; the unit
                   is chars, words or tokens; of body_chars and body_words the title does not count
    limit_<unit>   that longest one;  expected_<unit> share that the lengths just below let expect
    open_end       share of the texts at the limit without the end of a sentence; open_end_else of the others
    end_lost       share of the cut conversations whose last turn of a user is not in what is kept
    end_words, kept_words   of these, mean share of the right answer's words in the lost turn, and in what is kept
    """
    found: list[Figure] = []
    answers, queries = read.prepared.answers, read.prepared.queries
    tables = {"answer": answers} | {kind: queries.iloc[rows] for kind, rows in read.kinds.items()}
    for kind, table in tables.items():
        titles = table["title"].fillna("").astype(str) if "title" in table else pd.Series([""] * len(table))
        # Copies of one text are of one length.
        different = {raw: i for i, raw in enumerate(table["raw_text"])}
        rows = list(different.values())
        bodies = [raw.removeprefix(titles.iloc[row]).lstrip() for raw, row in different.items()]
        if len(rows) >= FEWEST:
            found += ends(kind, list(different), bodies, table["tokens_raw"].to_numpy()[rows])
    return found + lost_ends(read)


def ends(kind: str, raw: Sequence[str], bodies: Sequence[str], token_N: np.ndarray) -> list[Figure]:
    """bodies   the same texts without their titles, which may have been put before what was cut"""
    is_open_N = np.array([END.search(text) is None for text in raw])
    found: list[Figure] = []
    lengths: dict[str, Sequence[int] | np.ndarray] = {"tokens": token_N}
    for name, texts in (("", raw), ("body_", bodies)):
        lengths[f"{name}chars"] = [len(text) for text in texts]
        lengths[f"{name}words"] = [len(text.split()) for text in texts]
    for unit, length in lengths.items():
        length_N = np.asarray(length)
        # The longest may be one text that no limit held: a cut leaves the most at the top of all but it.
        limit = int(np.sort(length_N)[-1 - len(raw) // 200])
        width = max(round(0.01 * limit), 1)
        at_N = (length_N > limit - width) & (length_N <= limit)
        below_N = (length_N > limit - 11 * width) & (length_N <= limit - width)
        n = len(raw)
        found += [
            (f"at_limit_{unit}", kind, float(at_N.mean()), n, shown(raw[int(np.argmax(at_N))][-60:])),
            (f"limit_{unit}", kind, float(limit), n, ""),
            (f"expected_{unit}", kind, (float(below_N.sum()) + 1) / 10 / n, n, ""),
        ]
        if at_N.any():
            found.append((f"open_end_{unit}", kind, float(is_open_N[at_N].mean()), int(at_N.sum()), ""))
        if not at_N.all():
            found.append((f"open_end_else_{unit}", kind, float(is_open_N[~at_N].mean()), int((~at_N).sum()), ""))
    return found


def lost_ends(read: Read) -> list[Figure]:
    """Conversations that are cut, and what the user said last in them."""
    table = read.prepared.queries.iloc[read.kinds.get("conversation", np.zeros(0, dtype=int))]
    rows = read.kinds.get("conversation", np.zeros(0, dtype=int))
    is_cut = (table["tokens"] < table["tokens_raw"]).to_numpy()
    lost, end_words, kept_words, example = 0, [], [], ""
    for row, raw, text in zip(rows[is_cut], table["raw_text"][is_cut], table["text"][is_cut], strict=True):
        last = last_turn(raw)
        end = words(last)
        if not end or " ".join(end[-8:]) in " ".join(words(text)):
            continue
        lost += 1
        example = example or shown(last)
        right = set().union(*(read.answer_content[i] for i in read.right[row]))
        if right:
            end_words.append(len(right & set(end)) / len(right))
            kept_words.append(len(right & read.query_content[row]) / len(right))
    n = int(is_cut.sum())
    found: list[Figure] = [("end_lost", "conversation", lost / n if n else 0.0, n, example)]
    if end_words:
        gain = np.array(end_words) - np.array(kept_words)
        error = float(gain.std(ddof=1) / np.sqrt(len(gain))) if len(gain) > 1 else 1.0
        found += [
            ("end_words", "conversation", float(np.mean(end_words)), len(end_words), ""),
            ("kept_words", "conversation", float(np.mean(kept_words)), len(kept_words), ""),
            ("end_gain_low", "conversation", float(gain.mean()) - 2 * error, len(gain), ""),
        ]
    return found


def last_turn(text: str) -> str:
    """What the user said last, where turns are marked; else the last line, or the last tenth of a text of one line."""
    starts = [match.start() for match in TURN.finditer(text)]
    turns = [text[start:stop] for start, stop in pairwise([*starts, len(text)])]
    users = [turn for turn in turns if USER.match(turn)]
    if users or turns:
        return (users or turns)[-1]
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if len(lines) > 1 else text[-max(len(text) // 10, 40) :]
