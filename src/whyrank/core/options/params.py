"""Typed views of `params.yaml`. The only file that talks to DVC.

Each section is a frozen dataclass; an unknown key, a missing key or a value of another type is a `UserError` that
names the key. Only a field with a default may be left out. Values are read with DVC's own parser (PyYAML reads `1e-4`
as text), and only those that the running stage declares in `dvc.yaml`, so an undeclared read fails at once and never
goes stale.
"""

from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from whyrank.core.errors import UserError
from whyrank.core.options.objectives import Distillation, Objectives, Tasks
from whyrank.core.options.ratings import Ratings
from whyrank.core.options.typed import FILE, typed


@dataclass(frozen=True)
class Encoder:
    source: str  # "embedded", "scratch", a folder, or a hub id
    pooling: Literal["auto", "mean", "cls", "max"]  # auto: what the encoder's own files declare, else mean
    precision: Literal["auto", "bf16", "fp16", "fp32"]  # auto: bf16 where the processor multiplies it natively
    attention_dropout: float  # of trained blocks, 0 to 1; any other than 0 rules out torch's fast attention on CPUs
    batch_tokens: int  # padded tokens per encoder batch; bounds memory, not results
    trust_remote_code: bool  # run Python code that comes with the encoder
    keep_layers: int = 0  # transformer blocks that `prepare` leaves, evenly spread; 0: all


@dataclass(frozen=True)
class Tokens:
    question: int
    conversation: int
    answer: int
    pair: int  # each text of a pair of sentences


Selection = Literal["head", "head_tail", "tfidf", "tfidf_sections"]


@dataclass(frozen=True)
class SelectionPerText:
    question: Selection
    conversation: Selection
    answer: Selection


@dataclass(frozen=True)
class Split:
    by: Literal["query", "answer"]  # query: every answer is seen in training; answer: test answers are new
    dev: float  # share of queries, 0 to 1
    test: float  # share of queries, 0 to 1


@dataclass(frozen=True)
class Rated:
    """Of `prepare`, what predictions of ratings are written by: the name of their ids."""

    ratings: Ratings


@dataclass(frozen=True)
class Prepare(Rated):
    source: str  # folder in BEIR layout
    hub: str  # hub id of a set in BEIR layout, taken instead of `source`; empty: none
    short_conversation: int  # characters; a shorter conversation counts as a question
    split: Split  # used only where the source does not bring its own train/dev/test qrels
    near_duplicate: float  # Jaccard or containment of word 3-grams from which two texts share a side, 0 to 1
    max_rejected: float  # share of bad rows above which the run stops, 0 to 1
    tokens: Tokens  # budget per text, [CLS] and [SEP] included
    selection: SelectionPerText  # how a text longer than its budget is cut
    head_share: float  # of the budget, for `head_tail`, 0 to 1
    pairs: "Pairs"  # of sentences


@dataclass(frozen=True)
class PairSource:
    """Sentence pairs with one use. Keys that do not apply may be left out."""

    name: str
    use: Literal["train", "dev", "test"]
    kind: Literal["classes", "scores"]  # what the label column holds
    path: str = ""  # below `folder`: a file, or a folder of STS.input.* and STS.gs.*
    hub: str = ""  # hub id, or a folder that is a copy of one, instead of `path`
    config: str = ""  # of the hub set; empty: its only or its default one
    split: str = ""  # of the hub set; empty: the one that `use` says (validation counts as dev)
    # classes: label by class name, 0 to 1 | raw repeats a known fault: class ids are taken for labels
    labels: dict[str, float] | Literal["raw"] = field(default_factory=dict)
    classes: list[str] = field(default_factory=list)  # names of the class ids 0, 1, 2, … where the file has none
    range: list[float] = field(default_factory=list)  # scores: lowest and highest, which become 0 and 1
    max_samples: int = 0  # of sound pairs, drawn by class or score; 0: all


@dataclass(frozen=True)
class Pairs:
    folder: str  # of the sources' paths
    sources: list[PairSource]


@dataclass(frozen=True)
class Preflight:
    stop_on: Literal["error", "never"]  # error: a finding of that severity ends the run before any training


@dataclass(frozen=True)
class Head:
    # residual, and experts (a gated mixture of residual ones), start as the identity; none: the encoder's own vectors
    kind: Literal["none", "mlp", "residual", "experts"]
    hidden: int  # width of the middle layer, of each expert
    output: int  # width of the result, for `mlp`; the others keep the width of their input
    dropout: float  # 0 to 1
    experts: int  # how many, for `experts`
    top: int  # of them, those that a text goes through
    balance: float  # weight of the term that makes a mixture use all its experts; 0: off


@dataclass(frozen=True)
class Lora:
    """Low-rank updates instead of the encoder's own weights (Hu et al. 2021, arXiv:2106.09685); needs peft."""

    rank: int  # 0: off
    alpha: int  # the update is scaled by alpha / rank
    dropout: float  # 0 to 1


