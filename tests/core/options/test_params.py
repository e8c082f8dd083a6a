"""Typed parameters: the shipped file is known key by key, and a fault in it is one line that names the key."""

import copy
import dataclasses
from pathlib import Path

import pytest
import yaml

from whyrank.core.errors import UserError
from whyrank.core.options import params

ROOT = Path(__file__).parents[3]
SECTIONS = {
    "encoder": params.Encoder,
    "prepare": params.Prepare,
    "preflight": params.Preflight,
    "pretrain_barlow": params.PretrainBarlow,
    "finetune_rank": params.FinetuneRank,
    "evaluate": params.Evaluate,
    "diagnose": params.Diagnose,
}
NOT_A_SECTION = {"seed", "launch", "report_to", "inits", "systems"}


@pytest.mark.parametrize("name", SECTIONS)
def test_every_shipped_key_is_known_and_typed_and_every_field_is_shipped(name, shipped_params):
    section = params.section(shipped_params, name, SECTIONS[name])
    # Back to plain values it is the file itself: no key is lost and none is made up (1 == 1.0 in Python).
    assert dataclasses.asdict(section) == shipped_params[name]


def test_there_is_no_section_without_a_dataclass(shipped_params):
    assert set(shipped_params) == set(SECTIONS) | NOT_A_SECTION
    assert params.seed(shipped_params) == shipped_params["seed"]


def test_what_prepare_reads_of_the_training_sections_is_a_part_of_them(shipped_params):
    # dvc hands a stage only the keys it declares; `prepare` declares those that decide the composition of batches.
    declared = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]["prepare"]["params"]
    pipeline = {"stages": {"prepare": {"params": declared}}}
    values = params.declared(shipped_params, pipeline, "prepare")
    for name, kind in (("pretrain_barlow", params.BarlowBatches), ("finetune_rank", params.FirstBatches)):
        assert dataclasses.asdict(params.section(values, name, kind)) == values[name]
        assert not any("weight" in key for key in declared if key.startswith(name))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_grad_norm": None}, "max_grad_norm` is None; it takes a number above 0 to 1,000,000,000; use -S "),
        ({"steps": "100"}, "steps` is '100'; it takes a whole number from 0 to 10,000,000; use -S "),
        ({"steps": 1.5}, "steps` is 1.5; it takes a whole number from 0 to 10,000,000; use -S "),
        ({"steps": True}, "steps` is True; it takes a whole number from 0 to 10,000,000; use -S "),
        ({"max_grad_norm": True}, "max_grad_norm` is True; it takes a number above 0 to 1,000,000,000; use -S "),
        ({"learning_rate": "1e-4"}, "learning_rate` is '1e-4'; it takes a number from 0 to 1; use -S "),
        ({"lr_scheduler": "cubic"}, "lr_scheduler` is 'cubic'; it takes one of cosine, linear, constant; use -S "),
        ({"views": "query-answer"}, "views` is 'query-answer'; it takes a list of 1 to 5 entries, each one of "),
        ({"views": ["query-answer", 3]}, "views[1]` is 3; it takes one of span-document, question-in-conversation"),
        ({"head": "mlp"}, "head` is 'mlp'; it takes a section with the keys kind, hidden, output, dropout, "),
        ({"head.hiden": 3}, "head.hiden` is unknown; did you mean `pretrain_barlow.head.hidden`?"),
        ({"lambda": 0.1}, "lambda` is unknown; known here are "),
    ],
)
def test_a_wrong_value_or_an_unknown_key_is_one_line_that_names_it(shipped_params, changes, message):
    values = copy.deepcopy(shipped_params)
    for key, value in changes.items():
        *path, last = key.split(".")
        at = values["pretrain_barlow"]
        for part in path:
            at = at[part]
        at[last] = value
    with pytest.raises(UserError) as error:
        params.section(values, "pretrain_barlow", params.PretrainBarlow)
    assert str(error.value).startswith(f"params.yaml: `pretrain_barlow.{message}")
    assert "\n" not in str(error.value)


def test_a_missing_key_is_named_with_its_section(shipped_params):
    values = copy.deepcopy(shipped_params)
    del values["prepare"]["tokens"]["answer"]
    with pytest.raises(UserError, match=r"^params\.yaml: `prepare\.tokens\.answer` is missing; it takes a whole "):
        params.section(values, "prepare", params.Prepare)


def test_a_missing_section_and_a_missing_seed_are_named():
    with pytest.raises(UserError, match=r"^params\.yaml: section `evaluate` is missing$"):
        params.section({}, "evaluate", params.Evaluate)
    with pytest.raises(UserError, match=r"^params\.yaml: `seed` is None; it takes a whole number from 0 to 4,"):
        params.seed({})


def test_a_whole_number_where_a_fraction_is_expected_becomes_one(options):
    norm = options("pretrain_barlow", params.PretrainBarlow, {"max_grad_norm": 2}).max_grad_norm
    assert norm == 2.0 and isinstance(norm, float)


def test_parameters_cannot_be_changed_after_reading(options):
    with pytest.raises(dataclasses.FrozenInstanceError):
        options("evaluate", params.Evaluate).keep = 3


