"""Predicted similarity of pairs, its summary by hand, and the published figures of the embedded encoder."""

import math
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from torch import nn

from whyrank.core import io
from whyrank.core.errors import UserError
from whyrank.core.options.params import Encoder
from whyrank.core.prepared import STS_SETS, Prepared
from whyrank.lexical import ranking as words
from whyrank.model import system
from whyrank.model.encoder import loading, source
from whyrank.model.encoder.declared import Declared
from whyrank.model.heads import heads
from whyrank.scoring.pairs import score as similarity

ENCODER = Encoder("folder", "auto", "fp32", 0.0, batch_tokens=256, trust_remote_code=False)
TEXTS = ["permit garden fence", "pension age payment", "visa travel", "the visa for my travel", "tax refund"]
PAIRS = [(0, 1), (2, 3), (3, 2), (4, 4), (1, 0), (0, 4)]


def pairs_of(texts, source="stsb"):
    table = pd.DataFrame(texts, columns=["text1", "text2"])
    return table.assign(pair_id=[f"p{i}" for i in range(len(table))], source=source, subset="", use="test")


@pytest.fixture
def pairs():
    return pairs_of([(TEXTS[i], TEXTS[j]) for i, j in PAIRS])


def predicted(model, pairs, longest=16):
    table = similarity.predict(model, pairs, ENCODER, longest=longest)
    assert table.columns.tolist() == ["pair_id", "prediction"] and table["prediction"].dtype == np.float64
    assert table["pair_id"].tolist() == pairs["pair_id"].tolist()
    return table["prediction"].to_numpy()


def cosines(vector_MD, step=2**-20):
    unit_MD = vector_MD / np.linalg.norm(vector_MD, axis=1, keepdims=True)
    return pytest.approx(np.array([unit_MD[i] @ unit_MD[j] for i, j in PAIRS]), abs=step)


def test_the_prediction_is_the_cosine_of_the_vectors(make_encoder, pairs):
    vector_MD = make_encoder().encode(make_encoder().tokenise(TEXTS, 16), batch_tokens=256, precision="fp32")
    found = predicted(system.untrained(make_encoder()), pairs)
    assert found == cosines(vector_MD.astype(np.float64))
    assert found[0] == found[4] and found[1] == found[2] and found[3] == 1.0
    assert np.ptp(found) > 0.01


def test_a_text_is_cut_where_the_encoder_takes_no_more(make_encoder):
    long = " ".join(["permit", "garden"] * 60)
    pairs = pairs_of([(long, f"{long} visa"), ("visa travel", long)])
    model = system.untrained(make_encoder())
    assert predicted(model, pairs, longest=128).tolist() == predicted(model, pairs, longest=64).tolist()


def test_special_tokens_and_prompt_leave_room_for_a_text(make_encoder, pairs):
    encoder = make_encoder()
    encoder.declared = Declared(prompts={"any": "permit garden "}, default_prompt="any")
    model = system.untrained(encoder)
    with pytest.raises(UserError, match=r"`evaluate\.pair_tokens` is 4, but this encoder takes at least 5"):
        predicted(model, pairs, longest=4)
    assert np.ptp(predicted(model, pairs, longest=5)) > 0


@pytest.mark.parametrize("score", ["cosine", "dot"])
def test_both_texts_go_through_the_head_for_queries_and_are_compared_by_their_cosine(make_encoder, pairs, score):
    torch.manual_seed(0)
    query_head, answer_head = (nn.Sequential(heads.MlpHead(32, 8, 10, 0.5)) for _ in range(2))
    dual = system.System(make_encoder(), query_head, answer_head, score).eval()
    encoded = make_encoder().encode(make_encoder().tokenise(TEXTS, 16), batch_tokens=256, precision="fp32")
    with torch.inference_mode():
        by_query, by_answer = (head(torch.as_tensor(encoded)).numpy() for head in (query_head, answer_head))
    found = predicted(dual, pairs)
    assert found == cosines(by_query)
    assert found != cosines(by_answer, step=0.01)
    assert found[1] == found[2] and found[3] == 1.0


def test_each_different_text_is_encoded_once_and_never_again(make_encoder, pairs, monkeypatch):
    model, asked = system.untrained(make_encoder()), []
    encode = model.encoder.encode

    def counted(rows, **options):
        asked.append(len(rows))
        return encode(rows, **options)

    monkeypatch.setattr(model.encoder, "encode", counted)
    first = predicted(model, pairs)
    assert asked == [5]
    assert np.array_equal(predicted(model, pairs), first) and asked == [5]


