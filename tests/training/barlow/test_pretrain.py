"""The Barlow Twins objective, and the key fact of the project: with views that share only the answer, batches of one
answer hold nothing to learn, because standardising over the batch removes what all its rows share."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from whyrank.batches.views import sides, view_batches
from whyrank.core import io
from whyrank.core.options.params import Encoder, PretrainBarlow
from whyrank.measure.metrics import geometry
from whyrank.model import system
from whyrank.model.heads import heads
from whyrank.training.barlow import losses, pretrain
from whyrank.training.barlow.objective import BarlowObjective, redundancy_weight
from whyrank.training.engine.loop import Loop
from whyrank.training.engine.trained import pretraining_summary
from whyrank.training.engine.vectors import FrozenVectors

ANSWERS, EACH, FEATURES = 24, 8, 12


@pytest.fixture
def clusters(make_prepared):
    """Questions and conversations whose vectors are their answer's centre (variance 4) plus noise of their own (1)."""
    random = np.random.default_rng(0)
    queries, qrels = [], []
    for answer in range(ANSWERS):
        for kind in ("question", "conversation"):
            for i in range(EACH):
                queries.append((f"{kind}{answer}-{i}", kind, "train", "x"))
                qrels.append((queries[-1][0], f"a{answer}", 1.0))
    prepared = make_prepared([(f"a{answer}", str(answer)) for answer in range(ANSWERS)], queries, qrels)
    centre = 2 * random.standard_normal((ANSWERS, FEATURES))
    answer_of = np.concatenate([np.arange(ANSWERS), prepared.relevant["answer"]])
    vectors = centre[answer_of] + random.standard_normal((len(answer_of), FEATURES))
    return prepared, FrozenVectors(vectors.astype(np.float32), torch.device("cpu"))


def mean_diagonal(clusters, batches, draws=60):
    prepared, vectors = clusters
    views = view_batches(
        sides(prepared, "question-conversation"), batches=batches, size=ANSWERS, random=np.random.default_rng(1)
    )
    found = []
    for _ in range(draws):
        batch = next(views)
        terms = losses.barlow_twins(vectors(batch.first_B), vectors(batch.second_B), redundancy_weight=0.0)
        found.append(terms.correlation_DD.diagonal().mean().item())
    return float(np.mean(found))


def test_batches_across_answers_show_the_shared_answer_and_batches_of_one_answer_show_nothing(clusters):
    # Across answers the correlation of two texts of an answer is 4 / (4 + 1) = 0.8. Within one answer the centre is the
    # batch mean and is taken off; what is left, paired at random, has correlation 0 (standard error of the mean over
    # 60 batches of 8 rows and 12 features: 1 / sqrt(60 * 8 * 12) = 0.013).
    assert mean_diagonal(clusters, "across_answers") == pytest.approx(0.8, abs=0.06)
    assert mean_diagonal(clusters, "single_answer") == pytest.approx(0.0, abs=4 * 0.013)


def trained(clusters, options, batches, steps=80):
    prepared, vectors = clusters
    torch.manual_seed(0)
    chosen = options(
        "pretrain_barlow",
        PretrainBarlow,
        {
            "steps": steps,
            "batches": batches,
            "batch_size": ANSWERS,
            "views": ["question-conversation"],
            "lr_scheduler": "constant",
        },
    )
    head = nn.Sequential(heads.MlpHead(FEATURES, 16, FEATURES, 0.0))
    objective = BarlowObjective(prepared, vectors, head, chosen, np.random.default_rng(0))
    return Loop(nn.ModuleDict({"head": head}), {"barlow": objective}, chosen, steps=steps, what="test").fit().steps


def test_training_on_batches_of_one_answer_leaves_the_diagonal_at_chance_and_across_answers_raises_it(
    clusters, options
):
    across, single = trained(clusters, options, "across_answers"), trained(clusters, options, "single_answer")
    assert across["mean_diagonal"].tail(20).mean() > 0.7
    assert across["invariance"].tail(20).mean() < 0.5 * across["invariance"].head(5).mean()
    assert abs(single["mean_diagonal"].tail(40).mean()) < 0.1
    assert single["invariance"].tail(40).mean() > 1.0  # chance is 1 + 1/rows
    assert set(single["distinct_answers"]) == {1} and set(across["distinct_answers"]) == {ANSWERS}


