"""Fixes of a model that was trained elsewhere: a command that examines it again, or the change in words."""

import shlex
from pathlib import Path

import pytest

from whyrank.commands import arguments
from whyrank.findings import again
from whyrank.findings.again import OF_EXAMINATION, OF_PIPELINE
from whyrank.findings.finding import Finding, Fix, of_run


def told(
    folder, fix, settings=("prepare.tokens.answer=96", "evaluate.keep=20"), words=("my model", "--data", "tickets")
):
    again.write(folder, words, settings)
    (finding,) = of_run([Finding(fix=fix)], ["prepare.source=elsewhere"], again.read(str(folder / again.EXAMINED)))
    return finding.fix


def test_what_says_how_texts_are_read_is_examined_again_in_a_folder_of_its_own(tmp_path):
    fix = told(tmp_path, Fix({"prepare.tokens.answer": 512}, "or shorten the answers"))
    words = shlex.split(fix.command)
    parsed = arguments.parser(Path(), Path(), Path()).parse_args(words[1:])
    assert words[0] == "whyrank" and parsed.command == "examine"
    assert (parsed.model, parsed.data, str(parsed.out)) == ("my model", "tickets", f"{tmp_path}-answer")
    assert parsed.overrides == ["evaluate.keep=20", "prepare.tokens.answer=512"]
    assert fix.action == "or shorten the answers" and again.start(["", fix.command]) == OF_EXAMINATION


def test_rows_to_correct_are_those_that_the_examination_listed(tmp_path):
    fix = told(tmp_path, Fix({"prepare.corrections": "data/corrections/x-1.csv"}, rows="metrics/diagnose/x.csv"))
    assert f'prepare.corrections="{tmp_path}/metrics/diagnose/x.csv"' in shlex.split(fix.command)


@pytest.mark.parametrize(
    ("action", "rest"),
    [("", ""), ("step the scheduler", "; step the scheduler"), ("or train longer", ", or train longer")],
)
@pytest.mark.parametrize("more", [{}, {"prepare.tokens.answer": 512}])
def test_what_says_how_it_is_trained_is_said_in_words(tmp_path, action, rest, more):
    fix = told(tmp_path, Fix({"finetune_rank.learning_rate": 2e-5, **more}, action))
    named = "learning_rate=2e-05" + ", answer=512" * bool(more)
    assert fix.command == "" and fix.params == {}
    assert fix.action == f"where the model is trained, set what corresponds to {named}{rest}"


@pytest.mark.parametrize("key", ["encoder.source", "encoder.keep_layers", "inits", "systems", "pretrain_barlow.steps"])
def test_another_model_is_no_examination_of_this_one(key):
    assert not again.can_be_set({key: 1})


def test_an_export_is_called_in_the_folder_that_has_the_vectors(tmp_path):
    fix = told(tmp_path, Fix({}, "use fusion (`whyrank export fusion FOLDER`)"))
    assert fix.action == f"use fusion (`cd {tmp_path} && whyrank export fusion FOLDER`)"


def test_a_run_of_the_pipeline_keeps_its_commands(tmp_path):
    assert again.read(str(tmp_path / again.EXAMINED)) is None
    (finding,) = of_run([Finding(fix=Fix({"finetune_rank.epochs": 3}))], ["seed=1"], None)
    assert finding.fix.command == "dvc exp run -S seed=1 -S finetune_rank.epochs=3"
    assert again.start([finding.fix.command]) == OF_PIPELINE and again.start([""]) == ""
