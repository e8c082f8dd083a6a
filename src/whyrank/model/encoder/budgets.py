"""Token budgets against what an encoder takes, and the texts tokenised by them."""

import dataclasses
import sys
from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd

from whyrank.core.errors import UserError
from whyrank.core.options.params import Tokens
from whyrank.core.prepared import Prepared
from whyrank.model.encoder.declared import Side
from whyrank.model.encoder.encoder import NO_LIMIT, Encoder, TokenIds

# Which prompt the texts of each kind get; those of a pair are neither queries nor documents.
SIDES: dict[str, Side | None] = {
    "question": "query",
    "conversation": "query",
    "answer": "document",
    "pair": None,
}


class Budgets(NamedTuple):
    """Tokens per text by kind: `whole` as the encoder reads it, `own` without special tokens and prompt."""

    whole: dict[str, int]
    own: dict[str, int]


def budgets(encoder: Encoder, tokens: Tokens, *, with_pairs: bool) -> Budgets:
    """Check the token budgets against what the encoder takes; that of pairs only where there are any.

    A budget above the length that the encoder's files declare is used, and said on stderr.
    """
    whole = dataclasses.asdict(tokens)
    if not with_pairs:
        whole["pair"] = min(tokens.pair, encoder.longest)
    around = {kind: sum(map(len, encoder.tokens_around(side=side))) for kind, side in SIDES.items()}
    for kind, budget in whole.items():
        if not around[kind] < budget <= encoder.longest:
            most = (
                f"at least {around[kind] + 1}"
                if encoder.longest == NO_LIMIT
                else f"{around[kind] + 1} to {encoder.longest}"
            )
            raise UserError(f"params.yaml: `prepare.tokens.{kind}` is {budget}, but this encoder takes {most}")
    declared = encoder.declared.longest
    if over := [kind for kind, budget in whole.items() if 0 < declared < budget]:
        print(
            f"encoder: its files declare at most {declared} tokens a text, and `prepare.tokens` gives more to "
            f"{', '.join(over)}; it was hardly trained on longer texts",
            file=sys.stderr,
        )
    return Budgets(whole, {kind: budget - around[kind] for kind, budget in whole.items()})


def tokenised(encoder: Encoder, texts: Prepared, budget: Budgets) -> Prepared:
    """The same tables with `input_ids`, the token ids of each text; those of ratings are there already.

    Raises UserError where the tokenizer gives an id for which the encoder has no embedding.
    """
    answers, queries = texts.answers, texts.queries
    answer_ids = encoder.tokenise(answers["text"].tolist(), budget.whole["answer"], "document")
    limits = [budget.whole[kind] for kind in queries["type"]]
    query_ids = encoder.tokenise_each(queries["text"].tolist(), limits, "query")
    pair_ids = encoder.tokenise(texts.pair_texts["text"].tolist(), budget.whole["pair"])
    _check_rows(encoder, [*answer_ids, *query_ids, *pair_ids, *texts.rating_texts["input_ids"]])
    return dataclasses.replace(
        texts,
        answers=answers.assign(input_ids=pd.Series(answer_ids, answers.index)),
        queries=queries.assign(input_ids=pd.Series(query_ids, queries.index)),
        pair_texts=texts.pair_texts.assign(input_ids=pd.Series(pair_ids, texts.pair_texts.index, dtype=object)),
    )


def _check_rows(encoder: Encoder, ids: Iterable[TokenIds]) -> None:
    rows = encoder.embeddings
    # As a rule the vocabulary fits, and then no text needs a check.
    largest = max((max(row) for row in ids if len(row)), default=0) if len(encoder.tokenizer) > rows else 0
    if largest >= rows:
        raise UserError(
            f"params.yaml: `encoder.source`: its tokenizer gives id {largest}, but the encoder has {rows} embeddings; "
            "put the tokenizer files that came with the weights beside them"
        )
