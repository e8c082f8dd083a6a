"""An encoder cut in two: the frozen layers below, whose output can be saved, and the last layers, which are trained.

Or low-rank updates of its attention in place of its own weights (Hu et al. 2021, arXiv:2106.09685).

Shapes: N texts · B texts of a batch · L tokens of one text · T tokens of all texts, end to end · D features ·
K the embeddings and the layers read
"""

import copy
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from whyrank.core import processes
from whyrank.core.errors import UserError
from whyrank.core.options.params import Lora
from whyrank.core.progress import progress
from whyrank.model.encoder import pooling, vector_cache
from whyrank.model.encoder.encoder import Encoder, TokenIds
from whyrank.model.encoder.packed import Layout, length_batches

# What architectures call the linear layers that make queries, keys and values.
ATTENTION = {
    *("query", "key", "value", "query_proj", "key_proj", "value_proj", "q_proj", "k_proj", "v_proj", "qkv_proj"),
    *("q_lin", "k_lin", "v_lin", "q", "k", "v", "Wqkv", "in_proj", "c_attn", "query_key_value"),
}


class PassThrough(nn.Module):
    """Stands in for the embeddings: what comes in as `inputs_embeds` is already the output of the layers below."""

    def forward(self, inputs_embeds: torch.Tensor, **unused: object) -> torch.Tensor:
        return inputs_embeds


def has_layers(encoder: Encoder) -> bool:
    """Whether the encoder can be cut between its layers: those of the BERT family, which work on packed texts."""
    return encoder.is_packed and isinstance(_layers(encoder), nn.ModuleList)


def layers_of(encoder: Encoder) -> nn.ModuleList:
    """The transformer layers, bottom to top; the BERT family keeps them in `encoder.layer`."""
    layers = _layers(encoder)
    if not encoder.is_packed or not isinstance(layers, nn.ModuleList):
        raise UserError(
            f"training the last layers needs an encoder of the BERT family, not {type(encoder.transformer).__name__}; "
            "set `train: head` or `train: all`"
        )
    return layers


def _layers(encoder: Encoder) -> object:
    return getattr(getattr(encoder.transformer, "encoder", None), "layer", None)


