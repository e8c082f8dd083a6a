"""A cross-encoder beside ranking: the lists that it scores, the negatives that it leaves out, and what training takes
from them. The cross-encoder is planted: it scores a pair by a table."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import PretrainedConfig

from whyrank.core.errors import UserError
from whyrank.core.options import params
from whyrank.model import cross_encoder, system
from whyrank.training import finetune
from whyrank.training.engine.trained import checkpoints_of
from whyrank.training.ranking import reranked
from whyrank.training.ranking.reranked import Lists, Taught, without_right

ENCODER = params.Encoder("folder", "auto", "fp32", 0.0, batch_tokens=256, trust_remote_code=False)
SHORT = {"candidates": "batch", "batch_size": 12, "epochs": 2.0, "early_stopping.evaluations": 1}
TEACHES = SHORT | {"reranker.model": "planted", "reranker.weight": 1.0, "reranker.depth": 3}


READING = {"truncation_side": "right", "padding_side": "right", "model_max_length": 8, "special_tokens_map": {}}
READING["chat_template"] = None


class Planted(torch.nn.Module):
    """Of a pair: the score that `of` gives its texts."""

    def __init__(self, of):
        super().__init__()
        self.config, self.tokenizer = PretrainedConfig(), SimpleNamespace(**READING, get_vocab=dict)
        self.weight, self.of, self.asked = torch.nn.Parameter(torch.tensor([float(len(repr(of)))])), of, []

    def predict(self, pairs, **_):
        self.asked.append(list(pairs))
        return np.array([self.of(*pair) for pair in pairs], dtype=np.float32)


@pytest.fixture
def finetuning(options):
    return lambda changes=None: options("finetune_rank", params.FinetuneRank, changes)


@pytest.fixture
def train(topics, make_encoder, finetuning):
    def run(changes, model=None, prepared=topics):
        torch.manual_seed(0)  # of the new head
        start = system.untrained(make_encoder())
        return finetune.finetune_rank(start, prepared, finetuning(changes), ENCODER, 7, reranker=model)

    return run


@pytest.fixture
def right(topics):
    """5 for the right answer of a query, else 0, and -5 for the answer about tax."""
    by_text = dict(zip(topics.answers["text"], topics.answers["answer_id"], strict=True))
    wants = topics.qrels.groupby("query_id")["answer_id"].first()
    own = dict(zip(topics.queries["text"], topics.queries["query_id"].map(wants), strict=True))

    def score(query, answer):
        return 5.0 if by_text[answer] == own[query] else -5.0 if by_text[answer] == "a-tax" else 0.0

    return score


# Lists ------------------------------------------------------------------------------------------------------


def test_each_pair_is_scored_once_in_its_place_and_a_shorter_list_is_filled_up(topics):
    model = Planted(lambda query, answer: 100.0 * len(query) + len(answer))
    query_P, answer_P, wrong_PN = np.array([3, 0]), np.array([1, 0]), np.array([[0, 2], [4, -1]])
    found = reranked.lists(model, topics, query_P, answer_P, wrong_PN)
    assert found.answer_PL.tolist() == [[1, 0, 2], [0, 4, -1]]
    query, answer = topics.queries["text"], topics.answers["text"]
    expected = [100 * len(query[3]) + len(answer[i]) for i in (1, 0, 2)]
    expected += [100 * len(query[0]) + len(answer[i]) for i in (0, 4)]
    assert found.score_PL.ravel()[:5].tolist() == expected and found.score_PL[1, 2] == -np.inf
    assert len(model.asked) == 1 and len(model.asked[0]) == 5


def test_answers_at_or_above_the_right_one_are_left_out_and_the_next_take_their_place():
    answer_PL = np.array([[0, 1, 2, 3], [0, 4, 5, -1]])
    score_PL = np.array([[2.0, 2.0, 1.5, -1.0], [0.0, 3.0, 9.0, -np.inf]], dtype=np.float32)
    found = Lists(answer_PL, score_PL)
    negative_PN, left_out = without_right(found, 0.0, 2)
    assert negative_PN.tolist() == [[2, 3], [-1, -1]] and left_out == pytest.approx(3 / 5)
    negative_PN, left_out = without_right(found, 0.5, 1)
    assert negative_PN.tolist() == [[3], [-1]] and left_out == pytest.approx(4 / 5)
    assert without_right(found, -4.0, 2)[0].tolist() == [[1, 2], [4, -1]]
    taught = Taught(found, None)
    assert taught.figures == {"reranker_first": 0.0, "reranker_above": pytest.approx(3 / 5)}
    assert taught.answers(np.array([1, 1])).tolist() == [0, 4, 5]


@pytest.mark.parametrize("loss", ["kl", "margin_mse"])
def test_the_term_compares_scaled_scores_of_the_listed_answers_with_those_of_the_teacher(finetuning, loss):
    found = Lists(np.array([[7, 2, 4], [3, 9, -1]]), np.array([[2.0, 1.0, 0.5], [0.0, 3.0, -np.inf]], dtype=np.float32))
    random = torch.Generator().manual_seed(0)
    query_BD, answer_UD = torch.randn(3, 4, generator=random), torch.randn(5, 4, generator=random)
    options = finetuning({"reranker.loss": loss, "reranker.temperature": 2.0}).reranker
    term = Taught(found, options).loss(np.array([0, 1, 0]), query_BD, answer_UD, torch.tensor(3.0)).item()
    # Rows 2, 3, 4, 7, 9 of the answers, in order.
    own = dict(zip([2, 3, 4, 7, 9], answer_UD, strict=True))
    terms = []
    for query, pair in zip(query_BD, (0, 1, 0), strict=True):
        listed = [answer for answer in found.answer_PL[pair].tolist() if answer >= 0]
        student = torch.stack([3 * query @ own[answer] for answer in listed])
        teacher = torch.tensor(found.score_PL[pair][: len(listed)])
        if loss == "kl":
            p, q = (teacher / 2).softmax(0), (student / 2).softmax(0)
            terms.append(4 * (p * (p / q).log()).sum())
        else:
            terms += list(((student[0] - student[1:]) - (teacher[0] - teacher[1:])).square())
    assert term == pytest.approx(torch.stack(terms).mean().item(), rel=1e-4)


# In training ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{}, {"train": "all"}, {"candidates": "all"}, {"candidates": "kept"}])
def test_ranking_is_drawn_to_the_lists_of_the_teacher(train, topics, right, changes):
    model = Planted(right)
    long = TEACHES | changes | {"learning_rate": 0.02, "epochs": 12.0}
    steps = train(long | {"reranker.weight": 3.0}, model).history.steps
    by_labels = train(long | {"reranker.weight": 1e-9}, Planted(right)).history.steps
    assert steps["rank_reranker_loss"].iloc[0] == pytest.approx(by_labels["rank_reranker_loss"].iloc[0], rel=1e-4)
    assert steps["rank_reranker_loss"].tail(8).mean() < 0.8 * steps["rank_reranker_loss"].head(8).mean()
    # A whole encoder that fits the labels of so few queries fits this teacher, too.
    factor = 0.95 if not changes else 1.1
    assert steps["rank_reranker_loss"].tail(8).mean() < factor * by_labels["rank_reranker_loss"].tail(8).mean()
    assert (steps["reranker_first"] == 1).all() and (steps["reranker_above"] == 0).all()
    pairs = len(topics.relevant_in("train"))
    assert len(model.asked) == 1 and len(model.asked[0]) == 4 * pairs


def test_off_is_the_training_without_and_gives_the_same_weights(train, right):
    off = train(SHORT)
    on = train(SHORT | {"reranker.model": "planted"}, Planted(right))
    for (name, one), other in zip(off.system.state_dict().items(), on.system.state_dict().values(), strict=True):
        assert torch.equal(one, other), name
    assert not any("reranker" in column or "left_out" in column for column in on.history.steps)


def test_mined_negatives_that_the_cross_encoder_takes_for_right_are_left_out(train, topics, right):
    wrong = replace(topics, qrels=topics.qrels[~topics.qrels["query_id"].str.fullmatch("q-visa-[0-3]")])
    changes = SHORT | {"hard_negatives.count": 2, "hard_negatives.margin": 0.0, "early_stopping.evaluations": 1}
    filtered = changes | {"reranker.model": "planted", "reranker.filter_negatives": True, "reranker.depth": 5}

    def always_right(query, answer):
        return 1.0

    none = train(filtered, Planted(always_right), wrong)
    assert (none.history.steps["negatives_left_out"] == 1).all()
    assert (none.history.steps["candidates"] == 12).all()
    some = train(filtered, Planted(right), wrong)
    assert (some.history.steps["negatives_left_out"] == 0).all()
    assert some.history.steps["candidates"].max() > 12
    assert "negatives_left_out" not in train(changes, None, wrong).history.steps


def test_another_cross_encoder_is_another_training_to_a_checkpoint(topics, make_encoder, finetuning):
    start = system.untrained(make_encoder())
    names = {checkpoints_of(start, topics, finetuning(), ENCODER, 7, others=one).folder for one in ("", "a", "b")}
    assert len(names) == 3


# What is loaded ---------------------------------------------------------------------------------------------


def test_it_is_loaded_where_it_is_used_and_a_model_that_is_none_is_one_line_with_the_key(
    finetuning, make_cross_encoder, tmp_path
):
    on = {"reranker.model": make_cross_encoder(), "reranker.weight": 1.0}
    found = reranked.load(finetuning(on).reranker, trust_remote_code=False)
    assert len(cross_encoder.predicted(found, [("visa", "border")])) == 1
    assert reranked.load(finetuning(on | {"reranker.weight": 0.0}).reranker, trust_remote_code=False) is None
    gone = finetuning(on | {"reranker.model": str(tmp_path / "none")}).reranker
    with pytest.raises(UserError, match=r"^params\.yaml: `finetune_rank\.reranker\.model`: .* is no cross-encoder"):
        reranked.load(gone, trust_remote_code=False)
