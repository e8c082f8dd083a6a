"""What explains what: order, the fix that a symptom takes, and what has nothing to do with what."""

import pytest

from whyrank.findings import probe
from whyrank.findings.finding import Finding, Fix, in_order


@pytest.fixture
def register(monkeypatch):
    """Probes that report nothing, in a registry of their own."""
    monkeypatch.setattr(probe, "_REGISTERED", [])

    def add(code, *explains, on="trained", **options):
        probe.probe(code, on=on, explains=explains, **options)(lambda records: iter(()))

    return add


def found(*findings):
    """In the order of the registry."""
    of = {one.code: one for one in findings}
    return [(one, of[one.code]) for one in probe.registered("trained") if one.code in of]


def same(cause, symptom):
    return 0 if cause == symptom else None


def finding(code, system="a", weight=0.0, severity="warning", **params):
    return Finding(code, severity, system, cause=f"cause of {code}", fix=Fix(params), weight=weight)


def test_causes_come_first_however_they_are_registered_and_a_cycle_is_refused(register):
    register("symptom")
    register("middle", "symptom")
    register("root", "middle")
    assert [one.code for one in probe.registered("trained")] == ["root", "middle", "symptom"]
    register("symptom", "root", about="pairs")
    with pytest.raises(ValueError, match="explain themselves"):
        probe.registered("trained")


def test_a_trained_probe_speaks_for_the_preflight_probe_of_its_code(register):
    register("leak", on="preflight")
    register("text", on="preflight")
    register("leak")
    assert [(one.code, one.on) for one in probe.registered("preflight", "trained")] == [
        ("text", "preflight"),
        ("leak", "trained"),
    ]


def test_a_symptom_takes_the_fix_of_its_root_cause_and_keeps_its_own_where_that_has_none(register):
    register("root", "middle")
    register("middle", "symptom")
    register("symptom")
    told = probe.explained(found(finding("root", x=1), finding("middle", x=2), finding("symptom", x=3)), same)
    assert [one.fix.params for one in told] == [{"x": 1}] * 3
    assert [one.explains for one in told] == [("middle",), ("symptom",), ()]
    assert told[2].cause == "Explained by `root`. cause of root"
    bare = probe.explained(found(finding("middle"), finding("symptom", x=3)), same)
    assert bare[1].fix.params == {"x": 3} and bare[1].cause == "Explained by `middle`. cause of middle"


def test_what_is_about_another_system_explains_nothing(register):
    register("cause", "symptom")
    register("symptom")
    told = probe.explained(found(finding("cause", system="b", x=1), finding("symptom", x=3)), same)
    assert told[1].fix.params == {"x": 3} and told[0].explains == ()


def test_the_surest_cause_is_the_gravest_then_the_nearest_and_where_they_add_up_all_count(register):
    register("far", "symptom")
    register("near", "symptom")
    register("symptom")
    both = [finding("far", system="data", weight=9.0, x=1, y=1), finding("near", x=2), finding("symptom")]
    told = probe.explained(found(*both), lambda cause, symptom: 2 if cause == "data" else 1)
    assert told[-1].fix.params == {"x": 2}
    both[0] = finding("far", system="data", weight=9.0, severity="error", x=1, y=1)
    assert probe.explained(found(*both), lambda cause, symptom: 1)[-1].fix.params == {"x": 1, "y": 1}


def test_causes_that_add_up_are_fixed_together_the_costliest_first(register):
    register("small", "sum")
    register("large", "sum")
    register("sum", adds_up=True)
    told = probe.explained(
        found(finding("small", weight=1, x=1, y=1), finding("large", weight=2, x=2), finding("sum")), same
    )
    assert told[-1].fix.params == {"x": 2, "y": 1}
    assert told[-1].cause == "Explained by `large`, `small`. cause of large"


def test_a_code_with_a_probe_for_each_task_is_explained_by_findings_of_that_task(register):
    register("cut", "worse", about="ratings")
    register("worse", about="ranking")
    register("worse", about="ratings")
    cut, ranking, ratings = probe.registered("trained")
    told = probe.explained([(cut, finding("cut", x=1)), (ranking, finding("worse")), (ratings, finding("worse"))], same)
    assert [one.fix.params for one in told] == [{"x": 1}, {}, {"x": 1}]


def test_a_cause_stands_with_its_weightiest_symptom():
    cause = Finding("cause", "warning", weight=1.0, explains=("heavy",))
    others = [Finding("heavy", "warning", weight=9.0), Finding("middle", "warning", weight=5.0)]
    assert [one.code for one in in_order([cause, *others])] == ["cause", "heavy", "middle"]
