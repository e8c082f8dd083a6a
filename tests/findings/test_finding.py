"""The command of a fix: what it says of the run that it starts from."""

import shlex

import pytest

from whyrank.findings.finding import Finding, Fix, of_run


@pytest.mark.parametrize(
    ("params", "run", "settings"),
    [
        ({"a.steps": 3}, [], ["a.steps=3"]),
        ({"a.steps": 3}, ["b.rate=0.1", "++c.x=0", "~c.x"], ["b.rate=0.1", "++c.x=0", "~c.x", "a.steps=3"]),
        # What the fix itself sets needs no other value before, but for a map, to which the fix may add.
        ({"a.steps": 3}, ["a.steps=1"], ["a.steps=3"]),
        ({"a.map": {"x": 1}}, ["++a.map=null", "++a.map={y:2}"], ["++a.map=null", "++a.map={y:2}", "++a.map={x:1}"]),
        ({"a.list.0.x": "two words"}, ["a.list=[{y:1}]"], ["a.list=[{y:1}]", '++a.list.0.x="two words"']),
    ],
)
def test_the_command_names_the_settings_of_its_run_and_then_those_that_fix(params, run, settings):
    (finding,) = of_run([Finding(fix=Fix(params))], run)
    words = shlex.split(finding.fix.command)
    assert words == ["dvc", "exp", "run", *(word for setting in settings for word in ("-S", setting))]
    assert finding.as_json()["fix"]["command"] == finding.fix.command


def test_without_overrides_there_is_no_command_whatever_was_run():
    (finding,) = of_run([Finding(fix=Fix({}, "label more queries"))], ["a.steps=1"])
    assert finding.fix.command == ""
