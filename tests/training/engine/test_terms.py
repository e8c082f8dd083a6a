"""Terms beside the loss of an objective: what is added and recorded, and that a mixture comes to use all experts."""

import copy
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

from whyrank.core.options import params
from whyrank.model import system
from whyrank.model.heads import heads
from whyrank.model.heads.heads import ExpertsHead
from whyrank.training import finetune
from whyrank.training.barlow import pretrain
from whyrank.training.engine import objective
from whyrank.training.engine.objective import Objective, Step, Term, load_balancing

ENCODER = params.Encoder("folder", "auto", "fp32", 0.0, batch_tokens=256, trust_remote_code=False)
VECTORS = torch.randn(9, 6, generator=torch.Generator().manual_seed(0))


class Fixed(Objective):
    """An objective of one loss, whose batches are numbers."""

    name = "own"

    def __init__(self, terms=None):
        super().__init__(None, iter(range(9)))
        self.terms = terms or {}

    def compute(self):
        return Step(torch.tensor(2.0, requires_grad=True), {"own_loss": 2.0}, [4, 5])


def test_terms_are_added_by_their_weights_and_recorded_without():
    one, two = Term(0.5, lambda step: step.loss * 3), Term(2.0, lambda _: torch.tensor(1.0))
    objective = Fixed({"one": one, "two": two})
    step = objective.step()
    assert step.loss.item() == 2 + 0.5 * 6 + 2 * 1
    assert step.record == {"own_loss": 2.0, "own_one": 6.0, "own_two": 1.0}
    assert step.texts == [4, 5]
    objective.skip(3)
    assert next(objective.batches) == 3


def test_without_terms_a_step_is_as_computed_and_only_weighted_mixtures_bring_one():
    step = Fixed().step()
    assert step.loss.item() == 2.0 and step.record == {"own_loss": 2.0}
    mixture, other = nn.Sequential(ExpertsHead(6, 2, 4, 0.0, top=1)), nn.Sequential(heads.ResidualHead(6, 4, 6, 0.0))
    for of, weight, named in ((mixture, 0.0, []), (other, 0.1, []), (mixture, 0.1, ["balance"])):
        assert list(objective.balancing(of, params.Head("experts", 8, 6, 0.0, 2, 2, balance=weight))) == named


def test_the_balance_is_that_of_the_heads_that_the_step_went_through_and_is_taken_once():
    torch.manual_seed(0)
    query, answer = (nn.Sequential(ExpertsHead(6, 3, 4, 0.0, top=1)) for _ in range(2))
    of_step = partial(objective.balance, [query[0], answer[0]])
    step = Fixed().step()
    assert of_step(step).item() == 0.0
    query(VECTORS)
    expected = load_balancing(query[0].gate(VECTORS).softmax(1))
    torch.testing.assert_close(of_step(step), expected)
    assert of_step(step).item() == 0.0
    query(VECTORS)
    answer(VECTORS)
    both = (expected + load_balancing(answer[0].gate(VECTORS).softmax(1))) / 2
    torch.testing.assert_close(of_step(step), both)
    query.eval()(VECTORS)  # a look at the dev set
    assert of_step(step).item() == 0.0


@pytest.fixture
def one_sided(make_encoder):
    """A mixture whose gate sends every text to the first expert."""
    torch.manual_seed(0)
    chain = nn.Sequential(heads.ExpertsHead(32, 3, 8, 0.0, top=1))
    with torch.no_grad():
        chain[0].gate.weight *= 0.1
        chain[0].gate.bias[:] = torch.tensor([2.0, 0.0, 0.0])
    return system.System(make_encoder(), chain, chain, "cosine").eval()


def largest_gate(trained, prepared):
    """Mean gate of the expert that has the most; 1/3 where all are used alike."""
    vectors = torch.as_tensor(trained.encoder.encode(prepared.token_ids, batch_tokens=256, precision="fp32"))
    with torch.no_grad():
        return trained.query_head[0].gate(vectors).softmax(1).mean(0).max().item()


def test_training_with_the_balance_evens_the_gates_of_the_experts_and_without_it_does_not(topics, one_sided, options):
    changes = {"epochs": 4, "batch_size": 16, "learning_rate": 0.01, "head.kind": "experts"}
    changes |= {"early_stopping.metric": "", "early_stopping.evaluations": 1}
    found = {}
    for weight in (0.0, 1.0):
        chosen = options("finetune_rank", params.FinetuneRank, changes | {"head.balance": weight})
        trained = finetune.finetune_rank(copy.deepcopy(one_sided), topics, chosen, ENCODER, 7)
        found[weight] = largest_gate(trained.system, topics)
        assert ("rank_balance" in trained.history.steps) == (weight > 0)
    assert largest_gate(one_sided, topics) > 0.7 and found[0.0] > 0.7
    assert found[1.0] < 0.5
    balance = trained.history.steps["rank_balance"]
    assert balance.iloc[-1] < 0.6 * balance.iloc[0]


def test_pretraining_a_mixture_records_its_balance(topics, make_encoder, options):
    changes = {"steps": 2, "batch_size": 6, "head.kind": "experts", "head.experts": 3, "head.top": 1}
    chosen = options("pretrain_barlow", params.PretrainBarlow, changes | {"head.balance": 0.01})
    steps = pretrain.pretrain_barlow(system.untrained(make_encoder()), topics, chosen, ENCODER, 7).history.steps
    assert (steps["barlow_balance"] >= 1 / 3).all()
    without = replace(chosen, head=replace(chosen.head, balance=0.0))
    assert (
        "barlow_balance"
        not in pretrain.pretrain_barlow(system.untrained(make_encoder()), topics, without, ENCODER, 7).history.steps
    )
