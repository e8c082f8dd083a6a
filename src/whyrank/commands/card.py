"""A trained system with its model card, as a folder that can go to a model hub.

`python -m whyrank export SYSTEM FOLDER` copies the system and writes README.md beside it. The card says only what was
recorded: parameters come from dvc.lock, because params.yaml may have been changed since the run.
"""

import math
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from huggingface_hub import EvalResult, ModelCardData
from jinja2 import Environment, PackageLoader, StrictUndefined, Template, UndefinedError

from whyrank.commands import graph
from whyrank.core import checksums, io, lock
from whyrank.core.errors import UserError, said_by
from whyrank.diagnosis.compare.text import one_line
from whyrank.diagnosis.report import markdown, numbers
from whyrank.diagnosis.report.blocks import Cell, Group, Table, head
from whyrank.diagnosis.report.markdown import fenced, plain
from whyrank.diagnosis.report.tables import TYPES, each, metric_cell, systems_table
from whyrank.findings.systems import Systems

MODELS, METRICS = "models", "metrics"
POOLING = "1_Pooling"
# The packaged encoder is used only after its checksum proved it to be this one.
EMBEDDED = "sentence-transformers/all-MiniLM-L6-v2"
KINDS = {"all": "all test queries", "question": "questions", "conversation": "conversations"}
CELLS: dict[str, Any] = {"width": math.inf, "escape": plain, "mark": ("**", "**")}
# How a path outside the repository begins; it would tell of the machine.
OUTSIDE = ("/", "~", "..")
HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")


def export(system: str, folder: Path, root: Path, *, backend: str = "torch", precision: str = "float32") -> None:
    """Copy a system of the workspace `root` into `folder`, with its card; either all of it is there or nothing.

    backend, precision   as `graph.write` takes them
    Raises UserError for a system that has no model, was not evaluated or diagnosed, or was made anew since, for a
    folder that holds something already, and as `graph.write` does.
    """
    source, folder = root / MODELS / system, folder.resolve()
    known = sorted(path.parent.name for path in (root / MODELS).glob("[!.]*/modules.json"))
    if system not in known:
        made = f"there are {', '.join(known)}" if known else "none was made; run `dvc repro`"
        raise UserError(f"no system {system!r} with a model; {made}")
    if folder.is_relative_to((root / MODELS).resolve()):
        raise UserError(f"{folder} is inside {MODELS}/, which the pipeline writes; name a folder elsewhere")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} exists and is not empty; name a new folder")
    for written in (source, root / METRICS / "diagnose", root / "data/runs" / system):
        if written.is_dir():
            checksums.verify(written, required=False)
    try:
        text = render(system, root, backend)
    except UserError:
        raise
    except (OSError, LookupError, TypeError, ValueError, AttributeError, UndefinedError) as error:
        raise UserError(
            f"the records of {system} are torn, edited or of another version ({said_by(error)}); run `dvc repro`"
        ) from error
    with io.replacing_folder(folder) as temporary:
        # The contents alone: weights are written readable to their owner only, and DVC may link them read-only.
        shutil.copytree(source, temporary, copy_function=shutil.copyfile, dirs_exist_ok=True)
        io.write_text(temporary / "README.md", text)
        graph.write(source, temporary, backend, precision)


