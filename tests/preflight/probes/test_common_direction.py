"""What all texts share: told where a read-out surely gains, as a warning where it is not used."""

from typing import Any

import pandas as pd
import pytest

from whyrank.findings.records import Records

from ...diagnosis.probes.faults import of, planted, with_data
from .test_encoder_weights import outcome

CODE = "common-direction"


def gaining(healthy: Records, low: float, *, used: str = "") -> Records:
    kinds = ["centred", "standardised"]
    table = pd.DataFrame({"kind": kinds, "gain": [0.01, 0.03], "low": [-0.01, low], "high": [0.03, 0.05]})
    table["is_used"] = table["kind"] == used
    return with_data(healthy, tables={**healthy.data.tables, "readout": table})


@planted(CODE, of(CODE, "prepare"))
def one_direction(lab: Any, healthy: Records) -> Records:
    return gaining(healthy, 0.01)


def test_a_direction_that_is_taken_off_already_is_for_information(healthy, findings):
    found = findings(gaining(healthy, 0.01, used="standardised"))[CODE, "prepare"]
    assert found.severity == "info" and "that is how systems are read here" in found.sentence
    assert not found.fix.params


@pytest.mark.parametrize("used", ["", "centred"])
def test_one_that_is_left_in_or_only_in_part_taken_off_is_a_warning_with_its_fix(healthy, findings, used):
    found = findings(gaining(healthy, 0.01, used=used))[CODE, "prepare"]
    assert found.severity == "warning" and found.fix.params == {"encoder.readout": "auto"}
    assert found.interval == pytest.approx((1.0, 5.0)) and "by 3.0 points of MRR [+1.0, +5.0]" in found.sentence


def test_a_gain_that_may_be_none_is_none_and_no_dev_queries_tell_nothing(healthy):
    assert outcome(CODE, gaining(healthy, -0.001)).status == "passed"
    assert outcome(CODE, healthy).status == "not applicable"
