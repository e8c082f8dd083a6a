"""`inits` and `systems`: what fine-tuning starts from, and what is scored and compared."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from whyrank.core.options.encoder import Pooling
from whyrank.core.options.sections import CHECKED, Fault

# A system's name is the name of a folder and of a stage, and a part of a dotted key.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=100)]
Kind = Literal["tfidf", "bm25", "encoder"]
Role = Literal["baseline", "zero-shot", "pretrained", "tuned"]
TRAINED: tuple[Role, ...] = ("pretrained", "tuned")
# What a system of each kind can be for; `whyrank.scoring.systems` has an entry for each of them, too.
ROLES: Mapping[Kind, tuple[Role, ...]] = {
    "tfidf": ("baseline",),
    "bm25": ("baseline",),
    "encoder": ("zero-shot", *TRAINED),
}
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
        "tuned: after fine-tuning"
    )
    made_of: str = Field(
        min_length=1, examples=["models/base"], description="folder of the model, or of the code where there is none"
    )
    starts_from: str = Field(
        default="", examples=["base"], description="of a trained one: the system that its training started from"
    )
    pooling: Pooling = Field(
        default="auto", description="of an encoder: how token vectors become one; auto: as it was made"
    )

    def faults(self) -> Iterator[Fault]:
        roles = ROLES[self.kind]
        if self.role not in roles:
            yield Fault("role", f"is {self.role}; a system of kind {self.kind} is {' or '.join(roles)}")
        if self.pooling != "auto" and self.kind != "encoder":
            yield Fault("pooling", f"is {self.pooling}, but only a system of kind encoder has one; leave the key out")
        if self.role in TRAINED and not self.starts_from:
            yield Fault("starts_from", f"is missing; name what the {self.role} system was trained from")
        if self.role not in TRAINED and self.starts_from:
            yield Fault("starts_from", f"is {self.starts_from!r}, but only a trained system has one; leave the key out")


def faults_of(systems: Mapping[str, System], inits: Sequence[str]) -> Iterator[Fault]:
    """What of several systems, or of a system and `inits`, does not go together."""
    for name, system in systems.items():
        key, start = f"systems.{name}.starts_from", system.starts_from
        if start and start not in systems and start not in inits:
            yield Fault(key, f"is {start!r}, which is neither in `systems` ({', '.join(systems)}) nor in `inits`")
        elif start in systems and systems[start].role == "baseline":
            yield Fault(key, f"is {start!r}, a baseline; training starts from an encoder")
        elif name in _origins(name, systems):
            yield Fault(key, f"is {start!r}, which starts from {name} in turn; name what was trained first")
    made = {system.made_of for system in systems.values() if system.role == "tuned"}
    for init in inits:
        if tuned_folder(init) not in made:
            yield Fault(
                "inits",
                f"has {init!r}, but no system of role tuned is made of {tuned_folder(init)}, into which it is trained; "
                "add that system, or leave the name out",
            )


def _origins(name: str, systems: Mapping[str, System]) -> list[str]:
    """What a system starts from, what that one starts from, and so on; a circle once."""
    found: list[str] = []
    while name in systems and (start := systems[name].starts_from) and start not in found:
        found.append(name := start)
    return found
