"""The objectives on pairs of texts: similarity and classification, and the dev set they are watched on."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional

from whyrank.batches.pairs import PairBatches
from whyrank.core.errors import UserError
from whyrank.core.options import params
from whyrank.measure.metrics import correlation
from whyrank.model import system
from whyrank.training import finetune
from whyrank.training.engine.vectors import FrozenVectors
from whyrank.training.pairs import losses as similarity_losses
from whyrank.training.pairs.classification import ClassificationObjective
from whyrank.training.pairs.losses import ORDER_LOSSES
from whyrank.training.pairs.similarity import SimilarityObjective, opposed
from whyrank.training.pairs.task import SimilarityWatch
from whyrank.training.task import Given

TERMS = ("cosine", "angle", "angle_signed", "in_batch", "contrastive", "mse")
OFF = {f"objectives.similarity.{name}.weight": 0.0 for name in TERMS}
ENCODER = params.Encoder("folder", "auto", "fp32", 0.0, batch_tokens=256, trust_remote_code=False)


@pytest.fixture
def table(paired):
    random = np.random.default_rng(0)
    vectors = random.standard_normal((len(paired.training_token_ids), 32)).astype(np.float32)
    return FrozenVectors(vectors, torch.device("cpu"))


@pytest.fixture
def bare(make_encoder):
    return system.untrained(make_encoder())


@pytest.fixture
def finetuning(options):
    return lambda changes: options("finetune_rank", params.FinetuneRank, OFF | changes)


def objective(kind, paired, bare, vectors, chosen):
    return kind(Given(paired, bare, vectors, chosen, 0))


def train_pairs(paired):
    return paired.pairs[paired.pairs["use"] == "train"]


def test_positive_pairs_that_point_apart_are_counted():
    angle = torch.tensor([0.0, 90.0, 119.0, 121.0, 180.0]).deg2rad()
    first, second = torch.tensor([[2.0, 0.0]]).expand(5, 2), torch.stack([angle.cos(), angle.sin()], 1)
    share = {"similarity_opposed_positives": 0.5}
    # From 120 degrees on, where the cosine is -0.5; the last pair is no positive.
    assert opposed(first, second, np.array([True, True, False, True, True])) == share
    assert opposed(first, second, np.zeros(5, dtype=bool)) == {}


@pytest.mark.parametrize("name", [name for name in TERMS if name != "contrastive"])
def test_the_objective_is_the_weighted_loss_of_its_own_vectors(name, paired, bare, table, finetuning):
    chosen = finetuning({f"objectives.similarity.{name}.weight": 2.0})
    step = objective(SimilarityObjective, paired, bare, table, chosen).step()
    batch = next(objective(SimilarityObjective, paired, bare, table, chosen).batches)
    first, second = (functional.normalize(table(part), dim=1) for part in (batch.first_B, batch.second_B))
    label = torch.as_tensor(batch.label_B)
    if name in ORDER_LOSSES:
        temperature = 0.05 if name == "cosine" else 1.0
        expected = getattr(similarity_losses, name)(first, second, label, temperature=temperature)
    elif name == "mse":
        expected = similarity_losses.mse(first, second, label)
    else:
        groups = torch.as_tensor(batch.first_B), torch.as_tensor(batch.second_B)
        expected = similarity_losses.in_batch(first, second, label, *groups, positive_from=0.9, temperature=0.05)
    assert step.loss.item() == pytest.approx(2 * expected.item(), rel=1e-5)
    assert step.record[f"similarity_{name}_loss"] == pytest.approx(expected.item(), rel=1e-5)
    assert f"similarity_{name}_gradient_share" not in step.record
    assert step.record["similarity_rows"] == 32 and step.record["similarity_distinct_labels"] == 3


def test_contrastive_sets_each_positive_against_the_opposites_of_the_batch_by_hand(paired, bare, table, finetuning):
    chosen = finetuning({"objectives.similarity.contrastive.weight": 1.0})
    made = objective(SimilarityObjective, paired, bare, table, chosen)
    batch = next(objective(SimilarityObjective, paired, bare, table, chosen).batches)
    positive = batch.label_B == 1
    unit = functional.normalize(table.vector_ND, dim=1)
    expected = []
    for i in np.flatnonzero(positive):
        first, second = batch.first_B[i], batch.second_B[i]
        others = batch.second_B[positive & (batch.first_B != first)]
        # Neither the text itself nor its own positive is a negative, whichever pair they stand in.
        negatives = [n for n in [*others, *batch.negative_B[positive]] if n not in (first, second)]
        score = unit[torch.as_tensor(np.array([second, *negatives]))] @ unit[int(first)] / 0.05
        expected.append(-score.log_softmax(0)[0].item())
    assert made.step().loss.item() == pytest.approx(np.mean(expected), rel=1e-4)


def test_the_opposite_of_a_text_is_a_second_text_of_lowest_label_of_the_same_first(paired):
    pairs = train_pairs(paired)
    batches = PairBatches(pairs, size=12, distinct_labels=False, negative_to=0.1, random=np.random.default_rng(0))
    contradiction = pairs[pairs["label"] == 0].set_index("first")["second"]
    for _ in range(3):
        batch = next(batches)
        assert batch.negative_B.tolist() == contradiction[batch.first_B].tolist()
    nobody = PairBatches(
        pairs[pairs["label"] > 0], size=12, distinct_labels=False, negative_to=0.1, random=np.random.default_rng(0)
    )
    assert set(next(nobody).negative_B) == {-1}


def test_a_batch_of_one_label_is_given_another_where_labels_are_compared():
    # One pair in fifty has another label: most batches of four would hold one label alone.
    pairs = pd.DataFrame({"first": range(50), "second": range(50, 100), "label": [0.0, *[1.0] * 49]})
    for distinct in (True, False):
        made = PairBatches(pairs, size=4, distinct_labels=distinct, negative_to=-1, random=np.random.default_rng(0))
        labels = {len(np.unique(next(made).label_B)) for _ in range(20)}
        assert labels == ({2} if distinct else {1, 2})


def test_labels_that_are_all_alike_and_pairs_that_are_missing_are_user_errors(paired, bare, table, finetuning):
    pairs = train_pairs(paired)
    with pytest.raises(UserError, match="all 72 training pairs have the label 1"):
        PairBatches(
            pairs.assign(label=1.0), size=4, distinct_labels=True, negative_to=0, random=np.random.default_rng(0)
        )
    none = replace(paired, pairs=paired.pairs.iloc[:0])
    for kind, said in ((SimilarityObjective, "0 training pairs"), (ClassificationObjective, "have 0 classes")):
        with pytest.raises(UserError, match=said):
            objective(kind, none, bare, table, finetuning({"objectives.similarity.cosine.weight": 1.0}))


def test_the_share_of_each_loss_is_that_of_its_gradient_at_the_vectors(paired, bare, finetuning):
    chosen = finetuning({"objectives.similarity.cosine.weight": 1.0, "objectives.similarity.mse.weight": 0.01})
    vectors = finetune.vectors_for(bare, paired, ENCODER, replace(chosen, train="all"))
    record = objective(SimilarityObjective, paired, bare.eval(), vectors, chosen).step().record
    shares = [record[f"similarity_{name}_gradient_share"] for name in ("cosine", "mse")]
    assert sum(shares) == pytest.approx(1.0) and 0 < shares[1] < 0.01


def test_batches_skipped_are_those_a_killed_run_has_had(paired, bare, table, finetuning):
    chosen = finetuning({"objectives.similarity.contrastive.weight": 1.0})
    kept, gone_on = (objective(SimilarityObjective, paired, bare, table, chosen) for _ in range(2))
    for _ in range(3):
        kept.step()
    gone_on.skip(3)
    assert gone_on.step().record == kept.step().record


@pytest.mark.parametrize(("of", "classes", "width"), [("pairs", 3, 96), ("query_type", 2, 32)])
def test_classification_learns_the_classes_of_its_rows(of, classes, width, paired, bare, table, finetuning):
    chosen = finetuning({"objectives.classification.of": of})
    torch.manual_seed(0)
    made = objective(ClassificationObjective, paired, bare, table, chosen)
    assert made.classify.weight.shape == (classes, width)
    first = made.step()
    assert first.record["classification_chance"] == pytest.approx(np.log(classes))
    adam = torch.optim.Adam(made.weights.parameters(), lr=0.05)
    for _ in range(60):
        adam.zero_grad()
        step = made.step()
        step.loss.backward()
        adam.step()
    assert step.record["classification_accuracy"] > 0.9 > first.record["classification_accuracy"]


def test_the_watch_gives_spearman_of_each_source_of_dev_pairs(paired, bare, table):
    pairs = paired.pairs.copy()
    pairs.loc[(pairs["use"] == "dev") & (pairs.index % 2 == 0), "source"] = "other"
    constant = pairs[pairs["use"] == "dev"].head(3).assign(source="constant", label=0.3)
    several = replace(paired, pairs=pd.concat([pairs, constant], ignore_index=True))
    watch = SimilarityWatch(Given(several, bare, table, None, 0))
    found = watch()
    assert list(found) == ["spearman_nli", "spearman_other", "spearman_mean"]  # a constant label has none
    rows = pairs[(pairs["use"] == "dev") & (pairs["source"] == "nli")]
    unit = functional.normalize(table.vector_ND, dim=1)
    cosine = [float(unit[one] @ unit[two]) for one, two in rows[["first", "second"]].to_numpy()]
    assert found["spearman_nli"] == pytest.approx(correlation.spearman(cosine, rows["label"]).value)
    assert found["spearman_mean"] == pytest.approx((found["spearman_nli"] + found["spearman_other"]) / 2)


def test_fine_tuning_on_pairs_alone_puts_dev_pairs_in_order(paired, make_encoder, finetuning):
    chosen = finetuning(
        {
            "objectives.rank.weight": 0.0,
            "objectives.similarity.weight": 1.0,
            "objectives.similarity.cosine.weight": 1.0,
            "head.kind": "none",
            "train": "all",
            "epochs": 12,
            "encoder_learning_rate": 1e-3,
            "early_stopping.metric": "spearman_mean",
        }
    )
    trained = finetune.finetune_rank(system.untrained(make_encoder()), paired, chosen, ENCODER, seed=0)
    looks = trained.history.evaluations["spearman_mean"]
    assert looks.max() > looks.iloc[0] + 0.2
    assert len(trained.history.steps) == round(12 * 72 / 32)


def test_ranking_similarity_and_classification_share_an_encoder(paired, make_encoder, finetuning):
    chosen = finetuning(
        {
            "objectives.similarity.weight": 0.5,
            "objectives.similarity.cosine.weight": 1.0,
            "objectives.classification.weight": 0.1,
            "objectives.classification.start_step": 2,
            "early_stopping.patience": 99,
            "tasks.weighting": "equal_gradient",
            "head.kind": "none",
            "candidates": "batch",
            "train": "all",
            "epochs": 1,
            "batch_size": 8,
        }
    )
    steps = finetune.finetune_rank(system.untrained(make_encoder()), paired, chosen, ENCODER, seed=0).history.steps
    shares = steps[[f"{name}_gradient_share" for name in ("rank", "similarity", "classification")]]
    assert np.allclose(shares.iloc[2:], 1 / 3, rtol=0.1) and np.allclose(shares.iloc[:2, :2], 1 / 2, rtol=0.1)
    assert steps["rank_similarity_gradient_cosine"].between(-1, 1).all()
    assert (steps["tokens"] > 0).all() and steps["classification_loss"].isna().sum() == 2