def test_texts_that_differ_only_by_case_are_one_to_an_uncased_model_and_two_to_a_cased_one(make_encoder):
    import tokenizers
    import transformers

    uncased, cased = make_encoder(), make_encoder()
    wordpiece = tokenizers.BertWordPieceTokenizer(cased.tokenizer.get_vocab(), lowercase=False)
    cased.tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizers.Tokenizer.from_str(wordpiece.to_str()), **cased.tokenizer.special_tokens_map
    )
    pairs = pairs_of([("visa travel", "VISA travel"), ("visa travel", "visa travel")])
    assert predicted(system.untrained(uncased), pairs).tolist() == [1.0, 1.0]
    different, same = predicted(system.untrained(cased), pairs)
    assert different < 0.99 and same == 1.0


def test_a_text_is_cut_to_the_tokens_asked_for(make_encoder):
    pairs, model = pairs_of([("visa travel tax", "visa travel pension")]), system.untrained(make_encoder())
    assert predicted(model, pairs, longest=4).tolist() == [1.0]  # [CLS] visa travel [SEP]
    assert predicted(model, pairs, longest=5)[0] < 0.99


def test_a_collapsed_system_is_constant_and_not_ordered_by_rounding(make_encoder, pairs):
    class Collapsed(nn.Module):
        def forward(self, vector_ND):
            return 1 + 1e-7 * vector_ND

    chain = nn.Sequential(Collapsed())
    table = similarity.predict(system.System(make_encoder(), chain, chain, "cosine"), pairs, ENCODER, longest=16)
    _, lists = similarity.summary(pairs.assign(label=np.linspace(0, 1, len(pairs))), table)
    assert lists["reason"].tolist() == ["constant predictions"]


def test_tfidf_of_pairs_is_the_cosine_by_hand():
    # Texts "red sky", "red", "blue": red in 2 of 3, idf ln(4/3) + 1; sky and blue in 1, g = ln(4/2) + 1.
    r, g = math.log(4 / 3) + 1, math.log(2) + 1
    found = words.tfidf_pairs(["red sky", "red", "red"], ["red", "red", "blue"])
    np.testing.assert_allclose(found, [r / math.hypot(r, g), 1.0, 0.0], rtol=1e-12)
    assert found.shape == (3,) and found.dtype == np.float64
    assert words.tfidf_pairs(["?", "a"], ["!", "a"]).tolist() == [0.0, 0.0]  # no word anywhere
    table = similarity.predict_tfidf(pairs_of([("red", "red"), ("the of", "of the"), ("", "red")]))
    assert table["prediction"].tolist() == [1.0, 1.0, 0.0] and table["pair_id"].tolist() == ["p0", "p1", "p2"]


def table_of(rows):
    """Rows: source, subset, use, label, prediction."""
    table = pd.DataFrame(rows, columns=["source", "subset", "use", "label", "prediction"])
    table["pair_id"] = [f"p{i}" for i in range(len(table))]
    return table.drop(columns="prediction"), table[["pair_id", "prediction"]]


def by_hand():
    rows = [("sts12", "a", "test", label, guess) for label, guess in ((0.0, 0.1), (0.5, 0.2), (1.0, 0.3))]
    rows += [("sts12", "b", "test", label, guess) for label, guess in ((0.0, 0.9), (0.5, 0.9), (1.0, 0.8))]
    rows += [("stsb", genre, "test", label, label) for genre, label in (("x", 0.0), ("y", 1.0))]
    return [*rows, ("stsb", "x", "train", 0.3, -1.0), ("stsb", "x", "dev", 0.4, -2.0)]


