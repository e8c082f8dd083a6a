"""Exact zeros and features in other places, in records of an encoder's layers."""

import pytest

from whyrank.preflight.probes import layer_values

from .healthy_encoder import layers


@pytest.mark.parametrize(("zeros", "told"), [(0.0, []), (0.05, []), (0.5, [[1, 2, 3, 4, 5, 6]])])
def test_weights_that_are_exactly_zero_were_pruned(zeros, told):
    assert [fault.layers for fault in layer_values.pruned(layers(zeros=zeros))] == told


@pytest.mark.parametrize(
    ("follows", "told"),
    [
        ([1.0, 0.9, 0.95, 0.94, 0.89, 0.84], []),
        ([1.0, 0.9, 0.95, 0.02, 0.89, 0.84], [[4]]),
        ([1.0, 0.9, 0.02, 0.02, 0.89, 0.84], [[3, 4]]),
        # Nothing is known of an architecture whose layers never resemble each other.
        ([1.0, 0.1, 0.2, 0.02, 0.3, 0.2], []),
    ],
)
def test_features_keep_their_places_from_layer_to_layer(follows, told):
    assert [fault.layers for fault in layer_values.foreign(layers(follows=follows))] == told


def test_records_without_these_figures_tell_nothing():
    assert [*layer_values.pruned(layers()), *layer_values.foreign(layers())] == []
