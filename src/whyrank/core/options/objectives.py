"""The objectives of a fine-tuning, as typed sections of `params.yaml`."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class TaskHead:
    """Of an objective other than ranking, on the encoder's vectors; ranking's is `finetune_rank.head`."""

    kind: Literal["shared", "none", "mlp", "residual"]  # shared: with ranking, its head for queries
    hidden: int  # width of the middle layer
    output: int  # width of the result, for `mlp`
    dropout: float  # 0 to 1


@dataclass(frozen=True)
class Objective:
    """What a task may set for itself on an encoder that it shares.

    A weight of the encoder gets one update from the sum of the tasks' gradients, so it has no learning rate of a task.
    `learning_rate` is therefore that of the weights which a task has for itself, and `encoder_gradient_scale` says how
    much it has in that sum: twice the factor moves the encoder as twice the rate would, as far as the task is the one
    that moves it. Unlike `weight`, the factor leaves the head alone. AdamW divides a gradient by its usual size, so one
    factor on all tasks does nothing; `finetune_rank.encoder_learning_rate` is what sets the pace of the encoder.
    """

    weight: float  # in the sum of losses; 0: not computed
    freeze_encoder: bool  # this objective moves the heads alone
    start_step: int  # steps of the training that it lets pass
    learning_rate: float  # of what it has for itself, peak; 0: that of all heads
    encoder_gradient_scale: float  # factor on the gradient that it sends into the encoder; at least 0


@dataclass(frozen=True)
class Loss:
    weight: float  # in the sum of the losses of an objective; 0: not called
    temperature: float  # scores are divided by it


@dataclass(frozen=True)
class WeightedLoss:
    weight: float


@dataclass(frozen=True)
class Matryoshka:
    """Every loss of an objective also, or only, on vectors cut to their first features."""

    dims: list[int]  # features kept; the whole vector only where its width is among them; empty: off
    weights: list[float]  # of each in the sum, above 0


@dataclass(frozen=True)
class Espresso:
    """Every loss also on the vectors of several blocks of the encoder, and on cuts of them."""

    layers: list[int] | Literal["all"]  # numbers of transformer blocks from 1, beside the last one
    dims: list[int]  # features kept of a cut, below the width of a vector; empty: off
    align_weight: float  # of drawing a cut to the principal features of its vector


@dataclass(frozen=True)
class RankObjective(Objective):
    matryoshka: Matryoshka


@dataclass(frozen=True)
class SimilarityObjective(Objective):
    batch_size: int  # pairs
    cosine: Loss  # CoSENT: the order of cosines
    angle: Loss  # the order of AnglE's absolute angle difference
    angle_signed: Loss  # the same without the absolute value
    in_batch: Loss  # positives against the other texts of the batch
    contrastive: Loss  # positives against the other positives and opposites of the same first text
    mse: WeightedLoss  # the cosine as an estimate of the label
    positive_from: float  # label from which a pair is a positive of `in_batch` and `contrastive`
    negative_to: float  # label up to which a pair gives its second text as an opposite of its first
    head: TaskHead
    matryoshka: Matryoshka
    espresso: Espresso


@dataclass(frozen=True)
class ClassificationObjective(Objective):
    of: Literal["pairs", "query_type"]  # what has the classes
    batch_size: int  # rows
    head: TaskHead  # below its linear layer


@dataclass(frozen=True)
class Focal:
    weight: float
    gamma: float  # 0: binary cross-entropy; larger: rows that are right already count less


@dataclass(frozen=True)
class PseudoLabels:
    rounds: int  # of labelling and retraining; 0: off
    weight: float  # of a pseudo-labelled row at full confidence, a labelled one having 1


@dataclass(frozen=True)
class RatingsObjective(Objective):
    head: TaskHead  # below its linear layer
    batch_size: int  # rows
    encoders: Literal["one", "two"]  # two: answers of the separate layout have an encoder of their own
    layer_means: bool  # the layer also reads the mean over the tokens after each frozen block
    bce: WeightedLoss
    weighted_bce: WeightedLoss
    focal: Focal
    mse: WeightedLoss
    rank_correlation: Loss
    smoothing: float  # 0 to 1
    pseudo_labels: PseudoLabels


@dataclass(frozen=True)
class Objectives:
    rank: RankObjective
    similarity: SimilarityObjective
    classification: ClassificationObjective
    ratings: RatingsObjective


@dataclass(frozen=True)
class Distillation:
    """A term that every objective gets beside its loss: agreement with a teacher on the texts of the batch."""

    weight: float  # 0: off
    teacher: str  # folder of a system or of an encoder; a dependency of the stage
    of: Literal["vectors", "scores"]  # scores: of the batch's texts with each other; the widths may differ
    loss: Literal["cosine", "mse", "kl"]  # of vectors: cosine, mse; of scores: kl, mse
    temperature: float  # of `kl`; scores are multiplied by similarity.scale and divided by it


@dataclass(frozen=True)
class Tasks:
    """How several objectives share the training."""

    # all: every batch takes all of them | one is drawn for each batch: proportional to its rows | all alike | by
    # rows^(1/temperature)
    sampling: Literal["all", "proportional", "equal", "temperature"]
    temperature: float  # above 1 lifts small objectives
    # fixed: as given | uncertainty: learnt beside (Kendall et al. 2018) | equal_gradient: scaled until all pull alike
    weighting: Literal["fixed", "uncertainty", "equal_gradient"]
    embeddings: bool  # a learnt vector of each task, added to the encoder's
    cross_attention: bool  # the vectors of the tasks' heads attend to each other
