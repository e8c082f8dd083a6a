import pytest

from whyrank.training.engine.optimiser import factor


def factors(**options):
    return [factor(step, **options) for step in range(options["steps"])]


def test_warm_up_rises_in_equal_parts_to_the_peak_and_linear_decay_falls_towards_0_by_hand():
    # 10 steps, 3 of warm-up: 1/4, 2/4, 3/4; then 1 at step 3, down by 1/7 a step.
    expected = [0.25, 0.5, 0.75, *(1 - done / 7 for done in range(7))]
    assert factors(steps=10, warmup_ratio=0.3, lr_scheduler="linear") == pytest.approx(expected)
    assert factor(10, steps=10, warmup_ratio=0.3, lr_scheduler="linear") == 0.0


def test_cosine_decay_by_hand():
    # 4 steps without warm-up: (1 + cos(0, 45, 90, 135 degrees)) / 2.
    assert factors(steps=4, warmup_ratio=0.0, lr_scheduler="cosine") == pytest.approx(
        [1.0, 0.853553, 0.5, 0.146447], abs=1e-6
    )
    assert factor(4, steps=4, warmup_ratio=0.0, lr_scheduler="cosine") == pytest.approx(0.0)


def test_constant_stays_at_the_peak_after_the_warm_up():
    assert factors(steps=5, warmup_ratio=0.2, lr_scheduler="constant") == [0.5, 1.0, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("lr_scheduler", ["cosine", "linear", "constant"])
@pytest.mark.parametrize("warmup_ratio", [0.0, 0.01, 0.5, 1.0])
@pytest.mark.parametrize("steps", [1, 7])
def test_every_step_trains_and_none_goes_beyond_the_peak(lr_scheduler, warmup_ratio, steps):
    assert all(0 < value <= 1 for value in factors(steps=steps, warmup_ratio=warmup_ratio, lr_scheduler=lr_scheduler))


def test_no_steps_at_all_are_no_division_by_zero():
    assert factor(0, steps=0, warmup_ratio=0.1, lr_scheduler="cosine") == 1.0
