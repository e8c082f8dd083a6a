"""One diagnosis: what explains what, the fix that a symptom takes, systems in one entry, and the order."""

import pytest

from whyrank.findings import probe, tree
from whyrank.findings.finding import CAUSE, Finding, Fix


@pytest.fixture
def register(monkeypatch):
    """Probes that report nothing, in a registry of their own."""
    monkeypatch.setattr(probe, "_REGISTERED", [])

    def add(code, *explains, on="trained", **options):
        probe.probe(code, on=on, explains=explains, **options)(lambda records: iter(()))

    return add


def found(*findings):
    """In the order of the registry."""
    return [(one, finding) for one in probe.registered("trained") for finding in findings if finding.code == one.code]


def same(cause, symptom):
    return 0 if cause == symptom else None


def finding(code, system="a", weight=0.0, severity="warning", layer="training", **params):
    return Finding(code, severity, system, cause=f"cause of {code}", fix=Fix(params), weight=weight, layer=layer)


def diagnosed(*findings):
    return tree.diagnosed(found(*findings), same)


def test_a_symptom_takes_the_fix_of_its_root_cause_and_keeps_its_own_where_that_has_none(register):
    register("root", "middle")
    register("middle", "symptom")
    register("symptom")
    told = tree.explained(found(finding("root", x=1), finding("middle", x=2), finding("symptom", x=3)), same)
    assert [one.fix.params for one in told] == [{"x": 1}] * 3
    assert [one.explains for one in told] == [("middle",), ("symptom",), ()]
    assert told[2].cause == "Explained by `root`. cause of root"
    bare = tree.explained(found(finding("middle"), finding("symptom", x=3)), same)
    assert bare[1].fix.params == {"x": 3} and bare[1].cause == "Explained by `middle`. cause of middle"


def test_what_is_about_another_system_explains_nothing(register):
    register("cause", "symptom")
    register("symptom")
    told = tree.explained(found(finding("cause", system="b", x=1), finding("symptom", x=3)), same)
    assert told[1].fix.params == {"x": 3} and told[0].explains == ()


def test_the_surest_cause_is_the_gravest_then_the_nearest_and_where_they_add_up_all_count(register):
    register("far", "symptom")
    register("near", "symptom")
    register("symptom")
    both = [finding("far", system="data", weight=9.0, x=1, y=1), finding("near", x=2), finding("symptom")]
    told = tree.explained(found(*both), lambda cause, symptom: 2 if cause == "data" else 1)
    assert told[-1].fix.params == {"x": 2}
    both[0] = finding("far", system="data", weight=9.0, severity="error", x=1, y=1)
    assert tree.explained(found(*both), lambda cause, symptom: 1)[-1].fix.params == {"x": 1, "y": 1}


def test_causes_that_add_up_are_fixed_together_the_costliest_first(register):
    register("small", "sum")
    register("large", "sum")
    register("sum", adds_up=True)
    told = tree.explained(
        found(finding("small", weight=1, x=1, y=1), finding("large", weight=2, x=2), finding("sum")), same
    )
    assert told[-1].fix.params == {"x": 2, "y": 1}
    assert told[-1].cause == "Explained by `large`, `small`. cause of large"


def test_a_code_with_a_probe_for_each_task_is_explained_by_findings_of_that_task(register):
    register("cut", "worse", about="ratings")
    register("worse", about="ranking")
    register("worse", about="ratings")
    cut, ranking, ratings = probe.registered("trained")
    told = tree.explained([(cut, finding("cut", x=1)), (ranking, finding("worse")), (ratings, finding("worse"))], same)
    assert [one.fix.params for one in told] == [{"x": 1}, {}, {"x": 1}]


@pytest.fixture
def chain(register):
    """One check of each layer, and a training check whose evidence is how the run came out."""
    for layer in ("data", "labels", "evaluation", "encoder", "batches", "training", "symptom"):
        register(layer, layer=layer)
    register("outcome", layer="training", by_outcome=True)


@pytest.mark.parametrize("layer", ["data", "labels", "evaluation", "encoder", "batches", "training"])
def test_an_error_explains_the_symptoms_after_it_though_no_check_names_them(chain, layer):
    cause, symptom = diagnosed(
        finding("symptom", weight=30.0, layer="symptom", x=1), finding(layer, severity="error", layer=layer)
    )
    assert (cause.code, cause.explains, symptom.explained_by) == (layer, ("symptom",), (layer,))
    assert symptom.fix.params == {} and f"fix `{layer}` first" in symptom.fix.action
    assert symptom.cause == f"Explained by `{layer}`. cause of {layer}"


def test_what_is_seen_directly_stays_a_cause_beside_an_error_and_what_came_out_of_the_run_does_not(chain):
    labels = finding("labels", weight=CAUSE + 3, severity="error", layer="labels")
    told = diagnosed(labels, finding("training", weight=40.0, x=1), finding("outcome", weight=50.0, x=2))
    assert [(one.code, one.explained_by) for one in told] == [
        ("labels", ()), ("training", ()), ("outcome", ("labels",))
    ]  # fmt: skip
    assert told[1].fix.params == {"x": 1} and told[2].fix.params == {}


def test_a_few_wrong_labels_do_not_hide_a_rate_far_too_high(chain):
    """A warning of 3 points beside an error, and beside a warning of 40 points."""
    labels = finding("labels", weight=3.0, layer="labels")
    rate, low = finding("outcome", weight=40.0, x=1), finding("symptom", weight=35.0, layer="symptom", y=1)
    told = diagnosed(labels, rate, low)
    assert [one.code for one in told] == ["outcome", "labels", "symptom"] and all(one.is_root for one in told)
    error = finding("outcome", weight=40.0, severity="error", x=1)
    told = diagnosed(labels, error, low)
    assert [(one.code, one.explained_by) for one in told] == [
        ("outcome", ()), ("labels", ()), ("symptom", ("outcome",))
    ]  # fmt: skip


