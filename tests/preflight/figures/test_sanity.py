"""A small training on the base's vectors, before the real one."""

from dataclasses import replace

import numpy as np

from whyrank.core.options import params
from whyrank.preflight.figures import sanity

OPTIONS = params.Encoder(
    "tiny", pooling="auto", precision="fp32", attention_dropout=0.0, batch_tokens=100, trust_remote_code=False
)


def mean(table, training, part, column="after"):
    return table[(table["training"] == training) & (table["part"] == part)][column].mean()


def test_pairs_are_learnt_by_heart_and_shuffled_labels_do_not_help_dev(topics, tiny_encoder):
    table = sanity.tables(tiny_encoder, topics, OPTIONS, 0)["sanity"]
    assert list(table) == sanity.COLUMNS
    assert mean(table, "by_heart", "train") == 1.0
    assert mean(table, "labels", "train", "is_shared") == 1.0 and mean(table, "labels", "dev", "is_shared") == 0.0
    assert mean(table, "labels", "train") > mean(table, "labels", "train", "before")
    assert set(table["query_id"]) <= set(topics.queries["query_id"]) and set(table["answer_id"]) <= set(
        topics.answers["answer_id"]
    )


def test_equal_queries_cannot_be_learnt(topics, tiny_encoder):
    queries = topics.queries.assign(input_ids=[topics.queries["input_ids"].iloc[0]] * len(topics.queries))
    table = sanity.tables(tiny_encoder, replace(topics, queries=queries), OPTIONS, 0)["sanity"]
    assert mean(table, "by_heart", "train") < 0.8


def test_queries_of_train_that_stand_in_dev_learn_shuffled_labels(topics, tiny_encoder):
    train, dev = topics.rows("train"), topics.rows("dev")
    ids = topics.queries["input_ids"].tolist()
    for i, row in enumerate(dev):
        ids[row] = ids[train[i]]
    leaking = replace(topics, queries=topics.queries.assign(input_ids=ids))
    table = sanity.tables(tiny_encoder, leaking, OPTIONS, 0)["sanity"]
    assert mean(table, "shuffled", "dev") > mean(table, "shuffled", "dev", "before") + 0.1
    assert mean(table, "shuffled", "dev", "is_shared") == 1.0


def test_the_same_seed_gives_the_same_table_and_without_dev_there_is_none(topics, tiny_encoder):
    one, other = (sanity.tables(tiny_encoder, topics, OPTIONS, 3)["sanity"] for _ in range(2))
    assert one.equals(other)
    no_dev = topics.queries.assign(split=np.where(topics.queries["split"] == "dev", "test", topics.queries["split"]))
    assert sanity.tables(tiny_encoder, replace(topics, queries=no_dev), OPTIONS, 0) == {}
