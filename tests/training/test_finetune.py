"""The two trainings from a system to a better one, on the tiny encoder and six topics."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from whyrank.core import io, runtime
from whyrank.core.errors import UserError
from whyrank.core.options import params
from whyrank.model import readout, system
from whyrank.model.heads import heads
from whyrank.model.heads.readout import Readout, fitted
from whyrank.training import finetune
from whyrank.training.barlow import pretrain
from whyrank.training.engine.trained import finetuning_summary, pretraining_summary
from whyrank.training.ranking.task import RANK, RankingWatch

NO_PAIRS = pd.DataFrame(columns=["use", "class_name"])
ENCODER = params.Encoder("folder", "auto", "fp32", 0.0, batch_tokens=256, trust_remote_code=False)


@pytest.fixture(autouse=True)
def deterministic_only_here():
    before = torch.are_deterministic_algorithms_enabled()
    yield
    torch.use_deterministic_algorithms(before)


@pytest.fixture
def finetuning(options):
    return lambda **changes: options(
        "finetune_rank",
        params.FinetuneRank,
        {"epochs": 2.0, "batch_size": 8} | {key.replace("__", "."): value for key, value in changes.items()},
    )


@pytest.fixture
def pretraining(options):
    return lambda **changes: options(
        "pretrain_barlow",
        params.PretrainBarlow,
        {"steps": 6, "batch_size": 6} | {key.replace("__", "."): value for key, value in changes.items()},
    )


@pytest.fixture
def pretrained(make_encoder):
    """A system as pretraining leaves it: an mlp head that is not fresh, width 32 to 16."""
    torch.manual_seed(1)
    chain = nn.Sequential(heads.MlpHead(32, 8, 16, 0.1))
    with torch.no_grad():
        for tensor in [*chain.parameters(), *chain.buffers()]:
            if tensor.is_floating_point():
                tensor += 0.5 * torch.rand_like(tensor)
    return system.System(make_encoder(), chain, chain, "cosine").eval()


def state(module):
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def same(one, two):
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


# Which heads ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoders", ["shared", "dual"])
def test_inherit_goes_on_with_the_pretrained_head(pretrained, finetuning, encoders):
    before = state(pretrained.query_head)
    result = finetune.arrange_heads(pretrained, finetuning(barlow_head="inherit", encoders=encoders))
    for chain in (result.query_head, result.answer_head):
        assert same(state(chain), before)
        assert all(parameter.requires_grad for parameter in chain.parameters())
    assert result.is_dual == (encoders == "dual")


@pytest.mark.parametrize("encoders", ["shared", "dual"])
def test_freeze_keeps_the_pretrained_head_as_it_is_under_a_new_one_of_its_width(pretrained, finetuning, encoders):
    before = state(pretrained.query_head[0])
    result = finetune.arrange_heads(pretrained, finetuning(barlow_head="freeze", encoders=encoders))
    for chain in (result.query_head, result.answer_head):
        assert [type(head) for head in chain] == [heads.MlpHead, heads.ResidualHead]
        assert same(state(chain[0]), before)
        assert not any(parameter.requires_grad for parameter in chain[0].parameters())
        assert all(parameter.requires_grad for parameter in chain[1].parameters())
        assert chain[1].width == 16
    assert result.is_dual == (encoders == "dual")


@pytest.mark.parametrize("encoders", ["shared", "dual"])
def test_drop_puts_a_new_head_on_the_encoder_alone(pretrained, finetuning, encoders):
    result = finetune.arrange_heads(pretrained, finetuning(barlow_head="drop", encoders=encoders))
    for chain in (result.query_head, result.answer_head):
        assert [type(head) for head in chain] == [heads.ResidualHead] and chain[0].width == 32
    assert result.is_dual == (encoders == "dual")
    assert result.encoder is pretrained.encoder


@pytest.mark.parametrize("barlow_head", ["inherit", "freeze", "drop"])
def test_without_a_pretrained_head_every_arrangement_is_one_new_head(tiny_encoder, finetuning, barlow_head):
    result = finetune.arrange_heads(
        system.untrained(tiny_encoder), finetuning(barlow_head=barlow_head, head__kind="mlp")
    )
    assert [type(head) for head in result.query_head] == [heads.MlpHead]
    assert result.query_head[0].width == 32


@pytest.mark.parametrize("score", ["cosine", "dot"])
def test_the_score_is_the_one_that_training_optimises(pretrained, finetuning, score):
    assert finetune.arrange_heads(pretrained, finetuning(similarity__kind=score)).score == score


@pytest.mark.parametrize(
    ("changes", "is_kept"),
    [({}, True), ({"head__kind": "mlp"}, True), ({"barlow_head": "freeze"}, True), ({"similarity__kind": "dot"}, False),
     ({"barlow_head": "freeze", "head__kind": "mlp"}, False), ({"barlow_head": "drop"}, False)],
)  # fmt: skip
def test_a_read_out_stays_where_training_starts_from_the_very_vectors_that_it_was_fitted_to(
    pretrained, finetuning, changes, is_kept
):
    text_ND = torch.randn(20, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        pretrained.readout = fitted("standardised", pretrained.query_head(text_ND))
        result = finetune.arrange_heads(pretrained, finetuning(**changes)).eval()
        assert (result.readout is not None) == is_kept
        if is_kept:
            torch.testing.assert_close(result.queries(text_ND), pretrained.queries(text_ND))
            assert result.readout is not pretrained.readout


# Pretraining ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["residual", "mlp"])
@pytest.mark.parametrize("train", ["head", "all"])
def test_pretraining_of_no_steps_is_the_system_it_started_from(
    topics, make_encoder, pretraining, tmp_path, kind, train
):
    start = system.untrained(make_encoder())
    result = pretrain.pretrain_barlow(start, topics, pretraining(steps=0, head__kind=kind, train=train), ENCODER, 7)
    assert same(state(result.system.encoder), state(make_encoder()))
    assert len(result.system.query_head) == 0 and result.system.score == "cosine"
    assert pretraining_summary(result.history) == {"steps": 0}
    io.write_table(tmp_path / "history.csv", result.history.steps)
    assert len(io.read_table(tmp_path / "history.csv")) == 0


def test_pretraining_of_no_steps_needs_no_views(topics, make_encoder, make_prepared, pretraining):
    questions = topics.queries[topics.queries["type"] == "question"]
    no_views = type(topics)(
        topics.answers, questions, topics.qrels[topics.qrels["query_id"].isin(questions["query_id"])]
    )
    views = ["question-conversation"]
    with pytest.raises(UserError, match=r"pretrain_barlow\.steps=0"):
        pretrain.pretrain_barlow(system.untrained(make_encoder()), no_views, pretraining(views=views), ENCODER, 7)
    pretrain.pretrain_barlow(system.untrained(make_encoder()), no_views, pretraining(views=views, steps=0), ENCODER, 7)


def test_pretraining_a_head_leaves_the_encoder_bit_for_bit_and_moves_the_head(topics, make_encoder, pretraining):
    start = system.untrained(make_encoder())
    result = pretrain.pretrain_barlow(start, topics, pretraining(), ENCODER, 7)
    assert same(state(result.system.encoder), state(make_encoder()))
    assert result.system.query_head[0].layers[-1].weight.abs().max() > 0  # 0 in a fresh residual head
    assert not result.system.is_dual and not any(module.training for module in result.system.query_head.modules())
    assert result.history.steps["step"].tolist() == [1, 2, 3, 4, 5, 6]
    assert result.history.best_step == 6
    numbers = pretraining_summary(result.history)
    assert numbers["steps"] == 6 and numbers["distinct_answers_mean"] == 6.0
    assert numbers["loss_end"] == pytest.approx(result.history.steps["loss"].iloc[-1])  # a tenth of 6 steps is one


# Fine-tuning ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("epochs", "batch_size", "pairs", "steps"),
    [
        (2.0, 8, 48, 12),
        (0.5, 32, 160, 2),  # 2.5, to even
        (4.0, 32, 350, 44),  # 43.75
        (0.01, 32, 100, 1),  # 0.03: at least one
        (3.0, 64, 20, 3),  # a batch holds at most all pairs
        (0.0, 32, 100, 0),
    ],
)
def test_rounds_through_the_training_pairs_are_counted_in_batches(finetuning, epochs, batch_size, pairs, steps):
    relevant = SimpleNamespace(relevant_in=lambda split: range(pairs), pairs=NO_PAIRS)
    assert finetune.training_steps(finetuning(epochs=epochs, batch_size=batch_size), RANK, relevant) == steps


@pytest.mark.parametrize(("train", "rounds"), [("head", 24), ("last", 1.5), ("all", 1.5)])
def test_automatic_rounds_are_many_of_a_frozen_encoder_and_evaluated_as_they_go(topics, finetuning, train, rounds):
    options = finetuning(epochs="auto", train=train, batch_size=8, **{"early_stopping.evaluations": "auto"})
    planned = finetune.plan(options, topics, 7)
    assert (planned.steps, planned.rounds) == (rounds * 6, rounds)
    assert planned.stopping.number(planned.rounds) == min(rounds / 0.75, 12)


def test_automatic_evaluations_are_made_every_three_quarters_of_a_round(topics, make_encoder, finetuning):
    options = finetuning(epochs=1.5, batch_size=8, **{"early_stopping.evaluations": "auto"})
    result = finetune.finetune_rank(system.untrained(make_encoder()), topics, options, ENCODER, 7)
    assert result.history.evaluations["step"].tolist() == [0, 4, 9]


def test_fine_tuning_sees_each_training_pair_as_often_as_epochs_says(topics, make_encoder, finetuning):
    result = finetune.finetune_rank(system.untrained(make_encoder()), topics, finetuning(epochs=1.5), ENCODER, 7)
    assert result.history.steps["rows"].sum() == 1.5 * 48
    assert result.history.evaluations["step"].tolist() == [0, 2, 4, 7, 9]  # 9 steps, 4 looks: one every 2.25


def test_fine_tuning_of_no_epochs_trains_nothing_and_records_where_it_stands(topics, make_encoder, finetuning):
    result = finetune.finetune_rank(system.untrained(make_encoder()), topics, finetuning(epochs=0.0), ENCODER, 7)
    assert result.history.best_step == 0 and len(result.history.steps) == 0
    assert result.system.query_head[0].layers[-1].weight.abs().max() == 0  # a fresh residual head, the identity
    assert finetuning_summary(result.history)["steps_run"] == 0


def test_fine_tuning_lowers_the_loss_and_does_not_end_below_its_start_on_dev(topics, make_encoder, finetuning):
    start = system.untrained(make_encoder())
    result = finetune.finetune_rank(start, topics, finetuning(epochs=7, learning_rate=0.01), ENCODER, 7)
    loss = result.history.steps["rank_loss"]
    assert loss.tail(5).mean() < 0.7 * loss.head(5).mean()
    looks = result.history.evaluations.set_index("step")["map@10_all"]
    assert looks[result.history.best_step] == looks.max() > looks[0]
    assert same(state(result.system.encoder), state(make_encoder()))


@pytest.mark.parametrize(("train", "moves"), [("all", ["layer.0.", "layer.1."]), ("last", ["layer.1."])])
def test_as_much_of_the_encoder_moves_as_is_trained(topics, make_encoder, finetuning, train, moves):
    start = system.untrained(make_encoder())
    chosen = finetuning(
        epochs=1 / 3,  # of 48 pairs in batches of 8: 2 steps
        train=train,
        last_layers=1,
        encoder_learning_rate=0.01,
        early_stopping__metric="train_mrr",
        lr_scheduler="constant",
    )
    # Look at every step, and let the last one win, so that its weights are those that are kept.
    looks = iter(range(10))
    result = None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RankingWatch, "__call__", lambda self: {"train_mrr": float(next(looks))})
        result = finetune.finetune_rank(start, topics, chosen, ENCODER, 7)
    before, after = state(make_encoder()), state(result.system.encoder)
    for name in (name for name in before if "encoder.layer" in name and "key.bias" not in name):
        # The bias of the keys shifts every logit of a softmax alike: its gradient is 0 but for rounding.
        assert torch.equal(before[name], after[name]) == (not any(block in name for block in moves)), name


def test_a_frozen_pretrained_head_keeps_its_weights_and_statistics_while_the_new_one_learns(
    topics, pretrained, finetuning
):
    before = state(pretrained.query_head[0])
    result = finetune.finetune_rank(
        pretrained, topics, finetuning(barlow_head="freeze", learning_rate=0.01), ENCODER, 7
    )
    assert same(state(result.system.query_head[0]), before)
    assert result.history.steps["gradient_norm"].min() > 0


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(topics, make_encoder, finetuning, tmp_path):
    def trained(name, seed):
        runtime.seed_everything(seed)
        chosen = finetuning(head__kind="mlp", train="all", max_steps=8)
        result = finetune.finetune_rank(system.untrained(make_encoder()), topics, chosen, ENCODER, seed)
        system.save(result.system, tmp_path / name, longest=16)
        io.write_table(tmp_path / name / "history.csv", result.history.steps)
        files = ("heads.safetensors", "model.safetensors", "history.csv")
        return [(tmp_path / name / file).read_bytes() for file in files]

    one, again, other = trained("one", 3), trained("again", 3), trained("other", 4)
    assert one == again
    assert one[0] != other[0] and one[2] != other[2]


@pytest.mark.parametrize("learn_scale", [True, False])
def test_nothing_to_train_is_a_user_error_even_where_the_scale_of_the_scores_could_learn(
    topics, make_encoder, finetuning, learn_scale
):
    chosen = finetuning(head__kind="none", similarity__learn_scale=learn_scale)
    with pytest.raises(UserError, match=r"nothing to train: .* set `train: last` or `train: all`"):
        finetune.finetune_rank(system.untrained(make_encoder()), topics, chosen, ENCODER, 7)


def test_pretraining_nothing_is_a_user_error(topics, make_encoder, pretraining):
    with pytest.raises(UserError, match="nothing to train"):
        pretrain.pretrain_barlow(system.untrained(make_encoder()), topics, pretraining(head__kind="none"), ENCODER, 7)


def test_objectives_that_are_all_off_are_a_user_error_that_says_how_to_raise_one(finetuning):
    with pytest.raises(UserError, match=r"-S finetune_rank\.objectives\.rank\.weight=1"):
        finetuning(objectives__rank__weight=0)


def test_the_summary_of_fine_tuning_holds_the_dev_metrics_of_the_weights_that_were_kept(
    topics, make_encoder, finetuning
):
    result = finetune.finetune_rank(system.untrained(make_encoder()), topics, finetuning(), ENCODER, 7)
    numbers = finetuning_summary(result.history)
    look = result.history.evaluations.set_index("step").loc[result.history.best_step]
    assert numbers["steps_run"] == len(result.history.steps) and numbers["best_step"] == result.history.best_step
    assert numbers["dev_map@10_all"] == look["map@10_all"]
    assert numbers["train_mrr"] == look["train_mrr"]
    assert all(np.isfinite(value) for value in numbers.values())


@pytest.mark.parametrize("is_new", [False, True])
def test_the_summary_says_whether_a_read_out_was_put_on_after_the_evaluations(
    topics, make_encoder, finetuning, monkeypatch, is_new
):
    def choose(of, encode, *_, seed):
        own = Readout("centred", of.width_of("rank"))
        gains = pd.DataFrame([("centred", 0.1, 0.05, 0.15)], columns=readout.COLUMNS)
        return readout.Choice(own if is_new else of.readout, gains)

    monkeypatch.setattr(readout, "choose", choose)
    start = system.untrained(make_encoder())
    start.readout = Readout("centred", start.width_of("rank"))
    result = finetune.finetune_rank(start, topics, finetuning(), ENCODER, 7)
    assert finetuning_summary(result.history, result.readout)["has_new_readout"] == is_new
