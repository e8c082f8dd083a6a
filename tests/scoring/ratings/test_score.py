"""Floors and trained systems on a small rated set: tables, metrics, and that each reads what it should."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from whyrank.core import io
from whyrank.core.errors import UserError
from whyrank.core.options.params import Encoder
from whyrank.core.prepared import Prepared
from whyrank.measure.metrics.ratings import mean_column_spearman
from whyrank.model import system
from whyrank.model.heads import heads
from whyrank.scoring.ratings import score as ratings
from whyrank.scoring.ratings import vectors as rating_vectors

ENCODER = Encoder("folder", "auto", "fp32", 0.0, batch_tokens=2048, trust_remote_code=False, keep_layers=0)
TARGETS = ["about_visa", "long", "rare", "same"]
WORDS = ["permit", "garden", "fence", "visa", "travel", "pension", "tax"]
COLUMNS = ["rating_id", "fold", "group", "target", "label", "prediction"]


def rated_set(encoder, topics, layout):
    """72 rows in 36 groups and 3 folds, and one of the test; targets that words decide, a rare and a constant one."""
    random = np.random.default_rng(0)
    title_G = [" ".join(random.choice(WORDS, 3)) for _ in range(36)]
    answer_N = [" ".join(random.choice(WORDS, random.integers(2, 12))) for _ in range(72)]
    table = pd.DataFrame({"rating_id": [f"r{i}" for i in range(73)], "use": ["train"] * 72 + ["test"]})
    table["group"] = [*np.repeat(np.arange(36), 2), 36]
    table["fold"] = [*(np.repeat(np.arange(36), 2) % 3), -1]
    table["title"], table["body"], table["answer"] = [*np.repeat(title_G, 2), "visa"], "", [*answer_N, "tax"]
    first = len(topics.token_ids)
    if layout == "joint":
        ids = encoder.tokenizer(table["title"].tolist(), table["answer"].tolist())["input_ids"]
        table["first"], table["second"] = first + np.arange(73), -1
    else:
        ids = encoder.tokenise([*table["title"], *table["answer"]], 64)
        table["first"], table["second"] = first + np.arange(73), first + 73 + np.arange(73)
    texts = pd.DataFrame({"text": "", "input_ids": pd.Series([np.array(row) for row in ids], dtype=object)})
    about = [1.0 * ("visa" in answer) for answer in answer_N]
    table["about_visa"], table["long"] = [*about, np.nan], [*(len(a.split()) / 12 for a in answer_N), np.nan]
    table["rare"], table["same"] = [1.0, *[0.0] * 71, np.nan], [*[0.5] * 72, np.nan]
    return Prepared(topics.answers, topics.queries, topics.qrels, ratings=table, rating_texts=texts)


@pytest.fixture(params=["joint", "separate"])
def texts(request, tiny_encoder, topics):
    return rated_set(tiny_encoder, topics, request.param)


@pytest.fixture
def joint(tiny_encoder, topics):
    return rated_set(tiny_encoder, topics, "joint")


@pytest.fixture
def separate(tiny_encoder, topics):
    return rated_set(tiny_encoder, topics, "separate")


def check_labels(table, texts):
    """One row per labelled row and target, with the labels and groups of the set."""
    rows = texts.ratings[texts.ratings["use"] == "train"]
    assert table["rating_id"].tolist() == rows["rating_id"].repeat(4).tolist()
    assert table["target"].tolist() == TARGETS * 72
    np.testing.assert_array_equal(table["label"].to_numpy().reshape(72, 4), rows[TARGETS].to_numpy())
    for name in ("fold", "group"):
        np.testing.assert_array_equal(table[name], rows[name].repeat(4))


def test_words_find_what_words_decide(joint):
    found = ratings.lexical(joint)
    table = found.tables["ratings.parquet"]
    assert list(found.tables) == ["ratings.parquet"] and table.columns.tolist() == [*COLUMNS, "snapped"]
    check_labels(table, joint)
    about = table[table["target"] == "about_visa"]
    assert about["prediction"].corr(about["label"], method="spearman") > 0.7
    assert found.metrics["ratings_n"] == 72 and found.metrics["ratings_undefined_columns"] == 1
    # The fold with the only 1 of the rare target is predicted by rows that are all 0.
    assert found.metrics["ratings_constant_columns"] == 2
    assert found.metrics["ratings_spearman"] > 0.2


def test_a_frozen_encoder_is_recorded_in_both_layouts(make_encoder, texts):
    found = ratings.frozen(system.untrained(make_encoder()), texts, ENCODER)
    table, layouts = found.tables["ratings.parquet"], found.tables["ratings_layouts.parquet"]
    check_labels(table, texts)
    assert layouts.columns.tolist() == [*COLUMNS, "layout"]
    for _, part in layouts.groupby("layout"):
        check_labels(part, texts)
    own = "joint" if (texts.ratings["second"] < 0).all() else "separate"
    part = layouts[layouts["layout"] == own]
    np.testing.assert_array_equal(part["prediction"], table["prediction"])
    other = layouts[layouts["layout"] != own]
    assert not np.allclose(other["prediction"], part["prediction"])
    assert other["layout"].unique().tolist() == [{"joint": "separate", "separate": "joint"}[own]]


def test_either_layout_gives_the_same_two_tables(make_encoder, joint, separate):
    both = [ratings.frozen(system.untrained(make_encoder()), part, ENCODER) for part in (joint, separate)]
    one, two = (part.tables["ratings_layouts.parquet"] for part in both)
    pd.testing.assert_frame_equal(one, two, check_exact=False, rtol=1e-4, atol=1e-4)


def test_features_are_the_vectors_and_what_they_have_in_common(make_encoder, joint, separate):
    model = system.untrained(make_encoder())
    rows = ratings.token_ids(separate, ratings.labelled(separate))
    found = rating_vectors.features(model, rows, ENCODER)
    u, v = (model.encoder.encode([row[i] for row in rows], batch_tokens=2048, precision="fp32") for i in (0, 1))
    np.testing.assert_allclose(found, np.concatenate([u, v, abs(u - v), u * v], axis=1), rtol=0, atol=1e-5)
    rows = ratings.token_ids(joint, ratings.labelled(joint))
    whole = model.encoder.encode([row[0] for row in rows], batch_tokens=2048, precision="fp32")
    np.testing.assert_allclose(rating_vectors.features(model, rows, ENCODER), whole, rtol=0, atol=1e-5)


def test_all_blocks_but_the_last_are_recorded_as_one_ridge_on_their_means_over_the_tokens(make_encoder, texts):
    model = system.untrained(make_encoder())
    found = ratings.frozen(model, texts, ENCODER)
    rows = ratings.labelled(texts)
    model.encoder.transformer.set_attn_implementation("sdpa")
    blocks = []
    for sides in zip(*ratings.token_ids(texts, rows), strict=True):
        with torch.no_grad():
            states = [model.encoder.transformer(torch.as_tensor(ids)[None], output_hidden_states=True) for ids in sides]
        # Of two blocks: the embeddings, and the first one.
        blocks.append(np.stack([[state[0].mean(0).numpy() for state in one.hidden_states[:2]] for one in states]))
    if len(blocks) == 2:
        u, v = blocks
        blocks = [np.concatenate([u, v, abs(u - v), u * v], axis=2)]
    expected = ratings.by_ridge(texts, rows, rating_vectors.kernel(blocks[0].reshape(72, -1)))
    table = found.tables["ratings_blocks.parquet"]
    assert table.columns.tolist() == COLUMNS
    pd.testing.assert_frame_equal(table, expected[COLUMNS], check_exact=False, rtol=1e-3, atol=1e-4)
    label_NT, prediction_NT = (table[name].to_numpy().reshape(72, 4) for name in ("label", "prediction"))
    spearman = mean_column_spearman(prediction_NT, label_NT, TARGETS).value
    assert found.metrics["ratings_blocks_spearman"] == pytest.approx(spearman)
    assert not np.allclose(table["prediction"], found.tables["ratings.parquet"]["prediction"])


def test_an_encoder_whose_blocks_are_not_known_is_recorded_without_them(make_encoder, joint):
    encoder = make_encoder()
    encoder.is_packed = False
    encoder.transformer.set_attn_implementation("sdpa")
    found = ratings.frozen(system.untrained(encoder), joint, ENCODER)
    assert set(found.tables) == {"ratings.parquet", "ratings_layouts.parquet"}
    assert "ratings_blocks_spearman" not in found.metrics


def test_a_head_of_the_system_is_part_of_its_features(make_encoder, joint):
    head = nn.Sequential(heads.MlpHead(32, 8, 10, 0.5))
    model = system.System(make_encoder(), head, head, "cosine").eval()
    rows = ratings.token_ids(joint, ratings.labelled(joint))
    assert rating_vectors.features(model, rows, ENCODER).shape == (72, 10)


def test_features_are_standardised_by_the_training_rows_and_what_does_not_vary_is_left_out():
    random = np.random.default_rng(0)
    feature_NF = (5 + random.normal(size=(30, 4))).astype(np.float32)
    feature_NF[:, 3] = 0.7 + 1e-8 * random.normal(size=30)
    train_N = np.arange(30) < 20
    train_MF = feature_NF[train_N, :3].astype(np.float64)
    standard_NF = (feature_NF[:, :3] - train_MF.mean(axis=0)) / train_MF.std(axis=0)
    found = rating_vectors.kernel(feature_NF)(train_N, np.arange(30))
    expected = standard_NF @ standard_NF.T / 4
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    some = np.array([0, 7, 25])
    found = rating_vectors.kernel(feature_NF)(train_N, some)
    np.testing.assert_allclose(found, expected[np.ix_(some, some)], rtol=0, atol=1e-5)


def test_a_collapsed_encoder_predicts_the_mean_of_every_target(make_encoder, joint, monkeypatch):
    monkeypatch.setattr(rating_vectors, "features", lambda system, rows, encoder: np.ones((len(rows), 8), np.float32))
    found = ratings.frozen(system.untrained(make_encoder()), joint, ENCODER)
    assert found.metrics["ratings_constant_columns"] == 4
    assert "ratings_spearman_fold_mean" not in found.metrics


@pytest.fixture
def trained(joint, tmp_path):
    """The folder of a system whose training left predictions, in an order of its own."""
    table = ratings.lexical(joint).tables["ratings.parquet"].drop(columns=["group", "label"]).assign(snaps=False)
    table["prediction"] += 1
    io.write_table(tmp_path / ratings.OUT_OF_FOLD, table.sample(frac=1, random_state=0))
    return tmp_path


def test_of_a_trained_system_its_own_predictions_are_taken(joint, trained):
    found, words = ratings.tuned(joint, trained / ratings.OUT_OF_FOLD), ratings.lexical(joint)
    table = found.tables["ratings.parquet"]
    check_labels(table, joint)
    assert list(found.tables) == ["ratings.parquet"] and table.columns.tolist() == [*COLUMNS, "snapped"]
    np.testing.assert_array_equal(table["prediction"], words.tables["ratings.parquet"]["prediction"] + 1)
    assert found.metrics == pytest.approx(words.metrics)


def test_a_trained_system_that_left_a_row_out_is_caught(joint, trained):
    table = io.read_table(trained / ratings.OUT_OF_FOLD)
    io.write_table(trained / ratings.OUT_OF_FOLD, table.iloc[1:])
    with pytest.raises(UserError, match=r"predictions of 287 of 288 labels: .* trained on other ratings"):
        ratings.tuned(joint, trained / ratings.OUT_OF_FOLD)


def test_without_rated_rows_nothing_is_done(topics, tmp_path):
    assert ratings.lexical(topics) == ({}, {})
    assert ratings.frozen(None, topics, ENCODER) == ratings.tuned(topics, tmp_path / ratings.OUT_OF_FOLD) == ({}, {})


def test_the_metrics_are_those_of_the_table():
    random = np.random.default_rng(0)
    label_NT, fold_N = random.integers(0, 3, (60, 2)) / 2, np.arange(60) % 2
    prediction_NT = label_NT + random.normal(size=(60, 2))
    prediction_NT[fold_N == 0, 1] = 0.3
    table = pd.DataFrame({"target": ["a", "b"] * 60, "fold": fold_N.repeat(2), "label": label_NT.ravel()})
    found = ratings.summary(table.assign(prediction=prediction_NT.ravel(), snapped=label_NT.ravel()))
    of = [mean_column_spearman(prediction_NT[fold_N == k], label_NT[fold_N == k], "ab").value for k in (0, 1)]
    assert found == {
        "ratings_spearman": pytest.approx(mean_column_spearman(prediction_NT, label_NT, "ab").value),
        "ratings_spearman_fold_mean": pytest.approx(np.mean(of)),
        "ratings_snapped_spearman": pytest.approx(1.0),
        "ratings_snapped_spearman_fold_mean": pytest.approx(1.0),
        "ratings_undefined_columns": 0,
        "ratings_constant_columns": 1,
        "ratings_n": 60,
    }
