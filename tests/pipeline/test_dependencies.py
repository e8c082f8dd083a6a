"""dvc.yaml names every source file that a stage imports; else an edit would leave old results standing."""

import ast
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src"
STAGES = sorted(path.stem for path in (ROOT / "stages").glob("*.py"))


def module_file(name: str) -> Path | None:
    """The file of a module of ours, None for a name inside a module."""
    place = SOURCES.joinpath(*name.split("."))
    return next((file for file in (place.with_suffix(".py"), place / "__init__.py") if file.exists()), None)


def imported(file: Path) -> set[Path]:
    """The files of ours that a file imports, at its top or inside a function, packages on the way included."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    ours = {name for name in names if name.split(".")[0] == "whyrank"}
    parents = {name.rsplit(".", count)[0] for name in ours for count in range(name.count(".") + 1)}
    return {found for name in ours | parents if (found := module_file(name))}


def all_imported(start: Path) -> set[Path]:
    known, waiting = set(), [start]
    while waiting:
        new = imported(waiting.pop()) - known
        known |= new
        waiting += new
    return known


def declared(stage: str) -> list[str]:
    entry = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"][stage]
    return [dep for dep in entry.get("do", entry)["deps"] if dep.startswith(("src", "stages"))]


@pytest.mark.parametrize("stage", STAGES)
def test_every_file_that_a_stage_imports_is_a_dependency(stage):
    deps = declared(stage)
    assert f"stages/{stage}.py" in deps
    used = all_imported(ROOT / f"stages/{stage}.py")
    assert SOURCES / "whyrank/core/params.py" in used
    # The packages' own __init__.py hold nothing that could change a result, unless they import.
    code = {file for file in used if file.name != "__init__.py" or imported(file) - {SOURCES / "whyrank/__init__.py"}}
    missing = {str(file.relative_to(ROOT)) for file in code if not any(file.is_relative_to(ROOT / dep) for dep in deps)}
    assert missing == set()


@pytest.mark.parametrize("stage", STAGES)
def test_every_declared_source_exists_and_is_imported(stage):
    used = {*all_imported(ROOT / f"stages/{stage}.py"), ROOT / f"stages/{stage}.py"}
    idle = [dep for dep in declared(stage) if not any(file.is_relative_to(ROOT / dep) for file in used)]
    assert idle == []


def test_no_training_stage_depends_on_a_probe():
    for stage in ("pretrain_barlow", "finetune_rank", "evaluate"):
        assert not [dep for dep in declared(stage) if "diagnosis" in dep]
