"""`inits` and `systems`: what fine-tuning starts from, and what is scored and compared."""

from collections.abc import Iterator, Mapping
from dataclasses import Field as Own
from dataclasses import fields
from typing import Annotated, Any, Literal, cast

from pydantic import Field, StrictBool, StrictFloat, StrictInt
from pydantic.dataclasses import dataclass
from pydantic.fields import FieldInfo

from whyrank.core.options.encoder import Pooling
from whyrank.core.options.sections import CHECKED, MOST_ENTRIES, MOST_FEATURES, Fault

# A system's name is the name of a folder and of a stage, and a part of a dotted key.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=100)]
Kind = Literal[
    "tfidf", "bm25", "encoder", "nearest-query", "classifier", "fusion", "compressed", "served",
    "vectors", "run", "reranker",
]  # fmt: skip
Role = Literal["baseline", "zero-shot", "pretrained", "tuned", "rival"]
TRAINED: tuple[Role, ...] = ("pretrained", "tuned")
# What a system of each kind can be for; `whyrank.scoring.systems` has an entry for each of them, too.
ROLES: Mapping[Kind, tuple[Role, ...]] = {
    "tfidf": ("baseline",),
    "bm25": ("baseline",),
    "encoder": ("zero-shot", *TRAINED),
    "nearest-query": ("rival",),
    "classifier": ("rival",),
    "fusion": ("rival",),
    "compressed": ("rival",),
    "served": ("rival",),
    "vectors": ("zero-shot", "tuned", "rival"),
    "run": ("rival",),
    "reranker": ("rival",),
}
BASELINES = tuple(kind for kind, roles in ROLES.items() if "baseline" in roles)
# Keys that only some kinds have.
KEYS: Mapping[str, tuple[Kind, ...]] = {
    "pooling": ("encoder",),
    "own_score": ("nearest-query",),
    "C": ("classifier",),
    "of": ("fusion", "reranker"),
    "fuse": ("fusion",),
    "lexical": ("fusion",),
    "method": ("fusion",),
    "normalise": ("fusion",),
    "similarity": ("vectors", "compressed"),
    "store": ("compressed",),
    "dims": ("compressed",),
    "rescore": ("compressed",),
    "format": ("served",),
    "layers": ("served",),
    "model": ("reranker",),
    "depth": ("reranker",),
}
# A system that is made of the vectors of another one names its run, and of scores the folder of a kind of systems.
RUNS, SCORES = "data/runs", "data/scores"
OF_VECTORS: tuple[Kind, ...] = ("nearest-query", "classifier", "compressed")
OF_SCORES: tuple[Kind, ...] = ("fusion", "reranker")
# What they are or how they weigh is learnt from training queries, or chosen on dev queries.
LEARNT: tuple[Kind, ...] = ("nearest-query", "classifier", "fusion", "reranker")
WITH_VECTORS: tuple[Kind, ...] = ("encoder", "served", "vectors")
# Baselines that rate texts, too.
RATING_KINDS: tuple[Kind, ...] = ("tfidf",)
# The folder that the stage pretrain_barlow writes.
PRETRAINED = "models/barlow"


def tuned_folder(init: str) -> str:
    """The folder into which the stage finetune_rank writes what it trains from `models/<init>`."""
    return f"models/{init}-tuned"