def test_a_stage_gets_only_what_it_declares_and_reads_1e_4_as_a_number(tmp_path, monkeypatch):
    # PyYAML reads `1e-4` (no dot) as text; DVC reads YAML 1.2, where it is a number, and a `-S rate=1e-4` writes it so.
    (tmp_path / "params.yaml").write_text("rate: 1e-4\nseed: 7\nother: 3\n")
    (tmp_path / "dvc.yaml").write_text(
        "stages:\n  train:\n    cmd: echo\n    params: [rate]\n"
        "  score:\n    foreach: [a, b]\n    do:\n      cmd: echo ${item}\n      params: [seed]\n"
    )
    monkeypatch.chdir(tmp_path)
    assert yaml.safe_load((tmp_path / "params.yaml").read_text())["rate"] == "1e-4"
    values, pipeline = params.read_yaml("params.yaml"), params.read_yaml("dvc.yaml")
    assert params.declared(values, pipeline, "train") == {"rate": 0.0001}
    assert params.declared(values, pipeline, "score@b") == {"seed": 7}


def test_load_agrees_with_dvc_itself_for_every_stage_of_the_pipeline(monkeypatch):
    import dvc.api

    monkeypatch.chdir(ROOT)
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    systems, inits = (yaml.safe_load((ROOT / "params.yaml").read_text())[name] for name in ("systems", "inits"))
    names = {"evaluate": f"evaluate@{next(iter(systems))}", "finetune_rank": f"finetune_rank@{inits[0]}"}
    for stage in stages:
        name = names.get(stage, stage)
        assert params.load(name) == dvc.api.params_show(stages=name), name


SNLI = {"name": "snli", "path": "snli.csv", "use": "train", "kind": "classes", "labels": {"yes": 1, "no": 0.0}}


def test_a_list_of_sections_and_a_map_by_name_are_read_and_what_is_left_out_has_its_default():
    pairs = params.section({"pairs": {"folder": "raw", "sources": [SNLI]}}, "pairs", params.Pairs)
    (source,) = pairs.sources
    assert source.labels == {"yes": 1.0, "no": 0.0} and isinstance(source.labels["yes"], float)
    assert (source.hub, source.classes, source.range, source.max_samples) == ("", [], [], 0)
    raw = params.section({"source": SNLI | {"labels": "raw"}}, "source", params.PairSource)
    assert raw.labels == "raw"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": {0: 1.0}}, "labels` has the key 0; it takes names"),
        ({"labels": {"yes": "1"}}, "labels.yes` is '1'; it takes a number from 0 to 1"),
        ({"labels": [1.0]}, "labels` is [1.0]; it takes names, each with a number from 0 to 1"),
        ({"labels": "row"}, "labels` is 'row'; it takes raw"),
        ({"use": "validation"}, "use` is 'validation'; it takes one of train, dev, test"),
        ({"kind": "scores", "labels": {}, "range": [0, "5"]}, "range[1]` is '5'; it takes a number from "),
        ({"lables": {}}, "lables` is unknown; did you mean `pairs.sources[0].labels`?"),
        ({"labels": {}}, "labels` is empty; give each class a number from 0 to 1"),
        ({"hub": "owner/set"}, "path` is 'snli.csv' and `hub` 'owner/set'; give one of the two"),
    ],
)
def test_a_fault_in_a_list_or_a_map_is_named_with_its_place(changes, message):
    with pytest.raises(UserError) as error:
        params.section({"pairs": {"folder": "", "sources": [SNLI | changes]}}, "pairs", params.Pairs)
    assert str(error.value).startswith(f"params.yaml: `pairs.sources[0].{message}")


def test_a_key_without_a_default_must_be_there():
    values = {"source": {key: value for key, value in SNLI.items() if key != "use"}}
    with pytest.raises(UserError, match=r"^params\.yaml: `source\.use` is missing; it takes one of train, dev, test$"):
        params.section(values, "source", params.PairSource)


def test_a_stage_checks_also_the_sections_that_it_does_not_declare_and_names_every_fault(tmp_path, monkeypatch):
    text = (ROOT / "params.yaml").read_text()
    spoilt = (
        text.replace("level: 0.95", "level: 95").replace("patience: 3 ", "patience: 0 ").replace("seed: 7", "seed: x")
    )
    (tmp_path / "params.yaml").write_text(spoilt)
    (tmp_path / "dvc.yaml").write_text((ROOT / "dvc.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        params.load("prepare")
    named = [line.split("`")[1] for line in error.value.args]
    assert named == ["seed", "finetune_rank.early_stopping.patience", "diagnose.level"]


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("params.yaml", None, r"^params\.yaml: No such file or directory; run from the root of the repository$"),
        ("params.yaml", "seed: [7", r"^params\.yaml: no YAML: "),
        ("params.yaml", "seed: 7\nseed: 8\n", r"^params\.yaml: no YAML: .*duplicate key"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_user_error(tmp_path, monkeypatch, file, text, said):
    monkeypatch.chdir(tmp_path)
    if text:
        (tmp_path / file).write_text(text)
    with pytest.raises(UserError, match=f"(?s){said}"):
        params.load("prepare")
