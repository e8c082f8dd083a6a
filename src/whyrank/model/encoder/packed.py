"""Texts of a batch laid end to end, so that no linear layer works on padding; only attention sees single texts.

A text attends to itself alone. Texts of like length share one call of torch's attention; each group is padded to its
own longest text, and only there.

Shapes: B texts · T tokens of all texts · G texts of a group · L tokens of its longest · H heads · F features of a head
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
import transformers
from torch.nn.functional import scaled_dot_product_attention

ATTENTION = "packed"
# A text shorter than this share of the longest of its group starts the next group: more calls against more padding.
LIKE_LENGTH = 0.85


@dataclass(frozen=True)
class Group:
    """Texts of like length, neighbours in the packed batch; equal lengths need no index and no mask."""

    tokens: int
    texts: int
    longest: int
    # Of texts of unequal length: the token that stands in each padded place, whether one does, and where each went.
    token_GL: torch.Tensor | None
    real_GL: torch.Tensor | None
    place_T: torch.Tensor | None


class Layout:
    """Where each text of a packed batch begins and ends; lengths in descending order."""

    def __init__(self, lengths: Sequence[int], device: torch.device) -> None:
        assert all(one >= two for one, two in pairwise(lengths)), "longest text first"
        self.lengths = list(lengths)
        self.length_B = torch.tensor(self.lengths, device=device)
        self.groups = [group(self.lengths[part], device) for part in like_lengths(lengths)]

    def positions(self, first: int) -> torch.Tensor:
        """Place of each token in its text, counted from `first`; (T,) int64."""
        return torch.cat([torch.arange(first, first + length) for length in self.lengths]).to(self.length_B.device)

    @property
    def starts(self) -> torch.Tensor:
        """First token of each text, (B,) int64."""
        return self.length_B.cumsum(0) - self.length_B


def like_lengths(lengths: Sequence[int]) -> Iterator[slice]:
    """Neighbours of like length, of lengths in descending order."""
    first = 0
    for i in range(1, len(lengths) + 1):
        if i == len(lengths) or lengths[i] < LIKE_LENGTH * lengths[first]:
            yield slice(first, i)
            first = i


def length_batches(lengths: Sequence[int], batch_tokens: int) -> Iterator[list[int]]:
    """Indices grouped by length, longest first, each group at most `batch_tokens` when padded (but at least one text).

    Longest first, so that a batch that does not fit in memory fails at once and not at the end.
    """
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    batch: list[int] = []
    for i in order:
        if batch and lengths[batch[0]] * (len(batch) + 1) > batch_tokens:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def group(lengths: Sequence[int], device: torch.device) -> Group:
    tokens, longest = sum(lengths), lengths[0]
    if lengths[-1] == longest:
        return Group(tokens, len(lengths), longest, None, None, None)
    length_G = torch.tensor(lengths)
    place_GL = torch.arange(longest).expand(len(lengths), longest)
    real_GL = place_GL < length_G[:, None]
    # What stands in a padded place is never read, but it must be a number: the first token of the group.
    token_GL = torch.where(real_GL, place_GL + (length_G.cumsum(0) - length_G)[:, None], 0)
    place_T = real_GL.flatten().nonzero().flatten()
    return Group(tokens, len(lengths), longest, token_GL.to(device), real_GL.to(device), place_T.to(device))


def attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    layout: Layout,
    scaling: float | None = None,
    dropout: float = 0.0,
    **unused: Any,
) -> tuple[torch.Tensor, None]:
    """What an encoder of transformers calls under the name `packed`: (1, H, T, F) three times, (1, T, H, F) back."""
    # split and cat are each other's gradient; a slice's gradient would be a tensor of all tokens, for every group.
    sizes = [one.tokens for one in layout.groups]
    parts = zip(*(tensor[0].transpose(0, 1).split(sizes) for tensor in (query, key, value)), strict=True)
    attend = attend_in_float32 if module.training and query.device.type == "cpu" else scaled_dot_product_attention
    mixed = []
    for one, own in zip(layout.groups, parts, strict=True):
        query_GHLF, key_GHLF, value_GHLF = (unpack(part_THF, one) for part_THF in own)
        mask = None if one.real_GL is None else one.real_GL[:, None, None, :]
        mixed_GHLF = attend(query_GHLF, key_GHLF, value_GHLF, attn_mask=mask, dropout_p=dropout, scale=scaling)
        mixed.append(pack(mixed_GHLF.transpose(1, 2), one))
    return torch.cat(mixed)[None], None


def attend_in_float32(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, **options: Any) -> torch.Tensor:
    """On a processor the gradient of attention in half precision takes five times as long as that of float32."""
    with torch.autocast(query.device.type, enabled=False):
        mixed = scaled_dot_product_attention(query.float(), key.float(), value.float(), **options)
    return mixed.to(value.dtype)


class Rearranged(torch.autograd.Function):
    """Rows in another order, where the gradient of a row stands in one place.

    The gradient of `index_select` adds up what may stand in several, row after row: a tenth of a training step.
    """

    @staticmethod
    def forward(
        context: Any, row_NHF: torch.Tensor, there_M: torch.Tensor, back_N: torch.Tensor, none_N: torch.Tensor | None
    ) -> torch.Tensor:
        """Row `there_M[i]` becomes row i, whose gradient is that of row j where `back_N[j]` is i; none of `none_N`."""
        context.save_for_backward(back_N, none_N)
        return row_NHF.index_select(0, there_M)

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        back_N, none_N = context.saved_tensors
        gradient_NHF = gradients[0].index_select(0, back_N)
        return gradient_NHF if none_N is None else gradient_NHF.masked_fill_(none_N[:, None, None], 0), None, None, None


def unpack(token_THF: torch.Tensor, one: Group) -> torch.Tensor:
    """The texts of a group, (G, H, L, F), from its tokens end to end."""
    if one.token_GL is not None:
        # A padded place is neither attended to nor read, so no gradient comes from there.
        token_THF = Rearranged.apply(token_THF, one.token_GL.flatten(), one.place_T, None)
    return token_THF.unflatten(0, (one.texts, one.longest)).transpose(1, 2)


def pack(token_GLHF: torch.Tensor, one: Group) -> torch.Tensor:
    """The tokens of a group end to end, without the padding."""
    token_THF = token_GLHF.flatten(0, 1)
    if one.place_T is None or one.token_GL is None or one.real_GL is None:
        return token_THF
    return Rearranged.apply(token_THF, one.place_T, one.token_GL.flatten(), ~one.real_GL.flatten())


transformers.AttentionInterface.register(ATTENTION, attention)