def keep(encoder: Encoder, count: int, key: str = "encoder.keep_layers") -> None:
    """Keep `count` layers, evenly spread, and drop the others: of 12 with 4 the 2nd, 5th, 8th and 11th; 0: all.

    A start for a smaller student (Sanh et al. 2019, arXiv:1910.01108, section 3, which keeps every other layer).
    """
    if count == 0:
        return
    if not encoder.is_packed:
        raise UserError(
            f"params.yaml: `{key}` is {count}, which needs an encoder of the BERT family, not "
            f"{type(encoder.transformer).__name__}; use -S {key}=0"
        )
    layers = layers_of(encoder)
    if not 1 <= count <= len(layers):
        raise UserError(f"params.yaml: `{key}` is {count}, this encoder has {len(layers)} layers; 0: all")
    kept = [(2 * place + 1) * len(layers) // (2 * count) for place in range(count)]
    encoder.transformer.get_submodule("encoder").layer = nn.ModuleList(layers[number] for number in kept)
    # A copy, for encoders may share a configuration; for all modules, which read from theirs how attention is computed.
    shared, own = encoder.transformer.config, copy.copy(encoder.transformer.config)
    for module in encoder.transformer.modules():
        if getattr(module, "config", None) is shared:
            setattr(module, "config", own)  # noqa: B010 - to mypy an attribute of a module is a tensor or a module
    own.num_hidden_layers = count


def freeze_below(encoder: Encoder, last: int) -> None:
    """Leave only the `last` layers trainable."""
    layers = layers_of(encoder)
    if not 1 <= last <= len(layers):
        raise UserError(f"params.yaml: `last_layers` is {last}, this encoder has {len(layers)} layers")
    encoder.requires_grad_(False)
    for module in (*layers[-last:], encoder.projection):
        if module is not None:
            module.requires_grad_(True)


def part(encoder: Encoder, chosen: slice, *, embeddings: bool) -> Encoder:
    """The same encoder with some of its layers, sharing their weights; without embeddings, vectors go in for ids.

    The part without embeddings is the upper one, which has what stands above the layers, too.
    """
    whole, inner = encoder.transformer, encoder.transformer.get_submodule("encoder")
    # What the memo holds is shared: copied are the two modules around the layers, and what they hold beside modules.
    shared = [*(child for child in whole.children() if child is not inner), *inner.children(), whole.config]
    transformer = copy.deepcopy(whole, {id(one): one for one in shared})
    transformer.get_submodule("encoder").layer = layers_of(encoder)[chosen]
    if embeddings:
        return Encoder(transformer, encoder.tokenizer, encoder.pooling)
    transformer.embeddings = PassThrough()
    return Encoder(transformer, encoder.tokenizer, encoder.pooling, encoder.declared, encoder.projection)


def through(upper: Encoder, token_TD: torch.Tensor, layout: Layout) -> torch.Tensor:
    """Vectors (B, D) float32 of texts whose activations go into a part without embeddings."""
    if upper.pooling == "cls":
        *below, last = layers_of(upper)
        for layer in below:
            token_TD = layer(token_TD[None], layout=layout)[0]
        return upper.project(pooling.first_token_layer(last, token_TD, layout).float())
    output = upper.transformer(inputs_embeds=token_TD[None], layout=layout)
    return upper.pool(output.last_hidden_state[0], layout)


class Activations:
    """The output of the frozen layers for every text, computed once.

    T x D float32 in memory: 1.5 kB a token at D = 384.
    """

    def __init__(
        self, encoder: Encoder, rows: Sequence[TokenIds], last: int, *, batch_tokens: int, precision: str, folder: Path
    ) -> None:
        """folder   where an earlier training may have left it"""
        self.start_N = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
        encoder.eval()
        lower = part(encoder, slice(None, -last), embeddings=True)
        name = vector_cache.fingerprint(lower, rows, batch_tokens, precision)
        self.token_TD = vector_cache.kept(
            folder / f"{name}.npy", lambda: outputs(lower, rows, batch_tokens=batch_tokens, precision=precision)
        )

    def packed(self, index_B: Sequence[int] | np.ndarray) -> torch.Tensor:
        """Activations (T, D) float32 of some texts, end to end in the order given."""
        return torch.cat([self.token_TD[self.start_N[i] : self.start_N[i + 1]] for i in index_B])


def outputs(lower: Encoder, rows: Sequence[TokenIds], *, batch_tokens: int, precision: str) -> torch.Tensor:
    """What the layers of a part give for every token of all texts, (T, D) float32 in main memory."""
    lengths = [len(row) for row in rows]
    token_TD = torch.zeros((sum(lengths), lower.token_width))
    of_text = token_TD.split(lengths)
    batches = list(length_batches(lengths, batch_tokens))[processes.number() :: processes.count()]
    with torch.no_grad(), lower.autocast(precision):
        for index_B in progress(batches, total=len(batches), what="encode frozen layers"):
            own = [rows[i] for i in index_B]
            layout = Layout([len(row) for row in own], lower.device)
            found_TD = lower.tokens(own, layout).float().cpu()
            for i, piece_LD in zip(index_B, found_TD.split(layout.lengths), strict=True):
                of_text[i].copy_(piece_LD)
    processes.add_up(token_TD)
    return token_TD


def layer_means(
    encoder: Encoder, rows: Sequence[TokenIds], above: int, *, batch_tokens: int, precision: str, folder: Path
) -> torch.Tensor:
    """Means over the tokens after the embeddings and each lower layer: (N, K, D) float32 in main memory.

    Ratings follow from the surface of a text (a link, a list, its words) as much as from its meaning, and the last
    layer of an encoder trained for similarity has dropped the surface. The lower the layer, the nearer its output is
    to the words: Peters et al. 2018 (arXiv:1802.05365), Tenney et al. 2019 (arXiv:1905.05950).

    above    so many layers, the last ones, are not read; at least one, as the encoder's own vector is of its output
    folder   where an earlier training may have left it
    Raises UserError for an encoder that is not of the BERT family.
    """
    lower = part(encoder, slice(None, -above), embeddings=True)
    name = vector_cache.fingerprint(lower, rows, batch_tokens, precision)
    return vector_cache.kept(
        folder / f"{name}-means.npy", lambda: compute_means(lower, rows, batch_tokens=batch_tokens, precision=precision)
    )


def compute_means(lower: Encoder, rows: Sequence[TokenIds], *, batch_tokens: int, precision: str) -> torch.Tensor:
    """Each process computes its own texts and gets the others'."""
    embeddings = part(lower, slice(0, 0), embeddings=True)
    mean_NKD = torch.zeros(len(rows), len(layers_of(lower)) + 1, lower.token_width)
    batches = list(length_batches([len(row) for row in rows], batch_tokens))[processes.number() :: processes.count()]
    with torch.no_grad(), lower.autocast(precision):
        for index_B in progress(batches, total=len(batches), what="means of frozen layers"):
            # A batch is longest first already, as the layout is.
            own, layout, _ = lower.laid_out([rows[i] for i in index_B])
            token_TD = embeddings.tokens(own, layout)
            means = [pooling.mean(token_TD.float(), layout)]
            for layer in layers_of(lower):
                token_TD = layer(token_TD[None], layout=layout)[0]
                means.append(pooling.mean(token_TD.float(), layout))
            mean_NKD[torch.as_tensor(index_B)] = torch.stack(means, dim=1).cpu()
    processes.add_up(mean_NKD)
    return mean_NKD


def add_lora(encoder: Encoder, options: Lora) -> None:
    """Freeze the encoder and put trainable low-rank updates beside its attention; rank 0 leaves it as it is."""
    if options.rank == 0:
        return
    if importlib.util.find_spec("peft") is None:
        raise UserError("LoRA needs the package peft; run `pip install peft`, or set lora.rank=0")
    import peft

    names = {
        name.rpartition(".")[2] for name, module in encoder.transformer.named_modules() if hasattr(module, "weight")
    }
    if not (targets := sorted(names & ATTENTION)):
        raise UserError(
            f"LoRA knows no attention in {type(encoder.transformer).__name__}: none of its layers is called "
            f"{', '.join(sorted(ATTENTION))}; set lora.rank=0"
        )
    config = peft.LoraConfig(
        r=options.rank, lora_alpha=options.alpha, lora_dropout=options.dropout, target_modules=targets
    )
    encoder.requires_grad_(False)
    peft.inject_adapter_in_model(config, encoder.transformer)


def merge_lora(encoder: Encoder) -> None:
    """Add the updates to the weights and take the adapters away, so that the encoder is an ordinary one again."""
    for name, layer in with_updates(encoder).items():
        layer.merge()
        parent, _, child = name.rpartition(".")
        setattr(encoder.transformer.get_submodule(parent), child, layer.base_layer)


def changed_by_merging(encoder: Encoder) -> dict[str, torch.Tensor]:
    """The weights that `merge_lora` adds updates to, by the names that they have after it; none without adapters."""
    return {f"transformer.{name}.weight": layer.base_layer.weight for name, layer in with_updates(encoder).items()}


def with_updates(encoder: Encoder) -> dict[str, Any]:
    """The layers of an encoder that have low-rank updates, as peft wraps them, by name."""
    modules = encoder.transformer.named_modules()
    return {name: module for name, module in modules if hasattr(module, "merge") and hasattr(module, "base_layer")}
