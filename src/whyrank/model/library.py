"""A folder as sentence-transformers itself reads it, beside what whyrank evaluates: the same texts, several ways.

Shapes: G texts · D features
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from whyrank.core.errors import UserError, said_by
from whyrank.model.encoder.loading import quiet

# Cosine from which two vectors of a text are the same; float32 in another order gives 0.9999998.
SAME = 0.9999
COLUMNS = ["side", "row", "again", "alone", "reloaded", "moved", "ours", "ours_same_text", "because"]
# Words of a text that can stand in another order; so many that no encoder cuts them, which would leave others.
WORDS, MOST_WORDS = 4, 30


def agreement(
    folder: Path, texts: pd.DataFrame, own_GD: np.ndarray, *, trust_remote_code: bool = False
) -> pd.DataFrame:
    """`COLUMNS`, a row for each text: cosines of its vector by `encode_query` or `encode_document` with that of

    again            the same call once more
    alone            a batch of its own, where the others are of mixed lengths
    reloaded         the folder read once more
    moved            its first words in another order with these words as they stand; NaN of fewer than `WORDS` words
    ours             what whyrank evaluates, own_GD
    ours_same_text   the same, where the library reads the text that whyrank cut
    because          of a text of which the last differs: what brings it to `SAME`; one of `CAUSES`, or ""

    texts   side (query | answer), row, raw_text, text
    Raises UserError where the library cannot read the folder.
    """
    model = _open(folder, trust_remote_code)
    encode = partial(_encode, model)
    whole_GD = encode(texts, "raw_text")
    found = texts[["side", "row"]].reset_index(drop=True)
    found["again"] = _cosines(whole_GD, encode(texts, "raw_text"))
    found["alone"] = _cosines(whole_GD, encode(texts, "raw_text", batch_size=1))
    found["reloaded"] = _cosines(whole_GD, _encode(_open(folder, trust_remote_code), texts, "raw_text"))
    cut_GD = encode(texts, "text")
    words = [text.split()[:MOST_WORDS] for text in texts["text"]]
    order = texts.assign(first=[*map(" ".join, words)], moved=[*map(_moved, words)])
    moved_G = _cosines(encode(order, "first"), encode(order, "moved"))
    found["moved"] = np.where([len(own) >= WORDS for own in words], moved_G, np.nan)
    found["ours"], found["ours_same_text"] = _cosines(whole_GD, own_GD), _cosines(cut_GD, own_GD)
    found["because"] = ""
    differs_G = (found["ours_same_text"] < SAME).to_numpy()
    for name, way in CAUSES.items() if differs_G.any() else ():
        with way(model) as changed:
            is_same_G = _cosines(_encode(changed, texts, "text"), own_GD) >= SAME
        found.loc[differs_G & is_same_G & (found["because"] == ""), "because"] = name
    return found[COLUMNS]


def encoder(folder: Path, *, trust_remote_code: bool = False) -> Callable[[str, list[str]], np.ndarray]:
    """Side (query | answer) and texts -> vectors (N, D) float32. Raises UserError where it cannot read the folder."""
    model = _open(folder, trust_remote_code)
    return lambda side, texts: _encode(model, pd.DataFrame({"side": side, "text": texts}), "text", batch_size=32)


def _moved(words: Sequence[str]) -> str:
    return " ".join(words[i] for i in np.random.default_rng(0).permutation(len(words)))


def _open(folder: Path, trust_remote_code: bool) -> Any:
    from sentence_transformers import SentenceTransformer  # takes seconds

    try:
        with quiet():
            return SentenceTransformer(
                str(folder), device="cpu", local_files_only=True, trust_remote_code=trust_remote_code
            )
    except Exception as error:  # what a folder raises has no common base
        raise UserError(f"{folder}: sentence-transformers cannot read it: {said_by(error)}") from None


def _encode(model: Any, texts: pd.DataFrame, column: str, batch_size: int = 8) -> np.ndarray:
    """(G, D) float32, in the order of the table, which mixes lengths within a batch."""
    sides = {"query": model.encode_query, "answer": model.encode_document}
    parts = []
    for side, encode in sides.items():
        own = texts[texts["side"] == side]
        if len(own):
            vector_ND = encode(own[column].tolist(), batch_size=batch_size, show_progress_bar=False)
            parts.append(pd.DataFrame({"vector": list(np.asarray(vector_ND, dtype=np.float32))}, index=own.index))
    return np.stack(pd.concat(parts)["vector"].loc[texts.index].tolist())


@contextmanager
def _without_prompts(model: Any) -> Iterator[Any]:
    before = dict(model.prompts)
    model.prompts = dict.fromkeys(before, "")
    try:
        yield model
    finally:
        model.prompts = before


@contextmanager
def _in_float32(model: Any) -> Iterator[Any]:
    before = next(model.parameters()).dtype
    model.float()
    try:
        yield model
    finally:
        model.to(before)


@contextmanager
def _longer(model: Any) -> Iterator[Any]:
    """As many tokens as the encoder has positions for."""
    before = model.max_seq_length
    model.max_seq_length = getattr(model[0].auto_model.config, "max_position_embeddings", None) or before
    try:
        yield model
    finally:
        model.max_seq_length = before


@contextmanager
def _without_modules(model: Any) -> Iterator[Any]:
    """Pooled token vectors, with nothing above."""
    yield type(model)(modules=[model[0], model[1]], prompts=model.prompts, device="cpu")


# What whyrank may do otherwise than the library, by name.
CAUSES: dict[str, Callable[[Any], Any]] = {
    "prompt": _without_prompts,
    "half precision": _in_float32,
    "max_seq_length": _longer,
    "modules above the pooling": _without_modules,
}


def _cosines(one_GD: np.ndarray, other_GD: np.ndarray) -> np.ndarray:
    """(G,) of each text with itself; 0 where the widths differ or a vector is not finite."""
    if one_GD.shape != other_GD.shape:
        return np.zeros(len(one_GD))
    one_GD, other_GD = one_GD.astype(np.float64), other_GD.astype(np.float64)
    lengths_G = np.linalg.norm(one_GD, axis=1) * np.linalg.norm(other_GD, axis=1)
    with np.errstate(invalid="ignore"):
        return np.nan_to_num((one_GD * other_GD).sum(axis=1) / np.maximum(lengths_G, 1e-30))
