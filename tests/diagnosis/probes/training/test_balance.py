"""Several objectives: where the checks begin, and what they propose."""

from typing import Any

import numpy as np
import pytest

from whyrank.diagnosis.probes.training.effects import Effect, objectives
from whyrank.findings.records import Records

from ..faults import NOTHING, TUNED, flat, of, planted, unchanged, with_finetune, with_history, with_looks


@planted("task-dominates", of("task-dominates", *TUNED) | of("tuning-brought-nothing", *TUNED))
def drowned(lab: Any, healthy: Records, end: float = 0.4, share: float = 0.04) -> Records:
    """Ranking has `share` of the gradient, and accuracy on its training queries ends at `end`."""
    shares = {"rank_gradient_share": share, "similarity_gradient_share": 1 - share}
    return unchanged(lab, flat(with_history(healthy, **shares), end=end))


@planted("task-starved", of("task-starved", *TUNED) | of("tuning-brought-nothing", *TUNED))
def starved(lab: Any, healthy: Records) -> Records:
    return drowned(lab, healthy, end=0.64)


@planted("gradient-conflict", of("gradient-conflict", *TUNED))
def conflict_of_gradients(lab: Any, healthy: Records, cosine: float = -0.3) -> Records:
    steps = len(healthy.finetune["base"].history)
    return with_history(healthy, rank_similarity_gradient_cosine=cosine + 0.2 * np.sin(np.arange(steps)))


@pytest.mark.parametrize(("share", "speaks"), [(0.149, True), (0.151, False), (0.0101, True)])
def test_an_objective_is_outdone_below_three_tenths_of_its_equal_share(share, speaks, lab, healthy, findings):
    spoken = findings(drowned(lab, healthy, share=share))
    assert set(spoken) == (of("task-dominates", *TUNED) if speaks else set()) | NOTHING


def test_a_share_below_a_hundredth_is_a_dead_loss_and_nothing_else_is_said_of_it(lab, healthy, findings):
    spoken = {code for code, _ in findings(drowned(lab, healthy, share=0.009))}
    assert "dead-loss-term" in spoken and not spoken & {"task-dominates", "task-starved"}


def test_a_small_share_that_was_enough_is_not_spoken_of(healthy, findings):
    assert findings(with_history(healthy, rank_gradient_share=0.96, similarity_gradient_share=0.04)) == {}


@pytest.mark.parametrize(("end", "code"), [(0.54, "task-dominates"), (0.56, "task-starved")])
def test_what_falls_is_dominated_and_what_stands_still_is_starved(end, code, lab, healthy, findings):
    # Two standard errors of 0.62 over 200 training queries: 0.069.
    assert set(findings(drowned(lab, healthy, end=end))) == of(code, *TUNED) | NOTHING


def test_what_is_outdone_at_first_counts_though_its_gradient_grows_as_it_falls(lab, healthy, findings):
    done = np.arange(400) / 400
    grows = {"rank_gradient_share": 0.05 + 0.75 * (done > 0.3), "similarity_gradient_share": 0.95 - 0.75 * (done > 0.3)}
    found = findings(with_history(drowned(lab, healthy), **grows))["task-dominates", "base-tuned"]
    assert "`rank` contributes 5.0 % of the gradient norm in the first quarter of the steps" in found.sentence


def test_similarity_is_judged_by_the_correlation_of_its_dev_pairs(healthy, findings):
    still = with_looks(healthy, spearman_mean=0.5)
    spoken = findings(with_history(still, rank_gradient_share=0.96, similarity_gradient_share=0.04))
    assert set(spoken) == of("task-starved", *TUNED)
    assert "Spearman of the dev pairs went from 0.50 to 0.50" in spoken["task-starved", "base-tuned"].sentence
    assert spoken["task-starved", "base-tuned"].fix.params == {"finetune_rank.tasks.weighting": "equal_gradient"}


def test_an_objective_that_is_seldom_drawn_is_starved_of_batches(healthy, findings):
    history = with_looks(healthy, spearman_mean=0.5).finetune["base"].history
    history = history.drop(columns=["rank_gradient_share", "similarity_gradient_share", "similarity_loss"])
    never = with_finetune(with_looks(healthy, spearman_mean=0.5), history=history)
    never = with_history(never, rank_batches=1.0, similarity_batches=0.0)
    spoken = findings(never)
    assert set(spoken) == of("task-starved", *TUNED)
    assert "0.0 % of the batches" in spoken["task-starved", "base-tuned"].sentence
    assert spoken["task-starved", "base-tuned"].fix.params == {"finetune_rank.tasks.sampling": "equal"}


@pytest.mark.parametrize(("cosine", "speaks"), [(-0.06, True), (-0.04, False), (0.0, False)])
def test_gradients_conflict_from_a_mean_cosine_of_a_twentieth(cosine, speaks, lab, healthy, findings):
    spoken = findings(conflict_of_gradients(lab, healthy, cosine))
    assert set(spoken) == (of("gradient-conflict", *TUNED) if speaks else set())


def test_a_mean_below_zero_by_luck_is_no_conflict(healthy, findings):
    noisy = np.where(np.arange(400) % 40 < 22, -0.9, 0.9)  # mean -0.09, in long runs of either sign
    assert findings(with_history(healthy, rank_similarity_gradient_cosine=noisy)) == {}


def test_a_conflict_is_for_information_until_an_objective_suffers(lab, healthy, findings):
    harmless = findings(conflict_of_gradients(lab, healthy))["gradient-conflict", "base-tuned"]
    assert harmless.severity == "info" and harmless.interval[0] < -0.3 < harmless.interval[1] < 0
    spoken = findings(unchanged(lab, flat(conflict_of_gradients(lab, healthy))))
    # Not `underfitted`: more of the same steps would not help.
    assert set(spoken) == of("gradient-conflict", *TUNED) | NOTHING
    found = spoken["gradient-conflict", "base-tuned"]
    assert found.severity == "warning"
    assert found.fix.params == {"finetune_rank.objectives.similarity.weight": 0.0}


def test_a_drowned_objective_in_conflict_is_first_of_all_drowned(lab, healthy, findings):
    spoken = findings(conflict_of_gradients(lab, drowned(lab, healthy)))
    assert list(spoken)[:2] == [("task-dominates", "base-tuned"), ("task-dominates", "barlow-tuned")]
    assert spoken["gradient-conflict", "base-tuned"].severity == "info"


def test_objectives_are_read_from_the_columns_and_their_losses_are_none(healthy):
    assert objectives(healthy.finetune["base"]) == ["rank", "similarity"]


@pytest.mark.parametrize(
    ("end", "rose", "fell", "hardly_moved"),
    [(0.72, True, False, False), (0.53, False, False, True), (0.38, False, True, True), (0.81, True, False, False)],
)
def test_an_effect_is_judged_beyond_two_standard_errors(end, rose, fell, hardly_moved):
    found = Effect("accuracy", 0.5, end, 0.05)
    assert (found.rose, found.fell, found.hardly_moved) == (rose, fell, hardly_moved)
