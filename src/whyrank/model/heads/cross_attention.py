"""Attention between the heads of several tasks: each task attends to the vectors that the others make of the same text.

Shapes: N texts · S other tasks · O features of the heads
"""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import nn


class CrossAttention(nn.Module):
    """z_t + W_t sum_{s != t} a_ts z_s, with a_ts = sigmoid(q_t z_s / sqrt O + b_ts); W starts at zero: the identity.

    Each task t asks with a learnt vector q_t; the other tasks' vectors are keys and values at once (a linear map of
    either would only merge with q and W). Sigmoid attention with a bias of -log S at the start: Ramapuram et al. 2024,
    arXiv:2409.04431. With a text's own vector as the query, or a softmax over three tasks, no chain of Linears and
    activations would give the same vectors, and the system could not leave as a model of sentence-transformers.
    Features of tasks mixed by a learnt share: Misra et al. 2016, arXiv:1604.03539; masked by a sigmoid: Liu et al.
    2019, arXiv:1803.10704; by attention between pairs of tasks: Lopes et al. 2022, arXiv:2206.08927.
    """

    def __init__(self, tasks: Sequence[str], width: int) -> None:
        super().__init__()
        assert len(tasks) > 1, "one task has none to attend to"
        self.width = width
        others = len(tasks) - 1
        self.query = nn.ParameterDict({task: nn.Parameter(torch.zeros(width)) for task in tasks})
        self.bias = nn.ParameterDict({task: nn.Parameter(torch.full((others,), -math.log(others))) for task in tasks})
        self.output = nn.ParameterDict({task: nn.Parameter(torch.zeros(width, width)) for task in tasks})

    def forward(self, task: str, vectors: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """(N, O) of one task from the vectors (N, O) of all, in the order in which they were named at first."""
        other_NSO = torch.stack([vector_NO for name, vector_NO in vectors.items() if name != task], dim=1)
        gate_NS = torch.sigmoid(other_NSO @ self.query[task] / math.sqrt(self.width) + self.bias[task])
        seen_NO = torch.einsum("ns,nso->no", gate_NS, other_NSO)
        return vectors[task] + seen_NO @ self.output[task].T
