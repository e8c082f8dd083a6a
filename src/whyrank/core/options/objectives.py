"""What the objectives of a fine-tuning have in common, and how several of them share it."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictFloat, StrictInt
from pydantic.dataclasses import dataclass

from whyrank.core.options.sections import (
    CHECKED,
    MOST_ENTRIES,
    MOST_FEATURES,
    MOST_STEPS,
    MOST_WEIGHT,
    Fault,
    repeated,
)

# Features that are kept of a vector.
Dims = Annotated[
    list[Annotated[StrictInt, Field(ge=1, le=MOST_FEATURES)]], Field(max_length=MOST_ENTRIES, examples=[[]])
]


@dataclass(frozen=True, config=CHECKED)
class TaskHead:
    """Of an objective other than ranking, on the encoder's vectors; ranking's is `finetune_rank.head`."""

    kind: Literal["shared", "none", "mlp", "residual"] = Field(description="shared: ranking's head for queries")
    hidden: StrictInt = Field(ge=1, le=MOST_FEATURES, examples=[384], description="features of the middle layer")
    output: StrictInt = Field(ge=1, le=MOST_FEATURES, examples=[384], description="features of the result of an mlp")
    dropout: StrictFloat = Field(ge=0, lt=1, examples=[0.1], description="share of features left out in training")


@dataclass(frozen=True, config=CHECKED)
class Objective:
    """What a task may set for itself on an encoder that it shares.

    A weight of the encoder gets one update from the sum of the tasks' gradients, so it has no learning rate of a task.
    `learning_rate` is therefore that of the weights which a task has for itself, and `encoder_gradient_scale` says how
    much it has in that sum: twice the factor moves the encoder as twice the rate would, as far as the task is the one
    that moves it. Unlike `weight`, the factor leaves the head alone. AdamW divides a gradient by its usual size, so one
    factor on all tasks does nothing; `finetune_rank.encoder_learning_rate` is what sets the pace of the encoder.
    """

    weight: StrictFloat = Field(ge=0, le=MOST_WEIGHT, examples=[1.0], description="in the sum of losses; 0: off")
    freeze_encoder: StrictBool = Field(description="the objective moves the heads alone")
    start_step: StrictInt = Field(
        ge=0, le=MOST_STEPS, examples=[0], description="steps that it lets pass while other objectives train"
    )
    learning_rate: StrictFloat = Field(
        ge=0, le=1, examples=[0.0], description="of the weights that it has for itself, at its peak; 0: as of all heads"
    )
    encoder_gradient_scale: StrictFloat = Field(
        ge=0, le=MOST_WEIGHT, examples=[1.0], description="factor on the gradient that it sends into the encoder"
    )

    def losses(self) -> "dict[str, WeightedLoss]":
        """The table of its losses: every field that is one, by its name."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in found.items() if isinstance(value, WeightedLoss)}

    def faults(self) -> Iterator[Fault]:
        """A fault where the objective is on and each of its losses is off."""
        losses = self.losses()
        if self.weight and losses and not any(loss.weight for loss in losses.values()):
            yield Fault(
                "weight",
                f"is {self.weight:g}, but each of its losses has weight 0",
                [f"{next(iter(losses))}.weight=1", "weight=0"],
            )


@dataclass(frozen=True, config=CHECKED)
class WeightedLoss:
    weight: StrictFloat = Field(
        ge=0, le=MOST_WEIGHT, examples=[1.0], description="in the sum of the losses of the objective; 0: off"
    )


@dataclass(frozen=True, config=CHECKED)
class Loss(WeightedLoss):
    temperature: StrictFloat = Field(gt=0, le=1_000, examples=[0.05], description="scores are divided by it")


@dataclass(frozen=True, config=CHECKED)
class Matryoshka:
    """Every loss of an objective also, or only, on vectors cut to their first features."""

    dims: Dims = Field(description="features kept; the whole vector only where its width is among them; []: off")
    weights: Annotated[
        list[Annotated[StrictFloat, Field(gt=0, le=MOST_WEIGHT)]], Field(max_length=MOST_ENTRIES, examples=[[]])
    ] = Field(description="of each cut in the sum")

    def faults(self) -> Iterator[Fault]:
        out_of_order = list(increasing("dims", self.dims))
        yield from out_of_order
        if not out_of_order and len(self.dims) != len(self.weights):
            yield Fault(
                "weights",
                f"has {len(self.weights)} entries and `dims` {len(self.dims)}; give one weight for each",
                [f"weights=[{','.join(['1.0'] * len(self.dims))}]"],
            )


