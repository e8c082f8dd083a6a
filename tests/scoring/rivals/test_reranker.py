"""A tiny random cross-encoder over the best answers of a made-up encoder."""

import numpy as np
import pytest
import torch

from whyrank.core import checksums, io
from whyrank.core.options.systems import System
from whyrank.model import cross_encoder
from whyrank.scoring.systems import score
from whyrank.scoring.tasks import KEPT


def test_listed_answers_are_ordered_by_the_model_and_the_others_stay_behind(
    tasks, make_vectors, leave, make_cross_encoder, monkeypatch, tmp_path
):
    monkeypatch.setenv("WHYRANK_CACHE", str(tmp_path / "cache"))
    leave("base", *make_vectors(1.0))
    system = System("reranker", "rival", "data/scores/encoder", model=make_cross_encoder(), depth=2)
    scored = score(system, tasks)
    model = cross_encoder.load(system.model, trust_remote_code=False)
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


def test_queries_that_the_first_stage_did_not_list_are_not_reranked(
    tasks, make_vectors, leave, make_cross_encoder, monkeypatch, tmp_path
):
    monkeypatch.setenv("WHYRANK_CACHE", str(tmp_path / "cache"))
    leave("base", *make_vectors(1.0))
    system = System("reranker", "rival", "data/scores/encoder", model=make_cross_encoder(), depth=2)
    whole = score(system, tasks)
    folder = "data/scores/encoder/base"
    table, known_Q = io.read_table(f"{folder}/{KEPT}"), tasks.texts.rows("test")
    with checksums.summed_folder(folder) as new:
        io.write_table(new / KEPT, table[table["query"].isin(known_Q)])
    found = score(system, tasks)
    assert found.run.top["answer_id"].equals(whole.run.top["answer_id"]) and found.others.queries.empty
