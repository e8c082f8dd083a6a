"""Files of spaces/: what they may say, what a trial is given, and that a fault is one line before any trial."""

from pathlib import Path

import optuna
import pytest
import yaml

from whyrank.commands.search import space
from whyrank.core.errors import UserError

ROOT = Path(__file__).parents[3]
RATE = "finetune_rank.learning_rate"
SOUND = {
    "question": "Which rate?",
    "system": "base-tuned",
    "metric": "map@10_all",
    "overrides": {"finetune_rank.train": "head", "finetune_rank.head.kind": "residual"},
    "space": {
        "finetune_rank.learning_rate": {"low": 1e-5, "high": 1e-2, "log": True},
        "finetune_rank.batch_size": {"low": 16, "high": 64, "step": 16},
        "finetune_rank.candidates": ["batch", "all"],
        "pretrain_barlow.views": [["span-document"], ["deletion", "span-document"]],
    },
}


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)

    def write(**changes):
        file = tmp_path / "mine.yaml"
        file.write_text(yaml.safe_dump(SOUND | changes, sort_keys=False))
        return file

    return write


def test_ranges_and_lists_are_what_optuna_draws_from_and_a_trial_gets_them_as_overrides(write):
    found = space.read(write())
    rate, size, candidates, views = found.varied.values()
    assert rate == optuna.distributions.FloatDistribution(1e-5, 1e-2, log=True)
    assert size == optuna.distributions.IntDistribution(16, 64, step=16)
    assert candidates.choices == ("batch", "all") and views.choices == ("[span-document]", "[deletion,span-document]")
    assert (found.name, found.stage, found.result) == (
        "mine", "finetune_rank@base", "metrics/finetune_rank/base.json",
    )  # fmt: skip
    drawn = dict(zip(found.varied, (0.000123456, 32, "all", "[deletion,span-document]"), strict=True))
    assert found.settings(drawn) == [
        "finetune_rank.train=head", "finetune_rank.head.kind=residual", "finetune_rank.learning_rate=0.0001235",
        "finetune_rank.batch_size=32", "finetune_rank.candidates=all", "pretrain_barlow.views=[deletion,span-document]",
    ]  # fmt: skip


def test_sections_may_stand_in_a_list_and_in_settings_of_the_command(write):
    key, cuts = (
        "finetune_rank.objectives.rank.matryoshka",
        [{"dims": [], "weights": []}, {"dims": [64], "weights": [1.0]}],
    )
    found = space.read(write(space={key: cuts}), ["prepare.types={chat:conversation}"])
    assert list(space.ends(found.varied[key])) == cuts and found.overrides["prepare.types"] == {"chat": "conversation"}
    assert found.settings({key: found.varied[key].choices[1]})[-1] == f"{key}={{dims:[64],weights:[1.0]}}"


def test_whole_ends_with_a_step_that_is_a_fraction_are_a_range_of_fractions(write):
    found = space.read(write(space={RATE: {"low": 0, "high": 1, "step": 0.25}}))
    assert [point[RATE] for point in space.grid(found)] == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_settings_of_the_command_hold_for_every_trial_and_may_not_be_varied_too(write):
    found = space.read(write(), ["finetune_rank.train=last", "prepare.source=data/raw/mine"])
    assert found.overrides["finetune_rank.train"] == "last" and found.overrides["prepare.source"] == "data/raw/mine"
    assert found.values["finetune_rank"]["train"] == "last"
    assert found.values["finetune_rank"]["head"]["kind"] == "residual"
    agreed = space.read(write(overrides={"launch": "torchrun"}), ["launch=torchrun"])
    assert agreed.overrides["launch"] == "torchrun"
    with pytest.raises(UserError, match=r"^-S finetune_rank\.batch_size: .*mine\.yaml varies it"):
        space.read(write(), ["finetune_rank.batch_size=8"])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"extra": 1}, r"mine\.yaml: expected the keys question, system, metric, overrides, space"),
        ({"metric": 3}, r"mine\.yaml: `metric` is 3; it takes text"),
        ({"space": {}}, r"`space` is empty; name a key"),
        ({"system": "base"}, r"`system` is base, which no fine-tuning makes; name a tuned one"),
        ({"system": "nope"}, r"`systems` has no 'nope'"),
        ({"space": {"finetune_rank.rate": [1]}}, r"mine\.yaml: params\.yaml has no key finetune_rank\.rate"),
        ({"overrides": {"launch": "rm"}}, r"mine\.yaml runs what it names: launch=rm; read it, .* add -S launch=rm$"),
        ({"space": {"encoder": [{"trust_remote_code": True}]}}, r"names: encoder\.trust_remote_code=true; "),
        ({"space": {RATE: 1e-3}}, r"`space\.finetune_rank\.learning_rate` is 0\.001; it takes a"),
        ({"space": {RATE: {"low": 1e-3}}}, r"it takes a list of values, or low and high"),
        ({"space": {RATE: {"low": "tiny", "high": 1}}}, "low and high are numbers"),
        ({"space": {RATE: {"low": 0.1, "high": 0.5, "step": "small"}}}, "are numbers, and so is step"),
        ({"space": {RATE: {"low": 0.1, "high": float("inf")}}}, "are numbers, and so is step"),
        ({"space": {RATE: {"low": 0.1, "high": 0.5, "log": "no"}}}, "log is true or false"),
        ({"space": {RATE: {"low": 1e-2, "high": 1e-3}}}, r"finetune_rank\.learning_rate` is .*low"),
        ({"space": {RATE: {"low": 1e-3, "high": 7.0}}}, r"learning_rate` has 7\.0: "),
        ({"space": {"finetune_rank.candidates": ["all", "some"]}}, r"`space\.finetune_rank\.candidates` has 'some': "),
        ({"overrides": {"finetune_rank.nope": 1}}, r"mine\.yaml: params\.yaml has no key finetune_rank\.nope"),
    ],
)  # fmt: skip
def test_what_no_trial_could_run_with_is_one_line_that_names_file_key_and_value(write, changes, said):
    with pytest.raises(UserError, match=said):
        space.read(write(**changes))


def test_a_grid_has_every_value_of_a_list_and_of_a_range_with_a_step(write):
    varied = {
        "finetune_rank.head.dropout": {"low": 0.0, "high": 0.3, "step": 0.1},
        "finetune_rank.candidates": ["all", "batch"],
    }
    points = space.grid(space.read(write(space=varied)))
    assert [tuple(point.values()) for point in points] == [
        (dropout, candidates) for dropout in (0.0, 0.1, 0.2, 0.3) for candidates in ("all", "batch")
    ]
    assert all(list(point) == list(varied) for point in points)
    with pytest.raises(UserError, match=r"step of `finetune_rank\.learning_rate`; or use --sampler tpe"):
        space.grid(space.read(write()))


@pytest.mark.parametrize("file", sorted((ROOT / "spaces").glob("*.yaml")), ids=lambda file: file.stem)
def test_the_shipped_spaces_can_be_searched(file, monkeypatch):
    monkeypatch.chdir(ROOT)
    found = space.read(file)
    assert len(found.varied) >= 3 and found.question.endswith("?")
