"""One function scores a system of any kind, on the same queries, answers and pairs."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from whyrank.core.errors import UserError
from whyrank.core.options.params import Encoder, Evaluate
from whyrank.core.options.systems import System
from whyrank.core.prepared import PAIR_COLUMNS
from whyrank.model import system
from whyrank.model.heads.readout import Readout
from whyrank.scoring.ranking import score as ranking
from whyrank.scoring.search.embed import Product
from whyrank.scoring.systems import score
from whyrank.scoring.tasks import Tasks

ENCODER = Encoder("folder", "auto", "fp32", 0.0, batch_tokens=2048, trust_remote_code=False, keep_layers=0)
EVALUATE = Evaluate([1, 3], [3], [3], "", keep=5, pair_tokens=16)
BASELINES = {kind: System(kind, "baseline", "src") for kind in ("tfidf", "bm25")}


@pytest.fixture
def tasks(topics, tiny_encoder):
    """The small ranking set with two test pairs of its answers."""
    texts = topics.answers["raw_text"].tolist()
    first = len(topics.token_ids)
    pairs = pd.DataFrame(
        {"pair_id": ["p0", "p1"], "source": "own", "subset": "", "use": "test", "first": first,
         "second": [first, first + 1], "label": [1.0, 0.0]}
    ).reindex(columns=PAIR_COLUMNS)  # fmt: skip
    pair_texts = pd.DataFrame({"text": texts[:2], "input_ids": tiny_encoder.tokenise(texts[:2], 16)})
    return Tasks(replace(topics, pairs=pairs, pair_texts=pair_texts), EVALUATE, ENCODER, seed=0)


@pytest.fixture
def folder(tiny_folder):
    return str(tiny_folder)


@pytest.mark.parametrize("kind", ["tfidf", "bm25", "encoder"])
def test_every_kind_ranks_the_same_queries_and_writes_what_diagnose_reads(tasks, folder, kind, tmp_path):
    scored = score(BASELINES.get(kind) or System(kind, "zero-shot", folder), tasks)
    tested = tasks.texts.queries.query("split == 'test'")["query_id"].tolist()
    assert scored.run.queries["query_id"].tolist() == tested
    assert scored.metrics["accuracy@1_all"] == scored.run.queries["accuracy@1"].mean()
    assert all(np.isfinite(value) for value in scored.metrics.values())
    scored.write(tmp_path / "run", "its-name")
    files = {"queries.parquet", "top.parquet", "run.trec", "other_splits.parquet"}
    files |= {"query_vectors.npy", "answer_vectors.npy", "golden.parquet"} if kind == "encoder" else set()
    files |= {"pairs.parquet", "pair_lists.csv"} if kind != "bm25" else set()
    files |= {"analyser.json"} if kind != "encoder" else set()
    assert {file.name for file in (tmp_path / "run").iterdir()} == files
    assert (tmp_path / "run" / "run.trec").read_text().splitlines()[0].endswith(" its-name")


def test_an_encoder_whose_vectors_overflow_is_one_line(tasks, make_encoder, tmp_path):
    encoder = make_encoder()
    for name, weight in encoder.transformer.named_parameters():
        if name.endswith("intermediate.dense.weight"):
            weight.data *= 1e20
    system.save(system.untrained(encoder), tmp_path / "large", longest=16)
    said = r"^the score of query row \d+ and candidate \d+ is not finite: cannot be ranked; .*encoder\.precision=fp32"
    with pytest.raises(UserError, match=said):
        score(System("encoder", "zero-shot", str(tmp_path / "large")), tasks)


def test_what_an_encoder_costs_is_counted_and_of_a_baseline_nothing(tasks, folder, make_encoder):
    found = score(System("encoder", "zero-shot", folder), tasks).metrics
    weights = make_encoder().state_dict()
    assert found["parameters"] == sum(weight.numel() for weight in weights.values())
    assert found["megabytes"] == 4 * found["parameters"] / 1e6
    assert found["layers"] == len({name.split(".layer.")[1].split(".")[0] for name in weights if ".layer." in name})
    assert not {"parameters", "features"} & set(score(BASELINES["bm25"], tasks).metrics)


def test_dev_and_training_queries_are_scored_by_the_same_code_and_answers(tasks, folder):
    scored = score(System("encoder", "zero-shot", folder), tasks)
    assert scored.vectors is not None
    for split, part in scored.others.queries.groupby("split"):
        query_Q = tasks.texts.rows(split)
        assert part["query_id"].tolist() == tasks.texts.queries["query_id"].iloc[query_Q].tolist()
        own = ranking.rank(Product(scored.vectors, "cosine"), tasks.texts, query_Q, EVALUATE).queries
        assert part["mrr"].tolist() == own["mrr"].tolist()
    assert set(scored.others.queries["split"]) == {"dev", "train"}


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
def test_an_encoder_under_another_pooling_has_the_vectors_of_that_pooling(tasks, folder, make_encoder, pooling):
    found = score(System("encoder", "zero-shot", folder, pooling=pooling), tasks).vectors
    ids = tasks.texts.token_ids
    expected = make_encoder(pooling=pooling).encode(ids, batch_tokens=2048, precision="fp32")
    np.testing.assert_allclose(found.answer_AD, expected[: len(tasks.texts.answers)], atol=1e-5)


def test_without_a_pooling_of_its_own_an_encoder_is_read_as_it_was_made(tasks, make_encoder, tmp_path):
    for pooling in ("mean", "cls"):
        system.save(system.untrained(make_encoder(pooling=pooling)), tmp_path / pooling, longest=16)
    vectors = {pooling: score(System("encoder", "zero-shot", str(tmp_path / pooling)), tasks).vectors
               for pooling in ("mean", "cls")}  # fmt: skip
    assert not np.allclose(vectors["mean"].answer_AD, vectors["cls"].answer_AD)
    again = score(System("encoder", "zero-shot", str(tmp_path / "mean"), pooling="cls"), tasks).vectors
    np.testing.assert_array_equal(again.answer_AD, vectors["cls"].answer_AD)


@pytest.mark.parametrize(("kind", "number"), [(None, 0), ("centred", 1), ("standardised", 2)])
def test_the_read_out_of_an_encoder_stands_with_its_metrics(tasks, make_encoder, tmp_path, kind, number):
    model = system.untrained(make_encoder())
    model.readout = kind and Readout(kind, model.width_of("rank"))
    system.save(model, tmp_path / "model", longest=16)
    assert score(System("encoder", "zero-shot", str(tmp_path / "model")), tasks).metrics["readout_kind"] == number
