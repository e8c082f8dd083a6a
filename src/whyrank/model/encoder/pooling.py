"""Token vectors to one vector per text.

Shapes: B texts · G texts of a group · L tokens of its longest · T tokens of all texts, end to end · D features ·
H heads · F features of a head
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from whyrank.model.encoder.packed import Group, Layout


def mean(token_TD: torch.Tensor, layout: Layout) -> torch.Tensor:
    """Average over the tokens of a text (Reimers & Gurevych 2019, arXiv:1908.10084)."""
    return torch.segment_reduce(token_TD, "mean", lengths=layout.length_B)


def cls(token_TD: torch.Tensor, layout: Layout) -> torch.Tensor:
    """The first token, which BERT was trained to use for the whole text."""
    return token_TD[layout.starts]


def maximum(token_TD: torch.Tensor, layout: Layout) -> torch.Tensor:
    """The largest value of each feature over the tokens of a text."""
    return torch.segment_reduce(token_TD, "max", lengths=layout.length_B)


def mean_sqrt_len(token_TD: torch.Tensor, layout: Layout) -> torch.Tensor:
    """The sum over the tokens of a text by the square root of their number."""
    return mean(token_TD, layout) * layout.length_B[:, None].sqrt()


def weighted_mean(token_TD: torch.Tensor, layout: Layout) -> torch.Tensor:
    """The mean with weights 1, 2, 3, … along the text: of a causal encoder the later tokens have read more of it.

    Muennighoff 2022 (arXiv:2202.08904), section 4.1.
    """
    weight_T = layout.positions(1).to(token_TD.dtype)
    weighted_BD = torch.segment_reduce(token_TD * weight_T[:, None], "sum", lengths=layout.length_B)
    return weighted_BD / (layout.length_B * (layout.length_B + 1) / 2)[:, None]


def last_token(token_TD: torch.Tensor, layout: Layout) -> torch.Tensor:
    """The last token, which of a causal encoder alone has read the whole text."""
    return token_TD[layout.starts + layout.length_B - 1]


# By the names of sentence-transformers.
POOLINGS: dict[str, Callable[[torch.Tensor, Layout], torch.Tensor]] = {
    "mean": mean,
    "cls": cls,
    "max": maximum,
    "mean_sqrt_len_tokens": mean_sqrt_len,
    "weightedmean": weighted_mean,
    "lasttoken": last_token,
}


def pool(names: str, token_TD: torch.Tensor, layout: Layout) -> torch.Tensor:
    """Vectors (B, P) under one pooling, or under several joined by `+`: `cls+mean` has P = 2 D features."""
    return torch.cat([POOLINGS[name](token_TD, layout) for name in names.split("+")], dim=1)


def first_token_layer(layer: Any, token_TD: torch.Tensor, layout: Layout) -> torch.Tensor:
    """The output of a layer of the BERT family for the first tokens, (B, D), longest text first as the layout has them.

    One query a text needs no keys and no values. With the key k_t = K x_t + k and the value v_t = V x_t + v of token t,

        q . k_t = (K^T q) . x_t + q . k        the same for every t, so that the softmax does not see it
        sum_t a_t v_t = V (sum_t a_t x_t) + (sum_t a_t) v

    so the tokens are read as they are, and every linear layer works on one vector a text: in a layer of MiniLM 24
    products and sums a token and feature instead of some 5,000. DeepSeek-AI 2024, arXiv:2405.04434, section 2.1.2,
    takes K into q and V into the output likewise.
    """
    attention = layer.attention.self
    heads, size = attention.num_attention_heads, attention.attention_head_size
    first_BD = token_TD[layout.starts]
    query_BHF = attention.query(first_BD).unflatten(1, (heads, size)) * size**-0.5
    key_HFD = attention.key.weight.unflatten(0, (heads, size))
    asked_BHD = torch.einsum("bhf,hfd->bhd", query_BHF, key_HFD)
    sizes, texts = [one.tokens for one in layout.groups], [one.texts for one in layout.groups]
    parts = zip(layout.groups, token_TD.split(sizes), asked_BHD.split(texts), strict=True)
    found = [attend(one, token, asked, attention.dropout) for one, token, asked in parts]
    mixed_BHD, share_BH = (torch.cat(pieces) for pieces in zip(*found, strict=True))
    value_HFD, bias_HF = (part.unflatten(0, (heads, size)) for part in (attention.value.weight, attention.value.bias))
    context_BHF = torch.einsum("bhd,hfd->bhf", mixed_BHD, value_HFD) + share_BH[:, :, None] * bias_HF
    attended_BD = layer.attention.output(context_BHF.flatten(1), first_BD)
    return layer.output(layer.intermediate(attended_BD), attended_BD)


def attend(
    one: Group, token_TD: torch.Tensor, asked_GHD: torch.Tensor, dropout: nn.Module
) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean of the tokens of each text of a group by attention, (G, H, D), and the sum of its shares, (G, H)."""
    if one.token_GL is not None:
        token_TD = token_TD.index_select(0, one.token_GL.flatten())
    token_GLD = token_TD.unflatten(0, (one.texts, one.longest))
    score_GHL = asked_GHD @ token_GLD.transpose(1, 2).to(asked_GHD.dtype)
    if one.real_GL is not None:
        score_GHL = score_GHL.masked_fill(~one.real_GL[:, None], float("-inf"))
    # The shares add up to 1, but for dropout.
    share_GHL = dropout(functional.softmax(score_GHL, dim=-1))
    return share_GHL @ token_GLD.to(share_GHL.dtype), share_GHL.sum(-1)
