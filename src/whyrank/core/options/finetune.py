"""`finetune_rank`: train a system by the weighted sum of the objectives that are on."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Discriminator, Field, StrictBool, StrictFloat, StrictInt, Tag
from pydantic.dataclasses import dataclass

from whyrank.core.options.barlow import ViewsObjective
from whyrank.core.options.objectives import Distillation, Matryoshka, Objective, Reranker, Tasks, WeightedLoss
from whyrank.core.options.optimisation import EarlyStopping, Head, Optimisation, RangeTest
from whyrank.core.options.pairs import ClassificationObjective, PairBatches, SimilarityObjective
from whyrank.core.options.ratings import RatingsObjective
from whyrank.core.options.sections import (
    CHECKED,
    MOST_ROUNDS,
    MOST_ROWS,
    MOST_STEPS,
    PLAIN,
    WORD,
    Fault,
    word_or_plain,
)

# Rounds through the training pairs where `epochs` is auto. Steps of a head on kept vectors cost next to nothing.
ROUNDS, ROUNDS_OF_HEADS = 1.5, 24.0


@dataclass(frozen=True, config=CHECKED)
class RankObjective(Objective):
    """Ranking of the answers of a query."""

    cross_entropy: WeightedLoss = Field(description="of choosing the relevant answer among the candidates")
    matryoshka: Matryoshka = Field(description="each loss on vectors cut to so many features; the sum is trained")


@dataclass(frozen=True, config=CHECKED)
class Objectives:
    """The tasks, each with its weight in the sum of losses."""

    rank: RankObjective = Field(description="ranking of the answers of a query")
    similarity: SimilarityObjective = Field(description="similarity of pairs of sentences (prepare.pairs)")
    classification: ClassificationObjective = Field(description="the class of a text or of a pair")
    views: ViewsObjective = Field(description="two views of a text brought together, without labels")
    ratings: RatingsObjective = Field(description="ratings of texts on several targets (prepare.ratings), out of fold")

    @property
    def on(self) -> dict[str, Objective]:
        """Those that are trained, by name."""
        return {name: objective for name, objective in vars(self).items() if getattr(objective, "weight", 0) > 0}

    def faults(self) -> Iterator[Fault]:
        if set(self.on) == {"views"}:
            said = (
                f"is {self.views.weight:g} and no other objective is on; without labels use the stage pretrain_barlow"
            )
            yield Fault("views.weight", said, ["rank.weight=1", "views.weight=0"])
        elif not self.on:
            yield Fault("rank.weight", "is 0, and so is the weight of every other objective", ["rank.weight=1"])
        elif all(objective.start_step for objective in self.on.values()):
            first = next(iter(self.on))
            yield Fault(
                f"{first}.start_step",
                f"is {self.on[first].start_step}, and every objective begins later than step 0",
                [f"{first}.start_step=0"],
            )


@dataclass(frozen=True, config=CHECKED)
class Similarity:
    """How a query and an answer are compared."""

    kind: Literal["cosine", "dot"] = Field(description="of two vectors")
    scale: StrictFloat = Field(gt=0, le=10_000, examples=[20.0], description="inverse temperature, factor on a score")
    learn_scale: StrictBool = Field(description="the scale is trained, too")


@dataclass(frozen=True, config=CHECKED)
class RankBatches:
    """What decides the composition of the batches of fine-tuning; `prepare` draws some to check them."""

    batch_size: StrictInt = Field(ge=1, le=MOST_ROWS, examples=[32], description="queries")
    candidates: Literal["all", "kept", "batch"] = Field(
        description="answers that a query is scored against: those of the batch, or all of the corpus; kept: all, and "
        "those outside the batch by vectors that are kept from one refresh to the next"
    )
    same_answer: Literal["masked", "negative"] = Field(
        description="other relevant answers of a query; negative: they serve as negatives, a known fault"
    )


@dataclass(frozen=True, config=CHECKED)
class BatchesOfObjectives:
    """Of the objectives, what decides the composition of their batches."""

    similarity: PairBatches = Field(description="pairs of sentences")


@dataclass(frozen=True, config=CHECKED)
class FirstBatches(RankBatches):
    """Of `finetune_rank`, what `prepare` draws batches by: no weight of a loss."""

    objectives: BatchesOfObjectives = Field(description="the tasks")


@dataclass(frozen=True, config=CHECKED)
class HardNegatives:
    """Mined answers that score high and are wrong, beside those of the batch."""

    count: StrictInt = Field(ge=0, le=1_000, examples=[0], description="per training pair; 0: none")
    margin: StrictFloat = Field(
        ge=0,
        le=1,
        examples=[0.05],
        description="they score below the pair's own answer by this share of its score, lest they be right",
    )
    refresh: StrictFloat = Field(
        ge=0, le=MOST_ROUNDS, examples=[1.0], description="epochs until they are re-mined; 0: once, before training"
    )


@dataclass(frozen=True, config=CHECKED)
class FinetuneRank(RankBatches, Optimisation):
    """Fine-tuning of the base encoder and of the pretrained one."""

    objectives: Objectives = Field(description="the tasks, each with its weight in the sum of losses")
    epochs: Annotated[
        Annotated[Literal["auto"], Tag(WORD)] | Annotated[StrictFloat, Field(ge=0, le=MOST_ROUNDS), Tag(PLAIN)],
        Discriminator(word_or_plain),
    ] = Field(
        examples=["auto", 2.0],
        description=f"rounds through the training pairs, at most; 0 trains nothing; auto: {ROUNDS:g}, and "
        f"{ROUNDS_OF_HEADS:g} with a frozen encoder",
    )
    max_steps: StrictInt = Field(ge=0, le=MOST_STEPS, examples=[0], description="updates; 0: as many as `epochs` gives")
    tasks: Tasks = Field(description="how several objectives share the training")
    distillation: Distillation = Field(description="agreement with a teacher, beside the loss of each objective")
    reranker: Reranker = Field(description="a cross-encoder that teaches ranking, and checks hard negatives")
    hard_negatives: HardNegatives = Field(description="answers that score high and are wrong")
    max_candidates: StrictInt = Field(
        ge=2, le=100_000_000, examples=[5_000], description="answers of the largest corpus for `candidates: all`"
    )
    refresh_kept: StrictFloat = Field(
        ge=0, le=MOST_ROUNDS, examples=[0.25], description="epochs until vectors of `candidates: kept` are made anew"
    )
    similarity: Similarity = Field(description="how a query and an answer are compared")
    encoders: Literal["shared", "dual"] = Field(description="dual: one head for queries, another for answers")
    barlow_head: Literal["inherit", "freeze", "drop"] = Field(
        description="the head of pretraining: go on training it, keep it under a new head, or leave it out"
    )
    head: Head = Field(description="a new head")
    early_stopping: EarlyStopping = Field(description="when the dev set is evaluated, and when training stops")
    range_test: RangeTest = Field(description="short trainings that find the learning rates")

    @property
    def rounds(self) -> float:
        """Through the training pairs, at most."""
        if self.epochs != "auto":
            return self.epochs
        return ROUNDS_OF_HEADS if self.train == "head" else ROUNDS

    def faults(self) -> Iterator[Fault]:
        yield from Optimisation.faults(self)
        yield from self.never_learns(self.max_steps)
        is_alone = self.batch_size == 1 and self.candidates == "batch" and not self.hard_negatives.count
        if is_alone and self.objectives.rank.weight:
            yield Fault("batch_size", "is 1: with `candidates: batch` a query has no other answer", ["batch_size=32"])
        if self.candidates != "batch" and self.hard_negatives.count:
            yield Fault(
                "hard_negatives.count",
                f"is {self.hard_negatives.count}, but with `candidates: {self.candidates}` every answer is a candidate "
                "already",
                ["hard_negatives.count=0", "candidates=batch"],
            )
        if self.reranker.filter_negatives and not self.hard_negatives.count:
            said = "is true, and `hard_negatives.count` is 0: there is nothing to check"
            yield Fault(
                "reranker.filter_negatives", said, ["hard_negatives.count=2", "reranker.filter_negatives=false"]
            )
        if self.reranker.is_used and not self.objectives.rank.weight:
            key, off = ("weight", "0") if self.reranker.weight else ("filter_negatives", "false")
            said = "is on, and `objectives.rank.weight` is 0: it teaches ranking alone"
            yield Fault(f"reranker.{key}", said, ["objectives.rank.weight=1", f"reranker.{key}={off}"])
        if self.range_test.factors and not self.early_stopping.metric:
            said = f"is {self.range_test.factors}, and `early_stopping.metric` names nothing to compare the rates by"
            yield Fault("range_test.factors", said, ["range_test.factors=[]", "early_stopping.metric=mrr_all"])
        own = (objective.learning_rate for objective in self.objectives.on.values())
        rate, factor = (
            max(self.learning_rate, self.encoder_learning_rate, *own),
            max(self.range_test.factors, default=1),
        )
        if rate * factor > 1:
            said = f"has {factor:g}, which makes a learning rate of {rate:g} more than 1; take smaller factors"
            yield Fault("range_test.factors", said, ["range_test.factors=[]"])
        yield from self._faults_of_attention()
        yield from self._faults_of_pairs()
        yield from self._faults_of_ratings()

    def _faults_of_attention(self) -> Iterator[Fault]:
        on, off = self.objectives.on, "tasks.cross_attention=false"
        if not self.tasks.cross_attention:
            return
        if len(on) < 2:
            said = f"takes two objectives or more, and {', '.join(on)} alone is on"
            yield Fault("tasks.cross_attention", said, [off])
            return
        for name, objective in on.items():
            kind = getattr(objective, "head", self.head).kind
            if objective is not self.objectives.rank and kind != "residual":
                said = f"takes a residual head of its own for each objective, and that of {name} is {kind}"
                yield Fault("tasks.cross_attention", said, [f"objectives.{name}.head.kind=residual", off])

    def _faults_of_pairs(self) -> Iterator[Fault]:
        if not self.objectives.similarity.weight or not self.objectives.similarity.espresso.dims:
            return
        key, off = "objectives.similarity.espresso.dims", "objectives.similarity.espresso.dims=[]"
        if self.train != "all":
            yield Fault(key, f"does not go with a frozen encoder (`train: {self.train}`)", ["train=all", off])
        if self.shard_encoder:
            yield Fault(key, "does not go with a sharded encoder", ["shard_encoder=false", off])

    def _faults_of_ratings(self) -> Iterator[Fault]:
        ratings, key = self.objectives.ratings, "objectives.ratings"
        if not ratings.weight:
            return
        if ratings.encoders == "two" and self.shard_encoder:
            yield Fault(
                f"{key}.encoders",
                "is two, which does not go with a sharded encoder",
                ["shard_encoder=false", f"{key}.encoders=one"],
            )
        if ratings.layer_means and self.train == "all":
            yield Fault(
                f"{key}.layer_means",
                "is true, which reads frozen layers, and `train: all` leaves none",
                [f"{key}.layer_means=false", "train=last"],
            )
        if self.early_stopping.metric.startswith("ratings_"):
            yield Fault(
                "early_stopping.metric",
                f"is {self.early_stopping.metric}: the held-out rows would choose the weights that predict them",
                ["early_stopping.metric=train_ratings_spearman", 'early_stopping.metric=""'],
            )