def render(system: str, root: Path, backend: str = "torch") -> str:
    """The card as a string; the same records give the same bytes. Raises UserError as `export` does."""
    metrics, diagnosis = root / METRICS, root / METRICS / "diagnose"
    stages = recorded_stages(system, root)
    makers = lock.made_by(stages, f"{MODELS}/{system}")
    params, recorded = recorded_params(stages, makers), stages["diagnose"]["params"]["params.yaml"]
    check_evaluated(system, Systems.of(recorded), root)
    description = io.read_json(root / MODELS / system / "heads.json")
    table = io.read_table(diagnosis / "systems.csv")
    dataset = hub_id(params["prepare"]["hub"], root)
    data = dataset or Path(params["prepare"]["hub"] or params["prepare"]["source"]).name
    own, metric = table[table["system"] == system], recorded["diagnose"]["metric"]
    roles = numbers.roles(Systems.of(recorded))
    about = {system, "data", *(maker.split("@")[0] for maker in makers)}
    base = base_model(params["encoder"]["source"], root)
    return template().render(
        system=system,
        backend=backend,
        front_matter=front_matter(system, own, description["score"], data, dataset, base),
        description=description,
        prompts=prompts(root / MODELS / system),
        features=io.read_json(metrics / f"evaluate/{system}.json")["features"],
        verdict=(diagnosis / "verdict.txt").read_text(encoding="utf-8"),
        params=params,
        data=data,
        dataset=dataset,
        counts=io.read_json(metrics / "prepare.json"),
        diagnose=recorded["diagnose"],
        role=roles.get(system, ""),
        findings=[one for one in io.read_json(diagnosis / "findings.json") if not about.isdisjoint(one["systems"])],
        makers=makers,
        recipe=yaml.safe_dump(without_places(params), sort_keys=False, allow_unicode=True, width=math.inf),
        versions=recorded_versions((diagnosis / "report.md").read_text(encoding="utf-8")),
        results=markdown.table_blocks(systems_table(table, metric, roles), **CELLS),
        by_metric=markdown.table_blocks(by_metric(own), **CELLS),
    )


def prompts(folder: Path) -> dict[str, str]:
    """What stands before queries and documents, where something does."""
    declared = io.read_json(folder / "config_sentence_transformers.json").get("prompts", {})
    return {side: declared[side] for side in ("query", "document") if declared.get(side)}


def by_metric(own: pd.DataFrame) -> Table:
    """A row for each metric of one system."""
    kinds = [kind for kind in TYPES if kind in set(own["type"])]
    rows = [
        [Cell(str(metric)), *(metric_cell(row) for kind in kinds for row in each(part[part["type"] == kind]))]
        for metric, part in own.groupby("metric", sort=False)
    ]
    return Table("This model by every metric", head("Metric", *(TYPES[kind] for kind in kinds)), [Group("", rows)])