@pytest.mark.parametrize(("stake", "is_kept"), [(3.0, True), (20.0, False)])
def test_a_symptom_gives_no_advice_where_the_labels_are_in_doubt_by_points_enough(chain, stake, is_kept):
    labels = finding("labels", weight=stake, layer="labels")
    told = diagnosed(labels, finding("symptom", weight=30.0, layer="symptom", x=1))
    assert [one.code for one in told] == ["labels", "symptom"]
    assert bool(told[1].fix.params) == is_kept == told[1].is_root


def test_a_warning_about_data_alone_puts_nothing_in_doubt_unless_its_check_says_so(chain):
    """A common type of query, or texts that were cut, are no reason not to train."""
    told = diagnosed(finding("data", weight=30.0, layer="data"), finding("symptom", layer="symptom", x=1))
    assert told[1].fix.params == {"x": 1}


def test_another_system_and_another_task_are_no_part_of_the_chain(register):
    register("pairs", layer="labels", about="pairs")
    register("symptom", layer="symptom", about="ranking")
    told = diagnosed(finding("pairs", severity="error", layer="labels"), finding("symptom", layer="symptom", x=1))
    assert told[1].fix.params == {"x": 1}


def test_a_named_warning_swallows_no_graver_cause_and_information_explains_only_information(register):
    register("labels", "rate", "low", layer="labels")
    register("rate", layer="training")
    register("low", layer="symptom")
    told = diagnosed(finding("labels", layer="labels", weight=50.0), finding("rate", severity="error", x=1))
    assert [one.code for one in told] == ["rate", "labels"] and told[0].fix.params == {"x": 1}
    information = finding("labels", severity="info", layer="labels")
    assert diagnosed(information, finding("low", layer="symptom", x=1))[0].fix.params == {"x": 1}


def test_systems_with_the_same_cause_become_one_entry_that_keeps_what_was_seen_of_each(register):
    register("low", layer="symptom")
    one, other = finding("low", "a", 3.0, epochs=3), finding("low", "b", 9.0, epochs=9)
    (told,) = diagnosed(one, other)
    assert (told.system, told.systems, told.fix.params) == ("b", ("b", "a"), {"epochs": 9})
    assert told.also[0].fix.params == {"epochs": 3}
    shown = told.as_json()
    assert shown["systems"] == ["b", "a"] and shown["also"][0]["system"] == "a" and shown["is_root"]
    assert len(diagnosed(one, finding("low", "b", severity="info"))) == 2


def test_fixes_of_different_parameters_are_joined_in_one_entry(register):
    register("range", layer="labels")
    (told,) = diagnosed(finding("range", "a", 2.0, x=1), finding("range", "b", y=2))
    assert told.fix.params == {"x": 1, "y": 2}


def test_causes_come_first_and_no_symptom_stands_above_a_fault_of_what_lies_before_it(register):
    register("shifted", "low", layer="labels")
    for code, layer in [("copies", "data"), ("few", "batches"), ("low", "symptom"), ("failed", "symptom")]:
        register(code, layer=layer)
    told = diagnosed(
        finding("failed", "b", 90.0, "error", "symptom"), finding("low", "a", 50.0, layer="symptom"),
        finding("copies", "c", 99.0, layer="data"), finding("few", "c", 7.0, layer="batches"),
        finding("shifted", "a", 1.0, layer="labels"), finding("copies", "d", 1.0, "info", "data"),
    )  # fmt: skip
    # `shifted` weighs as much as `low`, which it explains.
    assert [one.code for one in told] == ["copies", "shifted", "few", "failed", "low", "copies"]
    assert [(cause.code, [one.code for one in below]) for cause, below in tree.nested(told)][:3] == [
        ("copies", []), ("shifted", ["low"]), ("few", [])
    ]  # fmt: skip


def test_faults_of_texts_explain_the_given_encoder_and_baselines_where_they_weigh_enough(register):
    register("texts", "at-chance", layer="data")
    register("at-chance", layer="encoder")
    lost = finding("at-chance", "prepare", 60.0)
    assert tree.explained(found(finding("texts", "data", 50.0), lost), same)[1].explained_by == ("texts",)
    assert tree.explained(found(finding("texts", "data", 10.0), lost), same)[1].is_root


def test_a_doubt_about_texts_does_not_explain_labels_that_are_surely_wrong(register):
    register("texts", "labels", layer="data")
    register("labels", layer="labels")
    told = diagnosed(finding("texts", weight=50.0), finding("labels", severity="error", weight=60.0))
    assert [one.code for one in told] == ["labels", "texts"] and told[0].is_root


def test_a_suspicion_gives_way_to_a_cause_that_sets_its_first_parameter(register):
    register("suspicion", "outcome", suspects=True)
    register("cause")
    register("outcome", by_outcome=True)
    register("effect", layer="symptom")
    suspicion = finding("suspicion", x=1, y=1)
    assert [one.code for one in diagnosed(suspicion, finding("cause", x=2))] == ["cause"]
    # Another parameter, information, a symptom, and what the suspicion itself explains name nothing.
    others = [finding("cause", y=2), finding("cause", severity="info", x=2), finding("effect", layer="symptom", x=2),
              finding("outcome", x=2)]  # fmt: skip
    for other in others:
        assert "suspicion" in {one.code for one in diagnosed(suspicion, other)}