@dataclass(frozen=True, config=CHECKED)
class System:
    """What is scored and compared."""

    kind: Kind = Field(description="how its scores come about")
    role: Role = Field(
        description="what it is for: baseline; zero-shot: an encoder as published; pretrained: after pretrain_barlow; "
        "tuned: after fine-tuning; rival: another way to use them, which fine-tuning has to beat"
    )
    made_of: str = Field(
        min_length=1,
        examples=["models/base"],
        description="folder of the model, or of the code where there is none; the folder of vectors, or the file of "
        "a run, that another tool wrote; of a rival data/runs/<system> whose vectors it reads, or data/scores/<kind> "
        "with the scores that it combines",
    )
    starts_from: str = Field(
        default="", examples=["base"], description="of a trained one: the system that its training started from"
    )
    pooling: Pooling = Field(
        default="auto", description="of an encoder: how token vectors become one; auto: as it was made"
    )
    expected: dict[str, Annotated[StrictFloat, Field(ge=0, le=1)]] = Field(
        default_factory=dict,
        max_length=MOST_ENTRIES,
        examples=[{"ndcg@10": 0.52}],
        description="figures of a model card or another evaluator, which diagnose explains where they differ",
    )
    own_score: StrictBool = Field(
        default=True,
        description="of nearest-query: whether an answer also has the cosine of its own text with the query, if larger",
    )
    C: list[Annotated[StrictFloat, Field(gt=0, le=1e9)]] = Field(
        default_factory=lambda: [1.0, 10.0, 100.0],
        min_length=1,
        max_length=20,
        examples=[[1.0, 10.0]],
        description="of a classifier: inverse strengths of its regularisation, of which the dev queries choose one",
    )
    of: list[Name] = Field(
        default_factory=list,
        max_length=100,
        examples=[["base"]],
        description="of a fusion or a reranker: systems of the kind in made_of; none named: all of them",
    )
    fuse: Literal["best", "all"] = Field(
        default="best", description="of a fusion: the one of them that is best on the dev queries, or all of them"
    )
    lexical: Literal["bm25", "tfidf", "none"] = Field(
        default="bm25", description="of a fusion: the lexical baseline that takes part"
    )
    method: Literal["weighted", "rrf"] = Field(
        default="weighted",
        description="of a fusion: a weighted sum of normalised scores, its weight chosen on the dev queries; or "
        "reciprocal rank fusion",
    )
    normalise: Literal["min-max", "z-score"] = Field(
        default="min-max", description="of a weighted fusion: how the scores of a query are brought to one scale"
    )
    similarity: Literal["cosine", "dot"] = Field(
        default="cosine", description="of vectors, and of compressed ones: how they score an answer"
    )
    store: Literal["float32", "float16", "int8", "binary"] = Field(
        default="float32", description="of compressed: how a feature of an answer is kept; binary: its sign, a bit"
    )
    dims: Annotated[StrictInt, Field(ge=0, le=MOST_FEATURES)] = Field(
        default=0, examples=[128], description="of compressed: first features that are kept; 0: all"
    )
    rescore: Annotated[StrictInt, Field(ge=0, le=10_000)] = Field(
        default=0,
        examples=[100],
        description="of compressed, binary: first answers of a query that vectors of 8 bits score again; 0: none",
    )
    format: Literal["torch", "torch-int8", "onnx", "onnx-int8", "static"] = Field(
        default="torch",
        description="of served: what runs the encoder, and the numbers that its weights are kept in; static: "
        "a vector for each token",
    )
    layers: Annotated[StrictInt, Field(ge=0, le=MOST_ENTRIES)] = Field(
        default=0, examples=[4], description="of served: layers that are kept, evenly spread; 0: all"
    )
    model: str = Field(default="", description="of a reranker: folder or hub id of a cross-encoder")
    depth: Annotated[StrictInt, Field(ge=1, le=10_000)] = Field(
        default=50, examples=[50], description="of a reranker: answers that it scores, of those listed"
    )

    @property
    def sources(self) -> tuple[str, str]:
        """Of a rival: the system whose vectors it reads, and the kind of those whose scores it combines; else ""."""
        folder, _, name = self.made_of.rpartition("/")
        is_of_vectors, is_of_scores = (self.kind in kinds for kinds in (OF_VECTORS, OF_SCORES))
        return (name if is_of_vectors and folder == RUNS else "", name if is_of_scores and folder == SCORES else "")

    def faults(self) -> Iterator[Fault]:
        roles = ROLES[self.kind]
        if self.role not in roles:
            yield Fault("role", f"is {self.role}; a system of kind {self.kind} is {' or '.join(roles)}")
        for one in fields(self):
            value, kinds = getattr(self, one.name), KEYS.get(one.name, (self.kind,))
            if self.kind not in kinds and value != default_of(one):
                said = f"is {value}, but only a system of kind {' or '.join(kinds)} has one; leave the key out"
                yield Fault(one.name, said)
        system, kind = self.sources
        if self.kind in OF_VECTORS and not system:
            said = f"is {self.made_of!r}; a system of kind {self.kind} is made of {RUNS}/ and the name of an encoder"
            yield Fault("made_of", said)
        if self.kind in OF_SCORES and not kind:
            said = f"is {self.made_of!r}; a system of kind {self.kind} is made of {SCORES}/ and a kind of systems"
            yield Fault("made_of", f"{said}, such as {SCORES}/encoder")
        if self.kind == "compressed" and self.store == "float32" and not self.dims:
            yield Fault("store", "is float32 with all features: nothing is compressed", ["store=int8", "dims=128"])
        if self.kind == "compressed" and self.rescore and self.store != "binary":
            said = f"is {self.rescore}, but only answers kept as `store: binary` are scored again, by vectors of 8 bits"
            yield Fault("rescore", said, ["store=binary", "rescore=0"])
        if self.kind == "served" and self.format == "torch" and not self.layers:
            yield Fault("format", "is torch with all layers: nothing is changed", ["format=onnx-int8", "layers=4"])
        if self.kind == "reranker" and not self.model:
            yield Fault("model", "is missing; name the folder or hub id of a cross-encoder")
        if self.kind == "fusion" and self.lexical == "none" and self.fuse == "best":
            yield Fault("lexical", "is none, which leaves one system to fuse", ["lexical=bm25", "fuse=all"])
        if self.role in TRAINED and not self.starts_from:
            yield Fault("starts_from", f"is missing; name what the {self.role} system was trained from")
        if self.role not in TRAINED and self.starts_from:
            yield Fault("starts_from", f"is {self.starts_from!r}, but only a trained system has one; leave the key out")


def default_of(one: "Own[Any]") -> Any:
    """What a field is where params.yaml does not have it; None of one that it must have."""
    return cast(FieldInfo, one.default).get_default(call_default_factory=True)
