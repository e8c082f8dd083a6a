"""`whyrank fix` with DVC: the plan of a run that moves nothing is tried in a copy, compared, and not tried again."""

import json

import pytest

pytestmark = pytest.mark.slow

# Rates that move no weight.
STILL = ["-S", "finetune_rank.learning_rate=1e-30", "-S", "finetune_rank.encoder_learning_rate=1e-30"]


def test_a_step_runs_in_a_copy_says_what_it_brought_and_is_not_tried_twice(ran, tmp_path):
    clone = ran.copy(tmp_path / "clone")
    clone.done("dvc", "exp", "run", *STILL)
    diagnosis = clone.folder / "metrics/diagnose"
    plan = json.loads((diagnosis / "plan.json").read_text())["steps"]
    step = next(one for one in plan if one["command"])
    assert step["code"] == "nothing-moves" and "finetune_rank.learning_rate" in step["params"]
    before = {file: file.read_bytes() for file in (clone.folder / "metrics").rglob("*") if file.is_file()}
    result = clone.run("whyrank", "fix", "--yes")
    tried = json.loads((clone.folder / "logs/fix/tried.json").read_text())
    assert [one["code"] for one in tried] == ["nothing-moves"]
    assert "accuracy@1 of base-tuned" in result.stdout and tried[0]["told"] in result.stdout, result.stderr
    assert result.returncode == (0 if tried[0]["kept"] else 1)
    # The run is that of the workspace with the step: the bound of the other rate stays in the first one alone.
    assert tried[0]["settings"] != tried[0]["start"] and set(tried[0]["start"]) == set(STILL[1::2])
    assert {file: file.read_bytes() for file in before} == before
    again = clone.run("whyrank", "fix", "--yes")
    tried_again = json.loads((clone.folder / "logs/fix/tried.json").read_text())
    assert [one["id"] for one in tried_again].count(tried[0]["id"]) == 1, again.stdout