def test_a_year_is_taken_as_one_list_and_as_the_mean_of_its_subsets():
    pairs, predictions = table_of(by_hand())
    metrics, lists = similarity.summary(pairs, predictions.sample(frac=1, random_state=0))
    # Subset a: 1. Subset b: ranks 2.5 2.5 1 against 1 2 3: (-0.75 - 0.75) / sqrt(1.5 * 2). The year: label ranks
    # 1.5 1.5 3.5 3.5 5.5 5.5 against 1 5.5 2 5.5 3 4; less 3.5: products 5 - 4 + 0 + 0 - 1 + 1 = 1, squares 16, 17.
    half = -1.5 / math.sqrt(3)
    assert metrics["sts12_subset_mean_spearman"] == pytest.approx((1 + half) / 2)
    assert metrics["sts12_spearman"] == pytest.approx(1 / math.sqrt(16 * 17))
    assert metrics["sts12_pearson"] == pytest.approx(
        stats.pearsonr([0, 0.5, 1, 0, 0.5, 1], [0.1, 0.2, 0.3, 0.9, 0.9, 0.8]).statistic
    )
    assert metrics["sts12_n"] == 6 and metrics["stsb_n"] == 2
    assert metrics["stsb_spearman"] == metrics["stsb_pearson"] == 1.0
    assert "stsb_subset_mean_spearman" not in metrics
    assert metrics["sts_mean_of_2_spearman"] == pytest.approx((1 + metrics["sts12_spearman"]) / 2)
    assert "sts_mean_spearman" not in metrics and metrics["similarity_undefined"] == 0
    assert lists[["source", "subset", "n"]].to_numpy().tolist() == [
        ["sts12", "all", 6], ["sts12", "a", 3], ["sts12", "b", 3], ["stsb", "all", 2],
    ]  # fmt: skip
    assert lists["spearman"].tolist() == pytest.approx([metrics["sts12_spearman"], 1.0, half, 1.0])


def test_what_is_undefined_is_left_out_counted_and_listed_with_its_reason(tmp_path):
    rows = [row if row[1] != "b" else (*row[:4], 0.25) for row in by_hand()]
    rows += [("sickr", "", "test", 0.5, 0.1), ("sickr", "", "test", 0.5, 0.2), ("snli", "", "test", 1.0, np.nan)]
    rows += [("snli", "", "test", 0.0, 0.5), ("sts16", "only", "test", 0.0, 0.5)]
    metrics, lists = similarity.summary(*table_of(rows))
    reasons = {(row.source, row.subset): row.reason for row in lists.itertuples() if row.reason}
    assert reasons == {
        ("sts12", "b"): "constant predictions",
        ("sickr", "all"): "constant labels",
        ("snli", "all"): "not a number",
        ("sts16", "all"): "fewer than two rows",
    }
    assert metrics["similarity_undefined"] == 4
    assert metrics["sts12_subset_mean_spearman"] == pytest.approx(1.0)  # of subset a, the only one defined
    assert not {"sickr_spearman", "snli_pearson", "sts16_spearman", "sts16_subset_mean_spearman"} & set(metrics)
    assert metrics["sts_mean_of_2_pearson"] == pytest.approx((metrics["sts12_pearson"] + 1) / 2)
    assert lists["spearman"].isna().tolist() == (lists["reason"] != "").tolist()
    io.write_metrics(tmp_path / "metrics.json", metrics)  # refuses what is not finite
    io.write_table(tmp_path / "lists.parquet", lists)


def test_the_mean_of_all_seven_sets_has_the_name_without_a_number():
    random = np.random.default_rng(0)
    rows = [(name, "", "test", label, label + random.normal()) for name in STS_SETS for label in random.random(9)]
    rows += [("snli", "", "test", label, -label) for label in (0.0, 0.5, 1.0)]
    metrics, _ = similarity.summary(*table_of(rows))
    for kind in ("spearman", "pearson"):
        assert metrics[f"sts_mean_{kind}"] == pytest.approx(np.mean([metrics[f"{s}_{kind}"] for s in STS_SETS]))
        assert metrics[f"snli_{kind}"] == pytest.approx(-1.0)
    assert not [name for name in metrics if "mean_of" in name or "subset" in name]


def test_no_test_pair_gives_no_metric_and_one_without_a_prediction_is_refused():
    pairs, predictions = table_of(by_hand())
    metrics, lists = similarity.summary(pairs[pairs["use"] != "test"], predictions)
    assert metrics == {"similarity_undefined": 0} and len(lists) == 0
    with pytest.raises(AssertionError, match="without a prediction"):
        similarity.summary(pairs, predictions[1:])


