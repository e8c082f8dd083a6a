"""`encoder`: which text encoder all systems start from, and how it computes."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, StrictBool, StrictFloat, StrictInt, Tag
from pydantic.dataclasses import dataclass

from whyrank.core.options.sections import CHECKED, MOST_LAYERS, MOST_TOKENS, PLAIN, WORD, word_or_plain

# How token vectors become one, by the names of sentence-transformers; auto: as the encoder's own files declare.
Pooling = Literal["auto", "mean", "cls", "max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]


@dataclass(frozen=True, config=CHECKED)
class Prompts:
    """What stands before a text."""

    query: str = Field(default="", max_length=2000, examples=["query: "], description="before every query")
    document: str = Field(default="", max_length=2000, examples=["passage: "], description="before every answer")


@dataclass(frozen=True, config=CHECKED)
class Encoder:
    """Which text encoder all systems start from, and how it computes."""

    source: str = Field(
        min_length=1,
        examples=["embedded"],
        description="embedded (all-MiniLM-L6-v2 from PyPI), scratch, folder, hub id",
    )
    pooling: Pooling = Field(
        description="token vectors to one text vector; auto: as the encoder's own files declare, else mean"
    )
    precision: Literal["auto", "bf16", "fp16", "fp32"] = Field(
        description="of matrix products; auto: bf16 where it is faster: on GPUs, and on processors with AMX"
    )
    attention_dropout: StrictFloat = Field(
        ge=0, lt=1, examples=[0.0], description="in trained layers; above 0 rules out torch's fast attention on CPUs"
    )
    batch_tokens: StrictInt = Field(
        ge=1, le=MOST_TOKENS, examples=[8192], description="padded tokens per batch; bounds memory, not results"
    )
    trust_remote_code: StrictBool = Field(description="run Python code that comes with the encoder")
    revision: str = Field(
        default="",
        max_length=100,
        examples=["9a2b4c1"],
        description='of a hub id: commit, tag or branch; "": the latest one',
    )
    prompts: Annotated[
        Annotated[Prompts, Tag(PLAIN)] | Annotated[Literal["auto", "none"], Tag(WORD)],
        Discriminator(word_or_plain),
    ] = Field(default="auto", description="text before queries and documents; auto: as the encoder's own files declare")
    readout: Literal["auto", "raw", "centred", "standardised"] = Field(
        default="auto",
        description="what ranking takes off all vectors: the mean (centred), also the size of features (standardised), "
        "of the corpus and the training queries; auto: what the dev queries surely gain by",
    )
    keep_layers: StrictInt = Field(
        default=0, ge=0, le=MOST_LAYERS, examples=[0], description="transformer layers kept, evenly spread; 0: all"
    )
