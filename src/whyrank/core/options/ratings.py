"""Rated texts: `prepare.ratings` says where they come from, and one objective is trained on them."""

from collections.abc import Iterator
from dataclasses import astuple
from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictFloat, StrictInt
from pydantic.dataclasses import dataclass

from whyrank.core.options.objectives import Loss, Objective, TaskHead, WeightedLoss
from whyrank.core.options.sections import (
    CHECKED,
    MOST_ENTRIES,
    MOST_NUMBER,
    MOST_ROWS,
    MOST_TEXT_TOKENS,
    MOST_WEIGHT,
    Fault,
    repeated,
)

Ends = Annotated[
    list[Annotated[StrictFloat, Field(ge=-MOST_NUMBER, le=MOST_NUMBER)]], Field(min_length=2, max_length=2)
]


@dataclass(frozen=True, config=CHECKED)
class Fields:
    """The columns of each text field of a rated row; the first two make up the question."""

    title: str = Field(examples=["question_title"], description='column; "": the source has none')
    body: str = Field(examples=["question_body"], description='column; "": the source has none')
    answer: str = Field(examples=["answer"], description='column; "": the source has none')


@dataclass(frozen=True, config=CHECKED)
class FieldTokens:
    """Tokens of each field, special ones not counted; adaptive: their sum, shared out again in each row."""

    title: StrictInt = Field(ge=0, le=MOST_TEXT_TOKENS, examples=[26], description="tokens")
    body: StrictInt = Field(ge=0, le=MOST_TEXT_TOKENS, examples=[260], description="tokens")
    answer: StrictInt = Field(ge=0, le=MOST_TEXT_TOKENS, examples=[210], description="tokens")


@dataclass(frozen=True, config=CHECKED)
class Ratings:
    """Texts rated on several targets."""

    read: StrictBool = Field(description="read the source and check it, for finetune_rank.objectives.ratings")
    source: str = Field(min_length=1, description="CSV or Parquet, or a folder with one named train")
    test: str = Field(examples=[""], description='file in the source folder: rows to be predicted; "": none')
    unlabelled: str = Field(examples=[""], description='file in the source folder: rows for pseudo-labels; "": none')
    id: str = Field(min_length=1, examples=["qa_id"], description="column")
    text: Fields = Field(description="columns")
    group: str = Field(
        min_length=1, examples=["question_title"], description="column; rows that share its value stay in one fold"
    )
    targets: Annotated[list[str], Field(max_length=10_000)] = Field(
        examples=[[]], description="columns; []: every column but those above"
    )
    exclude: Annotated[list[str], Field(max_length=10_000)] = Field(
        examples=[[]], description="columns that are no targets, listed or not"
    )
    rescale: Annotated[dict[str, Ends], Field(max_length=MOST_ENTRIES)] = Field(
        examples=[{}], description="by target: lowest and highest, which become 0 and 1"
    )
    folds: StrictInt = Field(ge=2, le=100, examples=[5], description="trainings, each with its own held-out rows")
    layout: Literal["joint", "separate"] = Field(description="joint: question and answer as one text; separate: as two")
    allocation: Literal["fixed", "adaptive"] = Field(
        description="adaptive: a short field leaves its tokens to the long ones"
    )
    tokens: FieldTokens = Field(description="of each field")
    head_share: StrictFloat = Field(
        ge=0, le=1, examples=[0.5], description="of what a cut field keeps, the share that is its beginning"
    )

    def faults(self) -> Iterator[Fault]:
        text = self.text
        if not any(astuple(text)):
            yield Fault("text", "names no column; name one for title, body or answer")
        elif self.layout == "separate" and not (text.answer and (text.title or text.body)):
            yield Fault(
                "layout",
                "is separate, which takes a question and an answer; name columns for both in `text`",
                ["layout=joint"],
            )
        if not any(astuple(self.tokens)):
            yield Fault("tokens", "gives no field a token", ["tokens.body=260"])
        for name, (low, high) in self.rescale.items():
            if low >= high:
                yield Fault(f"rescale.{name}", f"is {[low, high]}; give the lowest first, then the highest")
        taken = {self.id, self.group, *astuple(text)}
        for key, names in (("targets", self.targets), ("rescale", self.rescale)):
            for name in taken & set(names):
                yield Fault(key, f"names {name!r}, an id, text or group column; leave it out")
        yield from repeated("targets", self.targets)


@dataclass(frozen=True, config=CHECKED)
class Focal(WeightedLoss):
    # Between 0 and 1 the gradient of a prediction that is right is infinite.
    gamma: StrictFloat = Field(
        ge=0, le=100, examples=[2.0], description="0: binary cross-entropy; 1 or more: right rows count less"
    )

    def faults(self) -> Iterator[Fault]:
        if 0 < self.gamma < 1:
            yield Fault("gamma", f"is {self.gamma:g}; it takes 0, or 1 or more", ["gamma=2"])


@dataclass(frozen=True, config=CHECKED)
class PseudoLabels:
    """Retrain with what each fold's own model says of unlabelled rows."""

    rounds: StrictInt = Field(ge=0, le=100, examples=[0], description="of labelling and retraining; 0: off")
    weight: StrictFloat = Field(
        ge=0,
        le=MOST_WEIGHT,
        examples=[1.0],
        description="of a pseudo-labelled row at full confidence; a labelled has 1",
    )


@dataclass(frozen=True, config=CHECKED)
class RatingsObjective(Objective):
    """Ratings of texts on several targets (prepare.ratings), out of fold."""

    weight: StrictFloat = Field(
        ge=0, le=MOST_WEIGHT, examples=[0.0], description="in the sum of losses; 0: off; needs prepare.ratings.read"
    )
    head: TaskHead = Field(description="below its linear layer")
    batch_size: StrictInt = Field(ge=1, le=MOST_ROWS, examples=[16], description="rows")
    encoders: Literal["one", "two"] = Field(
        description="two: answers of the separate layout have an encoder of their own"
    )
    layer_means: StrictBool = Field(
        description="the layer also reads the mean over the tokens after each frozen layer of the encoder"
    )
    bce: WeightedLoss = Field(description="binary cross-entropy")
    weighted_bce: WeightedLoss = Field(description="each target's rarer side counts as much as its commoner one")
    focal: Focal = Field(description="rows that are right already count less")
    mse: WeightedLoss = Field(description="squared error")
    rank_correlation: Loss = Field(description="1 - a differentiable Spearman correlation over the batch")
    smoothing: StrictFloat = Field(
        ge=0, le=1, examples=[0.0], description="share of a label that goes to its neighbours on the target's own grid"
    )
    pseudo_labels: PseudoLabels = Field(description="retrain with what each fold's own model says of unlabelled rows")
