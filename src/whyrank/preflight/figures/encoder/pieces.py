"""Whether each piece of the vocabulary has its own embedding: pieces of one word lie nearer than others.

Shapes: N pairs of pieces · V pieces · H features
"""

import numpy as np
import pandas as pd
import torch
from torch import nn

from whyrank.model.encoder.encoder import Encoder
from whyrank.preflight.figures.texts.read import spread

# Pairs of a relation that are looked at.
PAIRS = 1000
# Letters of a word from which another one that begins with it is its kin: car and carpet are not.
STEM = 4
ENDINGS = ("s", "es", "ed", "ing", "er", "ly", "en", "e", "n", "al", "ment")
# What byte pairs and SentencePiece write before a word, and WordPiece before the rest of one.
MARKS = ("Ġ", "▁", "##")
POSITIONS = ("embeddings.position_embeddings", "wpe", "embed_positions")
# Beyond, tables of positions are hardly trained.
PLACES = 256
# Pieces that are read, the most frequent ones as vocabularies are ordered: those of many languages have 250,000.
PIECES = 60_000


def table(encoder: Encoder) -> pd.DataFrame:
    """One row per relation: ending (dog, dogs), case (dog, Dog), mark (dog at a word's start and inside), neighbours.

    pairs      of pieces that are so related; of `neighbours`, of positions that follow each other
    related    mean cosine of their embeddings, after the mean of all is taken away
    random     the same of each first piece with the second of another pair
    nearer     share of the pairs whose cosine is the higher of the two; ties count one half
    spread     standard deviation of the random cosines by that of directions drawn at random, 1 / sqrt(H)
    """
    embeddings = encoder.transformer.get_input_embeddings()
    assert isinstance(embeddings, nn.Embedding)
    found = [
        _row(name, embeddings.weight.detach().float(), np.array(pairs))
        for name, pairs in _related(encoder, embeddings.num_embeddings).items()
        if len(pairs) > 1
    ]
    if (position_PH := positions(encoder)) is not None:
        following = np.stack([np.arange(len(position_PH) - 1), np.arange(1, len(position_PH))], axis=1)
        found.append(_row("neighbours", position_PH, following))
    return pd.DataFrame(found)


def positions(encoder: Encoder) -> torch.Tensor | None:
    """The first rows of a learnt table of positions; None of an encoder that has none."""
    for name, module in encoder.transformer.named_modules():
        if isinstance(module, nn.Embedding) and name.endswith(POSITIONS):
            first = encoder.first_position
            return module.weight.detach().float()[first : first + PLACES] if len(module.weight) > first + 8 else None
    return None


def _related(encoder: Encoder, rows: int) -> dict[str, list[tuple[int, int]]]:
    split = _split(encoder, min(rows, PIECES))
    stems = {mark: [word for word in of_mark if len(word) >= STEM] for mark, of_mark in split.items()}
    pairs: dict[str, list[tuple[int, int]]] = {"ending": [], "case": [], "mark": []}
    for mark, of_mark in split.items():
        kin = [("ending", [word + ending for word in stems[mark]], of_mark) for ending in ENDINGS]
        kin.append(("case", [word.capitalize() if word.islower() else "" for word in stems[mark]], of_mark))
        if mark:
            kin.append(("mark", stems[mark], split[""]))
        for name, others, among in kin:
            pairs[name] += [
                (of_mark[word], among[other]) for word, other in zip(stems[mark], others, strict=True) if other in among
            ]
    for of_name in pairs.values():
        of_name.sort()
    return {name: [of_name[i] for i in spread(len(of_name), PAIRS)] for name, of_name in pairs.items()}


def _split(encoder: Encoder, rows: int) -> dict[str, dict[str, int]]:
    """Numbers of words by their mark: of "##ing" the word is "ing" and the mark "##"."""
    special = set(encoder.tokenizer.all_special_tokens)
    split: dict[str, dict[str, int]] = {mark: {} for mark in ("", *MARKS)}
    for piece, number in encoder.tokenizer.get_vocab().items():
        if number < rows and piece not in special:
            mark = next((mark for mark in MARKS if piece.startswith(mark) and piece != mark), "")
            if (word := piece.removeprefix(mark)).isalpha():
                split[mark][word] = number
    return split


def _row(name: str, table_VH: torch.Tensor, pair_N2: np.ndarray) -> dict[str, object]:
    first_NH, second_NH = (table_VH[torch.as_tensor(pair_N2[:, side])] - table_VH.mean(dim=0) for side in (0, 1))
    # Half of the pairs away, so that the two of an adjacent pair of positions are never near.
    other_NH = second_NH.roll(len(pair_N2) // 2 or 1, dims=0)
    related_N, random_N = (nn.functional.cosine_similarity(first_NH, of, dim=1) for of in (second_NH, other_NH))
    nearer = (related_N > random_N).float().mean() + 0.5 * (related_N == random_N).float().mean()
    return {
        "relation": name,
        "pairs": len(pair_N2),
        "related": float(related_N.mean()),
        "random": float(random_N.mean()),
        "nearer": float(nearer),
        "spread": float(random_N.std() * table_VH.shape[1] ** 0.5),
    }
