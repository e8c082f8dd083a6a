"""A repository that `whyrank init` made: `dvc repro` works there, and all has to run again with another package."""

import pytest

from .conftest import ROOT, SMALL, Clone, write_params, write_source

pytestmark = pytest.mark.slow
SOURCES = {"PYTHONPATH": str(ROOT / "src")}


def test_dvc_repro_works_there_and_an_upgraded_package_makes_stages_run_again(tmp_path, tiny_folder, stages_run):
    Clone(tmp_path).done("python", "-m", "whyrank", "init", "x", **SOURCES)
    repository = Clone(tmp_path / "x")
    write_source(tmp_path / "x/data/raw/mine")
    small = {key: value for key, value in SMALL.items() if key != "prepare.source"}
    write_params(tmp_path / "x/params.yaml", small | {"encoder.source": str(tiny_folder)})
    first = stages_run(repository.done("dvc", "repro", **SOURCES))
    assert first[0] == "prepare" and first[-1] == "diagnose"
    assert stages_run(repository.done("dvc", "repro", **SOURCES)) == []
    assert "verdict: " in repository.done("python", "-m", "whyrank", "verdict", "--short", **SOURCES)
    file = tmp_path / "x/whyrank.json"
    file.write_text(file.read_text().replace('"version": "', '"version": "9.'))
    changed = repository.parsed("dvc", "status", "--json")
    assert {"prepare", "finetune_rank@base", "evaluate@tfidf", "diagnose"} <= changed.keys()
