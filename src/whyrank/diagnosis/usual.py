"""Which values of the numbers of a training are usual, by their keys: what papers and libraries train with.

A range is wide: within it a value is a matter of taste, outside of it one of a slip, or of another training that it was
copied from. Nothing here says that a value is wrong.
"""

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, NamedTuple

from whyrank.core.options.finetune import Objectives

INFINITE = math.inf
# A distance is at most so many powers of ten; zero is as far from any range of rates.
FARTHEST = 6.0
ADAMW = "Kingma and Ba 2015; Loshchilov and Hutter 2019"
BERT = "Devlin et al. 2019, appendix A.3; defaults of transformers and sentence-transformers"
TEMPERATURE = "Wang and Liu 2021, arXiv:2012.09740; sentence-transformers: scale 20"


class Usual(NamedTuple):
    """low, high   the range, both ends in it
    value      what to take instead: the default, or the middle of what is common
    source     where the range is from
    is_share   0 to 1, where what is left of 1 counts: a dropout of 0.95 is far from one of 0.5
    """

    low: float
    high: float
    value: Any
    source: str
    is_share: bool = False

    def far(self, value: float) -> float:
        """Powers of ten that a value lies outside of the range; 0 within."""
        if self.low <= value <= self.high:
            return 0.0
        if value < self.low:
            ratio = self.low / value if value > 0 else INFINITE
        elif self.is_share:
            ratio = (1 - self.high) / (1 - value) if value < 1 else INFINITE
        else:
            ratio = value / self.high if self.high > 0 else INFINITE
        return min(FARTHEST, math.log10(ratio))

    @property
    def spoken(self) -> str:
        """`1e-05 to 0.01`"""
        return f"{self.low:g} or more" if self.high == INFINITE else f"{self.low:g} to {self.high:g}"


class Choice(NamedTuple):
    """usual   what a word may be where there is no reason for another;  value, source   as of a number"""

    usual: tuple[str, ...]
    value: str
    source: str

    def far(self, value: str) -> float:
        return 0.0 if value in self.usual else 1.0

    @property
    def spoken(self) -> str:
        return " or ".join(self.usual)


HEAD_RATE = Usual(1e-5, 1e-2, 1e-3, ADAMW)
DROPOUT = Usual(0, 0.5, 0.1, "Srivastava et al. 2014", is_share=True)
BATCH = Usual(8, 4096, 32, BERT)
COSINE_TEMPERATURE = Usual(0.01, 0.2, 0.05, TEMPERATURE)
ANGLE_TEMPERATURE = Usual(0.01, 5, 1.0, "Li and Li 2023, arXiv:2309.12871")
HEAD = {"hidden": Usual(32, 8192, 384, "half to four times the width of an encoder"), "output": Usual(32, 8192, 384,
        "Reimers and Gurevych 2021, arXiv:2012.14210: fewer features rank worse"), "dropout": DROPOUT}  # fmt: skip
