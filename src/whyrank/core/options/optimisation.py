"""What pretraining and fine-tuning share: the new head, how much of the encoder learns, and the optimiser."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Discriminator, Field, StrictBool, StrictFloat, StrictInt, Tag
from pydantic.dataclasses import dataclass

from whyrank.core.options.sections import (
    CHECKED,
    MOST_FEATURES,
    MOST_LAYERS,
    MOST_ROUNDS,
    MOST_STEPS,
    MOST_TOKENS,
    MOST_WEIGHT,
    PLAIN,
    WORD,
    Fault,
    word_or_plain,
)

# Where `evaluations` is auto: rounds between two of them, how many there are at most, and how many without rounds. Of
# many rounds in few steps, patience would end a training in its warm-up.
ROUNDS_BETWEEN, MOST_EVALUATIONS, EVALUATIONS = 0.75, 12, 4


@dataclass(frozen=True, config=CHECKED)
class Head:
    """A new head on the encoder's vectors; residual and experts (a gated mixture of them) start as the identity."""

    kind: Literal["none", "mlp", "residual", "experts"] = Field(description="none: the encoder's own vectors")
    hidden: StrictInt = Field(
        ge=1, le=MOST_FEATURES, examples=[384], description="features of the middle layer, of each expert"
    )
    output: StrictInt = Field(
        ge=1, le=MOST_FEATURES, examples=[384], description="features of the result of an mlp; others keep their width"
    )
    dropout: StrictFloat = Field(ge=0, lt=1, examples=[0.1], description="share of features left out in training")
    experts: StrictInt = Field(ge=1, le=1_000, examples=[4], description="heads of a mixture")
    top: StrictInt = Field(ge=1, le=1_000, examples=[4], description="heads of a mixture that a text goes through")
    balance: StrictFloat = Field(
        ge=0, le=MOST_WEIGHT, examples=[0.0], description="weight of the term that makes a mixture use all; 0: off"
    )

    def faults(self) -> Iterator[Fault]:
        if self.kind == "experts" and not self.top <= self.experts >= 2:
            yield Fault(
                "experts",
                f"is {self.experts} with `top` {self.top}; a mixture takes 2 experts or more, and `top` from 1 to "
                "as many",
                ["kind=residual"],
            )


@dataclass(frozen=True, config=CHECKED)
class Lora:
    """Low-rank updates instead of the encoder's own weights (Hu et al. 2021, arXiv:2106.09685); needs peft."""

    rank: StrictInt = Field(ge=0, le=4096, examples=[0], description="of an update; 0: off")
    alpha: StrictInt = Field(ge=1, le=65_536, examples=[16], description="an update is scaled by alpha / rank")
    dropout: StrictFloat = Field(ge=0, lt=1, examples=[0.0], description="on the input of an update")


