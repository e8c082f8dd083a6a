"""What tasks that share an encoder have apart from each other: heads of their own, an embedding each, and attention.

Shapes: N texts · D features of the encoder · O features of a head · S other tasks
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from whyrank.model.heads import heads

RANK = "rank"


class CrossAttention(nn.Module):
    """Each task attends to the vectors that the others make of the same text.

    z_t + W_t sum_{s != t} a_ts z_s, with a_ts = sigmoid(q_t z_s / sqrt O + b_ts); W starts at zero: the identity.

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


class TaskHeads(nn.Module):
    """names   tasks that were trained together; a task that is not among them is served as ranking is

    own        heads by task, each on the encoder's vectors; other tasks share the heads that rank
    embedding  by task, (D,) added to the encoder's vector, zero at the start
    attention  between the heads of all tasks
    """

    def __init__(
        self,
        names: Sequence[str],
        own: Mapping[str, nn.Sequential],
        *,
        embedding_width: int = 0,
        attention_width: int = 0,
    ) -> None:
        """The widths, D and O, are 0 for what is off."""
        super().__init__()
        self.names = tuple(names)
        self.own = nn.ModuleDict(own)
        self.embedding_width, self.attention_width = embedding_width, attention_width
        embedded = names if embedding_width else ()
        self.embedding = nn.ParameterDict({name: nn.Parameter(torch.zeros(embedding_width)) for name in embedded})
        self.attention = CrossAttention(names, attention_width) if attention_width else None

    def forward(self, task: str, vector_ND: torch.Tensor, rank_head: nn.Sequential) -> torch.Tensor:
        """(N, O) of encoder vectors for a task; `rank_head` is that of ranking for the side of these texts."""
        name = task if task in self.names else RANK
        if not self.attends(name):
            return self.alone(name, vector_ND, rank_head)
        assert self.attention is not None
        return self.attention(name, {each: self.alone(each, vector_ND, rank_head) for each in self.names})

    def attends(self, name: str) -> bool:
        return self.attention is not None and name in self.names

    def alone(self, name: str, vector_ND: torch.Tensor, rank_head: nn.Sequential) -> torch.Tensor:
        """(N, O) before attention."""
        shifted_ND = vector_ND + self.embedding[name] if name in self.embedding else vector_ND
        return self.head(name, rank_head)(shifted_ND)

    def head(self, name: str, rank_head: nn.Sequential) -> nn.Sequential:
        """The task's own, else that of ranking."""
        if name not in self.own:
            return rank_head
        own = self.own[name]
        assert isinstance(own, nn.Sequential)
        return own

    def describe(self) -> dict[str, Any]:
        """What `rebuild` needs, as plain JSON values."""
        own = {name: heads.describe(self.head(name, nn.Sequential())) for name in self.own}
        widths = {"embedding_width": self.embedding_width, "attention_width": self.attention_width}
        return {"names": list(self.names), "own": own} | widths


def rebuild(description: dict[str, Any]) -> TaskHeads:
    """What `describe` described, with fresh weights."""
    own = {name: heads.rebuild(chain) for name, chain in description["own"].items()}
    return TaskHeads(**(description | {"own": own}))
