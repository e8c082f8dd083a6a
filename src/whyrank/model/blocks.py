"""An encoder cut in two: the frozen blocks below, whose output can be kept, and the last blocks, which are trained.

Shapes: B texts · L tokens, padded · T tokens of all texts, unpadded · D features
"""

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from whyrank.core.errors import UserError
from whyrank.core.progress import progress
from whyrank.model.encoder import Encoder, TokenIds, length_batches


class PassThrough(nn.Module):
    """Stands in for the embeddings: what comes in as `inputs_embeds` is already the output of the blocks below."""

    def forward(self, inputs_embeds: torch.Tensor, **unused: object) -> torch.Tensor:
        return inputs_embeds


def blocks(encoder: Encoder) -> nn.ModuleList:
    """The transformer blocks, bottom to top; the BERT family keeps them in `encoder.layer`."""
    layers = getattr(getattr(encoder.transformer, "encoder", None), "layer", None)
    if not isinstance(layers, nn.ModuleList):
        raise UserError(
            f"training the last blocks needs an encoder of the BERT family, not {type(encoder.transformer).__name__}; "
            "set `train: head` or `train: all`"
        )
    return layers


def freeze_below(encoder: Encoder, last: int) -> None:
    """Leave only the `last` blocks trainable."""
    layers = blocks(encoder)
    if not 1 <= last <= len(layers):
        raise UserError(f"params.yaml: `last_blocks` is {last}, this encoder has {len(layers)} blocks")
    encoder.requires_grad_(False)
    for block in layers[-last:]:
        block.requires_grad_(True)


def part(encoder: Encoder, chosen: slice, *, embeddings: bool) -> nn.Module:
    """The same transformer with some of its blocks, sharing their weights."""
    transformer = copy.copy(encoder.transformer)
    inner = copy.copy(encoder.transformer.get_submodule("encoder"))
    inner._modules = {**inner._modules, "layer": blocks(encoder)[chosen]}
    transformer._modules = {**encoder.transformer._modules, "encoder": inner}
    if not embeddings:
        transformer._modules["embeddings"] = PassThrough()
    return transformer


class Activations:
    """The output of the frozen blocks for every text, computed once.

    T x D float32 in memory: 1.5 kB a token at D = 384.
    """

    def __init__(
        self, encoder: Encoder, rows: Sequence[TokenIds], last: int, *, batch_tokens: int, precision: str
    ) -> None:
        lengths = [len(row) for row in rows]
        self.start_N = np.concatenate([[0], np.cumsum(lengths)])
        self.token_TD = torch.empty((int(self.start_N[-1]), encoder.width))
        lower = part(encoder, slice(None, -last), embeddings=True)
        batches = list(length_batches(lengths, batch_tokens))
        encoder.eval()
        with torch.no_grad(), encoder.autocast(precision):
            for index_B in progress(batches, total=len(batches), what="encode frozen blocks"):
                ids_BL, mask_BL = encoder.pad([rows[i] for i in index_B])
                token_BLD = lower(input_ids=ids_BL, attention_mask=mask_BL).last_hidden_state.float().cpu()
                for i, token_LD in zip(index_B, token_BLD, strict=True):
                    self.token_TD[self.start_N[i] : self.start_N[i + 1]] = token_LD[: lengths[i]]

    def padded(self, index_B: Sequence[int] | np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Activations (B, L, D) float32 and mask (B, L) int64 of some texts."""
        pieces = [self.token_TD[self.start_N[i] : self.start_N[i + 1]] for i in index_B]
        token_BLD = nn.utils.rnn.pad_sequence(pieces, batch_first=True)
        length_B1 = torch.tensor([len(piece) for piece in pieces]).unsqueeze(1)
        return token_BLD, (torch.arange(token_BLD.shape[1]) < length_B1).long()
