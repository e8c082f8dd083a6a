"""A tiny random cross-encoder over the best answers of a made-up encoder."""

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

from whyrank.core.errors import UserError
from whyrank.core.options.systems import System
from whyrank.scoring.rivals import reranker
from whyrank.scoring.systems import score


@pytest.fixture
def cross_encoder(tiny_folder, tmp_path):
    """A folder with random weights; `scores` for a pair."""

    def make(scores=1):
        tokenizer, folder = AutoTokenizer.from_pretrained(tiny_folder), tmp_path / f"cross-{scores}"
        torch.manual_seed(0)
        config = BertConfig(
            vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
            intermediate_size=32, initializer_range=1.0, num_labels=scores, max_position_embeddings=64,
        )  # fmt: skip
        BertForSequenceClassification(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return str(folder)

    return make


def test_listed_answers_are_ordered_by_the_model_and_the_others_stay_behind(
    tasks, make_vectors, leave, cross_encoder, monkeypatch, tmp_path
):
    monkeypatch.setenv("WHYRANK_CACHE", str(tmp_path / "cache"))
    leave("base", *make_vectors(1.0))
    system = System("reranker", "rival", "data/scores/encoder", model=cross_encoder(), depth=2)
    scored = score(system, tasks)
    model = reranker.load(system.model, trust_remote_code=False)
    text = dict(zip(tasks.texts.answers["answer_id"], tasks.texts.answers["text"], strict=True))
    first = tasks.rank(leave("base", *make_vectors(1.0))).top
    for query, top in scored.run.top.groupby("query_id"):
        own = tasks.texts.queries.set_index("query_id")["text"][query]
        listed = first[first["query_id"] == query]["answer_id"].tolist()
        logits = model.predict([(own, text[one]) for one in listed[:2]], activation_fn=torch.nn.Identity())
        expected = [listed[i] for i in np.argsort(-logits, kind="stable")] + listed[2:]
        assert top["answer_id"].tolist() == expected
    assert {name: scored.how[name] for name in ("first_stage", "depth")} == {"first_stage": "base", "depth": 2}
    assert set(scored.others.queries["split"]) == {"dev", "train"}
    # Kept: no pair is scored again.
    monkeypatch.setattr(type(model), "predict", lambda *_, **__: pytest.fail("scored again"))
    assert score(system, tasks).run.top.equals(scored.run.top)


def test_what_is_no_cross_encoder_is_refused(cross_encoder, tmp_path):
    with pytest.raises(UserError, match=r"has 3 scores for a pair of texts; a reranker has one$"):
        reranker.load(cross_encoder(3), trust_remote_code=False)
    with pytest.raises(UserError, match=r"is no cross-encoder that can be loaded "):
        reranker.load(str(tmp_path / "none"), trust_remote_code=False)
