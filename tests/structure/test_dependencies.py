"""dvc.yaml declares what its stages read: a file or parameter left out would leave an old result standing as new."""

from pathlib import Path

import pytest

from .imports import ROOT, SOURCE, closure, external
from .stage_files import PARAMS, STAGES, outs, parameters_read, script

KEYS = ["desc", "cmd", "deps", "params", "outs"]
# `foreach` and `matrix` stand before the command whose values they give.
BEFORE = ["desc", "matrix", "cmd"]


def declared(stage: str) -> list[Path]:
    """The files and folders of the package that a stage declares."""
    return [ROOT / path for path in STAGES[stage]["deps"] if path.startswith("src/")]


def covers(path: Path, file: Path) -> bool:
    return path == file or path in file.parents


@pytest.mark.parametrize("stage", STAGES)
def test_every_file_that_a_stage_imports_is_among_its_dependencies(stage):
    left_out = {
        str(file.relative_to(ROOT))
        for file in closure(script(stage))
        if not any(covers(path, file) for path in declared(stage))
    }
    assert left_out == set()


@pytest.mark.parametrize("stage", STAGES)
def test_no_dependency_of_a_stage_is_unused(stage):
    needed = closure(script(stage))
    unused = {str(path) for path in declared(stage) if not any(covers(path, file) for file in needed)}
    assert unused == set()


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_its_own_script_and_on_files_that_exist(stage):
    assert str(script(stage).relative_to(ROOT)) in STAGES[stage]["deps"]
    assert all(path.exists() for path in declared(stage))


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_declares_the_parameters_that_its_script_reads_and_no_others(stage):
    assert len(set(STAGES[stage]["params"])) == len(STAGES[stage]["params"])
    assert set(STAGES[stage]["params"]) == parameters_read(script(stage))


@pytest.mark.parametrize("stage", STAGES)
def test_what_a_stage_reads_of_another_is_what_that_one_writes(stage):
    written = set().union(*(outs(other) for other in STAGES))
    read = {path for path in STAGES[stage]["deps"] if path.startswith(("data/", "models/", "metrics/"))}
    # models/source shows the encoder's files, which come from outside.
    for path in {path for path in read if "$" not in path} - {"models/source"}:
        assert any(path == out or out.startswith(f"{path}/") for out in written), path


@pytest.mark.parametrize("stage", STAGES)
def test_the_keys_of_a_stage_stand_in_one_order(stage):
    keys = list(STAGES[stage])
    assert [key for key in keys if key not in ("matrix", "metrics")] == KEYS
    assert "matrix" not in keys or keys[:3] == BEFORE


@pytest.mark.parametrize("library", ["torch", "transformers", "sentence_transformers"])
def test_diagnosis_needs_no_deep_learning_library(library):
    files = set((SOURCE / "whyrank" / "diagnosis").rglob("*.py"))
    assert library not in external(files | closure(*files))


@pytest.mark.parametrize("folder, most", [("stages", 60), ("src", 250)])
def test_files_are_short(folder, most):
    lines = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in (ROOT / folder).rglob("*.py")}
    assert lines
    assert {str(file.relative_to(ROOT)): n for file, n in lines.items() if n > most} == {}


def test_fine_tuning_depends_on_the_teacher_that_the_parameters_name_and_the_shipped_one_is_written_by_a_stage():
    assert "${finetune_rank.distillation.teacher}" in STAGES["finetune_rank"]["deps"]
    teacher = PARAMS["finetune_rank"]["distillation"]["teacher"]
    assert teacher in set().union(*(outs(stage) for stage in STAGES if stage != "finetune_rank"))
