"""Every command of docs/multi-task.md changes known parameters, to an arrangement of tasks that can be trained."""

import argparse
import re
import shlex
from pathlib import Path

import pytest

from whyrank.commands import scenario
from whyrank.core.options import params

from . import overrides

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "multi-task.md"
COMMANDS = re.findall(r"^whyrank scenario .*$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)


def applied(command, values):
    """Parameters after what the command says, as DVC applies it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("-S", dest="overrides", action="append", default=[])
    asked = parser.parse_args(shlex.split(command, comments=True)[2:])
    settings = scenario.settings(scenario.read(asked.name, ROOT / "scenarios"))
    return overrides.applied(values, [*settings, *asked.overrides])


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_asks_for_tasks_that_go_together(command, paired, make_encoder, shipped_params):
    from whyrank.model import system
    from whyrank.training import finetune
    from whyrank.training.engine import optimiser
    from whyrank.training.engine.trained import trainable

    values = applied(command, shipped_params)
    assert values != shipped_params
    chosen = params.section(values, "finetune_rank", params.FinetuneRank)
    made, todo = finetune.with_heads(system.untrained(make_encoder()), chosen), finetune.plan(chosen, paired, 0)
    assert {"rank", "similarity"} <= {task.name for task in todo.tasks}
    optimiser.parameter_groups(trainable(made, chosen.train), chosen, todo.sharing.rate)


def test_the_page_has_a_command_for_every_option():
    assert len(COMMANDS) == 13
    said = " ".join(COMMANDS)
    for key in ("head.kind", "embeddings", "cross_attention", "weighting", "sampling", "start_step", "freeze_encoder",
                "encoder_gradient_scale", "learning_rate"):  # fmt: skip
        assert f"{key}=" in said, key