OPTIMISATION = {
    "learning_rate": HEAD_RATE,
    "encoder_learning_rate": Usual(1e-6, 5e-4, 1e-4, BERT),
    "layer_decay": Usual(0.35, 1, 1.0, "Howard and Ruder 2018, arXiv:1801.06146; Clark et al. 2020"),
    "weight_decay": Usual(0, 0.3, 0.01, ADAMW),
    "warmup_ratio": Usual(0, 0.3, 0.1, BERT, is_share=True),
    "max_grad_norm": Usual(0.1, INFINITE, 1.0, "Pascanu et al. 2013; default of transformers: 1"),
    "gradient_accumulation_steps": Usual(1, 32, 1, BERT),
    "lora.dropout": DROPOUT,
    **{f"head.{name}": usual for name, usual in HEAD.items()},
    "head.balance": Usual(0, 0.2, 0.0, "Fedus et al. 2021, arXiv:2101.03961: 0.01"),
}
OBJECTIVE = {
    "learning_rate": HEAD_RATE._replace(value=0.0),
    "encoder_gradient_scale": Usual(0.01, 100, 1.0, "one task of several has a like share of the gradient"),
    "batch_size": BATCH,
    **{f"head.{name}": usual for name, usual in HEAD.items()},
    **{f"{name}.temperature": COSINE_TEMPERATURE for name in ("cosine", "in_batch", "contrastive")},
    **{f"{name}.temperature": ANGLE_TEMPERATURE for name in ("angle", "angle_signed")},
    "positive_from": Usual(0.5, 1, 0.9, "a positive is what is alike"),
    "negative_to": Usual(0, 0.5, 0.1, "an opposite is what is not alike"),
    "espresso.align_weight": Usual(0, 10, 1.0, "Li et al. 2024, arXiv:2402.14776"),
    "focal.gamma": Usual(0, 5, 2.0, "Lin et al. 2017, arXiv:1708.02002"),
    "rank_correlation.temperature": Usual(0.01, 1, 0.1, "Blondel et al. 2020, arXiv:2002.08871"),
    "smoothing": Usual(0, 0.3, 0.0, "Szegedy et al. 2016: 0.1", is_share=True),
    "pseudo_labels.rounds": Usual(0, 5, 1, "Lee 2013"),
    "pseudo_labels.weight": Usual(0, 2, 1.0, "Lee 2013"),
}
TRAINING = "finetune_rank"
PRETRAINING = "pretrain_barlow"
OBJECTIVES = tuple(field.name for field in fields(Objectives))
TEXTS = "the encoder reads 256 to 512 tokens; sentence-transformers: 128 and more"
USUAL: Mapping[str, Usual] = {
    **{f"{section}.{key}": usual for section in (TRAINING, PRETRAINING) for key, usual in OPTIMISATION.items()},
    **{f"{TRAINING}.objectives.{name}.{key}": usual for name in OBJECTIVES for key, usual in OBJECTIVE.items()},
    f"{TRAINING}.batch_size": BATCH,
    f"{TRAINING}.similarity.scale": Usual(5, 100, 20.0, TEMPERATURE),
    f"{TRAINING}.tasks.temperature": Usual(1, 10, 2.0, "Raffel et al. 2020, arXiv:1910.10683"),
    f"{TRAINING}.distillation.weight": Usual(0, 20, 1.0, "Hinton et al. 2015, arXiv:1503.02531"),
    f"{TRAINING}.distillation.temperature": Usual(0.5, 20, 1.0, "Hinton et al. 2015, arXiv:1503.02531"),
    f"{TRAINING}.hard_negatives.count": Usual(0, 32, 4, "Karpukhin et al. 2020, arXiv:2004.04906: 1"),
    f"{TRAINING}.hard_negatives.margin": Usual(0.01, 0.5, 0.05, "Moreira et al. 2024, arXiv:2407.15831: 0.05"),
    f"{PRETRAINING}.batch_size": Usual(16, 4096, 128, "Zbontar et al. 2021, arXiv:2103.03230"),
    f"{PRETRAINING}.redundancy_weight": Usual(5e-4, 0.2, 0.05, "Zbontar et al. 2021, arXiv:2103.03230"),
    "encoder.attention_dropout": Usual(0, 0.3, 0.0, BERT, is_share=True),
    "encoder.keep_layers": Usual(3, INFINITE, 0, "Sanh et al. 2019, arXiv:1910.01108: half of the layers"),
    "prepare.tokens.question": Usual(16, INFINITE, 64, TEXTS),
    "prepare.tokens.conversation": Usual(48, INFINITE, 256, TEXTS),
    "prepare.tokens.answer": Usual(48, INFINITE, 256, TEXTS),
    "prepare.tokens.pair": Usual(24, INFINITE, 128, TEXTS),
    "prepare.ratings.tokens.body": Usual(24, INFINITE, 260, TEXTS),
    "prepare.ratings.tokens.answer": Usual(24, INFINITE, 210, TEXTS),
    "evaluate.pair_tokens": Usual(24, INFINITE, 128, TEXTS),
    "prepare.short_conversation": Usual(0, 1000, 100, "a question has 10 to 200 characters"),
    "prepare.near_duplicate": Usual(0.5, 1, 0.8, "Broder 1997; Lee et al. 2022, arXiv:2107.06499"),
}
FRESH = "Kumar et al. 2022, arXiv:2202.10054: a fresh head spoils what the encoder knows"
CHOICES: Mapping[str, Choice] = {
    f"{TRAINING}.head.kind": Choice(("none", "residual", "experts"), "residual", FRESH),
    **{
        f"{TRAINING}.objectives.{name}.head.kind": Choice(("shared", "none", "residual"), "shared", FRESH)
        for name in OBJECTIVES
    },
    f"{TRAINING}.barlow_head": Choice(("inherit", "freeze"), "inherit", "Zbontar et al. 2021, section 3.1"),
    f"{TRAINING}.same_answer": Choice(("masked",), "masked", "Chuang et al. 2020, arXiv:2007.00224"),
    f"{TRAINING}.similarity.kind": Choice(("cosine",), "cosine", "sentence-transformers: cos_sim"),
    f"{PRETRAINING}.head.kind": Choice(("none", "residual", "experts"), "residual", FRESH),
    f"{PRETRAINING}.batches": Choice(("across_answers",), "across_answers", "Zbontar et al. 2021, arXiv:2103.03230"),
    "encoder.pooling": Choice(
        ("auto", "mean", "cls", "mean_sqrt_len_tokens", "weightedmean"), "auto", "Reimers and Gurevych 2019, table 6"
    ),
}
# Of an objective beside that of the first one.
RELATIVE_WEIGHT = Usual(0.02, 20, 1.0, "Kendall et al. 2018, arXiv:1705.07115; Chen et al. 2018, arXiv:1711.02257")
CUT = Usual(32, INFINITE, [], "Kusupati et al. 2022, arXiv:2205.13147")
CHOSEN_BY = Choice(("a metric of all dev queries",), "mrr_all", "Prechelt 1998, Early stopping, but when?")
# Of a dot product the scale is about 1: its vectors need not have the length 1.
DOT_SCALE = Usual(0.01, 20, 1.0, "sentence-transformers: scale 1 for dot products")
