"""Overrides that turn one params.yaml into another: DVC makes of them what was wanted, wherever they are given."""

import copy
import itertools
import subprocess
from typing import Any

import pytest

from whyrank.core.errors import UserError
from whyrank.core.options import overrides

from ...overrides import applied

REMOVED = object()
# Each differs from the shipped params.yaml by these keys.
CHANGES: dict[str, dict[str, Any]] = {
    "as shipped": {},
    "words and quotes": {
        "prepare.source": "data/raw/my set, (v2): 50 % {raw}",
        "encoder.source": 'it\'s "quoted"',
        "launch": "torchrun --nproc-per-node=2",
        "prepare.hub": 'C:\\data\\"new"\\',
        "encoder.prompts": {"query": "Instruct: find the answer\n\tQuery: ", "document": '\\"\\\\" \n'},
    },
    "words that are none": {
        "prepare.hub": "null",
        "encoder.source": "2024",
        "prepare.ratings.exclude": ["true", "a b"],
    },
    "numbers": {"finetune_rank.learning_rate": 2e-05, "pretrain_barlow.steps": 0, "encoder.trust_remote_code": True},
    "systems left out": {"systems.tfidf": REMOVED, "systems.base": REMOVED},
    "a system more": {"systems.more": {"kind": "encoder", "role": "zero-shot", "made_of": "models/more"}},
    "a map of free names": {"prepare.ratings.rescale": {"a b.c": [0, 5], "x:y,=(z)": [1, 2]}},
    "a map of words": {"prepare.ratings.rescale": {"score": [0, 5]}},
    "a list of maps": {
        "prepare.pairs.sources": [{"name": "nli", "labels": {"same": 1.0, "not so": 0.5}, "classes": ["a b", "c"]}]
    },
}


@pytest.fixture(scope="module")
def states(shipped_params):
    made = {}
    for name, changes in CHANGES.items():
        made[name] = copy.deepcopy(shipped_params)
        for key, value in changes.items():
            *path, last = key.split(".")
            at = made[name]
            for part in path:
                at = at[part]
            if value is REMOVED:
                del at[last]
            else:
                at[last] = value
    return made


@pytest.mark.parametrize(("have", "want"), [*itertools.permutations(CHANGES, 2)])
def test_dvc_turns_one_state_into_the_other_also_where_that_is_done_already(have, want, states):
    settings = list(overrides.between(states[have], states[want]))
    assert settings
    for start in (have, want):
        assert applied(states[start], settings) == states[want]


def test_what_is_the_same_needs_no_setting(states):
    for values in states.values():
        assert list(overrides.between(values, copy.deepcopy(values))) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("question-conversation", "question-conversation"),
        ("data/raw/mine.csv", "data/raw/mine.csv"),
        ("/data/mine", '"/data/mine"'),
        ("torchrun --nproc-per-node=2", '"torchrun --nproc-per-node=2"'),
        ("nan", '"nan"'),
        ("nan-free", "nan-free"),
        ([0, 5.0, "a"], "[0,5.0,a]"),
        ({"entailment": 1.0, "not so": None}, "{entailment:1.0,not\\ so:null}"),
    ],
)
def test_words_and_paths_stand_without_quotes(value, text):
    assert overrides.written(value) == text


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_written_is_read_again_by_our_own_commands(name):
    changes = {key: value for key, value in CHANGES[name].items() if value is not REMOVED}
    settings = [f"{key}={overrides.written(value)}" for key, value in changes.items()]
    assert overrides.given(settings) == changes


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{chat: conversation, 'my faq':question}", {"chat": "conversation", "my faq": "question"}),
        ("[{dims:[64,128],weights:[]}, {dims: []}]", [{"dims": [64, 128], "weights": []}, {"dims": []}]),
        ("[a:b, c]", ["a:b", "c"]),
        ("it's here", "it's here"),
        ("", ""),
        ("null", None),
        ("1e-4", 1e-4),
        ("one,two", "one,two"),
        ("torchrun --nproc-per-node=2", "torchrun --nproc-per-node=2"),
        ("été", "été"),
    ],
)
def test_what_users_write(text, value):
    assert overrides.read(text) == value


@pytest.mark.parametrize("text", ["{a:1", "[a", '"a'])
def test_what_is_no_value_is_one_line(text):
    with pytest.raises(UserError, match=r"^-S: no YAML"):
        overrides.read(text)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository whose params.yaml was committed with steps 1, and then changed to 2."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_EXP_BASELINE_REV", raising=False)
    for name in ("author", "committer"):
        monkeypatch.setenv(f"GIT_{name.upper()}_NAME", "Test")
        monkeypatch.setenv(f"GIT_{name.upper()}_EMAIL", "test@example.org")
    git("init", "--quiet")
    write(1)
    git("add", "params.yaml")
    git("commit", "--quiet", "--message", "One")
    write(2)
    return tmp_path


def git(*arguments):
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def write(steps):
    with open("params.yaml", "w") as file:
        file.write(f"seed: 7\npretrain_barlow: {{steps: {steps}}}\n")


@pytest.mark.parametrize("setting", ["~systems.bm25", "~systems.bm25=1"])
def test_our_own_commands_take_no_key_away(setting):
    with pytest.raises(
        UserError, match=rf"^-S {setting}: takes a key away, which only `dvc exp run` does; set systems"
    ):
        overrides.given([setting])


def test_the_settings_of_a_run_are_what_differs_from_the_commit(repository):
    assert overrides.of_run() == ["pretrain_barlow.steps=2"]
    assert overrides.to_committed() == ["pretrain_barlow.steps=1"]


def test_in_an_experiment_the_commit_is_the_one_that_dvc_started_from(repository, monkeypatch):
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", git("rev-parse", "HEAD"))
    git("commit", "--all", "--quiet", "--message", "Two")
    assert overrides.of_run() == ["pretrain_barlow.steps=2"]
    monkeypatch.delenv("DVC_EXP_BASELINE_REV")
    assert overrides.of_run() == []


def test_in_a_folder_below_the_root_of_git_it_is_that_folders_own_file(repository, monkeypatch):
    (repository / "below").mkdir()
    monkeypatch.chdir(repository / "below")
    write(3)
    assert overrides.of_run() == []
    git("add", "params.yaml")
    git("commit", "--quiet", "--message", "Below")
    write(4)
    assert overrides.of_run() == ["pretrain_barlow.steps=4"]


def test_without_git_a_run_has_no_settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    write(1)
    assert overrides.of_run() == overrides.to_committed() == []
