"""What a tokenizer makes of the texts, and whether it is the one that the encoder's embeddings were learnt with."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from whyrank.core.prepared import Prepared
from whyrank.lexical.words import written
from whyrank.model.encoder.encoder import Encoder

# Texts of a kind that are looked at, spread evenly over them: some ten thousand words, and a tenth of a second.
TEXTS = 200
# What byte pairs and SentencePiece write before a word, and WordPiece before the rest of one.
MARKS = ("Ġ", "▁", "##")
# Words that are made of the vocabulary.
WORDS = 50
CAPITAL = re.compile("[A-Z]")


def figures(encoder: Encoder, prepared: Prepared) -> pd.DataFrame:
    """One row per kind of text that there is: question, conversation, answer, pair, rated text.

    texts, pieces     how many were looked at, without the special tokens around them
    unknown           share of the pieces that are the unknown token
    pieces_per_word   words are what stands between white space, and characters where words are written together
    cased             share of the words that have a capital letter
    The same in all rows: `vocabulary`, pieces that the tokenizer has; `embeddings`, rows of the encoder's table;
    `lower_cases`, 1 where the tokenizer takes capitals for small letters; `cased_vocabulary`, share of its pieces that
    have a capital of A to Z; `mark` (## ▁ Ġ), what pieces begin with that do not stand alone, or that begin a word; and
    `marked`, share of the pieces with it of words that need some: about one half of ##, nearly all else; NaN without.
    """
    by_kind = _texts(prepared)
    rows = [_row(kind, texts, encoder) for kind, texts in by_kind.items()]
    mark, marked = _marked(encoder)
    return pd.DataFrame(rows).assign(**_vocabulary(encoder), mark=mark, marked=marked)


def _texts(prepared: Prepared) -> Mapping[str, list[str]]:
    kinds = {str(kind): part["text"] for kind, part in prepared.queries.groupby("type")}
    kinds |= {str(kind): part["text"] for kind, part in prepared.texts.table.groupby("kind") if kind != "query"}
    spread = {kind: np.linspace(0, len(texts) - 1, min(TEXTS, len(texts))).astype(int) for kind, texts in kinds.items()}
    return {kind: texts.iloc[spread[kind]].tolist() for kind, texts in kinds.items() if len(texts)}


def _row(kind: str, texts: Sequence[str], encoder: Encoder) -> dict[str, object]:
    ids = encoder.tokenizer(list(texts), add_special_tokens=False, truncation=False, verbose=False)["input_ids"]
    piece_P = np.concatenate([np.asarray(row, dtype=np.int64) for row in ids])
    words = [word for text in texts for word in written(text)]
    return {
        "kind": kind,
        "texts": len(texts),
        "pieces": len(piece_P),
        # A tokenizer of bytes knows everything, and has no such token.
        "unknown": float((piece_P == encoder.tokenizer.unk_token_id).mean()) if len(piece_P) else 0.0,
        "pieces_per_word": len(piece_P) / max(len(words), 1),
        "cased": sum(map(str.__ne__, words, map(str.lower, words))) / max(len(words), 1),
    }


def _marked(encoder: Encoder) -> tuple[str, float]:
    """The mark of the vocabulary, and the share of marked pieces in words made of it; "" and NaN of too few."""
    vocabulary = sorted(encoder.tokenizer.get_vocab())
    by_mark = {mark: [piece.removeprefix(mark) for piece in vocabulary if piece.startswith(mark)] for mark in MARKS}
    mark, marked = max(by_mark.items(), key=lambda item: len(item[1]))
    rests = [piece for piece in marked if _is_plain(piece)]
    begins = [piece for piece in vocabulary if _is_plain(piece)] if mark == "##" else [""]
    if min(len(rests), len(begins) if mark == "##" else WORDS) < WORDS:
        return "", float("nan")
    drawn = np.random.default_rng(0).permutation
    made = [one + two for one, two in zip(np.resize(drawn(begins), WORDS), drawn(rests)[:WORDS], strict=True)]
    pieces = encoder.tokenizer.tokenize(" ".join(made))
    return mark, float(np.mean([piece.startswith(mark) for piece in pieces])) if pieces else 0.0


def _is_plain(piece: str) -> bool:
    return piece.isascii() and piece.isalpha() and piece.islower() and 2 <= len(piece) <= 5


def _vocabulary(encoder: Encoder) -> dict[str, float]:
    tokenizer = encoder.tokenizer
    normalizer = tokenizer.backend_tokenizer.normalizer
    pieces = set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens)
    # Of A to Z only: tokenizers of bytes write some bytes as capitals of other alphabets.
    cased = sum(map(bool, map(CAPITAL.search, pieces)))
    return {
        "vocabulary": len(tokenizer),
        "embeddings": encoder.embeddings,
        "lower_cases": int(normalizer is not None and normalizer.normalize_str("Abc") == "abc"),
        "cased_vocabulary": cased / max(len(pieces), 1),
    }
