"""The plots of dvc.yaml show files that stages write and columns that these files have."""

from collections.abc import Iterator
from typing import Any

import pytest

from whyrank.core.options import params
from whyrank.model import system
from whyrank.training import finetune
from whyrank.training.barlow import pretrain
from whyrank.training.engine.trained import curves

from .stage_files import DVC, PARAMS, STAGES, outs, script

ENCODER = params.Encoder("folder", "auto", "fp32", 0.0, batch_tokens=256, trust_remote_code=False)


def shown() -> Iterator[tuple[str, str]]:
    """File and column of everything that is plotted, x-axes included."""
    for plot in DVC.get("plots", []):
        for settings in plot.values():
            for file, columns in settings["y"].items():
                for column in [settings["x"], *([columns] if isinstance(columns, str) else columns)]:
                    yield file, column


@pytest.fixture(scope="module")
def recorded(request: pytest.FixtureRequest) -> dict[tuple[str, str], set[str]]:
    """Columns by stage and file of its curves, from two steps of each training."""
    topics, start = request.getfixturevalue("topics"), request.getfixturevalue("make_encoder")
    shipped: dict[str, Any] = request.getfixturevalue("shipped_params")
    barlow = shipped["pretrain_barlow"] | {"steps": 2, "batch_size": 6}
    rank = shipped["finetune_rank"] | {"epochs": 0.1}
    pretrained = pretrain.pretrain_barlow(
        system.untrained(start()),
        topics,
        params.section({"pretrain_barlow": barlow}, "pretrain_barlow", params.PretrainBarlow),
        ENCODER,
        7,
    ).history
    tuned = finetune.finetune_rank(
        system.untrained(start()),
        topics,
        params.section({"finetune_rank": rank}, "finetune_rank", params.FinetuneRank),
        ENCODER,
        7,
    ).history
    histories = {"pretrain_barlow": pretrained, "finetune_rank": tuned}
    return {
        (stage, file): set(table) for stage, history in histories.items() for file, table in curves(history).items()
    }


@pytest.mark.parametrize(("file", "column"), list(shown()))
def test_what_is_plotted_is_written_by_a_stage_and_has_that_column(file, column, recorded):
    folder, name = file.rsplit("/", 1)
    stage = next(stage for stage in STAGES if folder in outs(stage))
    assert "curves(" in script(stage).read_text(encoding="utf-8")
    assert column in recorded[stage, name]


def test_git_keeps_what_is_plotted_so_that_a_fresh_clone_draws_it():
    kept = {path for stage in STAGES.values() for out in stage["outs"] if isinstance(out, dict) for path in out}
    folders = {path.replace("${item.init}", init) for path in kept for init in PARAMS["inits"]}
    assert {file.rsplit("/", 1)[0] for file, _ in shown()} <= folders
