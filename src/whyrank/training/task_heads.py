"""What tasks get beside the heads that rank, as the parameters say, and what of that does not go together."""

from collections.abc import Mapping

from torch import nn

from whyrank.core.errors import UserError
from whyrank.core.options.objectives import Objective, Tasks
from whyrank.model.heads import heads
from whyrank.model.heads.heads import MlpHead, ResidualHead
from whyrank.model.heads.task_heads import TaskHeads
from whyrank.model.system import System

Chains = Mapping[str, nn.Sequential]


def add(system: System, sections: Mapping[str, Objective], options: Tasks) -> None:
    """Give a system what tasks have apart; nothing, where they share all.

    sections   options of the tasks that are on, by their names; one without a head of its own trains those that rank
    Raises UserError for what could not learn, or could not leave as a model of sentence-transformers.
    """
    width = system.encoder.width
    asked = {name: head for name, section in sections.items() if (head := getattr(section, "head", None))}
    own = {name: heads.build(head, width) for name, head in asked.items() if head.kind != "shared"}
    chains = {name: own.get(name, system.query_head) for name in sections}
    check_ranking(system.query_head, chains)
    if options.embeddings:
        check_embeddings(chains)
    if options.cross_attention:
        check_attention(chains, width)
    if own or options.embeddings or options.cross_attention:
        first = next(iter(chains.values()))
        system.tasks = TaskHeads(
            list(sections),
            own,
            embedding_width=width if options.embeddings else 0,
            attention_width=heads.output_width(first, width) if options.cross_attention else 0,
        )


def check_learning(system: System, name: str, section: Objective, train: str) -> None:
    """Raise UserError where an objective would move nothing that is saved; a scale of ranking or a layer is not."""
    moves_encoder = train != "head" and not section.freeze_encoder and section.encoder_gradient_scale > 0
    # Without options for a head of its own, it trains those that rank.
    has_own = hasattr(section, "head")
    chains = [system.head_of(name)] if has_own else [system.query_head, system.answer_head]
    apart = system.tasks is not None and (system.tasks.embedding_width or system.tasks.attention_width)
    if not (moves_encoder or apart or any(map(learns, chains))):
        head = f"objectives.{name}.head" if has_own else "head"
        raise UserError(
            f"params.yaml: `finetune_rank.objectives.{name}` is on, and moves neither the encoder nor a head; use "
            f"-S finetune_rank.{head}.kind=residual, or -S finetune_rank.objectives.{name}.weight=0"
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


def check_attention(chains: Chains, width: int) -> None:
    """What the options alone do not show: which head ranking gets from pretraining, and how wide the results are."""
    key, remedy = "params.yaml: `finetune_rank.tasks.cross_attention`", "-S finetune_rank.barlow_head=drop"
    for name, chain in chains.items():
        if any(learns(head) and not isinstance(head, ResidualHead) for head in chain):
            raise UserError(
                f"{key} takes residual heads, and that of {name} is another (the BatchNorm of an mlp would "
                f"standardise it by texts of other tasks, and a mixture has gates where attention has its own); "
                f"use -S finetune_rank.head.kind=residual and {remedy}"
            )
    widths = {name: heads.output_width(chain, width) for name, chain in chains.items()}
    if len(set(widths.values())) > 1:
        said = ", ".join(f"{name} {features}" for name, features in widths.items())
        raise UserError(f"{key} takes vectors of one width from all heads, not {said}; use {remedy}")


def check_single(chain: nn.Sequential, key: str) -> None:
    """Raise UserError where the batches of one text that the key asks for go through a new or trained BatchNorm."""
    if any(isinstance(head, MlpHead) and learns(head) for head in chain):
        raise UserError(
            f"params.yaml: `{key}` is 1, and the BatchNorm of an mlp head takes two texts or more; use -S {key}=32, "
            "or a residual head"
        )


def learns(head: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in head.parameters())
