"""What no gradient reaches."""

from typing import Any

from whyrank.findings.records import Records

from ..faults import TUNED, of, planted, with_history


@planted("gradient-misses-weights", of("gradient-misses-weights", *TUNED))
def detached(lab: Any, healthy: Records) -> Records:
    return with_history(healthy, gradient_block_5=0.0, gradient_objectives=0.1)


def test_a_layer_without_a_gradient_is_a_warning_and_all_of_them_an_error(healthy, findings):
    one = findings(with_history(healthy, gradient_block_4=0.0))["gradient-misses-weights", "base-tuned"]
    assert one.severity == "warning" and "layer 4" in one.sentence
    assert findings(detached(None, healthy))["gradient-misses-weights", "base-tuned"].severity == "error"
    alone = findings(with_history(healthy, trained_weights=1))["gradient-misses-weights", "base-tuned"]
    assert alone.sentence.startswith("Training has 1 weight to change")


def test_a_side_that_is_compared_and_gets_no_gradient_is_an_error(healthy, findings):
    one = {"rank_side_1_gradient": 0.0, "rank_side_2_gradient": 0.3}
    found = findings(with_history(healthy, **one))["gradient-misses-weights", "base-tuned"]
    assert found.severity == "error" and "vectors of the queries" in found.sentence
    both = {"rank_side_1_gradient": 0.2, "rank_side_2_gradient": 0.3}
    assert ("gradient-misses-weights", "base-tuned") not in findings(with_history(healthy, **both))
    # Frozen vectors have none on either side: what is trained is the scale alone.
    assert ("gradient-misses-weights", "base-tuned") not in findings(
        with_history(healthy, rank_side_1_gradient=0.0, rank_side_2_gradient=0.0)
    )
