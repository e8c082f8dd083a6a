"""`encoder`: which text encoder all systems start from, and how it computes."""

from typing import Literal

from pydantic import Field, StrictBool, StrictFloat, StrictInt
from pydantic.dataclasses import dataclass

from whyrank.core.options.sections import CHECKED, MOST_LAYERS, MOST_TOKENS


@dataclass(frozen=True, config=CHECKED)
class Encoder:
    """Which text encoder all systems start from, and how it computes."""

    source: str = Field(
        min_length=1,
        examples=["embedded"],
        description="embedded (all-MiniLM-L6-v2 from PyPI), scratch, folder, hub id",
    )
    pooling: Literal["auto", "mean", "cls", "max"] = Field(
        description="token vectors to one text vector; auto: as the encoder's own files declare, else mean"
    )
    precision: Literal["auto", "bf16", "fp16", "fp32"] = Field(
        description="of matrix products; auto: bf16 where the processor multiplies it natively"
    )
    attention_dropout: StrictFloat = Field(
        ge=0, lt=1, examples=[0.0], description="in trained layers; above 0 rules out torch's fast attention on CPUs"
    )
    batch_tokens: StrictInt = Field(
        ge=1, le=MOST_TOKENS, examples=[8192], description="padded tokens per batch; bounds memory, not results"
    )
    trust_remote_code: StrictBool = Field(description="run Python code that comes with the encoder")
    keep_layers: StrictInt = Field(
        default=0, ge=0, le=MOST_LAYERS, examples=[0], description="transformer layers kept, evenly spread; 0: all"
    )