@dataclass(frozen=True, config=CHECKED)
class Optimisation:
    learning_rate: StrictFloat = Field(ge=0, le=1, examples=[1.0e-4], description="of the heads, at its peak")
    encoder_learning_rate: StrictFloat = Field(
        ge=0, le=1, examples=[2.0e-5], description="of the trained layers of the encoder, at its peak"
    )
    layer_decay: StrictFloat = Field(
        gt=0, le=1, examples=[1.0], description="learning rate of a layer as a share of that of the layer above it"
    )
    weight_decay: StrictFloat = Field(ge=0, le=10, examples=[0.01], description="of AdamW")
    warmup_ratio: StrictFloat = Field(
        ge=0, le=1, examples=[0.1], description="share of the steps in which the learning rate rises"
    )
    lr_scheduler: Literal["cosine", "linear", "constant"] = Field(description="of the learning rate after warm-up")
    max_grad_norm: StrictFloat = Field(gt=0, le=1.0e9, examples=[1.0], description="largest norm of the gradient")
    train: Literal["head", "last", "all"] = Field(
        description="head: the encoder is frozen, each text is encoded once; last: its last layers learn; all"
    )
    last_layers: StrictInt = Field(
        ge=1, le=MOST_LAYERS, examples=[1], description="layers that learn, for `train: last`"
    )
    freeze_steps: StrictFloat = Field(
        ge=0, le=MOST_STEPS, examples=[0], description="first steps with a frozen encoder; below 1: share of all steps"
    )
    unfreeze_every: StrictInt = Field(
        ge=0, le=MOST_STEPS, examples=[0], description="after them, steps until one more layer learns; 0: all at once"
    )
    unfreeze: Literal["top_down", "bottom_up"] = Field(description="which layer learns first")
    gradient_accumulation_steps: StrictInt = Field(
        ge=1, le=MOST_ROUNDS, examples=[1], description="batches whose gradients are summed before an update"
    )
    cache_tokens: StrictInt = Field(
        ge=0,
        le=MOST_TOKENS,
        examples=[0],
        description="above 0: gradient caching, by groups of so many tokens whose activations are computed again",
    )
    gradient_checkpointing: StrictBool = Field(
        description="layers compute their activations again for the gradient: less memory, a third slower"
    )
    shard_encoder: StrictBool = Field(
        description="each of several processes holds a part of the encoder and of its optimiser's state (FSDP)"
    )
    lora: Lora = Field(description="low-rank updates instead of the encoder's own weights")

    def never_learns(self, steps: int) -> Iterator[Fault]:
        """A fault where the encoder is to be trained and stays frozen for all of so many steps; 0: not known here."""
        if self.train != "head" and 0 < steps <= self.freeze_steps:
            yield Fault(
                "freeze_steps",
                f"is {self.freeze_steps:g}, and training has {steps} steps: the encoder would never learn",
                ["freeze_steps=0.3", "train=head"],
            )

    def faults(self) -> Iterator[Fault]:
        if self.lora.rank and self.train != "all":
            yield Fault(
                "lora.rank",
                f"is {self.lora.rank}, and `train` is {self.train}; LoRA needs all",
                ["train=all", "lora.rank=0"],
            )
        if self.shard_encoder:
            off = ["shard_encoder=false"]
            if self.train != "all":
                yield Fault("shard_encoder", f"is true, and `train` is {self.train}; it needs all", ["train=all", *off])
            if self.lora.rank:
                yield Fault("shard_encoder", "is true, which does not go with LoRA", ["lora.rank=0", *off])
            if self.cache_tokens:
                yield Fault(
                    "cache_tokens",
                    f"is {self.cache_tokens}: gradient caching does not go with `shard_encoder: true`, as its forward "
                    "passes differ in number from process to process; gradient_checkpointing=true saves memory, too",
                    ["cache_tokens=0"],
                )


@dataclass(frozen=True, config=CHECKED)
class EarlyStopping:
    """When training is evaluated on the dev set, and when it stops."""

    metric: str = Field(
        examples=["map@10_all"], description='of the dev set, larger is better; "": the last weights are kept'
    )
    evaluations: Annotated[
        Annotated[Literal["auto"], Tag(WORD)] | Annotated[StrictInt, Field(ge=1, le=MOST_ROUNDS), Tag(PLAIN)],
        Discriminator(word_or_plain),
    ] = Field(
        examples=["auto", 2],
        description="on the dev set, evenly spread, beside the one before training; auto: one every "
        f"{ROUNDS_BETWEEN:g} rounds through the training pairs, {MOST_EVALUATIONS} at most, {EVALUATIONS} of "
        "pretraining",
    )
    eval_steps: StrictInt = Field(
        ge=0, le=MOST_STEPS, examples=[0], description="steps between two evaluations; 0: as `evaluations` says"
    )
    patience: StrictInt = Field(
        ge=1, le=MOST_ROUNDS, examples=[1], description="evaluations without a better value before training stops"
    )

    def number(self, rounds: float) -> int:
        """Of evaluations after the first step, in a training of so many rounds; 0: it has none."""
        if self.evaluations != "auto":
            return self.evaluations
        return min(max(1, round(rounds / ROUNDS_BETWEEN)), MOST_EVALUATIONS) if rounds else EVALUATIONS


@dataclass(frozen=True, config=CHECKED)
class RangeTest:
    """Short trainings at several rates; that which ranks the dev queries best is taken for the whole training."""

    factors: list[Annotated[StrictFloat, Field(gt=0, le=10_000)]] = Field(
        max_length=20,
        examples=[[]],
        description="on all learning rates, one short training each; []: the rates as they stand",
    )
    steps: StrictInt = Field(ge=1, le=MOST_STEPS, examples=[50], description="updates of a short training")