@dataclass(frozen=True)
class Optimisation:
    learning_rate: float  # of the heads, peak
    encoder_learning_rate: float  # of the encoder when it is trained, peak
    layer_decay: float  # learning rate of a block as a share of that of the block above it, above 0 to 1
    weight_decay: float
    warmup_ratio: float  # share of the steps, 0 to 1
    lr_scheduler: Literal["cosine", "linear", "constant"]
    max_grad_norm: float  # largest gradient norm
    # head: the encoder is frozen and every text is encoded once | last: its last blocks are trained, on kept
    # activations of those below | all
    train: Literal["head", "last", "all"]
    last_layers: int  # how many, for `train: last`
    freeze_steps: float  # first steps (below 1: share of all), in which the encoder stands still, only the heads learn
    unfreeze_every: int  # after them, steps until one more block learns; 0: all at once
    unfreeze: Literal["top_down", "bottom_up"]  # which block learns first
    gradient_accumulation_steps: int  # batches whose gradients are summed before an update
    # Above 0: texts are encoded in groups of so many tokens, whose activations are computed anew for the gradient.
    cache_tokens: int
    gradient_checkpointing: bool  # blocks compute their activations anew for the gradient: less memory, a third slower
    shard_encoder: bool  # of several processes each holds a part of the encoder and of its optimiser's state (FSDP)
    lora: "Lora"


@dataclass(frozen=True)
class BarlowBatches:
    """What decides the composition of a pretraining batch; `prepare` draws some to look at them."""

    steps: int  # 0 turns pretraining off
    batch_size: int  # view pairs
    batches: Literal["across_answers", "single_answer"]  # single_answer: one answer per batch, as in the seed project
    views: list[str]  # any of question-conversation, query-answer; taken in turn


@dataclass(frozen=True)
class PretrainBarlow(BarlowBatches, Optimisation):
    redundancy_weight: float  # lambda of the paper
    head: Head


@dataclass(frozen=True)
class EarlyStopping:
    metric: str  # of the dev set, larger is better, for instance map@10_all; empty: the last weights are kept
    evaluations: int  # at the dev set, evenly spread over the training, besides the one before it
    eval_steps: int  # steps between two looks; 0: as `looks` says
    patience: int  # looks without a better value before training stops


@dataclass(frozen=True)
class Similarity:
    kind: Literal["cosine", "dot"]
    scale: float  # inverse temperature, the factor on every score
    learn_scale: bool


@dataclass(frozen=True)
class RankBatches:
    """What decides the composition of the batches of fine-tuning; `prepare` draws some to look at them."""

    batch_size: int  # queries
    candidates: Literal["all", "batch"]  # which answers a query is scored against while training
    same_answer: Literal["masked", "negative"]  # negative repeats a known fault: positives serve as negatives
    objectives: Objectives


@dataclass(frozen=True)
class HardNegatives:
    """Mined answers that score high and are wrong, beside those of the batch."""

    count: int  # per training pair; 0: none
    margin: float  # a negative scores below the pair's own answer by this share of its score, 0 to 1
    refresh: float  # epochs until they are mined anew with the encoder as it is by then; 0: once, before training


@dataclass(frozen=True)
class FinetuneRank(RankBatches, Optimisation):
    epochs: float  # rounds through the training pairs, at most; 0 trains nothing
    max_steps: int  # 0: no bound of its own
    tasks: Tasks
    distillation: Distillation
    hard_negatives: HardNegatives
    max_candidates: int  # the largest corpus for `candidates: all`
    similarity: Similarity
    encoders: Literal["shared", "dual"]  # dual: one head for queries, another for answers
    barlow_head: Literal["inherit", "freeze", "drop"]
    head: Head
    early_stopping: EarlyStopping


@dataclass(frozen=True)
class Evaluate:
    accuracy_cutoffs: list[int]
    map_cutoffs: list[int]
    ndcg_cutoffs: list[int]
    stemmer: str  # of the words that BM25 counts, a Snowball language; empty: words as they stand
    keep: int  # answers kept per query in the recorded run
    pair_tokens: int  # after which a text of a test pair is cut, special tokens included


@dataclass(frozen=True)
class Diagnose:
    metric: str  # the per-query metric that comparisons and verdicts use
    resamples: int  # bootstrap and randomisation draws
    level: float  # of the intervals, 0 to 1


T = TypeVar("T")


def load(stage: str) -> dict[str, Any]:
    """The raw values that `stage` (for instance `evaluate@base`) declares in dvc.yaml.

    `dvc.api.params_show` says the same, but opens the whole repository for it: 0.7 s more in each of twelve stages.
    """
    from dvc.utils.serialize import load_yaml

    declared, values = load_yaml("dvc.yaml")["stages"][stage.split("@")[0]], load_yaml(FILE)
    chosen: dict[str, Any] = {}
    for key in declared.get("do", declared)["params"]:
        *path, last = key.split(".")
        source, target = values, chosen
        for name in path:
            source, target = source.get(name, {}), target.setdefault(name, {})
        if last in source:
            target[last] = source[last]
    return chosen


def section(values: dict[str, Any], name: str, kind: type[T]) -> T:
    """One section of `values` as a checked dataclass."""
    if name not in values:
        raise UserError(f"{FILE}: section `{name}` is missing")
    return typed(kind, values[name], name)


def seed(values: dict[str, Any]) -> int:
    return typed(int, values.get("seed"), "seed")