def test_the_record_of_a_step_is_what_its_batch_says(clusters, options):
    prepared, vectors = clusters
    chosen = options("pretrain_barlow", PretrainBarlow, {"batch_size": 10, "views": ["question-conversation"]})
    objective = BarlowObjective(prepared, vectors, nn.Sequential(), chosen, np.random.default_rng(5))
    step = objective.step()
    views = next(
        view_batches(
            sides(prepared, "question-conversation"), batches="across_answers", size=10, random=np.random.default_rng(5)
        )
    )
    first, second = vectors(views.first_B), vectors(views.second_B)
    terms = losses.barlow_twins(first, second, redundancy_weight=chosen.redundancy_weight)
    assert step.loss.item() == terms.loss.item()
    both = torch.cat([first, second])
    off = terms.correlation_DD[~torch.eye(FEATURES, dtype=torch.bool)]
    # Lengths of the gradients of both terms at the cross-correlation C: -2 (1 - C_ii), and 2 weight C_ij.
    correlation_DD = terms.correlation_DD.clone().requires_grad_()
    eye_DD = torch.eye(FEATURES)
    invariance = torch.autograd.grad((((1 - correlation_DD) * eye_DD) ** 2).sum(), correlation_DD)[0].norm().item()
    off_DD = correlation_DD * (1 - eye_DD)
    redundancy = torch.autograd.grad(chosen.redundancy_weight * off_DD.square().sum(), correlation_DD)[0].norm().item()
    expected = {
        "barlow_loss": terms.loss.item() / FEATURES,
        "invariance": terms.invariance.item() / FEATURES,
        "redundancy": terms.redundancy.item() / FEATURES,
        "redundancy_gradient_share": redundancy / (redundancy + invariance),
        "redundancy_loss_share": chosen.redundancy_weight * (terms.redundancy / terms.loss).item(),
        "mean_diagonal": terms.correlation_DD.diagonal().mean().item(),
        "off_diagonal_rms": off.square().mean().sqrt().item(),
        "noise_floor": 1 / np.sqrt(10),
        "rows": 10,
        "features": FEATURES,
        "distinct_answers": 10,
        "embedding_norm": both.norm(dim=1).mean().item(),
        "feature_std": both.std(0).mean().item(),
        "effective_rank": geometry.effective_rank(both.numpy()),
        "tokens": 0,
        "padding_share": 0.0,
    }
    assert {name: step.record[name] for name in expected} == pytest.approx(expected, rel=1e-5)
    looked = {"view_cosine", "permuted_cosine", "view_cosine_error", "equal_views"}
    assert set(step.record) - set(expected) == looked | {"self_correlation", "constant_correlation", "expected_loss"}
    assert FEATURES * step.record["expected_loss"] == pytest.approx(step.loss.item(), rel=1e-5)
    assert [name for name in step.record if name in expected] == list(expected)


class Asked:
    """Vectors that note which texts they are asked for."""

    def __init__(self, vectors, asked):
        self.vectors, self.asked = vectors, asked

    def __call__(self, index):
        self.asked.append(index)
        return self.vectors(index)

    def cost(self, index):
        return {}


