"""`pretrain_barlow`: pull the texts of one answer together before any fine-tuning (Zbontar et al. 2021)."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, StrictFloat, StrictInt
from pydantic.dataclasses import dataclass

from whyrank.core.options.optimisation import Head, Optimisation
from whyrank.core.options.sections import CHECKED, MOST_ROWS, MOST_STEPS, Fault, repeated

View = Literal["question-conversation", "query-answer"]


@dataclass(frozen=True, config=CHECKED)
class BarlowBatches:
    """What decides the composition of a pretraining batch; `prepare` draws some to check them."""

    steps: StrictInt = Field(ge=0, le=MOST_STEPS, examples=[30], description="updates; 0 turns pretraining off")
    batch_size: StrictInt = Field(ge=2, le=MOST_ROWS, examples=[128], description="view pairs, at most one per answer")
    batches: Literal["across_answers", "single_answer"] = Field(
        description="single_answer: one answer per batch, a known fault of the seed project"
    )
    views: Annotated[list[View], Field(min_length=1, max_length=2)] = Field(
        examples=[["query-answer"]], description="which two texts make a pair; taken in turn"
    )

    def faults(self) -> Iterator[Fault]:
        yield from repeated("views", self.views)
        if self.steps and self.batches == "single_answer" and "query-answer" in self.views:
            yield Fault(
                "batches",
                "is single_answer, and with the view query-answer a batch would hold one text on the answer side",
                ["batches=across_answers", "views=[question-conversation]"],
            )


@dataclass(frozen=True, config=CHECKED)
class PretrainBarlow(BarlowBatches, Optimisation):
    """Pretraining: pull the texts of one answer together with Barlow Twins."""

    redundancy_weight: StrictFloat = Field(
        ge=0, le=1_000, examples=[0.005], description="lambda of Zbontar et al. 2021, arXiv:2103.03230"
    )
    head: Head = Field(description="a new head, which is trained with the encoder")

    def faults(self) -> Iterator[Fault]:
        yield from BarlowBatches.faults(self)
        yield from Optimisation.faults(self)
        yield from self.never_learns(self.steps)
