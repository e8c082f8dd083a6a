"""The texts on which an encoder is examined: few, of every kind, short and long."""

from typing import NamedTuple

import numpy as np

from whyrank.core.prepared import Prepared
from whyrank.model.encoder.budgets import SIDES
from whyrank.model.encoder.declared import Side
from whyrank.model.encoder.encoder import Encoder, TokenIds

# Texts of a kind, and tokens of each: enough for what is true of every text or of none.
TEXTS, TOKENS = 8, 64


class Sample(NamedTuple):
    """Texts with their kind (question | conversation | answer | pair | rated text) and the prompt that they get."""

    texts: list[str]
    kinds: list[str]
    sides: list[Side | None]

    def rows(self, encoder: Encoder, texts: list[str] | None = None, tokens: int = TOKENS) -> list[TokenIds]:
        """Token ids; of other `texts` in place of its own where given."""
        pairs = zip(texts or self.texts, self.sides, strict=True)
        return [encoder.tokenise([text], min(tokens, encoder.longest), side)[0] for text, side in pairs]


def draw(prepared: Prepared) -> Sample:
    """Spread evenly over the texts of each kind."""
    table = prepared.texts.table
    kind = table["kind"].copy()
    kind[kind == "query"] = prepared.queries["type"].to_numpy()
    drawn: list[int] = []
    for name in kind.unique():
        (of_kind,) = np.nonzero(kind == name)
        drawn += np.unique(of_kind[np.linspace(0, len(of_kind) - 1, min(TEXTS, len(of_kind))).astype(int)]).tolist()
    kinds = [str(kind.iloc[i]) for i in drawn]
    return Sample([str(table["text"].iloc[i]) for i in drawn], kinds, [SIDES.get(name) for name in kinds])
