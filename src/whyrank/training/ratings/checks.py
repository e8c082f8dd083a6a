"""What the options of a ratings training ask for and cannot have, said before any text is encoded.

Each raises UserError, which names the parameter, its value and a way out.
"""

from whyrank.core.errors import UserError
from whyrank.core.options.params import FinetuneRank
from whyrank.core.prepared import Prepared
from whyrank.model.encoder.encoder import Encoder
from whyrank.training.ratings import pseudo_labels
from whyrank.training.ratings.objective import TERMS
from whyrank.training.ratings.rows import is_separate

SECTION = "finetune_rank.objectives.ratings"


def check(prepared: Prepared, encoder: Encoder, options: FinetuneRank) -> None:
    ratings = options.objectives.ratings
    if not any(getattr(ratings, name).weight for name in TERMS):
        raise UserError(
            f"params.yaml: `{SECTION}` has a weight, but each of its losses has none; use -S {SECTION}.bce.weight=1"
        )
    if not prepared.rating_targets or len(prepared.rated(held_out=False)) < 2:
        raise UserError(
            f"finetune_rank: {len(prepared.rated(held_out=False))} rows of ratings to train on, on "
            f"{len(prepared.rating_targets)} targets; bring more in prepare.ratings.source, or -S {SECTION}.weight=0"
        )
    check_numbers(options)
    check_encoders(prepared, options)
    check_blocks(encoder, options)
    rounds = ratings.pseudo_labels.rounds
    if rounds and not len(pseudo_labels.without_labels(prepared)) + len(pseudo_labels.rows(prepared)):
        raise UserError(
            f"params.yaml: `{SECTION}.pseudo_labels.rounds` is {rounds}, and there are no rows without labels; name "
            f"some in prepare.ratings.unlabelled, or -S {SECTION}.pseudo_labels.rounds=0"
        )


def check_numbers(options: FinetuneRank) -> None:
    ratings = options.objectives.ratings
    for key, value, is_right, takes in (
        ("smoothing", ratings.smoothing, 0 <= ratings.smoothing <= 1, "0 to 1"),
        # Between, the gradient of a prediction that is right is infinite.
        ("focal.gamma", ratings.focal.gamma, ratings.focal.gamma == 0 or ratings.focal.gamma >= 1, "0, or 1 or more"),
        (
            "rank_correlation.temperature",
            ratings.rank_correlation.temperature,
            ratings.rank_correlation.temperature > 0,
            "more than 0",
        ),
        ("pseudo_labels.rounds", ratings.pseudo_labels.rounds, ratings.pseudo_labels.rounds >= 0, "0 or more"),
        ("pseudo_labels.weight", ratings.pseudo_labels.weight, ratings.pseudo_labels.weight >= 0, "0 or more"),
        ("batch_size", ratings.batch_size, ratings.batch_size >= 1, "1 or more"),
    ):
        if not is_right:
            raise UserError(f"params.yaml: `{SECTION}.{key}` is {value}; it takes {takes}")


def check_encoders(prepared: Prepared, options: FinetuneRank) -> None:
    if options.objectives.ratings.encoders == "one":
        return
    if not is_separate(prepared):
        raise UserError(
            f"params.yaml: `{SECTION}.encoders: two` needs question and answer as two texts; use "
            f"-S prepare.ratings.layout=separate, or -S {SECTION}.encoders=one"
        )
    if options.shard_encoder:
        raise UserError(
            f"params.yaml: `{SECTION}.encoders: two` does not go with a sharded encoder; use "
            f"-S finetune_rank.shard_encoder=false, or -S {SECTION}.encoders=one"
        )


def check_blocks(encoder: Encoder, options: FinetuneRank) -> None:
    if options.objectives.ratings.layer_means and not encoder.is_packed:
        raise UserError(
            f"params.yaml: `{SECTION}.layer_means` reads the blocks of an encoder of the BERT family, not of "
            f"{type(encoder.transformer).__name__}; use -S {SECTION}.layer_means=false"
        )