def template() -> Template:
    """No autoescape, which is for HTML: every text goes through `plain` or `fenced`."""
    environment = Environment(
        loader=PackageLoader("whyrank", "commands"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters = (numbers.free, numbers.ci, plain, fenced)
    environment.filters |= {function.__name__: function for function in filters}
    return environment.get_template("card.jinja")


def recorded_stages(system: str, root: Path) -> dict[str, Any]:
    """What dvc.lock says of each stage.

    Raises UserError where a record is missing, or where model, evaluation and diagnosis are not of one run.
    """
    evaluated, table = root / METRICS / f"evaluate/{system}.json", root / METRICS / "diagnose/systems.csv"
    for file, fault in (
        (evaluated, f"{system} was not evaluated"),
        (table, "diagnose has not run"),
        (root / lock.LOCK, "no run of the pipeline was recorded"),
    ):
        if not file.exists():
            raise UserError(f"{fault}: {file} does not exist; run `dvc repro`")
    stages = lock.stages(root)
    check_hashes(system, stages)
    check_numbers(system, io.read_table(table), io.read_json(evaluated))
    return stages


def check_hashes(system: str, stages: dict[str, Any]) -> None:
    """Raises UserError where a stage read another version of a file than stands there now."""
    readers = [*lock.made_by(stages, f"{METRICS}/evaluate/{system}.json"), "diagnose"]
    if not lock.made_by(stages, f"{MODELS}/{system}") or not set(readers) <= set(stages):
        raise UserError(f"{lock.LOCK} does not say how {MODELS}/{system} was made; run `dvc repro`")
    lock.check_read(stages, readers)


def check_evaluated(system: str, systems: Systems, root: Path) -> None:
    """Raises UserError where what was evaluated under the name of the system is not what its folder gives."""
    own, folder = systems.options[system], f"{MODELS}/{system}"
    if own.made_of != folder:
        raise UserError(f"{system} was evaluated as {own.made_of}, and {folder} is another model; export that one")
    named = io.read_json(root / folder / POOLING / "config.json")["pooling_mode"]
    pooling = named if isinstance(named, str) else "+".join(named)
    if own.pooling not in ("auto", pooling):
        raise UserError(
            f"{system} was evaluated with `pooling: {own.pooling}`, and the model in {folder} has {pooling}; make it "
            f"with -S encoder.pooling={own.pooling}, or leave the key out of `systems.{system}`"
        )


def check_numbers(system: str, table: pd.DataFrame, evaluated: dict[str, float]) -> None:
    """Raises UserError where the diagnosis was not made of the numbers that stand in metrics/evaluate."""
    own = table[table["system"] == system]
    if own.empty:
        raise UserError(f"diagnose has not run since {system} was evaluated; run `dvc repro`")
    for row in each(own):
        # Both files round, to 6 decimals or digits.
        if not math.isclose(row.value, evaluated.get(f"{row.metric}_{row.type}", math.nan), rel_tol=0, abs_tol=1e-5):
            raise UserError(f"{system} was evaluated anew after diagnose had run; run `dvc repro`")


def recorded_params(stages: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Whole sections that the stages read.

    Single keys (`pretrain_barlow.batch_size` of prepare) belong to the section of another stage, and are left out.
    """
    declared = {key: value for name in names for key, value in stages[name]["params"]["params.yaml"].items()}
    return {key: value for key, value in declared.items() if "." not in key}


def without_places(value: Any) -> Any:
    """Parameters with only the name of each file or folder outside the repository."""
    if isinstance(value, dict):
        return {key: without_places(item) for key, item in value.items()}
    return Path(value).name if isinstance(value, str) and value.startswith(OUTSIDE) else value


def hub_id(source: str, root: Path) -> str | None:
    """The source itself where it is an id on a hub, None where it is a folder or empty."""
    return source if HUB_ID.fullmatch(source) and not (root / source).is_dir() else None


def base_model(source: str, root: Path) -> str | None:
    """The hub id of the encoder that training began with; None for a folder and for one made from scratch."""
    return EMBEDDED if source == "embedded" else None if source == "scratch" else hub_id(source, root)


def front_matter(system: str, own: pd.DataFrame, score: str, data: str, dataset: str | None, base: str | None) -> str:
    """What a hub reads, as YAML; metrics are named as sentence-transformers names them.

    own       rows of the table of systems;  score   cosine | dot
    dataset   hub id of the ranking set, whose name is `data`;  base   hub id of the encoder
    """
    results = [
        EvalResult(
            task_type="information-retrieval", task_name="Information Retrieval", dataset_type=dataset or "unknown",
            dataset_name=f"{one_line(data)}, {KINDS[row.type]}", dataset_config=row.type, dataset_split="test",
            metric_type=f"{score}_{row.metric}", metric_name=f"{row.metric}, {score}", metric_value=row.value,
        )
        for row in each(own)
    ]  # fmt: skip
    tags = ["sentence-transformers", "sentence-similarity", "feature-extraction", "whyrank"]
    values = ModelCardData(
        library_name="sentence-transformers", pipeline_tag="sentence-similarity", tags=tags, base_model=base,
        datasets=[dataset] if dataset else None, model_name=one_line(system), eval_results=results,
    )  # fmt: skip
    return values.to_yaml()


def recorded_versions(report: str) -> dict[str, str]:
    """Name to version of the libraries that `diagnose` noted at the end of report.md."""
    _, _, section = report.partition("\n### versions\n\n")
    return dict(re.findall(r"^- (\S+): (.+)$", section.partition("\n\n")[0], re.MULTILINE))
