"""What a small training on the base's vectors tells before the real one."""

from dataclasses import replace
from typing import Any

import numpy as np

from whyrank.findings.records import Records
from whyrank.preflight.probes import learning

from ...diagnosis.probes.faults import of, planted, with_data


def with_sanity(records: Records, training: str, part: str, after: Any, is_shared: Any = False) -> Records:
    table = records.data.table("sanity").copy()
    rows = (table["training"] == training) & (table["part"] == part)
    table.loc[rows, "after"] = after
    table.loc[rows, "is_shared"] = is_shared
    return with_data(records, tables=records.data.tables | {"sanity": table})


def with_shuffled(records: Records, known: int) -> Records:
    """Dev queries that stand in train, whose labels drawn at random are learnt there."""
    is_known = np.arange(60) < known
    return with_sanity(records, "shuffled", "dev", np.where(is_known, 1.0, 0.5), is_known)


@planted("cannot-learn-by-heart", of("cannot-learn-by-heart", "prepare"))
def one_vector(lab: Any, healthy: Records) -> Records:
    return with_sanity(healthy, "by_heart", "train", np.where(np.arange(60) < 20, 0.5, 1.0))


@planted("learns-shuffled-labels", of("learns-shuffled-labels", "prepare"))
def leak(lab: Any, healthy: Records) -> Records:
    return with_shuffled(healthy, 20)


def test_two_queries_that_shuffled_labels_put_right_are_luck(healthy):
    assert not list(learning.learns_shuffled_labels(with_shuffled(healthy, 2).data))
    assert len(list(learning.learns_shuffled_labels(with_shuffled(healthy, 20).data))) == 1


def test_shuffled_labels_that_help_queries_without_a_copy_in_train_are_luck(healthy):
    by_luck = with_sanity(healthy, "shuffled", "dev", np.where(np.arange(60) < 20, 1.0, 0.5))
    assert not list(learning.learns_shuffled_labels(by_luck.data))


def test_queries_of_both_splits_that_gain_nothing_are_no_leak_beside_others_that_gain_by_luck(healthy):
    is_shared = np.arange(60) < 20
    table = healthy.data.table("sanity").copy()
    table.loc[(table["training"] == "shuffled") & (table["part"] == "dev"), "before"] = np.where(is_shared, 1.0, 0.2)
    records = with_data(healthy, tables=healthy.data.tables | {"sanity": table})
    assert not list(learning.learns_shuffled_labels(with_sanity(records, "shuffled", "dev", 1.0, is_shared).data))


def test_queries_of_both_splits_that_gain_without_being_learnt_are_no_leak(healthy):
    is_shared = np.arange(60) < 20
    table = healthy.data.table("sanity").assign(before=0.1)
    records = with_data(healthy, tables=healthy.data.tables | {"sanity": table})
    closer = with_sanity(records, "shuffled", "dev", np.where(is_shared, 0.45, 1.0), is_shared)
    assert not list(learning.learns_shuffled_labels(closer.data))


def test_a_gain_of_shuffled_labels_within_noise_is_none(healthy):
    noise = 0.6 + 0.2 * np.random.default_rng(0).standard_normal(60)
    assert not list(learning.learns_shuffled_labels(with_sanity(healthy, "shuffled", "dev", noise, True).data))


def test_labels_that_make_dev_worse_contradict_it(healthy):
    assert not learning.contradicted(healthy.data)
    assert learning.contradicted(with_sanity(healthy, "labels", "dev", 0.4).data)


def test_training_queries_that_the_encoder_solves_are_told_before_training(healthy):
    assert not list(learning.no_headroom(healthy.data))
    table = healthy.data.table("sanity").assign(before=1.0)
    (found,) = learning.no_headroom(with_data(healthy, tables=healthy.data.tables | {"sanity": table}).data)
    assert found.severity == "info" and "100 %" in found.sentence


def test_few_rows_tell_nothing(healthy):
    table = one_vector(None, healthy).data.table("sanity").groupby(["training", "part"]).head(5)
    data = replace(healthy.data, tables=healthy.data.tables | {"sanity": table})
    assert not [*learning.cannot_learn_by_heart(data), *learning.learns_shuffled_labels(data)]
    assert not list(learning.no_headroom(data))
    assert not learning.contradicted(data)
