"""`evaluate` and `diagnose`: how systems are scored, and how they are compared."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, StrictFloat, StrictInt
from pydantic.dataclasses import dataclass

from whyrank.core.options.sections import CHECKED, MOST_TEXT_TOKENS, Fault, repeated

# `evaluate.stemmer`: that of the language which most texts are in.
AUTO = "auto"
Cutoffs = Annotated[
    list[Annotated[StrictInt, Field(ge=1, le=100_000)]], Field(min_length=1, max_length=100, examples=[[1, 10]])
]


@dataclass(frozen=True, config=CHECKED)
class Evaluate:
    """How systems are scored."""

    accuracy_cutoffs: Cutoffs = Field(description="ranks up to which a relevant answer counts")
    map_cutoffs: Cutoffs = Field(description="ranks that mean average precision reads")
    ndcg_cutoffs: Cutoffs = Field(description="ranks that nDCG reads")
    stemmer: str = Field(
        examples=["auto", "english"],
        description='Snowball language of the words that BM25 counts; auto: that of the texts; "": words as they stand',
    )
    keep: StrictInt = Field(ge=1, le=1_000_000, examples=[100], description="answers per query in the recorded run")
    pair_tokens: StrictInt = Field(
        ge=3, le=MOST_TEXT_TOKENS, examples=[128], description="tokens after which a text of a test pair is cut"
    )

    def faults(self) -> Iterator[Fault]:
        for key in ("accuracy_cutoffs", "map_cutoffs", "ndcg_cutoffs"):
            yield from repeated(key, getattr(self, key))
        from Stemmer import algorithms

        if self.stemmer not in ("", AUTO, *algorithms()):
            yield Fault(
                "stemmer",
                f'is {self.stemmer!r}; it takes {", ".join([AUTO, *algorithms()])}, or "" for words as they stand',
                [f"stemmer={AUTO}"],
            )

    @property
    def metrics(self) -> list[str]:
        """Per-query metrics that are recorded of every system."""
        of = {"accuracy": self.accuracy_cutoffs, "map": self.map_cutoffs, "ndcg": self.ndcg_cutoffs}
        return ["mrr", *(f"{name}@{cutoff}" for name, cutoffs in of.items() for cutoff in cutoffs)]


@dataclass(frozen=True, config=CHECKED)
class Diagnose:
    """How systems are compared."""

    metric: str = Field(
        min_length=1, examples=["accuracy@1"], description="the per-query metric of comparisons and verdicts"
    )
    resamples: StrictInt = Field(
        ge=100, le=1_000_000, examples=[10_000], description="bootstrap and randomisation draws"
    )
    level: StrictFloat = Field(gt=0, lt=1, examples=[0.95], description="of the confidence intervals")
