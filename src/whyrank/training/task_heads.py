"""What tasks get beside the heads that rank, as the parameters say, and what of that does not go together."""

from collections.abc import Mapping, Sequence

from torch import nn

from whyrank.core.errors import UserError
from whyrank.core.options.params import FinetuneRank
from whyrank.model.heads import heads
from whyrank.model.heads.heads import MlpHead, ResidualHead
from whyrank.model.heads.task_heads import RANK, TaskHeads
from whyrank.model.system import System

Chains = Mapping[str, nn.Sequential]


def add(system: System, options: FinetuneRank, on: Sequence[str]) -> None:
    """Give a system what the tasks that are `on` have apart; nothing, where they share all.

    Raises UserError for what could not learn, or could not leave as a model of sentence-transformers.
    """
    width, wanted = system.encoder.width, {name: getattr(options.objectives, name) for name in on}
    own = {
        name: heads.build(objective.head, width)
        for name, objective in wanted.items()
        if name != RANK and objective.head.kind != "shared"
    }
    chains = {name: own.get(name, system.query_head) for name in on}
    check_ranking(system.query_head, chains)
    embeddings, attention = options.tasks.embeddings, options.tasks.cross_attention
    if embeddings:
        check_embeddings(chains)
    if attention:
        check_attention(chains, own, width)
    if own or embeddings or attention:
        system.tasks = TaskHeads(
            on,
            own,
            embedding_width=width if embeddings else 0,
            attention_width=heads.output_width(chains[on[0]], width) if attention else 0,
        )


def check_ranking(rank_head: nn.Sequential, chains: Chains) -> None:
    """A new mlp head that no objective trains is a random projection."""
    new = any(isinstance(one, nn.BatchNorm1d) and one.num_batches_tracked == 0 for one in rank_head.modules())
    if new and all(chain is not rank_head for chain in chains.values()):
        raise UserError(
            "params.yaml: `finetune_rank.head` is an mlp that no objective trains: ranking is off and "
            f"{' and '.join(chains)} have heads of their own; use -S finetune_rank.head.kind=none"
        )


def check_embeddings(chains: Chains) -> None:
    for name, chain in chains.items():
        if len(chain) and isinstance(chain[0], MlpHead) and learns(chain[0]):
            raise UserError(
                f"params.yaml: `finetune_rank.tasks.embeddings` does nothing under the mlp head of {name}, whose "
                "BatchNorm takes away what is added to every vector; use a residual head, "
                "or -S finetune_rank.tasks.embeddings=false"
            )


def check_attention(chains: Chains, own: Chains, width: int) -> None:
    key = "params.yaml: `finetune_rank.tasks.cross_attention`"
    if len(chains) < 2:
        raise UserError(
            f"{key} takes two objectives or more, and {' and '.join(chains)} alone is on; "
            "use -S finetune_rank.tasks.cross_attention=false"
        )
    for name, chain in chains.items():
        place = "" if name == RANK else f"objectives.{name}."
        remedy = f"use -S finetune_rank.{place}head.kind=residual"
        if name != RANK and name not in own:
            raise UserError(f"{key} takes a head of its own for each objective, and {name} has none; {remedy}")
        if any(learns(head) and not isinstance(head, ResidualHead) for head in chain):
            raise UserError(
                f"{key} takes residual heads, and that of {name} is another (the BatchNorm of an mlp would "
                f"standardise it by texts of other tasks, and a mixture has gates where attention has its own); "
                f"{remedy}" + (" and -S finetune_rank.barlow_head=drop" if name == RANK else "")
            )
    widths = {name: heads.output_width(chain, width) for name, chain in chains.items()}
    if len(set(widths.values())) > 1:
        said = ", ".join(f"{name} {features}" for name, features in widths.items())
        raise UserError(
            f"{key} takes vectors of one width from all heads, not {said}; use -S finetune_rank.barlow_head=drop"
        )


def learns(head: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in head.parameters())
