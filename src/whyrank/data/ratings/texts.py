"""Rows of title, body and answer -> what the encoder reads of them: one text each, or question and answer apart.

Shapes: N rows · F fields · L tokens of one field
"""

from collections.abc import Sequence
from dataclasses import astuple
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from whyrank.core.errors import UserError
from whyrank.core.options.ratings import Ratings
from whyrank.data.ratings.allocation import allocate_texts, kept_tokens
from whyrank.model.encoder.encoder import Encoder

FIELDS = ("title", "body", "answer")
QUESTION = FIELDS[:2]


class LaidOut(NamedTuple):
    """rows     those given, with `first` and `second`: places in `texts`; `second` is -1 where there is one text
    texts    text (what is kept of the fields), input_ids (int64, special tokens included); equal ones once
    fields   one row per field that there is, over the rows to train on: field, column, budget, one_text_takes (tokens
             of all fields that one text has room for), rows, tokens_mean, tokens_kept_mean, share_lost (of all tokens
             of the field), rows_cut (share of the rows), and what either allocation would lose, share_lost_adaptive
             and share_lost_fixed
    longest  tokens that a text may have, special ones included; 0 without rows
    """

    rows: pd.DataFrame
    texts: pd.DataFrame
    fields: pd.DataFrame
    longest: int

    def tables(self) -> dict[str, pd.DataFrame]:
        """Those for reports; none without rows."""
        return {"rating_fields": self.fields} if len(self.rows) else {}


class Pieces(NamedTuple):
    """The tokens of a text without special ones: ids (L,), and where in the text each begins and ends, (L,) int64."""

    text: str
    id_L: np.ndarray
    start_L: np.ndarray
    end_L: np.ndarray

    def kept(self, count: int, head_share: float) -> tuple[np.ndarray, str]:
        """Ids of its first and last tokens, `count` in all, and the text that they stand for."""
        place_K = kept_tokens(len(self.id_L), count, head_share)
        gaps = np.flatnonzero(np.diff(place_K) > 1) + 1
        runs = [run for run in np.split(place_K, gaps) if len(run)]
        texts = [self.text[self.start_L[run[0]] : self.end_L[run[-1]]].strip() for run in runs]
        return self.id_L[place_K], " ".join(texts)


def parts_of(options: Ratings) -> list[tuple[str, ...]]:
    """The fields of each text that stands between special tokens: the question's, and the answer."""
    parts = [tuple(name for name in part if getattr(options.text, name)) for part in (QUESTION, FIELDS[2:])]
    return [part for part in parts if part]


def longest_text(encoder: Encoder, options: Ratings) -> int:
    """Tokens of the longest text that the budgets allow, special ones included.

    Adaptive and separate, one part may get what both are given, as far as the encoder takes it.

    Raises UserError where the encoder cannot take it.
    """
    parts = parts_of(options)
    own = [sum(getattr(options.tokens, name) for name in part) for part in parts]
    is_joint = options.layout == "joint"
    special = sum(map(len, encoder.tokens_around(len(parts) if is_joint else 1)))
    most, longest = encoder.longest, (sum(own) if is_joint else max(own)) + special
    if not special < longest <= most:
        raise UserError(
            f"params.yaml: `prepare.ratings.tokens` makes texts of {longest} tokens, {special} special ones included, "
            f"but this encoder takes {special + 1} to {most}; give title, body and answer a sum that fits"
        )
    return min(sum(own) + special, most) if options.allocation == "adaptive" else longest


def laid_out(encoder: Encoder, rows: pd.DataFrame, options: Ratings) -> LaidOut:
    """Tokenise the fields, share the tokens out among them, and put the parts together.

    rows   use, title, body, answer. Joint layout: [CLS] title body [SEP] answer [SEP]; separate: each part by itself
    """
    if rows.empty:
        return LaidOut(rows, pd.DataFrame(columns=["text", "input_ids"]), pd.DataFrame(), 0)
    longest, parts = longest_text(encoder, options), parts_of(options)
    names = [name for part in parts for name in part]
    pieces = {name: _pieces(encoder, rows[name].tolist(), name, names) for name in names}
    length_NF = np.array([[len(piece.id_L) for piece in pieces[name]] for name in names]).T.reshape(len(rows), -1)
    budget_F = np.array([getattr(options.tokens, name) for name in names])
    together = [parts] if options.layout == "joint" else [[part] for part in parts]
    gaps = encoder.tokens_around(len(together[0]))
    room = encoder.longest - sum(map(len, gaps))
    share = partial(allocate_texts, length_NF, budget_F, _sides(together), room)
    kept_NF = share(adaptive=options.allocation == "adaptive")
    fields = [
        {name: pieces[name][row].kept(kept, options.head_share) for name, kept in zip(names, kept_N, strict=True)}
        for row, kept_N in enumerate(kept_NF.tolist())
    ]
    texts = _Texts()
    places = [[texts.place(*_text(gaps, some, kept)) for some in together] for kept in fields]
    first_second = np.array([[*place, -1][:2] for place in places], dtype=np.int64).reshape(-1, 2)
    trained_N = (rows["use"] == "train").to_numpy()
    return LaidOut(
        rows.assign(first=first_second[:, 0], second=first_second[:, 1]),
        texts.table(),
        _field_table(
            names,
            options,
            encoder.longest - sum(map(len, encoder.tokens_around(len(parts)))),
            length_NF[trained_N],
            {"share_lost": kept_NF[trained_N]}
            | {f"share_lost_{name}": share(adaptive=name == "adaptive")[trained_N] for name in ("adaptive", "fixed")},
        ),
        longest,
    )


