"""Each damage of a real encoder, and how gravely which check speaks of it by the weights alone."""

import pandas as pd
import pytest

from whyrank.findings.finding import Finding
from whyrank.findings.probe import registered
from whyrank.findings.records import DataRecords
from whyrank.model.encoder.loading import load
from whyrank.model.encoder.source import embedded_folder
from whyrank.preflight import examine
from whyrank.preflight.figures.encoder import layers, pieces

from .damages import DAMAGES

TEXTS = ["how do i make a film of my plants growing", "the lamp stays dark although the cable is in", "water the basil"]
CHECKS = ("layer-does-nothing", "encoder-damaged", "embeddings-scrambled")
# One zeroed part in six costs 1 to 3 points of MRR on Stack Exchange, the others 15 to 80.
SAID = {
    **{f"zero_{name}_of_all": {"encoder-damaged": "error"} for name in ("query", "key", "value")},
    **{f"zero_{name}_of_one": {"encoder-damaged": "info"} for name in ("query", "key", "value")},
    "zero_feed_forward_of_all": {"layer-does-nothing": "error"},
    "zero_feed_forward_of_one": {"layer-does-nothing": "info"},
    "scores_not_scaled": {"encoder-damaged": "error"},
    "embeddings_shuffled": {"embeddings-scrambled": "error"},
    "embeddings_one_row_off": {"embeddings-scrambled": "error"},
    "positions_shuffled": {"encoder-damaged": "error"},
    "heads_moved_in_all": {"encoder-damaged": "error"},
    "neurons_shuffled_in_one": {"encoder-damaged": "warning"},
    "query_of_noise_in_all": {"encoder-damaged": "error"},
    "value_transposed_in_one": {"encoder-damaged": "warning"},
    "sign_turned_in_one": {"encoder-damaged": "warning"},
    "norm_zero_in_one": {"layer-does-nothing": "error", "encoder-damaged": "error"},
    "norm_tenfold_in_all": {"encoder-damaged": "error"},
    "layers_drawn_anew": {"encoder-damaged": "error"},
    "first_layer_everywhere": {"layer-does-nothing": "error"},
    "upper_features_moved": {"encoder-damaged": "error"},
    "smaller_weights_zero": {"encoder-damaged": "warning"},
}


def said_of(damage: str) -> dict[str, str]:
    encoder = load(embedded_folder())
    DAMAGES.get(damage, lambda encoder: None)(encoder)
    rows = encoder.tokenise(TEXTS, 32)
    tables = {"encoder_layers": layers.table(encoder, rows), "encoder_pieces": pieces.table(encoder)}
    data = DataRecords(*[pd.DataFrame()] * 3, {}, tables, pd.DataFrame())
    assert examine.preflight  # registers the checks
    told = [one for probe in registered("preflight") if probe.code in CHECKS for one in probe.find(data)]
    return {one.code: one.severity for one in told if isinstance(one, Finding)}


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["none", *DAMAGES])
def test_a_damage_is_told_by_the_weights(damage):
    assert said_of(damage) == SAID.get(damage, {})
    assert set(SAID) == set(DAMAGES)
