"""A cross-encoder trained on the training pairs: what it reads, and that it learns."""

from dataclasses import replace

import numpy as np
import pytest

from whyrank.core.errors import UserError
from whyrank.core.options import params
from whyrank.model import cross_encoder as cross
from whyrank.model import system
from whyrank.training import cross_encoder
from whyrank.training.cross_encoder import Options

ENCODER = params.Encoder("folder", "auto", "fp32", 0.0, batch_tokens=256, trust_remote_code=False)
OPTIONS = Options(
    negatives=2, epochs=1, batch_size=16, learning_rate=1e-3, tokens=40, queries=0, dev_queries=0, depth=4,
    evaluations=1, seed=7,
)  # fmt: skip


@pytest.fixture
def start(make_encoder):
    return system.untrained(make_encoder())


def test_it_reads_each_training_pair_with_its_hardest_wrong_answers_and_no_query_of_another_split(topics, start):
    found = cross_encoder.examples(start, topics, ENCODER, OPTIONS)
    answer_id = dict(zip(topics.answers["text"], topics.answers["answer_id"], strict=True))
    queries = topics.queries.set_index("text")
    own = topics.qrels.set_index("query_id")["answer_id"]
    rows = list(zip(*(found.train[name] for name in ("query", "answer", "label")), strict=True))
    assert {queries["split"][query] for query, _, _ in rows} == {"train"}
    assert all((own[queries["query_id"][q]] == answer_id[a]) == (label == 1.0) for q, a, label in rows)
    right = [row for row in rows if row[2] == 1.0]
    assert len(right) == len(topics.relevant_in("train")) and len(rows) > len(right)
    assert len(rows) <= 3 * len(right) and len(set(rows)) == len(rows)
    # Not the wrong answers that score as the right one does.
    vectors = [start.encoder.encode(list(table["input_ids"]), batch_tokens=256, precision="fp32")
               for table in (topics.queries, topics.answers)]  # fmt: skip
    unit = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in vectors]
    score = dict(zip(topics.queries["text"], unit[0] @ unit[1].T, strict=True))
    place = {name: number for number, name in enumerate(topics.answers["text"])}
    by_right = {query: score[query][place[answer]] for query, answer, _ in right}
    assert all(score[q][place[a]] < by_right[q] for q, a, label in rows if label == 0.0)
    best = {q: [topics.answers["text"][i] for i in np.argsort(-score[q])[:4]] for q in score}
    assert [sample["documents"] for sample in found.dev] == [best[sample["query"]] for sample in found.dev]
    assert {queries["split"][sample["query"]] for sample in found.dev} == {"dev"}


def test_fewer_queries_are_drawn_by_the_seed(topics, start):
    few = replace(OPTIONS, queries=5, dev_queries=3)
    one, again, other = (cross_encoder.examples(start, topics, ENCODER, replace(few, seed=seed)) for seed in (7, 7, 8))
    assert len(set(one.train["query"])) == 5 and len(one.dev) == 3
    assert one == again and set(one.train["query"]) != set(other.train["query"])


def test_a_split_without_a_judged_query_is_a_user_error(topics, start):
    is_dev = topics.queries["split"] == "dev"
    none = replace(topics, queries=topics.queries.assign(split=topics.queries["split"].mask(is_dev, "test")))
    with pytest.raises(UserError, match=r"^data/prepared has no dev queries with a right answer; change prepare\."):
        cross_encoder.examples(start, none, ENCODER, OPTIONS)


def test_it_learns_to_score_right_answers_above_wrong_ones_and_is_saved_as_a_reranker_is_loaded(
    topics, start, tmp_path
):
    options = replace(OPTIONS, epochs=12, learning_rate=1e-2)
    found = cross_encoder.examples(start, topics, ENCODER, options)
    before = {name: weight.clone() for name, weight in start.state_dict().items()}
    made = cross_encoder.fitted(start, found, options)
    assert all((weight == before[name]).all() for name, weight in start.state_dict().items())
    made.model.save_pretrained(str(tmp_path / "teacher"))
    model = cross.load(str(tmp_path / "teacher"), trust_remote_code=False)
    pairs = list(zip(found.train["query"], found.train["answer"], strict=True))
    logit, is_right = cross.predicted(model, pairs), np.array(found.train["label"]) == 1
    assert logit[is_right].mean() > logit[~is_right].mean() + 0.1
    assert 0 < made.mrr <= 1 and 0 < made.encoder_mrr <= 1
