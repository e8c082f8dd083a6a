"""A system that ranks: one encoder, a chain of heads for queries and one for answers, and a score.

The folder of a system is a model of sentence-transformers, heads included. `heads.safetensors` and `heads.json` hold
the heads once more, as they are trained, with BatchNorm and dropout: these are what `load` reads.
"""

import copy
from pathlib import Path

import safetensors.torch
import torch
from torch import nn

from whyrank.core import io
from whyrank.model import encoder as encoders
from whyrank.model import export, heads

WEIGHTS, DESCRIPTION = "heads.safetensors", "heads.json"


class System(nn.Module):
    """query_head and answer_head are the same object where one head serves both."""

    def __init__(
        self, encoder: encoders.Encoder, query_head: nn.Sequential, answer_head: nn.Sequential, score: str
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.query_head = query_head
        self.answer_head = answer_head
        self.score = score  # cosine | dot

    @property
    def is_dual(self) -> bool:
        return self.query_head is not self.answer_head

    def heads(self) -> nn.ModuleDict:
        """The heads alone, without the encoder: what is trained on cached vectors."""
        parts = {"query": self.query_head}
        if self.is_dual:
            parts["answer"] = self.answer_head
        return nn.ModuleDict(parts)

    def project(self, query_ND: torch.Tensor, answer_MD: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Encoder vectors of queries and answers through their heads, to unit length where the score is the cosine.

        One head serving both sees them as one batch, so that its BatchNorm standardises both by the same statistics.
        """
        if self.is_dual:
            query_NO, answer_MO = self.query_head(query_ND), self.answer_head(answer_MD)
        else:
            query_NO, answer_MO = self.query_head(torch.cat([query_ND, answer_MD])).split(
                [len(query_ND), len(answer_MD)]
            )
        return self.finish(query_NO), self.finish(answer_MO)

    def finish(self, vector_NO: torch.Tensor) -> torch.Tensor:
        return nn.functional.normalize(vector_NO, dim=1) if self.score == "cosine" else vector_NO


def untrained(encoder: encoders.Encoder) -> System:
    """The encoder by itself: its own vectors compared by their cosine."""
    chain = nn.Sequential()
    return System(encoder, chain, chain, "cosine")


def with_heads(system: System, query_head: nn.Sequential, *, dual: bool, score: str) -> System:
    """The encoder of `system` under another chain of heads; `dual` starts both sides from copies of it."""
    answer_head = copy.deepcopy(query_head) if dual else query_head
    return System(system.encoder, query_head, answer_head, score)


def save(system: System, folder: str | Path, *, longest: int, untouched: Path | None = None) -> None:
    """Write a system; `untouched` names the folder whose encoder this is when training left it as it was."""
    with io.replacing_folder(folder) as temporary:
        system.encoder.save(temporary, longest=longest)
        if untouched is not None:
            encoders.copy_weights(untouched, temporary)
        description = {"score": system.score, "longest": longest, "query": heads.describe(system.query_head)}
        if system.is_dual:
            description["answer"] = heads.describe(system.answer_head)
        io.write_json(temporary / DESCRIPTION, description)
        state = {name: tensor.contiguous().cpu() for name, tensor in system.heads().state_dict().items()}
        safetensors.torch.save_file(state, temporary / WEIGHTS, metadata={"format": "pt"})
        export.write(temporary, system.query_head, system.answer_head, system.score)


def load(folder: str | Path, *, trust_remote_code: bool = False) -> System:
    """A system as `save` wrote it, on the encoder's device, dropout off."""
    folder = Path(folder)
    description = io.read_json(folder / DESCRIPTION)
    encoder = encoders.load(folder, trust_remote_code=trust_remote_code)
    query_head = heads.rebuild(description["query"])
    answer_head = heads.rebuild(description["answer"]) if "answer" in description else query_head
    system = System(encoder, query_head, answer_head, description["score"])
    system.heads().load_state_dict(safetensors.torch.load_file(folder / WEIGHTS))
    return system.to(next(encoder.parameters()).device).eval()


def load_any(folder: str | Path, *, trust_remote_code: bool = False) -> System:
    """A system as `save` wrote it, or of another folder the encoder by itself."""
    if (Path(folder) / DESCRIPTION).exists():
        return load(folder, trust_remote_code=trust_remote_code)
    return untrained(encoders.load(folder, trust_remote_code=trust_remote_code))


def longest(folder: str | Path) -> int:
    """Tokens after which the system cuts a text, as recorded when it was made."""
    return int(io.read_json(Path(folder) / DESCRIPTION)["longest"])