def increasing(key: str, values: list[int]) -> Iterator[Fault]:
    if sorted(values) != values:
        yield Fault(key, f"is {values}; go from the smallest cut to the largest")
    yield from repeated(key, values)


@dataclass(frozen=True, config=CHECKED)
class Distillation:
    """A term that every objective gets beside its loss: agreement with a teacher on the texts of the batch."""

    weight: StrictFloat = Field(ge=0, le=MOST_WEIGHT, examples=[0.0], description="in the sum of losses; 0: off")
    teacher: str = Field(
        min_length=1, examples=["models/base"], description="folder of a system or an encoder; encodes each text once"
    )
    of: Literal["vectors", "scores"] = Field(
        description="vectors: of each text; scores: of the texts of a batch with each other, widths may differ"
    )
    loss: Literal["cosine", "mse", "kl"] = Field(description="of vectors: cosine, mse; of scores: kl, mse")
    temperature: StrictFloat = Field(
        gt=0, le=1_000, examples=[1.0], description="of kl: scores times similarity.scale are divided by it"
    )

    def faults(self) -> Iterator[Fault]:
        known = {"vectors": ("cosine", "mse"), "scores": ("kl", "mse")}[self.of]
        if self.weight and self.loss not in known:
            yield Fault(
                "loss", f"is {self.loss}, and of {self.of} it is one of {', '.join(known)}", [f"loss={known[0]}"]
            )


@dataclass(frozen=True, config=CHECKED)
class Reranker:
    """A cross-encoder beside ranking: it teaches a list of answers of each training pair, and checks negatives."""

    model: str = Field(examples=["", "cross-encoder/ms-marco-MiniLM-L6-v2"], description="hub id or folder")
    weight: StrictFloat = Field(
        ge=0, le=MOST_WEIGHT, examples=[0.0], description="of the term that teaches, in the loss of ranking; 0: off"
    )
    loss: Literal["kl", "margin_mse"] = Field(
        description="kl: a softmax over the list; margin_mse: by how much the right answer leads each other one"
    )
    depth: StrictInt = Field(
        ge=1, le=1_000, examples=[8], description="wrong answers of a list, the hardest to the system as it starts"
    )
    temperature: StrictFloat = Field(
        gt=0,
        le=1_000,
        examples=[1.0],
        description="of kl: its logits and the scaled scores are divided by it",
    )
    filter_negatives: StrictBool = Field(
        description="hard negatives are left out that it scores at the right answer less `margin`, or above"
    )
    margin: StrictFloat = Field(
        ge=-1_000, le=1_000, examples=[0.0], description="of filter_negatives, in units of its logits"
    )

    @property
    def is_used(self) -> bool:
        return self.weight > 0 or self.filter_negatives

    def faults(self) -> Iterator[Fault]:
        if self.is_used and not self.model:
            key, off = ("weight", "weight=0") if self.weight else ("filter_negatives", "filter_negatives=false")
            said = f"is {self.weight:g}" if self.weight else "is true"
            yield Fault(
                key,
                f"{said}, and `model` names no cross-encoder",
                ["model=cross-encoder/ms-marco-MiniLM-L6-v2", off],
            )


@dataclass(frozen=True, config=CHECKED)
class Tasks:
    """How several objectives share the training."""

    sampling: Literal["all", "proportional", "equal", "temperature"] = Field(
        description="all: each batch takes all objectives; else one is drawn: proportional to its rows, all alike, by "
        "rows^(1/temperature)"
    )
    temperature: StrictFloat = Field(
        gt=0, le=1_000, examples=[2.0], description="of the sampling; above 1 lifts small objectives"
    )
    weighting: Literal["fixed", "uncertainty", "equal_gradient"] = Field(
        description="fixed: as given; uncertainty: learnt (Kendall et al. 2018); equal_gradient: all pull alike"
    )
    embeddings: StrictBool = Field(description="a learnt vector of each task, added to the encoder's; starts at zero")
    cross_attention: StrictBool = Field(
        description="the vectors of the tasks' residual heads attend to each other; starts without effect"
    )

    def faults(self) -> Iterator[Fault]:
        if self.weighting == "equal_gradient" and self.sampling != "all":
            yield Fault(
                "weighting",
                f"is equal_gradient, which compares the objectives of a batch, and `sampling: {self.sampling}` gives "
                "each batch one",
                ["sampling=all", "weighting=fixed"],
            )
