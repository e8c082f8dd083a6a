"""What the options of a ratings training ask for and cannot have, said before any text is encoded.

Each raises UserError, which names the parameter, its value and a way out.
"""

from whyrank.core.errors import UserError
from whyrank.core.options.params import FinetuneRank
from whyrank.core.prepared import Prepared
from whyrank.model.encoder.encoder import Encoder
from whyrank.training.ratings import pseudo_labels
from whyrank.training.ratings.rows import is_separate

SECTION = "finetune_rank.objectives.ratings"


def check(prepared: Prepared, encoder: Encoder, options: FinetuneRank) -> None:
    ratings = options.objectives.ratings
    if not prepared.rating_targets or len(prepared.rated(held_out=False)) < 2:
        raise UserError(
            f"finetune_rank: {len(prepared.rated(held_out=False))} rows of ratings to train on, on "
            f"{len(prepared.rating_targets)} targets; bring more in prepare.ratings.source, or -S {SECTION}.weight=0"
        )
    check_encoders(prepared, options)
    check_blocks(encoder, options)
    rounds = ratings.pseudo_labels.rounds
    if rounds and not len(pseudo_labels.without_labels(prepared)) + len(pseudo_labels.rows(prepared)):
        raise UserError(
            f"params.yaml: `{SECTION}.pseudo_labels.rounds` is {rounds}, and there are no rows without labels; name "
            f"some in prepare.ratings.unlabelled, or -S {SECTION}.pseudo_labels.rounds=0"
        )


def check_encoders(prepared: Prepared, options: FinetuneRank) -> None:
    """Also where data was prepared with a layout that params.yaml no longer says."""
    if options.objectives.ratings.encoders == "two" and not is_separate(prepared):
        raise UserError(
            f"params.yaml: `{SECTION}.encoders: two` needs question and answer as two texts; use "
            f"-S prepare.ratings.layout=separate, or -S {SECTION}.encoders=one"
        )


def check_blocks(encoder: Encoder, options: FinetuneRank) -> None:
    if options.objectives.ratings.layer_means and not encoder.is_packed:
        raise UserError(
            f"params.yaml: `{SECTION}.layer_means` reads the blocks of an encoder of the BERT family, not of "
            f"{type(encoder.transformer).__name__}; use -S {SECTION}.layer_means=false"
        )