def test_views_are_taken_in_turn(clusters, options):
    prepared, vectors = clusters
    chosen = options("pretrain_barlow", PretrainBarlow, {"views": ["question-conversation", "query-answer"]})
    objective = BarlowObjective(prepared, vectors, nn.Sequential(), chosen, np.random.default_rng(0))
    asked = []
    objective.vectors = Asked(vectors, asked)
    for _ in range(4):
        objective.step()
    is_answer_side = [(index[len(index) // 2 :] < ANSWERS).all() for index in asked]
    assert is_answer_side == [False, True, False, True]


def test_batches_that_were_skipped_leave_the_next_one_as_it_would_have_been(clusters, options):
    prepared, vectors = clusters
    chosen = options("pretrain_barlow", PretrainBarlow, {"views": ["question-conversation", "query-answer"]})
    whole, resumed = (
        BarlowObjective(prepared, vectors, nn.Sequential(), chosen, np.random.default_rng(0)) for _ in range(2)
    )
    steps = [whole.step() for _ in range(4)]
    resumed.skip(3)
    assert resumed.step().texts == steps[3].texts


@pytest.mark.parametrize("name", ["barlow", "vicreg", "infonce"])
def test_the_loss_of_each_objective_is_what_it_is_by_a_computation_apart(clusters, options, name):
    prepared, vectors = clusters
    changes = {"objective": name, "redundancy_weight": "auto", "views": ["question-conversation"]}
    chosen = options("pretrain_barlow", PretrainBarlow, changes)
    step = BarlowObjective(prepared, vectors, nn.Sequential(), chosen, np.random.default_rng(0)).step()
    features = FEATURES if name == "barlow" else 1
    assert features * step.record["expected_loss"] == pytest.approx(step.loss.item(), rel=1e-4)
    assert step.record["barlow_loss"] * features == pytest.approx(step.loss.item(), rel=1e-6)
    assert ("redundancy_loss_share" in step.record) == (name == "barlow")


def test_the_weight_of_the_redundancy_term_goes_with_the_features_unless_it_is_a_number(options):
    auto, fixed = (options("pretrain_barlow", PretrainBarlow, {"redundancy_weight": value}) for value in ("auto", 0.3))
    # The paper's own: 0.0051 of 8,192 features.
    assert redundancy_weight(auto, 4096) == pytest.approx(0.0049, abs=1e-4)
    assert redundancy_weight(auto, 384) == pytest.approx(0.052, abs=1e-3)
    assert redundancy_weight(fixed, 384) == redundancy_weight(fixed, 8192) == 0.3


@pytest.fixture
def pretrained(topics, make_encoder, options, shipped_params):
    """Of the tiny encoder's own texts, with changed parameters."""

    def run(prepared=topics, **changes):
        torch.manual_seed(0)
        base = {"steps": 12, "batch_size": 6, "views": ["span-document"], "learning_rate": 1e-2, "texts.per_text": 2}
        base |= {
            "early_stopping.metric": "map@10_all",
            "early_stopping.evaluations": 4,
            "head.kind": "residual",
            "head.hidden": 8,
        }
        chosen = options(
            "pretrain_barlow", PretrainBarlow, base | {k.replace("__", "."): v for k, v in changes.items()}
        )
        encoder = Encoder(**shipped_params["encoder"])
        start = system.untrained(make_encoder().eval())
        return pretrain.pretrain_barlow(start, prepared, chosen, encoder, 7)

    return run


def test_the_best_evaluation_on_dev_is_kept_the_untrained_head_among_them(pretrained):
    trained = pretrained(learning_rate=0.5, steps=40)
    rows = trained.history.evaluations
    assert rows["step"].tolist() == [0, 10, 20, 30, 40] and {"view_agreement", "answer_rank"} <= set(rows)
    best = rows.loc[rows["map@10_all"].idxmax()]
    assert trained.history.best_step in (0, best["step"])
    best = rows[rows["step"] == trained.history.best_step].iloc[0]
    summary = pretraining_summary(trained.history)
    assert summary["best_step"] == best["step"] and summary["dev_map@10_all"] == best["map@10_all"]
    assert summary["dev_answer_rank"] == best["answer_rank"]


def test_without_a_judged_dev_query_the_last_weights_are_kept_and_the_gauge_still_tells(topics, pretrained):
    dev = topics.queries["query_id"].iloc[topics.rows("dev")]
    trained = pretrained(replace(topics, qrels=topics.qrels[~topics.qrels["query_id"].isin(dev)]))
    assert trained.history.best_step == 12
    assert set(trained.history.evaluations) == {"step", "view_agreement", "answer_rank", "answer_cosine"}


def test_a_projector_is_trained_and_dropped(pretrained):
    trained = pretrained(projector=32)
    assert trained.system.width_of("rank") == trained.system.encoder.width
    assert not any("objectives" in name for name, _ in trained.system.named_parameters())
    assert trained.history.steps["effective_rank"].iloc[0] <= 12


def test_with_label_free_views_no_query_held_out_is_read_by_a_batch(topics, make_encoder, options):
    chosen = options("pretrain_barlow", PretrainBarlow, {"views": ["span-document", "deletion"], "texts.per_text": 2})
    texts = pretrain.with_views(topics, make_encoder(), chosen, 7)
    held_out = {6 + row for split in ("dev", "test") for row in topics.rows(split)}
    assert not held_out & set(texts.view_texts["of"])
    assert all(ids[0] == texts.answers["input_ids"].iloc[0][0] for ids in texts.view_texts["input_ids"])
    again = pretrain.with_views(topics, make_encoder(), chosen, 7).view_texts
    assert texts.view_texts["text"].tolist() == again["text"].tolist()


def test_what_pretraining_of_no_step_leaves_can_be_read_again(pretrained, tmp_path):
    trained = pretrained(steps=0)
    for file, table in {**trained.records(), "speed.csv": trained.history.speed}.items():
        io.write_table(tmp_path / file, table)
        assert list(io.read_table(tmp_path / file).columns) == list(table.columns)
    assert (tmp_path / "history.csv").exists() and not (tmp_path / "evaluations.csv").exists()
