"""What compressed vectors cost is told against those that they were made of, with the smallest that are good enough."""

from dataclasses import replace
from typing import Any

import numpy as np

from whyrank.core.options.systems import System
from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.report.sections import systems
from whyrank.findings.records import Records

from ..faults import of, planted
from ..training.test_reload import told

CODE, SOURCE = "compression-costs", "base"


def beside(lab: Any, healthy: Records, **noise: float) -> Records:
    """Systems `base-<store>` that rank as vectors with so much noise do; base itself has 0.44."""
    options, runs = dict(healthy.systems.options), dict(healthy.runs)
    for size, (store, own) in zip((192, 384, 768), noise.items(), strict=False):
        name = f"{SOURCE}-{store}"
        options[name] = System("compressed", "rival", f"data/runs/{SOURCE}", store=store)
        how = {"store": store, "features": 384, "bytes": size, "bytes_before": 1536}
        runs[name] = replace(lab.scored(lab.vectors(own) @ lab.answer_AD.T), how=how)
    return replace(healthy, systems=replace(healthy.systems, options=options), runs=runs)


@planted(CODE, of(CODE, "base-binary"))
def costly(lab: Any, healthy: Records) -> Records:
    return beside(lab, healthy, binary=3.0)


def test_a_cost_is_told_with_its_interval_its_bytes_and_what_to_keep_instead(lab, healthy):
    found = told(CODE, costly(lab, healthy))["base-binary"]
    assert found.severity == "warning" and found.interval[1] < 0
    assert found.sentence.startswith("base-binary, 192 of 1,536 bytes an answer, is below base: −")
    assert found.fix.action.startswith(
        "score the first answers again by int8 vectors (`systems.base-binary.rescore: 100`)"
    )
    assert "keep more bits" in found.fix.action and found.fix.params == {}


def test_the_smallest_that_costs_less_than_a_point_is_named(lab, healthy):
    records = beside(lab, healthy, binary=3.0, int8=0.05, float16=0.04)
    found = told(CODE, records)
    best = "use base-int8, the smallest of those of base that surely costs less than a point"
    assert found["base-binary"].fix.action == best
    assert found["base-int8"].status == "passed"


def test_without_compressed_vectors_it_is_not_applicable_and_what_is_better_passes(lab, healthy):
    assert told(CODE, healthy)["data"].status == "not applicable"
    assert told(CODE, beside(lab, healthy, int8=0.05))["base-int8"].status == "passed"


def test_without_a_significant_cost_one_of_a_point_has_to_be_excluded(lab, healthy):
    records = beside(lab, healthy, int8=0.05)
    base = records.runs[SOURCE].queries
    # As many queries change for the better as for the worse.
    value = base["accuracy@1"].to_numpy(copy=True)
    right, wrong = np.flatnonzero(value == 1)[:8], np.flatnonzero(value == 0)[:8]
    value[right], value[wrong] = 0.0, 1.0
    own = replace(records.runs["base-int8"], queries=base.assign(**{"accuracy@1": value}))
    found = told(CODE, replace(records, runs=records.runs | {"base-int8": own}))["base-int8"]
    assert found.status == "not enough data" and "is not excluded" in found.sentence


def test_the_report_holds_them_against_their_own_vectors_and_says_what_they_keep(lab, healthy):
    records = costly(lab, healthy)
    rows = Examination(records, "accuracy@1", 0.95, 300, 0).comparisons
    assert set(rows.loc[rows["a"] == "base-binary", "b"]) == {"base"}
    how = records.runs["base-binary"].how
    assert systems.choice(how, ["base"]) == "384 features of base as binary: 192 bytes an answer instead of 1,536"


def served(lab: Any, healthy: Records, **noise: float) -> Records:
    """Systems of the encoder of base in another format, of 23 and 46 MB, that rank as vectors with so much noise do."""
    options, runs = dict(healthy.systems.options), dict(healthy.runs)
    folder = options[SOURCE].made_of
    for size, (name, own) in zip((23e6, 46e6), noise.items(), strict=False):
        options[name] = System("served", "rival", folder, format="onnx-int8")
        how = {"format": "onnx-int8", "layers": 0, "bytes": size, "bytes_before": 91e6}
        how |= {"texts_per_s_before": 100.0, "texts_per_s_after": 250.4}
        how |= {"ms_per_text_before": 9.04, "ms_per_text_after": 4.0}
        runs[name] = replace(lab.scored(lab.vectors(own) @ lab.answer_AD.T), how=how)
    return replace(healthy, systems=replace(healthy.systems, options=options), runs=runs)


def test_an_encoder_in_another_format_is_held_against_itself_and_told_in_megabytes(lab, healthy):
    records = served(lab, healthy, small=3.0)
    found = told(CODE, records)["small"]
    assert found.severity == "warning" and found.sentence.startswith("small, 23 of 91 MB, is below base: −")
    assert "`systems.small.format: onnx`" in found.fix.action and "rounded to 8 bits" in found.cause
    said = "base as onnx-int8: 23 MB instead of 91; side by side 250 against 100 texts a second, and 4.0 against 9.0 ms"
    assert systems.choice(records.runs["small"].how, ["base"]) == f"{said} for one"


def test_instead_of_a_format_only_a_format_is_named(lab, healthy):
    records = served(lab, beside(lab, healthy, int8=0.04), small=3.0, larger=0.05)
    best = "use larger, the smallest of those of base that surely costs less than a point"
    assert told(CODE, records)["small"].fix.action == best


def test_the_report_says_how_many_bytes_are_searched_and_how_many_answers_scored_again():
    how = {"store": "binary", "features": 384, "bytes": 432.0, "bytes_before": 1536, "bytes_searched": 48.0}
    assert systems.choice(how | {"rescore": 100}, ["base"]) == (
        "384 features of base as binary, the first 100 of a query scored again by 8 bits a feature: "
        "432 bytes an answer instead of 1,536, 48 of them searched"
    )
