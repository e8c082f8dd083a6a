"""Pairs of sentences that are trained by a loss which cannot teach them, or read in part."""

from ..fault import Fault

SIMILARITY = "finetune_rank.objectives.similarity."
LAST = {"finetune_rank.early_stopping.metric": ""}

FAULTS = (
    Fault(
        "test-pairs-cut-to-five-tokens",
        "pairs",
        "evaluate.pair_tokens is 5, left over from a trial: the test reads the first three tokens of each sentence, "
        "and training read them whole. Raise evaluate.pair_tokens.",
        "practitioners 12 and 42: truncation in evaluation",
        "pairs",
        mendable=True,
        settings={"evaluate.pair_tokens": 5},
    ),
    Fault(
        "angle-without-its-sign-alone",
        "pairs",
        "Only the absolute angle difference is trained, whose best score opposite sentences reach as well as equal "
        "ones, at a high rate and without the cosine. Give the cosine loss a weight again.",
        "SeanLee97/AnglE#55; failures L4: default weights of angle_emb",
        "pairs",
        mendable=True,
        settings=LAST
        | {
            SIMILARITY + "cosine.weight": 0.0,
            SIMILARITY + "angle.weight": 1.0,
            "finetune_rank.learning_rate": 1.0e-2,
        },
    ),
)
