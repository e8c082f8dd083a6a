"""Sentence pairs: `prepare.pairs` names their sources, and two objectives are trained on them."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Discriminator, Field, StrictFloat, StrictInt, Tag
from pydantic.dataclasses import dataclass

from whyrank.core.options.objectives import Dims, Loss, Matryoshka, Objective, TaskHead, WeightedLoss, increasing
from whyrank.core.options.sections import (
    CHECKED,
    MOST_ENTRIES,
    MOST_LAYERS,
    MOST_NUMBER,
    MOST_ROWS,
    MOST_WEIGHT,
    PLAIN,
    WORD,
    Fault,
    repeated,
    word_or_plain,
)


@dataclass(frozen=True, config=CHECKED)
class PairColumns:
    """Columns by name, where a file calls them otherwise than the known sets do."""

    text1: str = Field(default="", description='column; "": a known one')
    text2: str = Field(default="", description='column; "": a known one')
    label: str = Field(default="", description='column; "": a known one')


@dataclass(frozen=True, config=CHECKED)
class PairSource:
    """Sentence pairs with one use. Keys that do not apply may be left out."""

    name: str = Field(min_length=1, examples=["sts"], description="of the source, for reports; each has its own")
    use: Literal["train", "dev", "test"] = Field(description="what its pairs are for")
    kind: Literal["classes", "scores"] = Field(description="what the label column holds")
    path: str = Field(default="", description="below `folder`: a file, or a folder of STS.input.* and STS.gs.*")
    hub: str = Field(default="", description="hub id, or a folder that is a copy of one, instead of `path`")
    config: str = Field(default="", description='of the hub set; "": its only or its default one')
    split: str = Field(default="", description='of the hub set; "": the one that `use` says, validation counts as dev')
    columns: PairColumns = Field(default_factory=PairColumns, description="of the file, where they are not known ones")
    labels: Annotated[
        Annotated[dict[str, Annotated[StrictFloat, Field(ge=0, le=1)]], Tag(PLAIN)]
        | Annotated[Literal["raw"], Tag(WORD)],
        Discriminator(word_or_plain),
    ] = Field(
        default_factory=dict, description="label by class name; raw: class ids are taken for labels, a known fault"
    )
    classes: Annotated[list[str], Field(max_length=MOST_ENTRIES)] = Field(
        default_factory=list, description="names of the class ids 0, 1, 2, … where the file has none"
    )
    range: Annotated[list[Annotated[StrictFloat, Field(ge=-MOST_NUMBER, le=MOST_NUMBER)]], Field(max_length=2)] = Field(
        default_factory=list, description="scores: lowest and highest, which become 0 and 1"
    )
    max_samples: StrictInt = Field(
        default=0, ge=0, le=1_000_000_000, description="of sound pairs, drawn by class or score; 0: all"
    )

    def faults(self) -> Iterator[Fault]:
        if bool(self.path) == bool(self.hub):
            yield Fault("path", f"is {self.path!r} and `hub` {self.hub!r}; give one of the two")
        if self.kind == "scores":
            if self.labels or self.classes:
                yield Fault(
                    "kind", "is scores, which have no `labels` or `classes`; remove them, or set kind to classes"
                )
            if len(self.range) != 2 or not self.range[0] < self.range[1]:
                yield Fault("range", f"is {self.range}; give the lowest and the highest score, such as [0, 5]")
            return
        if self.range:
            yield Fault("range", f"is {self.range}, but only scores have one; remove it, or set kind to scores")
        if not self.labels:
            yield Fault("labels", "is empty; give each class a number from 0 to 1")
        yield from repeated("classes", self.classes)


@dataclass(frozen=True, config=CHECKED)
class Pairs:
    """Pairs of sentences, to train and test similarity."""

    folder: str = Field(examples=["data/raw/pairs"], description="of the paths of the sources")
    sources: Annotated[list[PairSource], Field(max_length=MOST_ENTRIES)] = Field(
        examples=[[]], description="sets of pairs, each with one use"
    )

    def faults(self) -> Iterator[Fault]:
        names = [source.name for source in self.sources]
        for number, name in enumerate(names):
            if name in names[:number]:
                yield Fault(f"sources[{number}].name", f"is {name!r}, as of an earlier source; give each its own")


@dataclass(frozen=True, config=CHECKED)
class Espresso:
    """Every loss also on the vectors of several layers of the encoder, and on cuts of them."""

    layers: Annotated[
        Annotated[list[Annotated[StrictInt, Field(ge=1, le=MOST_LAYERS)]], Field(max_length=MOST_LAYERS), Tag(PLAIN)]
        | Annotated[Literal["all"], Tag(WORD)],
        Discriminator(word_or_plain),
    ] = Field(examples=["all"], description="numbers of layers from 1, beside the last one")
    dims: Dims = Field(description="features kept of a cut, below the width of a vector; []: off")
    align_weight: StrictFloat = Field(
        ge=0, le=MOST_WEIGHT, examples=[0.0], description="of drawing a cut to the principal features of its vector"
    )

    def faults(self) -> Iterator[Fault]:
        yield from increasing("dims", self.dims)
        yield from repeated("layers", [] if self.layers == "all" else self.layers)


@dataclass(frozen=True, config=CHECKED)
class PairBatches:
    """What decides the composition of the batches of pairs; `prepare` draws some to check them."""

    batch_size: StrictInt = Field(ge=1, le=MOST_ROWS, examples=[32], description="pairs")
    positive_from: StrictFloat = Field(
        ge=0, le=1, examples=[0.9], description="label from which a pair is a positive of in_batch and contrastive"
    )
    negative_to: StrictFloat = Field(
        ge=0, le=1, examples=[0.1], description="label up to which the second text is an opposite of the first"
    )


@dataclass(frozen=True, config=CHECKED)
class SimilarityObjective(PairBatches, Objective):
    """Similarity of pairs of sentences (prepare.pairs)."""

    cosine: Loss = Field(description="CoSENT: the order of cosines")
    angle: Loss = Field(description="the order of AnglE's absolute angle difference")
    angle_signed: Loss = Field(description="the same without the absolute value")
    in_batch: Loss = Field(description="positives against the other texts of the batch")
    contrastive: Loss = Field(description="positives against the other positives and opposites of the same first text")
    mse: WeightedLoss = Field(description="the cosine as an estimate of the label")
    head: TaskHead = Field(description="below the losses")
    matryoshka: Matryoshka = Field(description="each loss on vectors cut to so many features")
    espresso: Espresso = Field(description="each loss on cut vectors of several layers; `train: all`")

    def faults(self) -> Iterator[Fault]:
        yield from super().faults()
        if not self.weight:
            return
        if self.negative_to >= self.positive_from:
            yield Fault(
                "negative_to",
                f"is {self.negative_to:g} and `positive_from` {self.positive_from:g}; a pair cannot be both",
                ["negative_to=0.1", "positive_from=0.9"],
            )
        cuts = self.espresso.dims
        if cuts and self.matryoshka.dims:
            yield Fault("espresso.dims", "and `matryoshka.dims` both cut vectors", ["espresso.dims=[]", OFF])
        if cuts and self.freeze_encoder:
            yield Fault(
                "espresso.dims", "does not go with `freeze_encoder: true`", ["freeze_encoder=false", "espresso.dims=[]"]
            )
        on = [name for name in ("angle", "angle_signed") if getattr(self, name).weight]
        odd = [dim for dim in [*self.matryoshka.dims, *cuts] if dim % 2]
        if on and odd:
            yield Fault(
                f"{on[0]}.weight",
                f"is above 0: AnglE halves a vector, and one is cut to {odd[0]} features; take even `dims`",
                [f"{on[0]}.weight=0"],
            )


OFF = "matryoshka={dims: [], weights: []}"


@dataclass(frozen=True, config=CHECKED)
class ClassificationObjective(Objective):
    """The class of a text or of a pair."""

    of: Literal["pairs", "query_type"] = Field(description="pairs: the class of a pair; query_type: its own kind")
    batch_size: StrictInt = Field(ge=1, le=MOST_ROWS, examples=[32], description="rows")
    head: TaskHead = Field(description="below its linear layer")
