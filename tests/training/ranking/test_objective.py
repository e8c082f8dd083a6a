"""The ranking objective and the dev set it is watched on."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from whyrank.core.errors import UserError
from whyrank.core.options.barlow import MadeTexts
from whyrank.core.options.finetune import BatchesOfObjectives, FirstBatches
from whyrank.core.options.pairs import PairBatches
from whyrank.core.options.params import BarlowBatches, FinetuneRank
from whyrank.measure.metrics.locating import locate
from whyrank.measure.metrics.ranking import Places, per_query
from whyrank.model.system import System
from whyrank.preflight.figures.first_batches import DRAWN, first_batches
from whyrank.training.engine.dev_ranking import RankingWatch
from whyrank.training.engine.vectors import FrozenVectors
from whyrank.training.ranking.losses import ranking_cross_entropy
from whyrank.training.ranking.objective import RankObjective
from whyrank.training.task import Given


@pytest.fixture
def table(topics):
    random = np.random.default_rng(0)
    vectors = random.standard_normal((len(topics.token_ids), 8)).astype(np.float32)
    return FrozenVectors(vectors, torch.device("cpu"))


@pytest.fixture
def bare():
    """A system without encoder and heads: what is tested never asks for one."""
    chain = nn.Sequential()
    return System(nn.Module(), chain, chain, "cosine")


def objective(topics, bare, table, options, **changes):
    chosen = options("finetune_rank", FinetuneRank, {key.replace("__", "."): value for key, value in changes.items()})
    return RankObjective(Given(topics, bare, table, chosen, 0))


def test_its_loss_is_the_cross_entropy_of_scaled_cosines_and_its_record_says_the_same(topics, bare, table, options):
    rank = objective(topics, bare, table, options, batch_size=5, similarity__scale=7.0)
    step = rank.step()
    batch = next(objective(topics, bare, table, options, batch_size=5).batches)
    query = nn.functional.normalize(table(6 + batch.query_B), dim=1)
    answer = nn.functional.normalize(table(batch.candidate_C), dim=1)
    logits = 7.0 * query @ answer.T
    target, ignored = torch.as_tensor(batch.target_B), torch.as_tensor(batch.ignored_BC)
    assert step.loss.item() == pytest.approx(ranking_cross_entropy(logits, target, ignored).item(), rel=1e-5)
    p = logits.softmax(1)
    place = np.searchsorted(topics.rows("train"), batch.query_B)
    assert step.record == pytest.approx(
        {
            "rank_loss": step.loss.item(),
            "rank_chance": math.log(6),
            "rank_accuracy": (logits.argmax(1) == target).double().mean().item(),
            "rank_entropy": (-(p * p.log()).sum(1).mean() / math.log(6)).item(),
            "rank_expected_loss": step.loss.item(),
            "targets_right": 1.0,
            "queries_seen": 5,
            "row_gap": 3 * np.abs(np.diff(place)).mean() / 48,
            "rows": 5,
            "candidates": 6,
            "distinct_answers": len(set(batch.target_B)),
            "false_negatives_per_row": 0.0,
            "rows_with_false_negatives": 0.0,
            "scale": 7.0,
            "logit_std": logits.std().item(),
            "query_norm": 1.0,
            "tokens": 0,
            "padding_share": 0.0,
        },
        rel=1e-5,
    )


def test_the_weight_of_its_loss_is_in_the_loss_and_not_in_what_is_recorded_beside_chance(topics, bare, table, options):
    whole, half = (
        objective(topics, bare, table, options, batch_size=5, objectives__rank__cross_entropy__weight=weight).step()
        for weight in (1.0, 0.5)
    )
    assert half.loss.item() == pytest.approx(0.5 * whole.loss.item())
    assert half.record == pytest.approx(whole.record)


def test_false_negatives_are_recorded_per_row_where_positives_serve_as_negatives(topics, bare, table, options):
    rank = objective(topics, bare, table, options, batch_size=12, candidates="batch", same_answer="negative")
    record = rank.step().record
    batch = next(objective(topics, bare, table, options, batch_size=12, candidates="batch").batches)
    same_BB = batch.candidate_C[:, None] == batch.candidate_C[None, :]
    others_B = same_BB.sum(1) - 1
    assert record["false_negatives_per_row"] == pytest.approx(others_B.mean()) and others_B.mean() > 0
    assert record["rows_with_false_negatives"] == pytest.approx((others_B > 0).mean())


def test_the_scale_learns_only_where_it_is_asked_to_and_stays_below_its_bound(topics, bare, table, options):
    learns, fixed = (objective(topics, bare, table, options, similarity__learn_scale=value) for value in (True, False))
    assert [name for name, p in learns.weights.named_parameters() if p.requires_grad] == ["log_scale"]
    assert not any(p.requires_grad for p in fixed.weights.parameters())
    assert learns.log_scale.exp().item() == pytest.approx(20.0)
    assert objective(topics, bare, table, options, similarity__scale=500.0).step().record["scale"] == 100.0


def test_a_corpus_too_large_to_rank_against_whole_is_a_user_error_with_the_remedy(topics, bare, table, options):
    with pytest.raises(UserError, match=r"6 answers are more than finetune_rank\.max_candidates=5.*candidates=batch"):
        objective(topics, bare, table, options, max_candidates=5)
    objective(topics, bare, table, options, max_candidates=5, candidates="batch")


def test_the_watch_gives_the_metrics_of_the_dev_queries_by_type_and_of_training_queries_beside_them(
    topics, bare, table
):
    metrics = RankingWatch(topics, bare, table, np.random.default_rng(0))()
    unit = nn.functional.normalize(table.vector_ND, dim=1).numpy()

    def mean(query_Q, name):
        scores = unit[6 + query_Q] @ unit[:6].T
        own = topics.relevant.set_index("query")["answer"][query_Q].to_numpy()
        rows = np.arange(len(query_Q))
        places = Places(rows, *locate(scores, rows, own), np.ones(len(rows)), *scores.shape)
        return per_query(places)[name].mean()

    dev, kinds = topics.rows("dev"), topics.queries["type"].to_numpy()
    for name in ("accuracy@1", "accuracy@3", "accuracy@10", "map@3", "map@10", "mrr", "ndcg@10"):
        assert metrics[f"{name}_all"] == pytest.approx(mean(dev, name))
        for kind in ("question", "conversation"):
            assert metrics[f"{name}_{kind}"] == pytest.approx(mean(dev[kinds[dev] == kind], name))
    assert metrics["train_mrr"] == pytest.approx(mean(topics.rows("train"), "mrr"))
    assert len(metrics) == 7 * 3 + 2


def test_a_dev_split_without_judged_queries_is_a_user_error(topics, bare, table):
    no_dev = type(topics)(topics.answers, topics.queries.assign(split="train"), topics.qrels)
    with pytest.raises(UserError, match="the dev split has no query with a relevant answer"):
        RankingWatch(no_dev, bare, table, np.random.default_rng(0))


def test_the_first_batches_show_the_composition_that_training_would_see_without_an_encoder(topics, options):
    of_pairs = BatchesOfObjectives(similarity=PairBatches(batch_size=2, positive_from=0.9, negative_to=0.1))
    rank = FirstBatches(batch_size=12, candidates="batch", same_answer="negative", objectives=of_pairs)
    made = MadeTexts(span=[0.2, 0.5], kept_words=0.4, per_text=2)
    across = BarlowBatches(
        steps=5, batch_size=4, batches="across_answers", views=["span-document", "query-answer"], texts=made
    )
    table = first_batches(topics, across, rank, 7)
    barlow, ranking = (table[table["stage"] == stage] for stage in ("pretrain_barlow", "finetune_rank"))
    assert len(barlow) == 2 * DRAWN and len(ranking) == DRAWN
    assert (barlow["rows"] == 4).all() and (barlow["distinct_answers"] == 4).all()
    assert barlow["rows_with_false_negatives"].isna().all()
    assert (ranking["rows"] == 12).all() and (ranking["distinct_answers"] <= 6).all()
    assert ranking["rows_with_false_negatives"].between(0.01, 1).all()  # 12 rows, 6 answers: some share one

    single = BarlowBatches(steps=5, batch_size=4, batches="single_answer", views=["question-conversation"], texts=made)
    table = first_batches(topics, single, rank, 7)
    assert (table[table["stage"] == "pretrain_barlow"]["distinct_answers"] == 1).all()
    off = BarlowBatches(steps=0, batch_size=4, batches="single_answer", views=["query-answer"], texts=made)
    assert set(first_batches(topics, off, rank, 7)["stage"]) == {"finetune_rank"}
    assert first_batches(topics, across, rank, 7).equals(first_batches(topics, across, rank, 7))


def test_batches_that_were_skipped_leave_the_next_one_as_it_would_have_been(topics, bare, table, options):
    whole, resumed = (objective(topics, bare, table, options, batch_size=5) for _ in range(2))
    steps = [whole.step() for _ in range(4)]
    resumed.skip(3)
    assert resumed.step().texts == steps[3].texts != steps[2].texts


def test_mined_negatives_stand_beside_the_answers_of_the_batch_and_are_mined_anew_when_due(
    topics, bare, table, options, monkeypatch
):
    chosen = {"candidates": "batch", "batch_size": 8, "hard_negatives__count": 1, "hard_negatives__margin": 0.0}
    rank = objective(topics, bare, table, options, hard_negatives__refresh=1.0, **chosen)
    mined = []
    monkeypatch.setattr(rank, "mined", lambda own=rank.mined: mined.append(own()) or mined[-1])
    steps = [rank.step() for _ in range(7)]
    # 48 training pairs in batches of 8: an epoch of 6 steps, so before the 1st and the 7th.
    assert len(mined) == 2
    first = objective(topics, bare, table, options, **{**chosen, "hard_negatives__count": 0}).step()
    assert first.texts == steps[0].texts[: len(first.texts)]
    # The negatives are wrong answers, and the hardest of them.
    unit = nn.functional.normalize(table(np.arange(6 + len(topics.queries))), dim=1).numpy()
    scores = unit[6 + rank.batches.query_P] @ unit[:6].T
    for row, (query, own, found) in enumerate(zip(rank.batches.query_P, rank.batches.answer_P, mined[0], strict=True)):
        others = np.flatnonzero(scores[row] < scores[row, own])
        expected = others[scores[row, others].argmax()] if len(others) else -1
        assert found.tolist() == [expected], query


@pytest.mark.parametrize(
    ("refresh", "accumulated", "times"), [(0.0, 1, 1), (0.001, 1, 12), (0.25, 1, 12), (0.5, 1, 12), (0.001, 3, 4)]
)
def test_negatives_that_are_mined_anew_are_so_at_every_step_at_most_and_at_0_never(
    refresh, accumulated, times, topics, bare, table, options, monkeypatch
):
    # 48 training pairs in batches of 32: an epoch of 1.5 batches.
    chosen = {"candidates": "batch", "batch_size": 32, "hard_negatives__count": 1, "hard_negatives__refresh": refresh}
    rank = objective(topics, bare, table, options, gradient_accumulation_steps=accumulated, **chosen)
    mined = []
    monkeypatch.setattr(rank, "mined", lambda own=rank.mined: mined.append(own()) or mined[-1])
    for _ in range(12):
        rank.step()
    assert len(mined) == times


def test_with_kept_answers_those_outside_the_batch_stand_by_the_vectors_of_the_last_refresh(topics, table, options):
    head = nn.Sequential(nn.Linear(8, 8))
    model = System(nn.Linear(1, 1), head, head, "cosine")  # an encoder that is only asked for its device
    model.encoder.device = torch.device("cpu")
    chosen = {"batch_size": 3, "similarity__learn_scale": False}
    # 48 training pairs in batches of 3: an epoch of 16 steps, a refresh before the 1st and the 5th.
    kept = objective(topics, model, table, options, candidates="kept", refresh_kept=0.25, **chosen)
    every = objective(topics, model, table, options, **chosen)
    first, same = kept.step(), every.step()
    # Right after a refresh every answer stands by its own vector.
    assert first.record == pytest.approx(same.record, rel=1e-5) and first.record["candidates"] == 6
    batch = next(objective(topics, model, table, options, **chosen).batches)
    assert sorted(first.texts[3:]) == sorted(set(batch.target_B)) and len(same.texts) == 3 + 6
    # Those of the batch alone pull at the weights.
    gradient = torch.autograd.grad(first.loss, head[0].weight)[0]
    logits = (
        20.0
        * torch.cat([model.project(table(6 + batch.query_B), table(np.arange(6)))[0]])
        @ _half_kept(model, table, np.unique(batch.target_B)).T
    )
    loss = nn.functional.cross_entropy(logits, torch.as_tensor(batch.target_B))
    torch.testing.assert_close(gradient, torch.autograd.grad(loss, head[0].weight)[0])
    with torch.no_grad():
        before_AD = model.answers(table(np.arange(6)))
        head[0].weight.add_(torch.eye(8))
    old_AD = nn.functional.normalize(before_AD, dim=1)
    torch.testing.assert_close(kept.kept_AD, old_AD)
    for _ in range(3):
        kept.step()
    torch.testing.assert_close(kept.kept_AD, old_AD)
    kept.step()
    torch.testing.assert_close(kept.kept_AD, model.project(table(6 + np.arange(1)), table(np.arange(6)))[1])


def test_kept_vectors_are_those_without_dropout_and_training_goes_on_with_it(topics, table, options):
    head = nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.5))
    model = System(nn.Linear(1, 1), head, head, "cosine").train()
    model.encoder.device = torch.device("cpu")
    kept = objective(topics, model, table, options, candidates="kept", batch_size=3)
    kept.step()
    assert head[1].training
    with torch.no_grad():
        torch.testing.assert_close(kept.kept_AD, model.eval().project(table(np.arange(1)), table(np.arange(6)))[1])


def _half_kept(model, table, live):
    answer_AD = model.project(table(np.arange(1)), table(np.arange(6)))[1]
    is_live = torch.zeros(6, dtype=torch.bool)
    is_live[torch.as_tensor(live)] = True
    return torch.where(is_live[:, None], answer_AD, answer_AD.detach())
