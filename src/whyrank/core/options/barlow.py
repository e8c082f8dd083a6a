"""`pretrain_barlow`: bring two views of a text together before any fine-tuning (Zbontar et al. 2021)."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Discriminator, Field, StrictFloat, StrictInt, Tag
from pydantic.dataclasses import dataclass

from whyrank.core.options.objectives import Objective
from whyrank.core.options.optimisation import EarlyStopping, Head, Optimisation
from whyrank.core.options.sections import (
    CHECKED,
    MOST_FEATURES,
    MOST_ROWS,
    MOST_STEPS,
    PLAIN,
    WORD,
    Fault,
    repeated,
    word_or_plain,
)

# Views that the judgements make, and those that need none.
LABELLED = ("question-conversation", "query-answer")
LABEL_FREE = ("span-document", "question-in-conversation", "deletion")
View = Literal["span-document", "question-in-conversation", "deletion", "question-conversation", "query-answer"]
Share = Annotated[StrictFloat, Field(gt=0, lt=1)]


@dataclass(frozen=True, config=CHECKED)
class MadeTexts:
    """Texts that the label-free views make of others."""

    span: Annotated[list[Share], Field(min_length=2, max_length=2)] = Field(
        examples=[[0.2, 0.5]], description="shortest and longest share of an answer's words that is a span of it"
    )
    kept_words: Share = Field(examples=[0.4], description="share of the words that `deletion` leaves")
    per_text: StrictInt = Field(
        ge=1, le=1_000, examples=[4], description="texts made of each one; a frozen encoder encodes each once"
    )

    def faults(self) -> Iterator[Fault]:
        if self.span[0] > self.span[1]:
            yield Fault("span", f"is {self.span}: the shortest share comes first", [f"span={self.span[::-1]}"])


@dataclass(frozen=True, config=CHECKED)
class Views:
    """Which two texts make a pair."""

    views: Annotated[list[View], Field(min_length=1, max_length=5)] = Field(
        examples=[["question-in-conversation", "span-document"]],
        description="which two texts make a pair; taken in turn; one without pairs is left out where another has some",
    )
    texts: MadeTexts = Field(description="texts that the views span-document and deletion make")


@dataclass(frozen=True, config=CHECKED)
class ViewLoss:
    """The loss of two views."""

    objective: Literal["barlow", "vicreg", "infonce"] = Field(description="the loss of two views")
    redundancy_weight: Annotated[
        Annotated[Literal["auto"], Tag(WORD)] | Annotated[StrictFloat, Field(ge=0, le=1_000), Tag(PLAIN)],
        Discriminator(word_or_plain),
    ] = Field(
        examples=["auto", 0.05],
        description="lambda of Zbontar et al. 2021, arXiv:2103.03230; auto: 20 / features, since that of the paper, "
        "0.005, goes with 8,192 features",
    )
    temperature: StrictFloat = Field(gt=0, le=1_000, examples=[0.05], description="of infonce")


@dataclass(frozen=True, config=CHECKED)
class BarlowBatches(Views):
    """What decides the composition of a pretraining batch; `prepare` draws some to check them."""

    steps: StrictInt = Field(ge=0, le=MOST_STEPS, examples=[30], description="updates; 0 turns pretraining off")
    batch_size: StrictInt = Field(
        ge=2, le=MOST_ROWS, examples=[128], description="view pairs, at most one per answer or text"
    )
    batches: Literal["across_answers", "single_answer"] = Field(
        description="single_answer: one answer per batch, a known fault of the seed project"
    )

    def faults(self) -> Iterator[Fault]:
        yield from repeated("views", self.views)
        others = [view for view in self.views if view != "question-conversation"]
        if self.steps and self.batches == "single_answer" and others:
            yield Fault(
                "batches",
                f"is single_answer, which takes the view question-conversation alone, not {', '.join(others)}: a batch "
                "would hold one text on a side",
                ["batches=across_answers", "views=[question-conversation]"],
            )


@dataclass(frozen=True, config=CHECKED)
class ViewsObjective(Objective, Views, ViewLoss):
    """The loss of two views beside that of ranking, instead of a stage before it."""

    batch_size: StrictInt = Field(ge=2, le=MOST_ROWS, examples=[64], description="view pairs")

    def faults(self) -> Iterator[Fault]:
        yield from repeated("views", self.views)


@dataclass(frozen=True, config=CHECKED)
class PretrainBarlow(BarlowBatches, ViewLoss, Optimisation):
    """Pretraining: bring two views of a text together, with Barlow Twins or another loss."""

    projector: StrictInt = Field(
        ge=0,
        le=MOST_FEATURES,
        examples=[0],
        description="features of a projector above the head that only the loss reads; it is dropped after; 0: none",
    )
    head: Head = Field(description="a new head, which is trained with the encoder")
    early_stopping: EarlyStopping = Field(description="which weights are kept, the untrained ones among them")

    def faults(self) -> Iterator[Fault]:
        yield from BarlowBatches.faults(self)
        yield from Optimisation.faults(self)
        yield from self.never_learns(self.steps)