@pytest.fixture
def graded_sets():
    """STS12-16, the tests of STS-B and SICK-R, as they are distributed; skips where they are absent."""
    root = Path(__file__).parents[3]
    folder = Path(os.environ.get("WHYRANK_REAL_DATA", root.parent / "shared" / "data")) / "sts"
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder}")
    rows = []
    for year in range(12, 17):
        for file in sorted((folder / f"STS{year}-en-test").glob("STS.input.*.txt")):
            subset = file.name.removeprefix("STS.input.").removesuffix(".txt")
            scores = lines(file.with_name(f"STS.gs.{subset}.txt"))
            for text, score in zip(lines(file), scores, strict=True):
                if score.strip():
                    rows.append((f"sts{year}", subset, *text.split("\t")[:2], float(score) / 5))
    for line in lines(folder / "stsbenchmark" / "sts-test.csv"):
        fields = line.split("\t")
        rows.append(("stsb", "", fields[5], fields[6], float(fields[4]) / 5))
    for line in lines(folder / "sick2014" / "SICK_test_annotated.txt")[1:]:
        fields = line.split("\t")
        rows.append(("sickr", "", fields[1], fields[2], (float(fields[3]) - 1) / 4))
    table = pd.DataFrame(rows, columns=["source", "subset", "text1", "text2", "label"])
    return table.assign(pair_id=[str(i) for i in range(len(table))], use="test")


def lines(file):
    return file.read_bytes().decode("utf-8").replace("\r\n", "\n").removesuffix("\n").split("\n")


@pytest.mark.slow
def test_the_embedded_encoder_scores_what_is_published_of_it(graded_sets):
    encoder = loading.load(source.embedded_folder(), pooling="mean")
    options = Encoder("embedded", "mean", "fp32", 0.0, batch_tokens=4096, trust_remote_code=False)
    predictions = similarity.predict(system.untrained(encoder), graded_sets, options, longest=128)
    metrics, _ = similarity.summary(graded_sets, predictions)
    expected = {
        "sts12": 72.37, "sts13": 80.61, "sts14": 75.60, "sts15": 85.39, "sts16": 78.99, "stsb": 82.04, "sickr": 77.15,
    }  # fmt: skip
    found = {name: 100 * metrics[f"{name}_spearman"] for name in expected}
    assert found == pytest.approx(expected, abs=0.10)
    assert metrics["sts_mean_spearman"] == pytest.approx(0.7888, abs=0.001)
    assert [metrics[f"{name}_n"] for name in expected] == [3108, 1500, 3750, 3000, 1186, 1379, 4927]
    assert metrics["similarity_undefined"] == 0
    floor, _ = similarity.summary(graded_sets, similarity.predict_tfidf(graded_sets))
    assert 0.6 < floor["sts_mean_spearman"] < metrics["sts_mean_spearman"]


def listed(*uses):
    """Prepared data without a ranking set: pairs of two texts, by their use."""
    pairs = pd.DataFrame({"pair_id": [f"p{i}" for i in range(len(uses))], "use": uses, "first": 0, "second": 1})
    nothing = pd.DataFrame()
    return Prepared(nothing, nothing, nothing, pairs, pd.DataFrame({"text": TEXTS[:2], "input_ids": [[1], [2]]}))


def test_all_test_pairs_are_judged_and_an_even_draw_of_the_training_pairs_in_their_order(monkeypatch):
    monkeypatch.setattr(similarity, "TRAINING_PAIRS", 50)
    texts = listed(*["train"] * 200, *["dev"] * 5, *["test"] * 7)
    parts = similarity.pairs_to_score(texts, seed=1)
    assert set(parts) == {"pairs", "training_pairs"}
    assert parts["pairs"]["pair_id"].tolist() == [f"p{i}" for i in range(205, 212)]
    drawn = parts["training_pairs"].index.to_numpy()
    assert len(drawn) == 50 and (np.diff(drawn) > 0).all() and 60 < drawn.mean() < 140
    assert parts["training_pairs"]["text2"].eq(TEXTS[1]).all()
    assert similarity.pairs_to_score(texts, seed=1)["training_pairs"].equals(parts["training_pairs"])
    assert not similarity.pairs_to_score(texts, seed=2)["training_pairs"].index.equals(parts["training_pairs"].index)


def test_without_test_pairs_nothing_is_judged_and_without_training_pairs_only_the_test():
    assert similarity.pairs_to_score(listed("train", "dev"), seed=1) == {}
    assert set(similarity.pairs_to_score(listed("test"), seed=1)) == {"pairs"}
