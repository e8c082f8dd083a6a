"""Labels of pairs beside cosines that never saw them."""

import numpy as np
import pandas as pd
import pytest

from whyrank.core.options.params import Encoder
from whyrank.data.pairs.sampling import sample
from whyrank.measure.metrics.correlation import spearman
from whyrank.model import system
from whyrank.preflight.figures import label_agreement, pair_cosines
from whyrank.scoring.pairs import score as similarity

ENCODER = Encoder("folder", "auto", "fp32", 0.0, batch_tokens=256, trust_remote_code=False)
ALL = dict.fromkeys(("train", "dev", "test"), 0)


@pytest.fixture
def judged(paired, tiny_encoder):
    """All pairs of the small set, with the cosines of the tiny encoder and of TF-IDF."""
    return pair_cosines.with_cosines(sample(paired.pairs, ALL, seed=0), paired, tiny_encoder, ENCODER)


def test_cosines_are_those_that_evaluate_gives_the_untrained_system(judged, paired, tiny_encoder):
    pairs = pd.concat([paired.pairs_of(use) for use in ("train", "dev", "test")]).set_index("pair_id")
    pairs = pairs.loc[judged["pair_id"]].reset_index()
    expected = similarity.predict(system.untrained(tiny_encoder), pairs, ENCODER, longest=16)["prediction"]
    np.testing.assert_allclose(judged["encoder"], expected, atol=2e-6)
    np.testing.assert_allclose(judged["tfidf"], similarity.predict_tfidf(pairs)["prediction"], atol=2e-6)


def test_the_tables_say_how_each_similarity_agrees_by_source_and_by_class(judged):
    tables = label_agreement.tables(judged, 0)
    agreement, levels = tables["pair_agreement"], tables["pair_levels"]
    assert agreement["similarity"].tolist() == ["encoder", "tfidf", "beyond"]
    assert set(agreement["n"]) == {len(judged)}
    encoder, words, _ = agreement.itertuples()
    assert encoder.spearman == spearman(judged["encoder"], judged["label"]).value
    # The second texts share all, half and none of the topic of the first.
    assert words.spearman > 0.5 > words.floor_high > 0 > words.floor_low and words.kruskal_p < 1e-6
    assert levels["level"].tolist() == ["contradiction", "neutral", "entailment"]
    assert levels["label"].tolist() == [0.0, 0.5, 1.0] and set(levels["kind"]) == {"classes"}
    assert levels["tfidf_mean"].is_monotonic_increasing and (levels["encoder_error"] > 0).all()
    contradictions = judged.loc[judged["class_name"] == "contradiction", "encoder"]
    assert levels["encoder_mean"].iloc[0] == contradictions.mean()
    assert levels["encoder_error"].iloc[0] == contradictions.sem()


def test_scores_are_looked_at_by_level_and_each_source_by_itself(judged):
    scores = judged.assign(source="sts", class_name="", label=np.linspace(0, 1, len(judged)))
    scores = scores.assign(stratum=np.where(scores["label"] < 0.5, "low", "high"))
    both = label_agreement.tables(pd.concat([judged, scores]), 0)
    assert both["pair_levels"]["source"].tolist() == ["nli"] * 3 + ["sts"] * 2
    assert both["pair_levels"].set_index("level").loc["low", "kind"] == "scores"
    alone = label_agreement.tables(judged, 0)["pair_agreement"]
    pd.testing.assert_frame_equal(both["pair_agreement"].iloc[:3], alone)


def test_without_pairs_there_are_no_tables_and_with_one_label_there_is_a_reason(judged, paired, tiny_encoder):
    empty = sample(paired.pairs.iloc[:0], ALL, seed=0)
    assert label_agreement.tables(pair_cosines.with_cosines(empty, paired, tiny_encoder, ENCODER), 0) == {}
    constant = label_agreement.tables(judged.assign(label=1.0), 0)["pair_agreement"]
    assert set(constant["reason"]) == {"constant labels"} and constant["spearman"].isna().all()
    collapsed = label_agreement.tables(judged.assign(encoder=1.0, tfidf=0.0), 0)["pair_agreement"]
    assert set(collapsed["reason"]) == {"constant predictions"} and collapsed["kruskal_p"].isna().all()
