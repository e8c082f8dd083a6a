"""params.yaml as a whole: read as DVC reads it, checked in all of its sections, handed out section by section.

A stage gets only the values that it declares in dvc.yaml, so that an undeclared read fails at once and never goes
stale. The first stage that runs checks all others' sections, too: a slip in the last one costs no training. Stages take
the class of each section from here.
"""

import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, StrictInt, ValidationError
from pydantic.dataclasses import dataclass

from whyrank.core.errors import UserError
from whyrank.core.options import checking
from whyrank.core.options.barlow import BarlowBatches, PretrainBarlow
from whyrank.core.options.encoder import Encoder
from whyrank.core.options.evaluate import Diagnose, Evaluate
from whyrank.core.options.finetune import FinetuneRank, FirstBatches, HardNegatives, RankBatches, Similarity
from whyrank.core.options.optimisation import EarlyStopping, Head, Lora, Optimisation
from whyrank.core.options.pairs import Pairs, PairSource
from whyrank.core.options.prepare import Preflight, Prepare, Rated, SelectionPerText, Split, Tokens
from whyrank.core.options.ratings import Ratings
from whyrank.core.options.sections import CHECKED, FILE, Fault
from whyrank.core.options.system_links import faults_of
from whyrank.core.options.systems import Name, System
from whyrank.core.options.yaml_files import read_yaml

Seed = Annotated[
    StrictInt,
    Field(ge=0, le=2**32 - 1, examples=[7], description="of everything random; the same seed gives the same bytes"),
]


@dataclass(frozen=True, config=CHECKED)
class Params:
    """The parameters of whyrank's pipeline. `dvc exp run -S section.key=value` changes one for one run."""

    seed: Seed
    launch: str = Field(min_length=1, examples=["python"], description="what starts a training stage")
    report_to: list[Literal["none", "tensorboard", "dvclive", "wandb", "mlflow", "trackio"]] = Field(
        max_length=6, description="trackers that show each step of a training as it comes"
    )
    inits: Annotated[list[Name], Field(max_length=100, examples=[["base", "barlow"]])] = Field(
        description="what fine-tuning starts from"
    )
    systems: Annotated[dict[Name, System], Field(min_length=1, max_length=100)] = Field(
        description="what is scored and compared, in the order of the report"
    )
    encoder: Encoder = Field(description="which text encoder all systems start from, and how it computes")
    prepare: Prepare = Field(description="which data is read, and how it is checked, split and cut")
    preflight: Preflight = Field(description="when a run stops before any training")
    pretrain_barlow: PretrainBarlow = Field(description="bring two views of a text together, before any fine-tuning")
    finetune_rank: FinetuneRank = Field(description="train the base encoder and the pretrained one")
    evaluate: Evaluate = Field(description="how systems are scored")
    diagnose: Diagnose = Field(description="how systems are compared")

    def faults(self) -> Iterator[Fault]:
        """What of several sections does not go together."""
        yield from faults_of(self.systems, self.inits)
        if self.encoder.precision == "fp16":
            for name in ("pretrain_barlow", "finetune_rank"):
                if getattr(self, name).shard_encoder:
                    yield Fault(
                        "encoder.precision",
                        f"is fp16, which does not go with `{name}.shard_encoder: true`",
                        ["encoder.precision=bf16", f"{name}.shard_encoder=false"],
                    )
        if self.diagnose.metric not in self.evaluate.metrics:
            yield Fault(
                "diagnose.metric",
                f"is {self.diagnose.metric!r}, and `evaluate` records {', '.join(self.evaluate.metrics)}",
                [f"diagnose.metric={self.evaluate.metrics[1]}"],
            )
        ratings, key = self.finetune_rank.objectives.ratings, "finetune_rank.objectives.ratings"
        if ratings.weight and not self.prepare.ratings.read:
            yield Fault(
                f"{key}.weight",
                f"is {ratings.weight:g}, and no ratings are prepared",
                ["prepare.ratings.read=true", f"{key}.weight=0"],
            )
        if ratings.weight and ratings.encoders == "two" and self.prepare.ratings.layout != "separate":
            yield Fault(
                f"{key}.encoders",
                "is two, which needs question and answer as two texts",
                ["prepare.ratings.layout=separate", f"{key}.encoders=one"],
            )


T = TypeVar("T")


def load(stage: str) -> dict[str, Any]:
    """The raw values that `stage` (for instance `evaluate@base`) declares in dvc.yaml, after a check of all sections.

    `dvc.api.params_show` says the same, but opens the whole repository for it: 0.7 s more in each of twelve stages.
    """
    values = read_yaml(FILE)
    check(values)
    return declared(values, read_yaml("dvc.yaml"), stage)


def report_to() -> list[str]:
    """The trackers that params.yaml names. No stage declares them: they change nothing that a training makes."""
    return [str(name) for name in read_yaml(FILE)["report_to"]]


def kinds() -> dict[str, str]:
    """The kind of every system. No stage declares them: the scores that a rival combines are its dependency."""
    return {str(name): str(own["kind"]) for name, own in read_yaml(FILE)["systems"].items()}


def declared(values: dict[str, Any], pipeline: Any, stage: str) -> dict[str, Any]:
    try:
        entry = pipeline["stages"][stage.split("@")[0]]
        keys = [str(key) for key in entry.get("do", entry)["params"]]
    except (LookupError, TypeError, AttributeError):
        name = stage.split("@")[0]
        raise UserError(
            f"dvc.yaml: no stage {name} with `params`; bring it back with `git checkout dvc.yaml`"
        ) from None
    chosen: dict[str, Any] = {}
    for key in keys:
        # A stage of a `foreach` names its own key.
        *path, last = key.replace("${key}", stage.partition("@")[2]).split(".")
        source, target = values, chosen
        for name in path:
            source, target = source.get(name, {}), target.setdefault(name, {})
        if last in source:
            target[last] = source[last]
    return chosen


def check(values: Any) -> None:
    """Raise UserError with a line for each fault in any section of `values`."""
    try:
        found = checking.adapter(Params).validate_python(values)
    except ValidationError as error:
        lines = checking.wrong_values(Params, values, error)
        wrong = {one["loc"][0] if one["loc"] else "" for one in error.errors()}
        for one in fields(Params):
            if is_dataclass(one.type) and not wrong & {one.name, ""}:
                options = checking.adapter(one.type).validate_python(values[one.name])
                lines += checking.conflicts(options, one.name)
        raise UserError(*lines) from None
    if lines := list(checking.conflicts(found, "")):
        raise UserError(*lines)


def schema() -> str:
    """The JSON schema of params.yaml, by which editors complete, explain and check it."""
    found = checking.adapter(Params).json_schema(schema_generator=checking.Untitled)
    return json.dumps(
        {"$schema": "https://json-schema.org/draft/2020-12/schema", **found}, indent=1, ensure_ascii=False
    )


def section(values: dict[str, Any], name: str, kind: type[T]) -> T:
    """One section of `values` as a checked dataclass."""
    if name not in values:
        raise UserError(f"{FILE}: section `{name}` is missing")
    return checking.typed(kind, values[name], name)


def system(values: dict[str, Any], name: str) -> System:
    """One system of the section `systems`. Raises UserError for a name that is not there."""
    if name not in values.get("systems", {}):
        raise UserError(f"{FILE}: `systems` has no {name!r}; add it, or name one that is there")
    return checking.typed(System, values["systems"][name], f"systems.{name}")


def seed(values: dict[str, Any]) -> int:
    return checking.typed(Seed, values.get("seed"), "seed")
