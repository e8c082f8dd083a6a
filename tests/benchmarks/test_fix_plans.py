"""The bench applies a plan as `python -m whyrank fix --all` does; the runs themselves are stood in for."""

import json
import sys
from pathlib import Path

import pytest

from ..shipped import PARAMS

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
# After the path: the benchmarks are no package that is installed.
from benchmarks.faults import fix  # noqa: E402
from benchmarks.faults.cases import Case  # noqa: E402
from benchmarks.faults.fault import Fault  # noqa: E402
from whyrank.commands.effect import Measured  # noqa: E402
from whyrank.measure.significance.resampling import Interval  # noqa: E402

RATE = "finetune_rank.learning_rate"
HELPED, NOTHING = (0.08, 0.12), (-0.01, 0.01)


def step(code, changes_data=False, **params):
    keys = {name.replace("__", "."): value for name, value in params.items()}
    return {"code": code, "params": keys, "rows": "", "systems": ["base-tuned"], "stake": 10.0,
            "changes_data": changes_data}  # fmt: skip


CALMER, LIGHTER = step("calmer", finetune_rank__learning_rate=2e-4), step("lighter", finetune_rank__weight_decay=0.02)


@pytest.fixture
def mended(tmp_path, monkeypatch):
    """What `mend` makes of one plan, of which each step brings an interval of points."""

    def of(plan, intervals):
        case = Case("development", Fault("f", "parameters", "A rate is too high", ""), "sample", 1)
        twin = tmp_path / case.twin.folder
        twin.mkdir()
        healthy = {"base-tuned": {"q1": (0.8, "q1")}}
        (twin / "measured.json").write_text(json.dumps({"true": healthy}), encoding="utf-8")
        given = []
        brought = iter(intervals)

        def run(case, folder, values):
            given.append(values["finetune_rank"])
            return {"plan": plan}

        def measure(*args, **kwargs):
            low, high = next(brought)
            return Measured("accuracy@1 of base-tuned", 200, Interval((low + high) / 2, low, high), "points")

        monkeypatch.setattr(fix.pipeline, "arrange", lambda *args: PARAMS)
        monkeypatch.setattr(fix, "run", run)
        monkeypatch.setattr(fix, "value", lambda *args: 0.5 + 0.1 * len(given))
        monkeypatch.setattr(fix.effect, "measure", measure)
        return fix.mend(case, tmp_path), given

    return of


def test_a_step_that_helped_stays_below_the_next_one(mended):
    row, given = mended([CALMER, LIGHTER], [HELPED, HELPED])
    assert [one["kept"] for one in row["steps"]] == [True, True]
    assert (given[-1]["learning_rate"], given[-1]["weight_decay"]) == (2e-4, 0.02)
    assert row["reached"] == [0.6, 0.7, 0.8] and row["back"] and row["had_to"] and not row["faults"]


def test_a_step_that_made_no_difference_is_taken_back_before_the_next_one(mended):
    row, given = mended([CALMER, LIGHTER], [NOTHING, HELPED])
    assert [one["kept"] for one in row["steps"]] == [False, True]
    healthy = PARAMS["finetune_rank"]["learning_rate"]
    assert [one["learning_rate"] for one in given] == [healthy, 2e-4, healthy]


def test_a_step_that_changes_the_data_stays_whatever_is_measured(mended):
    row, _ = mended([step("data", changes_data=True, finetune_rank__weight_decay=0.02)], [NOTHING])
    assert [one["kept"] for one in row["steps"]] == [True]


def test_at_most_three_steps_none_twice_and_none_by_hand_alone(mended):
    by_hand = step("by-hand")
    rates = [step("rate", finetune_rank__learning_rate=rate) for rate in (1e-4, 2e-4, 3e-4, 4e-4)]
    row, given = mended([by_hand, *rates], [NOTHING] * 3)
    assert [one["params"][RATE] for one in row["steps"]] == [1e-4, 2e-4, 3e-4] and len(given) == 4


def test_a_value_that_was_set_already_or_comes_after_another_one_is_a_fault_of_the_plan(mended):
    same = step("same", finetune_rank__weight_decay=PARAMS["finetune_rank"]["weight_decay"])
    other = step("other", finetune_rank__learning_rate=9e-4)
    row, _ = mended([same, CALMER, other], [HELPED] * 3)
    assert [fault.split(":")[0] for fault in row["faults"]] == ["already set", "another value than before"]


def test_a_fault_of_pretraining_is_judged_by_the_system_that_was_pretrained():
    measure = {"base-tuned": {"q1": (0.8, "q1")}, "barlow-tuned": {"q1": (0.3, "q1")}}
    tasks = {"barlow": "barlow-tuned", "ranking": "base-tuned"}
    for task, name in tasks.items():
        fault = Fault("f", "parameters", "A rate is too high", "", task=task)
        assert fix.judged_by(Case("development", fault, "sample", 1), measure) == name