def _sides(together: Sequence[Sequence[tuple[str, ...]]]) -> list[slice]:
    """The fields of each text, by number."""
    ends = np.cumsum([sum(map(len, some)) for some in together]).tolist()
    return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]


class _Texts:
    """Texts by their token ids, numbered as they come."""

    def __init__(self) -> None:
        self._place: dict[bytes, int] = {}
        self._rows: list[tuple[str, np.ndarray]] = []

    def place(self, text: str, id_L: np.ndarray) -> int:
        place = self._place.setdefault(id_L.tobytes(), len(self._rows))
        if place == len(self._rows):
            self._rows.append((text, id_L))
        return place

    def table(self) -> pd.DataFrame:
        texts, ids = [text for text, _ in self._rows], [id_L for _, id_L in self._rows]
        return pd.DataFrame({"text": texts, "input_ids": pd.Series(ids, dtype=object)})


def _pieces(encoder: Encoder, texts: Sequence[str], name: str, names: Sequence[str]) -> list[Pieces]:
    # Tokenizers of bytes write a word behind a space in another way than one at the start.
    follows = name == QUESTION[1] and QUESTION[0] in names
    spaced = [f" {text}" if follows and text else text for text in texts]
    options = {"add_special_tokens": False, "truncation": False, "return_offsets_mapping": True, "verbose": False}
    encoded = encoder.tokenizer(spaced, **options)
    spans = [np.array(span, dtype=np.int64).reshape(-1, 2) for span in encoded["offset_mapping"]]
    return [
        Pieces(text, np.array(ids, dtype=np.int64), span_L2[:, 0], span_L2[:, 1])
        for text, ids, span_L2 in zip(spaced, encoded["input_ids"], spans, strict=True)
    ]


def _text(
    gaps: list[list[int]], parts: Sequence[tuple[str, ...]], kept: dict[str, tuple[np.ndarray, str]]
) -> tuple[str, np.ndarray]:
    """The parts as one text, and its ids with special tokens in the gaps before, between and behind the parts."""
    ids = [np.array(gaps[0], dtype=np.int64)]
    for part, gap in zip(parts, gaps[1:], strict=True):
        ids += [*(kept[name][0] for name in part), np.array(gap, dtype=np.int64)]
    return " ".join(kept[name][1] for part in parts for name in part if kept[name][1]), np.concatenate(ids)


def _field_table(
    names: Sequence[str], options: Ratings, room: int, length_NF: np.ndarray, kept_NF_by_column: dict[str, np.ndarray]
) -> pd.DataFrame:
    """room                tokens of all fields that one text has room for
    kept_NF_by_column   tokens kept with the allocation that was asked for (`share_lost`), and with either one
    """
    total_F = np.maximum(length_NF.sum(axis=0), 1)
    kept_NF = kept_NF_by_column["share_lost"]
    columns = astuple(options.text)
    return pd.DataFrame(
        {
            "field": names,
            "column": [columns[FIELDS.index(name)] for name in names],
            "budget": [getattr(options.tokens, name) for name in names],
            "one_text_takes": room,
            "rows": len(length_NF),
            "tokens_mean": length_NF.mean(axis=0),
            "tokens_kept_mean": kept_NF.mean(axis=0),
            "share_lost": (length_NF - kept_NF).sum(axis=0) / total_F,
            "rows_cut": (kept_NF < length_NF).mean(axis=0),
        }
        | {name: (length_NF - one_NF).sum(axis=0) / total_F for name, one_NF in kept_NF_by_column.items()}
    )
