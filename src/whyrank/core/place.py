"""Where a stage stands in the pipeline: `evaluate base (7 of 14)`, in the order in which DVC runs the stages."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from whyrank.core.options.yaml_files import PARAMS, read_yaml
from whyrank.core.rerun import PIPELINE

NAMED = re.compile(r"\$\{(\w+)\}")


def place(stage: str, argument: str = "") -> str:
    """Of a stage of dvc.yaml; without a number where params.yaml does not have it.

    Raises UserError for a dvc.yaml or params.yaml that cannot be read.
    """
    pipeline, values = (read if isinstance(read := read_yaml(file), dict) else {} for file in (PIPELINE, PARAMS))
    names = list(stages(pipeline, values))
    told = f"{stage} {argument}".strip()
    return f"{told} ({names.index((stage, argument)) + 1} of {len(names)})" if (stage, argument) in names else told


def stages(pipeline: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(stage, argument) of each run, once `foreach` and `matrix` have the values of params.yaml."""
    for name, entry in pipeline.get("stages", {}).items():
        over = entry.get("foreach") or next(iter(entry.get("matrix", {}).values()), None)
        named = NAMED.fullmatch(over) if isinstance(over, str) else None
        found = values.get(named[1]) if named else [""]
        yield from ((name, str(one)) for one in (found if isinstance(found, list | dict) else []))


def of_script(file: str, arguments: list[str]) -> str:
    """Of the script of a stage with its arguments."""
    return place(Path(file).stem, " ".join(arguments))
