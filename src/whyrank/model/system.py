"""A system that ranks: one encoder, a chain of heads for queries and one for answers, and a score.

The folder of a system is a model of sentence-transformers, heads that rank included. `heads.safetensors` and
`heads.json` hold the heads once more, as they are trained, with BatchNorm and dropout, and with those of other tasks:
these are what `load` reads.
"""

import copy
import shutil
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import safetensors.torch
import torch
from torch import nn

from whyrank.core import checksums, io
from whyrank.core.errors import UserError, said_by
from whyrank.core.prepared import Prepared
from whyrank.core.rerun import remedy
from whyrank.model.encoder import encoder as encoders
from whyrank.model.encoder import loading
from whyrank.model.encoder.declared import Side
from whyrank.model.heads import export, heads
from whyrank.model.heads.export import ranking_layers
from whyrank.model.heads.readout import Readout, folded
from whyrank.model.heads.task_heads import RANK, TaskHeads, rebuild

TEXTS_CHECKED = 8
WEIGHTS, DESCRIPTION = "heads.safetensors", "heads.json"


class System(nn.Module):
    """query_head and answer_head are the same object where one head serves both.

    readout   what ranking takes off the vectors of both sides before it compares them; None: nothing
    tasks   what other tasks than ranking have beside these heads; None where all share them
    """

    def __init__(
        self,
        encoder: encoders.Encoder,
        query_head: nn.Sequential,
        answer_head: nn.Sequential,
        score: str,
        tasks: TaskHeads | None = None,
        readout: Readout | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.query_head = query_head
        self.answer_head = answer_head
        self.score = score  # cosine | dot
        self.tasks = tasks
        self.readout = readout

    @property
    def is_dual(self) -> bool:
        return self.query_head is not self.answer_head

    def heads(self) -> nn.ModuleDict:
        """The heads alone, without the encoder: what is trained on cached vectors."""
        parts = {"query": self.query_head}
        if self.is_dual:
            parts["answer"] = self.answer_head
        others = {"tasks": self.tasks, "readout": self.readout}
        return nn.ModuleDict({**parts, **{name: part for name, part in others.items() if part is not None}})

    def head_of(self, task: str) -> nn.Sequential:
        """The head of a task's own, else the one for queries."""
        return self.query_head if self.tasks is None else self.tasks.head(task, self.query_head)

    def width_of(self, task: str) -> int:
        """O, the features that a task gets of a text."""
        return heads.output_width(self.head_of(task), self.encoder.width)

    def features(self, task: str, vector_ND: torch.Tensor, rank_head: nn.Sequential | None = None) -> torch.Tensor:
        """(N, O) of encoder vectors for a task, not yet of unit length; `rank_head`: the one for queries, by default.

        A task that was not trained beside ranking is served as ranking is.
        """
        head = self.query_head if rank_head is None else rank_head
        if self.tasks is None:
            return self.read(head(vector_ND))
        vector_NO = self.tasks(task, vector_ND, head)
        return vector_NO if task != RANK and task in self.tasks.names else self.read(vector_NO)

    def read(self, vector_NO: torch.Tensor) -> torch.Tensor:
        return vector_NO if self.readout is None else self.readout(vector_NO)

    def before_readout(self, side: Literal["query", "answer"], vector_ND: torch.Tensor) -> torch.Tensor:
        """(N, O) as ranking gets them of a side, before the read-out."""
        head = self.query_head if side == "query" else self.answer_head
        return head(vector_ND) if self.tasks is None else self.tasks(RANK, vector_ND, head)

    def queries(self, vector_ND: torch.Tensor) -> torch.Tensor:
        return self.features(RANK, vector_ND, self.query_head)

    def answers(self, vector_ND: torch.Tensor) -> torch.Tensor:
        return self.features(RANK, vector_ND, self.answer_head)

    def of_task(self, task: str, vector_ND: torch.Tensor) -> torch.Tensor:
        """(N, O) that a task compares: with the cosine as score, of unit length."""
        return self.normalise(self.features(task, vector_ND))

    def project(self, query_ND: torch.Tensor, answer_MD: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Encoder vectors of queries and answers through their heads, to unit length where the score is the cosine.

        One head serving both sees them as one batch, so that its BatchNorm standardises both by the same statistics.
        """
        if self.is_dual:
            query_NO, answer_MO = self.queries(query_ND), self.answers(answer_MD)
        else:
            query_NO, answer_MO = self.queries(torch.cat([query_ND, answer_MD])).split([len(query_ND), len(answer_MD)])
        return self.normalise(query_NO), self.normalise(answer_MO)

    def normalise(self, vector_NO: torch.Tensor) -> torch.Tensor:
        return nn.functional.normalize(vector_NO, dim=1) if self.score == "cosine" else vector_NO


def untrained(encoder: encoders.Encoder) -> System:
    """The pretrained encoder (zero-shot): its vectors compared as its files declare, by default by their cosine."""
    chain = nn.Sequential()
    return System(encoder, chain, chain, encoder.declared.score)


def with_heads(system: System, query_head: nn.Sequential, *, dual: bool, score: str) -> System:
    """The encoder of `system` under another chain of heads; `dual` starts both sides from copies of it."""
    answer_head = copy.deepcopy(query_head) if dual else query_head
    return System(system.encoder, query_head, answer_head, score)


def save(system: System, folder: str | Path, *, longest: int, unchanged: Path | None = None) -> None:
    """Write a system; `unchanged` names the folder of the encoder where training left its weights as they were."""
    with io.replacing_folder(folder) as temporary:
        system.encoder.save(temporary, longest=longest)
        if unchanged is not None:
            # The very bytes, of an encoder that was not trained.
            shutil.copyfile(unchanged / "model.safetensors", temporary / "model.safetensors")
        description = {"score": system.score, "longest": longest, "query": heads.describe(system.query_head)}
        if system.encoder.projection is not None:
            description["encoder_modules"] = len(system.encoder.projection.chain)
        if system.is_dual:
            description["answer"] = heads.describe(system.answer_head)
        if system.tasks is not None:
            description["tasks"] = system.tasks.describe()
        if system.readout is not None:
            description["readout"] = system.readout.describe()
        io.write_json(temporary / DESCRIPTION, description)
        state = {name: tensor.contiguous().cpu() for name, tensor in system.heads().state_dict().items()}
        safetensors.torch.save_file(state, temporary / WEIGHTS, metadata={"format": "pt"})
        sides = {"query": system.query_head, "document": system.answer_head}
        routes = {
            side: folded(ranking_layers(sides[side], system.tasks), system.readout)
            for side in list(sides)[: 1 + system.is_dual]
        }
        export.write(temporary, routes, system.score, system.encoder.declared)
        checksums.write(temporary)


def load(folder: str | Path, *, pooling: str = "auto", trust_remote_code: bool = False) -> System:
    """A system as `save` wrote it, on the encoder's device, dropout off.

    pooling   auto: the one that it was made with; else one of `pooling.POOLINGS`
    Raises UserError, naming the file and what makes it anew, where one is not as `save` wrote it.
    """
    folder = Path(folder)
    checksums.verify(folder, required=False)
    description = read_description(folder)
    own_modules = description.get("encoder_modules", 0)
    encoder = loading.load(folder, pooling=pooling, own_modules=own_modules, trust_remote_code=trust_remote_code)
    try:
        system = described(description, encoder)
        system.heads().load_state_dict(safetensors.torch.load_file(folder / WEIGHTS))
    except (OSError, RuntimeError, TypeError, ValueError, LookupError, safetensors.SafetensorError) as error:
        raise UserError(
            f"{folder}: {WEIGHTS} and {DESCRIPTION} do not fit ({said_by(error)}); {remedy(folder)}"
        ) from error
    if pooling != "auto":
        system.readout = None  # it was fitted to vectors pooled as the folder says
    return system.to(next(encoder.parameters()).device).eval()


def described(description: dict[str, Any], encoder: encoders.Encoder) -> System:
    """The system that `save` described, its heads with fresh weights."""
    query_head = heads.rebuild(description["query"])
    answer_head = heads.rebuild(description["answer"]) if "answer" in description else query_head
    tasks = rebuild(description["tasks"]) if "tasks" in description else None
    readout = Readout(**description["readout"]) if "readout" in description else None
    return System(encoder, query_head, answer_head, description["score"], tasks, readout)


def load_any(folder: str | Path, *, trust_remote_code: bool = False) -> System:
    """A system as `save` wrote it; of another folder the encoder alone."""
    if (Path(folder) / DESCRIPTION).exists():
        return load(folder, trust_remote_code=trust_remote_code)
    return untrained(loading.load(folder, trust_remote_code=trust_remote_code))


def check_tokens(system: System, texts: Prepared, folder: str | Path) -> None:
    """Raise UserError where the texts were tokenised for another encoder than that of the system from `folder`.

    Its token ids would be those of other words: a silent loss, or an index that is not there.
    """
    sides: list[tuple[pd.DataFrame, Side]] = [(texts.answers, "document"), (texts.queries, "query")]
    for table, side in sides:
        for text, ids in table.head(TEXTS_CHECKED)[["text", "input_ids"]].itertuples(index=False):
            if system.encoder.tokenise([text], len(ids), side) != [list(ids)]:
                raise UserError(
                    f"{folder}: its tokenizer or its prompts are not those that the texts in data/prepared were "
                    f"tokenised with; {remedy(folder)}, or prepare with it: -S encoder.source={folder}"
                )


def longest(folder: str | Path) -> int:
    """Tokens after which the system cuts a text, as recorded when it was made."""
    return int(read_description(Path(folder))["longest"])


def read_description(folder: Path) -> dict[str, Any]:
    found = io.read_json(folder / DESCRIPTION)
    if not isinstance(found, dict) or not isinstance(found.get("longest"), int):
        raise UserError(f"{folder / DESCRIPTION} does not describe a system; {remedy(folder)}")
    return found
