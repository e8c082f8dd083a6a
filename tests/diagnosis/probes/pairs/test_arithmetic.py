"""A loss of pairs or ratings that is not its formula, rows that are not the table's, an order that gets worse."""

import numpy as np
import pandas as pd
import pytest
import torch

from whyrank.batches.pairs import PairBatch
from whyrank.training.pairs import losses
from whyrank.training.pairs.expected import Expected

from ..faults import with_history

STEPS = np.arange(400)
SOUND = {"similarity_loss": 3.0, "similarity_expected_loss": 3.0, "similarity_labels_right": 1.0}
RATED = {"ratings_loss": 0.6, "ratings_expected_loss": 0.6, "ratings_labels_right": 1.0}


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (SOUND | {"similarity_labels_right": 0.1}, "90 % of the rows"),
        (SOUND | {"similarity_loss": -3.0}, "sign of the loss is flipped"),
        (SOUND | {"similarity_loss": 5.0, "similarity_reversed_loss": 5.0}, "wrong sign"),
        (SOUND | {"similarity_loss": 6.0, "similarity_reversed_loss": 9.0}, "2 times"),
        (RATED | {"ratings_labels_right": 0.0}, "table of ratings"),
        (RATED | {"ratings_loss": 0.9 - 0.001 * STEPS}, "a sigmoid too many"),
    ],
)
def test_a_loss_that_is_not_its_formula_or_not_of_the_table_is_an_error(columns, said, healthy, findings):
    found = findings(with_history(healthy, **columns))["first-loss-off", "base-tuned"]
    assert found.severity == "error" and said in f"{found.sentence} {found.cause}"


@pytest.mark.parametrize("columns", [SOUND, RATED])
def test_a_sound_loss_passes(columns, healthy, findings):
    assert ("first-loss-off", "base-tuned") not in findings(with_history(healthy, **columns))


def test_a_falling_loss_under_which_the_order_gets_worse_is_told(healthy, findings):
    course = {"similarity_loss": 5.0 - 0.01 * STEPS, "similarity_agreement": 0.8 - 0.002 * STEPS}
    found = findings(with_history(healthy, **course))
    assert "rank correlation" in found["loss-without-learning", "base-tuned"].sentence
    better = course | {"similarity_agreement": 0.2 + 0.001 * STEPS}
    assert ("loss-without-learning", "base-tuned") not in findings(with_history(healthy, **better))


def test_the_loss_computed_apart_is_the_loss_and_rows_are_looked_up():
    random = torch.Generator().manual_seed(0)
    first_BD, second_BD = (torch.randn(6, 4, generator=random) for _ in range(2))
    pairs = pd.DataFrame({"first": range(6), "second": range(6, 12), "label": [0.0, 0.2, 0.2, 0.5, 0.8, 1.0]})
    made = Expected(pairs, {"cosine": 2.0, "mse": 1.0}, {"cosine": {"temperature": 0.05}, "mse": {}})
    label_B = pairs["label"].to_numpy(np.float32)
    batch = PairBatch(pairs["first"].to_numpy(), pairs["second"].to_numpy(), label_B, np.full(6, -1))
    found = made.figures(batch, first_BD, second_BD)
    label = torch.as_tensor(label_B)
    loss = 2 * losses.cosine(first_BD, second_BD, label, temperature=0.05) + losses.mse(first_BD, second_BD, label)
    assert found["similarity_expected_loss"] == pytest.approx(loss.item(), rel=1e-5)
    assert found["similarity_labels_right"] == 1.0
    moved = PairBatch(batch.first_B, np.roll(batch.second_B, 1), label_B, batch.negative_B)
    assert made.figures(moved, first_BD, second_BD)["similarity_labels_right"] == 0.0


def test_labels_of_any_number_of_digits_are_found_in_the_table():
    label = np.random.default_rng(0).random(500)
    labels = np.concatenate([label, label.round(6), (label * 4).round(4) / 4])
    pairs = pd.DataFrame({"first": range(1500), "second": range(1500, 3000), "label": labels})
    batch = PairBatch(
        pairs["first"].to_numpy(), pairs["second"].to_numpy(), labels.astype(np.float32), np.full(1500, -1)
    )
    vector_BD = torch.ones(1500, 2)
    found = Expected(pairs, {"mse": 1.0}, {"mse": {}}).figures(batch, vector_BD, vector_BD)
    assert found["similarity_labels_right"] == 1.0
