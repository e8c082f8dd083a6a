"""What the options of a fine-tuning ask of vectors and cannot have, said before any text is encoded.

Each raises UserError, which names the parameter, its value and a way out.
"""

from collections.abc import Sequence

from whyrank.core.errors import UserError
from whyrank.core.options.params import FinetuneRank
from whyrank.model.heads import heads
from whyrank.model.system import System

RANK, SIMILARITY = "finetune_rank.objectives.rank", "finetune_rank.objectives.similarity"


def check(system: System, options: FinetuneRank) -> None:
    """`system` with the heads that will be trained."""
    rank, similarity = options.objectives.rank, options.objectives.similarity
    if rank.weight > 0:
        check_dims(
            rank.matryoshka.dims, heads.output_width(system.query_head, system.encoder.width), f"{RANK}.matryoshka.dims"
        )
    if similarity.weight > 0:
        width = heads.output_width(system.head_of("similarity"), system.encoder.width)
        check_dims(similarity.matryoshka.dims, width, f"{SIMILARITY}.matryoshka.dims")
        check_espresso(system, options, width)
        check_angle(options, width)


def check_dims(dims: Sequence[int], most: int, key: str) -> None:
    for dim in dims:
        if not 1 <= dim <= most:
            raise UserError(f"params.yaml: `{key}` has {dim}; of these vectors 1 to {most} features can be kept")


def check_espresso(system: System, options: FinetuneRank, width: int) -> None:
    espresso, key = options.objectives.similarity.espresso, f"{SIMILARITY}.espresso"
    if not espresso.dims:
        return
    check_dims(espresso.dims, width - 1, f"{key}.dims")
    if not system.encoder.is_packed:
        raise UserError(
            f"params.yaml: `{key}` needs an encoder of the BERT family, not "
            f"{type(system.encoder.transformer).__name__}; set its `dims: []`"
        )
    blocks = system.encoder.transformer.config.num_hidden_layers
    for number in espresso.layers if espresso.layers != "all" else ():
        if not 1 <= number <= blocks:
            raise UserError(f"params.yaml: `{key}.layers` has {number}; this encoder has the blocks 1 to {blocks}")
    if any(isinstance(head, heads.MlpHead) for head in system.head_of("similarity")):
        raise UserError(
            f"params.yaml: `{key}` does not go with an mlp head, whose BatchNorm would learn the statistics of every "
            "layer; use -S finetune_rank.head.kind=residual and finetune_rank.barlow_head=drop, or set its `dims: []`"
        )


def check_angle(options: FinetuneRank, width: int) -> None:
    """AnglE takes the halves of a vector for its real and its imaginary part."""
    similarity = options.objectives.similarity
    on = [name for name in ("angle", "angle_signed") if getattr(similarity, name).weight > 0]
    # With matryoshka the whole vector counts only where its width is among the cuts.
    if on and width % 2 and not similarity.matryoshka.dims:
        raise UserError(
            f"params.yaml: `{SIMILARITY}.{on[0]}` halves a vector, and vectors have {width} features here; drop the "
            f"loss with -S {SIMILARITY}.{on[0]}.weight=0, or take an even finetune_rank.head.output with head.kind=mlp"
        )
