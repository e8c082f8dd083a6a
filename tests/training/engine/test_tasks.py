"""Several objectives on one encoder: which a batch takes, and how they are weighed."""

from collections import Counter
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from whyrank.core.options.objectives import Tasks as Options
from whyrank.training.engine.loop import Loop
from whyrank.training.engine.objective import Step
from whyrank.training.engine.tasks import Tasks

from .test_loop import optimisation

SIZE = {"small": 100, "large": 900}


def tasks(sampling="all", weighting="fixed", temperature=1.0, start=None, seed=0, weight=None):
    options = Options(sampling, temperature, weighting, embeddings=False, cross_attention=False)
    return Tasks(weight or dict.fromkeys(SIZE, 1.0), options, start, SIZE, seed)


def test_without_sampling_a_batch_takes_all_that_have_begun():
    made = tasks(start={"large": 3})
    assert [made.active(step, 0) for step in (1, 3, 4)] == [["small"], ["small"], ["small", "large"]]


@pytest.mark.parametrize(
    ("sampling", "temperature", "share"),
    # By rows: 100 of 1,000. Square roots of 100 and 900: 10 of 40.
    [("proportional", 5.0, 0.1), ("equal", 5.0, 0.5), ("temperature", 2.0, 0.25)],
)
def test_objectives_are_drawn_in_the_shares_that_the_sampling_says(sampling, temperature, share):
    made = tasks(sampling, temperature=temperature)
    assert made.shares(["small", "large"]).tolist() == pytest.approx([share, 1 - share])
    drawn = Counter(made.active(step, 0)[0] for step in range(1, 2001))
    assert drawn["small"] / 2000 == pytest.approx(share, abs=4 * (share * (1 - share) / 2000) ** 0.5)


def test_the_draw_is_a_function_of_seed_step_and_batch():
    draws = [[made.active(step, 1) for step in range(1, 40)] for made in (tasks("equal"), tasks("equal"))]
    assert draws[0] == draws[1]
    assert draws[0] != [tasks("equal", seed=1).active(step, 1) for step in range(1, 40)]
    assert draws[0] != [tasks("equal").active(step, 0) for step in range(1, 40)]


def test_the_batches_of_an_objective_so_far_are_counted_for_a_run_that_goes_on():
    made = tasks("equal", start={"large": 10})
    counts = {name: made.drawn(name, 30, 2) for name in SIZE}
    assert sum(counts.values()) == 60 and counts["small"] >= 20 and counts["large"] > 10


def test_learnt_weights_settle_at_one_over_the_loss():
    # d/ds (exp(-s) L + s) = 0 at s = ln L, so exp(-s) = 1 / L: 1/4 and 2 times the weight given.
    made = tasks(weighting="uncertainty", weight={"small": 1.0, "large": 3.0})
    adam = torch.optim.Adam(made.parameters(), lr=0.05)
    losses = {"small": torch.tensor(4.0), "large": torch.tensor(0.5)}
    assert {name: float(loss.detach()) for name, loss in made.weigh(losses).items()} == {"small": 4.0, "large": 1.5}
    for _ in range(400):
        adam.zero_grad()
        sum(made.weigh(losses).values()).backward()
        adam.step()
    assert made.record() == pytest.approx({"small_task_weight": 0.25, "large_task_weight": 6.0}, rel=1e-2)


def test_fixed_weights_have_nothing_to_learn():
    made = tasks(weight={"small": 0.5, "large": 2.0})
    assert list(made.parameters()) == [] and made.record() == {}
    weighed = made.weigh({"large": torch.tensor(3.0)})
    assert weighed == {"large": torch.tensor(6.0)}


SLOPES = {"small": torch.tensor([3.0, 4.0, 0.0]), "large": torch.tensor([0.0, -30.0, 40.0])}


def trained_on(made, steps=1, **changes):
    """A plane for each objective, under one weight; the steps of the history, and how often each was asked."""
    trained = nn.Linear(3, 1, bias=False)
    asked = Counter()

    def stepped(name):
        asked[name] += 1
        return Step((trained.weight * SLOPES[name]).sum(), {f"{name}_loss": 1.0})

    objectives = {name: SimpleNamespace(step=lambda name=name: stepped(name), state_dict=dict) for name in SLOPES}
    history = Loop(trained, objectives, optimisation(**changes), steps=steps, what="test", sharing=made).fit()
    return history.steps, asked


def test_shares_and_cosine_of_the_gradients_are_recorded():
    # Lengths 5 and 50; the product is -120.
    row = trained_on(tasks())[0].iloc[0]
    assert row["small_gradient_share"] == pytest.approx(5 / 55)
    assert row["small_large_gradient_cosine"] == pytest.approx(-120 / 250)
    assert row["gradient_norm"] == pytest.approx((3**2 + 26**2 + 40**2) ** 0.5)


def test_equal_gradients_have_the_same_share_and_leave_the_directions():
    row = trained_on(tasks(weighting="equal_gradient"), gradient_accumulation_steps=2)[0].iloc[0]
    assert row["small_gradient_share"] == pytest.approx(row["large_gradient_share"], rel=1e-5)
    # Both at the mean length 27.5: 5.5 times (3, 4, 0) and .55 times (0, -30, 40).
    assert row["gradient_norm"] == pytest.approx((16.5**2 + (22 - 16.5) ** 2 + 22**2) ** 0.5, rel=1e-5)


def test_a_draw_leaves_the_columns_of_the_others_empty_and_their_batches_untaken():
    steps, asked = trained_on(tasks("equal"), steps=12)
    assert asked.total() == 12 and min(asked.values()) > 1
    assert steps["small_loss"].notna().sum() == asked["small"] and steps["large_loss"].notna().sum() == asked["large"]


def test_an_objective_that_begins_later_is_not_asked_before():
    steps, asked = trained_on(tasks(start={"large": 4}), steps=6)
    assert asked == {"small": 6, "large": 2}
    assert steps["large_loss"].notna().tolist() == [False] * 4 + [True] * 2
