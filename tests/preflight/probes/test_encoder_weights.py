"""Weights that no training has left so, in records: which are told, how gravely, and what is left alone."""

from typing import Any

import numpy as np
import pytest

from whyrank.findings.diagnosis import diagnosis
from whyrank.findings.finding import CAUSE, Finding
from whyrank.findings.outcome import Outcome
from whyrank.findings.probe import registered
from whyrank.findings.records import Records

from ...diagnosis.probes.faults import of, planted, with_data
from .healthy_encoder import halves, layers, pieces, readings, tables


def with_encoder(healthy: Records, **changes: Any) -> Records:
    return with_data(healthy, tables=healthy.data.tables | tables(**changes))


@planted("layer-does-nothing", of("layer-does-nothing", "prepare"))
def zero_feed_forward(lab: Any, healthy: Records, count: int = 6) -> Records:
    rms = np.where(np.arange(6) < count, 0.0, 0.045)
    return with_encoder(healthy, layers=layers(rms_feed_forward_out=rms))


@planted("encoder-damaged", of("encoder-damaged", "prepare"))
def heads_in_another_order(lab: Any, healthy: Records, count: int = 6) -> Records:
    fit = np.where(np.arange(6) < count, 1.0, 30.0)
    return with_encoder(healthy, layers=layers(fit_value_output=fit))


@planted("embeddings-scrambled", of("embeddings-scrambled", "prepare"))
def rows_moved(lab: Any, healthy: Records, nearer: float = 0.5) -> Records:
    return with_encoder(healthy, pieces=pieces(words=nearer))


def outcome(code: str, records: Records) -> Outcome:
    (probe,) = (probe for probe in registered("preflight") if probe.code == code)
    (told,) = probe.find(records.data)
    assert isinstance(told, Outcome)
    return told


@pytest.mark.parametrize("code", ["layer-does-nothing", "encoder-damaged", "embeddings-scrambled"])
def test_a_healthy_encoder_passes_with_its_distance_to_the_threshold(code, healthy, findings):
    records = with_encoder(healthy)
    assert findings(records) == {}
    told = outcome(code, records)
    assert told.status == "passed" and told.measured is not None and told.threshold is not None


@pytest.mark.parametrize(("count", "severity"), [(1, "info"), (2, "warning"), (3, "error")])
def test_a_zeroed_part_weighs_by_the_share_of_the_layers(count, severity, lab, healthy, findings):
    found = findings(zero_feed_forward(lab, healthy, count))["layer-does-nothing", "prepare"]
    assert found.severity == severity and "second feed-forward weights are zero" in found.sentence


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rms_query": 0.0, "fit_query_key": 0.0}, "query weights are zero"),
        ({"fit_query_key": [25, 16, 1.1, 21, 22, 9]}, "query and key weights do not belong together"),
        ({"fit_feed_forward": 1.0}, "two feed-forward weights do not belong together"),
        ({"gain_high": [6.2, 0.61, 0.65, 0.72, 0.68, 0.64]}, "LayerNorm has weights of 6.2"),
        ({"gain_low": 0.06, "gain_high": 6.5}, "LayerNorm has weights of 6.5"),
        ({"gain_low": [0.57, 0.0, 0.57, 0.57, 0.57, 0.57]}, "LayerNorm has weights of 0 "),
        ({"rms_value": [0.044, 0.0, 0.0, 0.0, 0.0, 0.063]}, "value weights are zero"),
        ({"rms_value": [0.044, 0.7, 0.065, 0.071, 0.067, 0.063]}, "11 times as large"),
        ({"levels": 3.0}, "rounded to 3 values"),
        ({"lean": [-3.6, -3.0, 2.8, -3.4, -4.0, -1.9]}, "opposite sign"),
        ({"attention": [0.5, 0.01, 0.02, 0.6, 0.5, 0.7]}, "attends to a single one"),
        ({"attention": [1.0, 1.0, 1.0, 0.6, 0.5, 0.7]}, "attends to all others alike"),
    ],
)
def test_what_is_wrong_is_named(changes, said, healthy, findings):
    found = findings(with_encoder(healthy, layers=layers(**changes)))
    assert set(found) == of("encoder-damaged", "prepare") and said in found["encoder-damaged", "prepare"].sentence


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"change": [0.5, 0.0, 0.5, 0.5, 0.5, 0.5]}, "hands on its input"),
        ({"spread": [0.9, 0.9, 0.0, 0.0, 0.0, 0.0]}, "gives every token the same vector"),
        ({"copy_of": [0, 1, 1, 1, 1, 1]}, "those of layer 1"),
    ],
)
def test_a_layer_that_does_nothing_is_named(changes, said, healthy, findings):
    found = findings(with_encoder(healthy, layers=layers(**changes)))
    assert said in found["layer-does-nothing", "prepare"].sentence


def test_layers_that_lean_to_both_sides_are_no_fault(healthy, findings):
    records = with_encoder(healthy, layers=layers(lean=[4.2, 3.4, 2.4, 1.4, -0.3, -3.8]))
    assert findings(records) == {}


