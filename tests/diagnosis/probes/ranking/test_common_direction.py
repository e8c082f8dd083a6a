"""What all texts share: told where a read-out surely gains, as a warning where it is not used."""

from typing import Any

import pandas as pd
import pytest

from whyrank.findings.records import Records

from ..faults import of, planted, with_data, with_params
from ..pretraining.test_views import told

CODE = "common-direction"


def gaining(healthy: Records, low: float, **settings: Any) -> Records:
    table = pd.DataFrame({"kind": ["centred", "standardised"], "gain": [0.01, 0.03], "low": [-0.01, low],
                          "high": [0.03, 0.05]})  # fmt: skip
    return with_params(with_data(healthy, tables={**healthy.data.tables, "readout": table}), **settings)


@planted(CODE, of(CODE, "base"))
def one_direction(lab: Any, healthy: Records) -> Records:
    return gaining(healthy, 0.01, encoder__readout="raw")


def test_a_direction_that_is_taken_off_already_is_for_information(healthy):
    (found,) = told(CODE, gaining(healthy, 0.01, encoder__readout="auto"))
    assert found.severity == "info" and "that is how systems are read here" in found.sentence
    assert not found.fix.params


def test_one_that_is_left_in_is_a_warning_with_its_fix(healthy):
    (found,) = told(CODE, gaining(healthy, 0.01, encoder__readout="raw"))
    assert found.severity == "warning" and found.fix.params == {"encoder.readout": "auto"}
    assert found.interval == pytest.approx((1.0, 5.0)) and "by 3.0 points of MRR [+1.0, +5.0]" in found.sentence


def test_a_gain_that_may_be_none_is_none_and_no_dev_queries_tell_nothing(healthy):
    assert [one.status for one in told(CODE, gaining(healthy, -0.001))] == ["passed"]
    assert [one.status for one in told(CODE, healthy)] == ["not applicable"]
