"""Question and answer of a rated row as one text or as two, made of the same tokens: what differs is what meets.

In the joint layout every token of the answer can attend to every token of the question; in the separate one only their
two vectors meet.

Shapes: N rows · L tokens of a text
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from whyrank.model.encoder.encoder import Encoder

Ids = np.ndarray  # (L,) int64
# Texts of a row: one, or question and answer.
Row = tuple[Ids, ...]


class Special(NamedTuple):
    """Token ids around one text, and between two of them."""

    before: list[int]
    between: list[int]
    after: list[int]
    longest: int  # tokens that the encoder takes

    @classmethod
    def of(cls, encoder: "Encoder") -> "Special":
        before, between, after = encoder.tokens_around(2)
        return cls(before, between, after, encoder.longest)


def layout_of(rows: list[Row]) -> str:
    """joint | separate."""
    return "separate" if any(len(row) == 2 for row in rows) else "joint"


def other_layout(rows: list[Row], special: Special) -> list[Row] | None:
    """The same tokens in the layout that they are not in; None where rows have one part only, question or answer."""
    if layout_of(rows) == "separate":
        return [joined(*row, special) if len(row) == 2 else row for row in rows]
    split = [separated(row[0], special) for row in rows]
    return split if any(len(row) == 2 for row in split) else None


def joined(question_L: Ids, answer_L: Ids, special: Special) -> Row:
    """One text; where the encoder does not take so many tokens, both lose the same share of theirs from the end."""
    parts = [_bare(part_L, special) for part_L in (question_L, answer_L)]
    room = special.longest - sum(map(len, special[:3]))
    over = max(sum(map(len, parts)) / room, 1.0)
    question, answer = (part[: int(len(part) / over)] for part in parts)
    return (_ids(special.before, question, special.between, answer, special.after),)


def separated(text_L: Ids, special: Special) -> Row:
    """Question and answer; one text that has no separator stays one, as all do where a tokenizer sets none.

    A separator that a question quotes counts as the one before the answer: such texts are split too early.
    """
    inner, gap = _bare(text_L, special), special.between
    start = next((i for i in range(len(inner) - len(gap) + 1) if inner[i : i + len(gap)] == gap), None)
    if start is None or not gap:
        return (text_L,)
    parts = inner[:start], inner[start + len(gap) :]
    return tuple(_ids(special.before, part, special.after) for part in parts)


def _bare(text_L: Ids, special: Special) -> list[int]:
    ids = np.asarray(text_L).tolist()
    return ids[len(special.before) : len(ids) - len(special.after)]


def _ids(*parts: list[int]) -> Ids:
    return np.array([token for part in parts for token in part], dtype=np.int64)