@pytest.mark.parametrize(("made_here", "severity"), [(True, "info"), (False, "warning")])
def test_an_untrained_encoder_is_called_untrained_and_not_damaged(made_here, severity, healthy, findings):
    fresh = {"fit_query_key": 1.1, "fit_value_output": 0.9, "fit_feed_forward": 1.3, "lean": 0.1}
    untrained = layers(made_here=made_here, **fresh)
    records = with_encoder(healthy, layers=untrained, pieces=pieces(0.5, 0.5, 1.0), halves=halves(0.3, 0.46))
    found = findings(records)
    assert set(found) == of("encoder-damaged", "prepare")
    assert found["encoder-damaged", "prepare"].severity == severity
    assert "untrained" in found["encoder-damaged", "prepare"].sentence


def test_an_untrained_encoder_that_ranks_far_behind_tfidf_is_the_cause(healthy, findings):
    fresh = {"fit_query_key": 1.1, "fit_value_output": 0.9, "fit_feed_forward": 1.3, "lean": 0.1}
    records = with_encoder(
        healthy,
        layers=layers(made_here=True, **fresh),
        pieces=pieces(0.5, 0.5, 1.0),
        readings=readings(shared_words=0.4),
    )
    found = findings(records)["encoder-damaged", "prepare"]
    assert found.severity == "warning" and found.is_root and found.weight > CAUSE
    assert "40 points of MRR" in found.sentence and found.fix.params == {"encoder.source": "embedded"}


def test_an_untrained_encoder_is_known_by_its_embeddings_where_weights_have_no_partners(healthy, findings):
    fused = {"fit_query_key": np.nan, "fit_value_output": np.nan, "fit_feed_forward": np.nan, "change": 0.001}
    drawn = {"pieces": pieces(0.5, 0.5, 1.0), "halves": halves(moved=1e-9)}
    found = findings(with_encoder(healthy, layers=layers(**fused), **drawn))
    assert set(found) == of("encoder-damaged", "prepare")
    assert "know no related pieces" in found["encoder-damaged", "prepare"].sentence


def test_layers_drawn_anew_under_trained_embeddings_are_a_damage(healthy, findings):
    fresh = {"fit_query_key": 1.1, "fit_value_output": 0.9, "fit_feed_forward": 1.3}
    found = findings(with_encoder(healthy, layers=layers(**fresh)))["encoder-damaged", "prepare"]
    assert found.severity == "error" and "all 6 layers" in found.sentence


def test_positions_in_another_order_are_a_damage(healthy, findings):
    found = findings(with_encoder(healthy, pieces=pieces(positions=0.51)))
    assert set(found) == of("encoder-damaged", "prepare")
    assert "positions that follow each other" in found["encoder-damaged", "prepare"].sentence


def test_embeddings_of_a_third_moved_are_seen_and_few_pairs_say_nothing(lab, healthy, findings):
    assert set(findings(rows_moved(lab, healthy, 0.74))) == of("embeddings-scrambled", "prepare")
    assert findings(rows_moved(lab, healthy, 0.9)) == {}
    records = with_encoder(healthy, pieces=pieces(words=0.5).assign(pairs=20))
    assert outcome("embeddings-scrambled", records).status == "not enough data"


@pytest.mark.parametrize(
    ("encoder", "embeddings", "severity"), [(0.2, 0.46, "error"), (0.33, 0.46, "warning"), (0.42, 0.46, "warning")]
)
def test_an_encoder_that_finds_less_than_its_embeddings_is_damaged(encoder, embeddings, severity, healthy, findings):
    found = findings(with_encoder(healthy, halves=halves(encoder, embeddings)))
    assert set(found) == of("encoder-damaged", "prepare")
    assert found["encoder-damaged", "prepare"].severity == severity


def test_layers_that_add_nothing_are_told_where_queries_are_ranked_behind_tf_idf_too(healthy, findings):
    """The embeddings are no worse at halves; alone that is too little, and so is a TF-IDF that ranks better."""
    dull = halves(0.47, 0.46, tfidf=0.5)
    found = findings(with_encoder(healthy, halves=dull, readings=readings(shared_words=0.2)))
    assert "add next to nothing" in found["encoder-damaged", "prepare"].sentence
    assert findings(with_encoder(healthy, halves=dull)) == {}
    assert findings(with_encoder(healthy, readings=readings(shared_words=0.2))) == {}


def test_labels_are_not_doubted_before_the_encoder_that_the_doubt_was_measured_with(healthy):
    """Wrong labels are estimated from what untuned rankers agree on, the encoder among them."""
    probes = {one.code: one for one in registered("preflight")}
    found = [Finding(system="prepare", sentence="", cause="", code="encoder-damaged"),
             Finding(system="data", sentence="", cause="", code="wrong-labels")]  # fmt: skip
    told = diagnosis([(probes[one.code], one) for one in found], lambda cause, symptom: 0).findings
    assert [one.code for one in told if one.is_root] == ["encoder-damaged"]


def test_few_halves_are_no_evidence(healthy, findings):
    records = with_encoder(healthy, halves=halves(0.2, 0.46).iloc[:10])
    assert findings(records) == {} and outcome("encoder-damaged", records).status == "not enough data"
