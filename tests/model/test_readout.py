"""What ranking takes off vectors: fitted values, the choice on dev, and the same vectors in what is exported."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sentence_transformers import SentenceTransformer
from torch import nn

from whyrank.model import readout, system
from whyrank.model.heads import heads
from whyrank.model.heads.readout import Readout, fitted, folded

ANSWERS, PER_ANSWER = 30, 4


def test_a_fitted_readout_takes_the_mean_off_and_divides_by_the_standard_deviation():
    vector_NO = torch.tensor([[1.0, 10.0, 5.0], [3.0, 30.0, 5.0], [5.0, 20.0, 5.0]])
    centred, standardised = fitted("centred", vector_NO), fitted("standardised", vector_NO)
    torch.testing.assert_close(centred(vector_NO), torch.tensor([[-2.0, -10, 0], [0, 10, 0], [2, 0, 0]]))
    # Standard deviations 2 and 10; a constant feature tells nothing and becomes 0.
    torch.testing.assert_close(standardised(vector_NO), torch.tensor([[-1.0, -1, 0], [0, 1, 0], [1, 0, 0]]))


def shared_direction(make_prepared, strength, features=16, seed=0):
    """Answers and queries near them; `strength` of an axis that all vectors share, and that varies with the text."""
    random = np.random.default_rng(seed)
    answer_AD = random.standard_normal((ANSWERS, features))
    query_ND = np.repeat(answer_AD, PER_ANSWER, axis=0) + 1.2 * random.standard_normal((ANSWERS * PER_ANSWER, features))
    for side in (answer_AD, query_ND):
        side[:, 0] = strength * (1 + 0.5 * random.standard_normal(len(side)))
    splits = ["train", "train", "dev", "dev"] * ANSWERS
    queries = [(f"q{i}", "question", split, "x") for i, split in enumerate(splits)]
    prepared = make_prepared(
        [(f"a{i:02}", "x") for i in range(ANSWERS)], queries,
        [(f"q{i}", f"a{i // PER_ANSWER:02}", 1.0) for i in range(len(queries))],
    )  # fmt: skip
    return prepared, torch.as_tensor(np.concatenate([answer_AD, query_ND]), dtype=torch.float32)


@pytest.fixture
def bare(make_encoder):
    return system.untrained(make_encoder())


def choose(one, vectors, prepared, asked="auto"):
    return readout.choose(one, lambda: vectors, prepared, asked, seed=1)


def test_a_readout_is_chosen_where_dev_surely_gains_and_the_gain_is_recorded(bare, make_prepared):
    prepared, vectors = shared_direction(make_prepared, 20.0)
    choice = choose(bare, vectors, prepared)
    assert choice.chosen is not None and choice.gains["kind"].tolist() == ["centred", "standardised"]
    chosen = choice.gains.set_index("kind").loc[choice.chosen.kind]
    assert chosen["low"] > 0 and chosen["gain"] == choice.gains["gain"].max() > 0.1
    assert (choice.gains["low"] < choice.gains["gain"]).all() and (choice.gains["gain"] < choice.gains["high"]).all()


def test_the_gain_is_the_difference_of_the_mrr_of_dev(bare, make_prepared):
    prepared, vectors = shared_direction(make_prepared, 20.0)
    choice = choose(bare, vectors, prepared)
    dev = prepared.rows("dev")
    unit = nn.functional.normalize(vectors, dim=1)
    fit = fitted("centred", torch.cat([vectors[:ANSWERS], vectors[ANSWERS + prepared.rows("train")]]))
    read = nn.functional.normalize(fit(vectors), dim=1)
    mrr = []
    for side in (unit, read):
        score = side[ANSWERS + dev] @ side[:ANSWERS].T
        own = score.gather(1, torch.as_tensor(dev // PER_ANSWER)[:, None])
        mrr.append((1 / (1 + (score > own).sum(1))).mean().item())
    assert choice.gains["gain"][0] == pytest.approx(mrr[1] - mrr[0], abs=1e-6)


def test_vectors_without_a_shared_direction_stay_as_they_are(bare, make_prepared):
    prepared, vectors = shared_direction(make_prepared, 0.1)
    choice = choose(bare, vectors, prepared)
    assert choice.chosen is None and (choice.gains["low"] <= 0).all()


def test_what_is_asked_for_is_fitted_without_a_choice_and_a_dot_product_or_raw_has_none(bare, make_prepared):
    prepared, vectors = shared_direction(make_prepared, 0.1)
    assert choose(bare, vectors, prepared, "centred").chosen.kind == "centred"
    raw = choose(bare, vectors, prepared, "raw")
    assert raw.chosen is None and raw.gains["kind"].tolist() == ["centred", "standardised"]

    def unasked():
        raise AssertionError("no vectors are needed")

    dot = system.with_heads(bare, nn.Sequential(), dual=False, score="dot")
    assert readout.choose(dot, unasked, prepared, "standardised", seed=1).chosen is None
    few = replace(prepared, queries=prepared.queries.assign(split="train"))
    for asked in ("auto", "raw"):
        assert readout.choose(bare, unasked, few, asked, seed=1).chosen is None


def test_a_system_that_has_one_keeps_it_unless_a_new_one_is_surely_better(bare, make_prepared):
    prepared, vectors = shared_direction(make_prepared, 20.0)
    first = choose(bare, vectors, prepared).chosen
    bare.readout = first
    again = choose(bare, vectors, prepared)
    assert again.chosen is first and again.gains["gain"].max() < 0.05


def noisy(kind, width, seed=0):
    random = torch.Generator().manual_seed(seed)
    made = Readout(kind, width)
    made.mean_O.copy_(torch.randn(width, generator=random))
    made.scale_O.copy_(1 + torch.rand(width, generator=random))
    return made


@pytest.mark.parametrize("layers", ["none", "linear last", "activation last"])
def test_layers_with_the_readout_folded_in_give_what_it_makes_of_their_result(layers):
    torch.manual_seed(0)
    made, x = noisy("standardised", 6), torch.randn(5, 6)
    linear = (torch.randn(6, 6), torch.randn(6), "torch.nn.modules.linear.Identity")
    chain = {"none": [], "linear last": [linear], "activation last": [(*linear[:2], "torch.nn.ReLU")]}[layers]

    def through(some):
        out = x
        for weight, bias, activation in some:
            out = out @ weight.T + bias
            out = torch.relu(out) if "ReLU" in activation else out
        return out

    found = folded(list(chain), made)
    assert len(found) == (2 if layers == "activation last" else 1)
    torch.testing.assert_close(through(found), made(through(chain)))
    assert folded(list(chain), None) == chain


@pytest.mark.parametrize("kind", ["none", "residual", "mlp"])
def test_sentence_transformers_gives_the_vectors_of_a_system_with_a_readout(make_encoder, options, tmp_path, kind):
    from whyrank.core.options.params import FinetuneRank

    torch.manual_seed(1)
    encoder = make_encoder().eval()
    head = heads.build(
        options("finetune_rank", FinetuneRank, {"head.kind": kind, "head.output": 12}).head, encoder.width
    )
    for weight in head.parameters():
        nn.init.normal_(weight, std=0.5)
    made = system.with_heads(system.untrained(encoder), head, dual=False, score="cosine").eval()
    made.readout = noisy("standardised", made.width_of("rank"))
    system.save(made, tmp_path / "model", longest=32)
    loaded = system.load(tmp_path / "model")
    assert loaded.readout.kind == "standardised"
    texts = ["permit for a garden fence", "pension age", "how do i travel"]
    rows = encoder.tokenise(texts, 32, "query")
    ours = [one.normalise(one.queries(torch.as_tensor(one.encoder.encode(rows, batch_tokens=99, precision="fp32"))))
            for one in (made, loaded)]  # fmt: skip
    theirs = SentenceTransformer(str(tmp_path / "model"), device="cpu").encode(texts)
    for one in ours:
        np.testing.assert_allclose(one.detach().numpy(), theirs, atol=2e-6)
    assert system.load(tmp_path / "model", pooling="max").readout is None


def test_gains_of_nothing_tried_have_their_columns(bare, make_prepared):
    prepared, vectors = shared_direction(make_prepared, 0.1)
    few = replace(prepared, queries=prepared.queries.assign(split="train"))
    for asked in ("auto", "raw", "standardised"):
        pd.testing.assert_index_equal(choose(bare, vectors, few, asked).gains.columns, pd.Index(readout.COLUMNS))
