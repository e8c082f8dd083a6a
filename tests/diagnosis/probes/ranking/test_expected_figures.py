"""A figure from elsewhere, and the definition that gives it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from whyrank.core.options.systems import System
from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.probes.ranking import expected_figures
from whyrank.findings.records import Records
from whyrank.measure.metrics.geometry import unit_rows

from ..faults import of, planted
from ..training.test_reload import told

CODE = "expected-figure-differs"
SYSTEM = "base-tuned"


def expecting(healthy: Records, **figures: float) -> Records:
    named = {name.replace("_at_", "@"): value for name, value in figures.items()}
    options = dict(healthy.systems.options)
    options[SYSTEM] = replace(options[SYSTEM], expected=named)
    return replace(healthy, systems=replace(healthy.systems, options=options))


@planted(CODE, of(CODE, SYSTEM))
def other(lab: Any, healthy: Records) -> Records:
    """A figure that nothing gives."""
    return expecting(healthy, mrr=0.123)


def case_of(records: Records) -> Examination:
    return Examination(records, "accuracy@1", 0.95, 300, 0)


def test_without_a_figure_the_check_does_not_apply_and_with_ours_it_passes(healthy):
    assert told(CODE, healthy)[SYSTEM].status == "not applicable"
    own = float(healthy.runs[SYSTEM].queries["mrr"].mean())
    assert told(CODE, expecting(healthy, mrr=own + 0.004))[SYSTEM].status == "passed"


def test_a_figure_of_other_lists_is_a_warning_that_names_what_to_compare(healthy):
    found = told(CODE, expecting(healthy, mrr=0.123))[SYSTEM]
    assert found.severity == "warning" and "no other definition gives it" in found.sentence
    assert "max_seq_length" in found.fix.action


def half_asked(lab: Any, healthy: Records) -> Records:
    """Test queries ask for the first half of the answers alone, whose vectors are of many lengths."""
    queries = healthy.data.queries
    is_left = (queries["split"] == "test") & (lab.own_N >= lab.own_N.max() / 2)
    data = replace(healthy.data, queries=queries.assign(split=queries["split"].mask(is_left, "dev")))
    run, left = healthy.runs[SYSTEM], set(queries.loc[is_left, "query_id"])
    stretched = run.answer_vectors * np.linspace(0.2, 5, len(run.answer_vectors))[:, None]
    kept = {name: table[~table["query_id"].isin(left)] for name, table in (("queries", run.queries), ("top", run.top))}
    run = replace(run, answer_vectors=stretched.astype(np.float32), **kept)
    return replace(healthy, data=data, runs=healthy.runs | {SYSTEM: run})


@pytest.mark.parametrize("words", ["on questions alone", "of the dot product", "answers that test queries ask for"])
def test_a_figure_under_another_definition_is_named_by_it(words, lab, healthy):
    spoilt = half_asked(lab, healthy)
    found = {way.words: way.value for way in expected_figures.ways(case_of(spoilt), spoilt.runs[SYSTEM], "accuracy@1")}
    (name,) = [one for one in found if words in one]
    own = float(spoilt.runs[SYSTEM].queries["accuracy@1"].mean())
    assert abs(found[name] - own) > expected_figures.SAME
    said = told(CODE, expecting(spoilt, **{"accuracy_at_1": found[name]}))[SYSTEM]
    assert said.severity == "info" and said.evidence[0].value == found[name]
    assert any(words in one.name for one in said.evidence)


def test_among_fewer_answers_and_by_the_dot_product_the_metric_is_that_of_plain_sums(lab, healthy):
    spoilt = half_asked(lab, healthy)
    run, data = spoilt.runs[SYSTEM], spoilt.data.ranking
    found = {way.words: way.value for way in expected_figures.ways(case_of(spoilt), run, "accuracy@1")}
    test = np.intersect1d(data.rows("test"), data.relevant["query"])
    own = data.relevant.drop_duplicates("query").set_index("query")["answer"].loc[test].to_numpy()
    dot_QA = run.query_vectors[test] @ run.answer_vectors.T
    assert found["of the dot product in place of the cosine"] == pytest.approx((dot_QA.argmax(axis=1) == own).mean())
    asked = np.unique(own)
    cosine_QA = unit_rows(run.query_vectors[test]) @ unit_rows(run.answer_vectors[asked]).T
    (value,) = [value for words, value in found.items() if "ask for" in words]
    assert value == pytest.approx((asked[cosine_QA.argmax(axis=1)] == own).mean())


def test_a_cut_off_that_was_not_recorded_is_counted_from_the_vectors(healthy):
    case, run = case_of(healthy), healthy.runs[SYSTEM]
    found = expected_figures.measured(case, run, ["accuracy@1", "accuracy@7", "recall@5"])
    assert found["accuracy@1"] == pytest.approx(run.queries["accuracy@1"].mean())
    assert found["accuracy@1"] <= found["accuracy@7"] <= 1 and "recall@5" not in found


def test_an_expected_figure_is_a_share():
    with pytest.raises(ValueError, match="less than or equal to 1"):
        System(kind="encoder", role="zero-shot", made_of="m", expected={"ndcg@10": 52.0})
