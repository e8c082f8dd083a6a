"""The training loop on modules small enough to know where they must end."""

import itertools
import json
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from torch import nn

from whyrank.core.errors import UserError
from whyrank.core.options.objectives import Tasks as Options
from whyrank.core.options.params import EarlyStopping, Lora, Optimisation
from whyrank.model.heads import heads
from whyrank.training.engine import optimiser, trackers
from whyrank.training.engine.loop import Loop
from whyrank.training.engine.monitor import Speed
from whyrank.training.engine.objective import Step
from whyrank.training.engine.optimiser import factor, parameter_groups, training_mode
from whyrank.training.engine.tasks import Tasks
from whyrank.training.engine.watch import DevWatch, due_steps


def optimisation(**changes):
    values = {
        "learning_rate": 0.1, "encoder_learning_rate": 0.01, "weight_decay": 0.0,
        "warmup_ratio": 0.0, "lr_scheduler": "cosine", "max_grad_norm": 1e9, "train": "head",
        "last_layers": 1, "layer_decay": 1.0,
        "freeze_steps": 0, "unfreeze_every": 0, "unfreeze": "top_down", "gradient_accumulation_steps": 1,
        "cache_tokens": 0,
        "gradient_checkpointing": False, "shard_encoder": False, "lora": Lora(0, 16, 0.0),
    }  # fmt: skip
    return Optimisation(**(values | changes))


def objective(loss, **record):
    """An objective from a function without arguments that gives the loss."""
    return SimpleNamespace(step=lambda: Step(loss(), dict(record), [3, 1]), state_dict=dict)


def fit(trained, objectives, optimisation, *, steps, what, evaluate=None, early_stopping=None, **weight):
    """weight   of each objective by name; without any all have 1"""
    watch = DevWatch(trained, evaluate, early_stopping, steps) if evaluate else None
    sharing = Tasks(weight) if weight else None
    return Loop(trained, objectives, optimisation, steps=steps, what=what, watch=watch, sharing=sharing).fit()


def scripted(values, trained=None):
    """Dev metrics in the order given; keeps the weights seen at each look."""
    seen = []

    def evaluate():
        if trained is not None:
            seen.append({name: tensor.clone() for name, tensor in trained.state_dict().items()})
        return {"mrr": values.pop(0)}

    evaluate.seen = seen
    return evaluate


STOPPING = EarlyStopping(metric="mrr", evaluations=5, eval_steps=0, patience=2)


def test_it_finds_the_known_optimum_of_a_regression():
    # y = 2 x0 - 3 x1 + 0.5 without noise: the least squares solution is known.
    torch.manual_seed(0)
    x = torch.randn(40, 2)
    y = x @ torch.tensor([[2.0], [-3.0]]) + 0.5
    head = nn.Linear(2, 1)
    history = fit(
        nn.ModuleDict({"head": head}),
        {"fit": objective(lambda: (head(x) - y).square().mean())},
        optimisation(),
        steps=300,
        what="test",
    )
    torch.testing.assert_close(head.weight.detach(), torch.tensor([[2.0, -3.0]]), atol=1e-3, rtol=0)
    assert head.bias.item() == pytest.approx(0.5, abs=1e-3)
    assert history.best_step == 300 and len(history.steps) == 300 and history.evaluations.empty
    assert history.steps["loss"].iloc[-1] < 1e-5 < history.steps["loss"].iloc[0]


def test_the_history_has_one_row_per_step_with_what_the_objectives_record_and_the_rate_of_that_step():
    head = nn.Linear(2, 1)
    steps = fit(
        head,
        {
            "one": objective(lambda: head.weight.square().sum(), rows=3),
            "two": objective(lambda: head.bias.square().sum() + 4, other=1.0),
        },
        optimisation(warmup_ratio=0.25, lr_scheduler="linear"),
        steps=4,
        what="test",
        one=1.0,
        two=0.5,
    ).steps
    shares = ["one_gradient_share", "two_gradient_share"]
    assert list(steps) == [
        "step",
        "loss",
        "learning_rate",
        "rate_factor",
        "progress",
        "gradient_norm",
        "clip_factor",
        "gradient_left",
        *shares,
        "rows",
        "other",
        "moved_heads",
        "gradient_heads",
        "update_heads",
        "trained_weights",
        "weight_norm",
        "weights_changed",
        "descent_cosine",
        "shrink_cosine",
    ]
    assert steps["step"].tolist() == [1, 2, 3, 4]
    assert steps["learning_rate"].tolist() == pytest.approx(
        [0.1 * factor(step, steps=4, warmup_ratio=0.25, lr_scheduler="linear") for step in range(4)]
    )


def test_the_loss_is_the_weighted_sum_and_the_gradient_norm_is_taken_before_clipping():
    # loss = 1 * w^2 + 0.5 * 6 w at w = 2: 4 + 6 = 10; gradient 2 w + 3 = 7. AdamW's first step is lr * sign: 2 - 0.1.
    weight = nn.ParameterDict({"w": nn.Parameter(torch.tensor([[2.0]]))})
    parts = {
        "square": objective(lambda: weight["w"].square().sum()),
        "line": objective(lambda: 6 * weight["w"].sum()),
    }
    row = fit(weight, parts, optimisation(max_grad_norm=0.5), steps=1, what="test", square=1.0, line=0.5).steps.iloc[0]
    assert row["loss"] == pytest.approx(10.0)
    assert row["gradient_norm"] == pytest.approx(7.0)
    assert weight["w"].item() == pytest.approx(1.9, abs=1e-4)


def moving():
    """A weight that every step moves, so that every look sees another one."""
    trained = nn.Linear(1, 1)
    return trained, {"down": objective(lambda: trained.weight.sum() + trained.bias.sum())}


def test_the_earliest_best_look_is_kept_with_its_weights():
    trained, parts = moving()
    evaluate = scripted([0.1, 0.5, 0.3, 0.5, 0.4, 0.2], trained)
    stopping = EarlyStopping("mrr", evaluations=5, eval_steps=0, patience=9)
    history = fit(trained, parts, optimisation(), steps=10, what="test", evaluate=evaluate, early_stopping=stopping)
    assert history.evaluations["step"].tolist() == [0, 2, 4, 6, 8, 10]
    assert history.best_step == 2
    assert len(history.steps) == 10
    for name, tensor in trained.state_dict().items():
        assert torch.equal(tensor, evaluate.seen[1][name])
        assert not torch.equal(tensor, evaluate.seen[3][name])
    assert not trained.training


def test_the_weights_before_the_first_step_are_kept_where_training_only_harms():
    trained, parts = moving()
    before = {name: tensor.clone() for name, tensor in trained.state_dict().items()}
    evaluate = scripted([0.5, 0.4, 0.3])
    history = fit(trained, parts, optimisation(), steps=50, what="test", evaluate=evaluate, early_stopping=STOPPING)
    assert history.best_step == 0
    assert all(torch.equal(tensor, before[name]) for name, tensor in trained.state_dict().items())


def test_without_a_metric_the_weights_of_the_last_step_are_kept():
    trained, parts = moving()
    evaluate = scripted([0.9, 0.1, 0.1, 0.1, 0.1, 0.1], trained)
    stopping = EarlyStopping(metric="", evaluations=5, eval_steps=0, patience=1)
    history = fit(trained, parts, optimisation(), steps=5, what="test", evaluate=evaluate, early_stopping=stopping)
    assert history.best_step == 5 and len(history.steps) == 5
    assert torch.equal(trained.weight, evaluate.seen[-1]["weight"])


@pytest.mark.parametrize(
    ("every", "looks", "steps", "due"),
    [
        (0, 4, 593, [0, 148, 296, 445, 593]),
        (0, 4, 8, [0, 2, 4, 6, 8]),
        (0, 5, 2, [0, 1, 2]),
        (0, 1, 7, [0, 7]),
        (3, 9, 7, [0, 3, 6, 7]),
        (9, 1, 7, [0, 7]),
    ],
)
def test_looks_are_spread_evenly_and_the_last_step_is_seen_once(every, looks, steps, due):
    assert sorted(due_steps(EarlyStopping(metric="", evaluations=looks, eval_steps=every, patience=1), steps)) == due


@pytest.mark.parametrize(("rounds", "due"), [(1.5, [0, 6, 12]), (24.0, 13), (0.2, [0, 12]), (0.0, [0, 3, 6, 9, 12])])
def test_automatic_evaluations_stand_every_three_quarters_of_a_round_up_to_twelve(rounds, due):
    steps = 12 if isinstance(due, list) else 320
    found = sorted(due_steps(EarlyStopping(metric="", evaluations="auto", eval_steps=0, patience=1), steps, rounds))
    assert found == due if isinstance(due, list) else len(found) == due


def test_patience_ends_training_after_that_many_looks_without_a_better_value():
    trained, parts = moving()
    # Looks at 0, 2, 4, 6, 8: the best at 4, then 6 (equal is not better) and 8: patience 2 is at its end.
    evaluate = scripted([0.1, 0.2, 0.3, 0.3, 0.1, 9.9])
    history = fit(trained, parts, optimisation(), steps=10, what="test", evaluate=evaluate, early_stopping=STOPPING)
    assert history.evaluations["step"].tolist() == [0, 2, 4, 6, 8]
    assert len(history.steps) == 8 and history.best_step == 4


def test_the_last_step_is_looked_at_even_between_two_looks():
    trained, parts = moving()
    evaluate = scripted([0.1, 0.2, 0.3, 0.4, 0.5])
    stopping = EarlyStopping("mrr", evaluations=9, eval_steps=2, patience=2)
    history = fit(trained, parts, optimisation(), steps=7, what="test", evaluate=evaluate, early_stopping=stopping)
    assert history.evaluations["step"].tolist() == [0, 2, 4, 6, 7] and history.best_step == 7


def test_fewer_steps_than_looks_are_each_looked_at():
    trained, parts = moving()
    evaluate = scripted([0.1, 0.2, 0.3])
    history = fit(trained, parts, optimisation(), steps=2, what="test", evaluate=evaluate, early_stopping=STOPPING)
    assert history.evaluations["step"].tolist() == [0, 1, 2]


def test_looks_are_taken_in_evaluation_mode_and_steps_in_training_mode():
    trained = nn.Sequential(nn.Linear(1, 1), nn.Dropout(0.5))
    modes = []

    def loss():
        modes.append(("step", trained.training, trained[1].training))
        return trained[0].weight.sum()

    def evaluate():
        modes.append(("look", trained.training, trained[1].training))
        return {"mrr": 1.0}

    fit(trained, {"x": objective(loss)}, optimisation(), steps=2, what="t", evaluate=evaluate, early_stopping=STOPPING)
    assert set(modes) == {("look", False, False), ("step", True, True)}


def test_an_unknown_dev_metric_is_a_user_error_that_lists_the_known_ones_before_any_step():
    trained, parts = moving()
    with pytest.raises(UserError, match=r"early_stopping\.metric` is 'mrr'; known are map@10_all, mrr_all"):
        fit(
            trained, parts, optimisation(), steps=50, what="test",
            evaluate=lambda: {"map@10_all": 0.1, "mrr_all": 0.1}, early_stopping=STOPPING,
        )  # fmt: skip


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_at_once_and_names_the_step(bad):
    trained = nn.Linear(1, 1)
    count = iter(range(1, 100))
    seen = []

    def loss():
        seen.append(trained.weight.item())
        return trained.weight.sum() * (bad if next(count) == 3 else 1.0)

    with pytest.raises(
        UserError,
        match=r"^step 3: loss (nan|-?inf) of `x` is not finite \(texts 3, 1 … of 2\); lower the learning rate",
    ):
        fit(trained, {"x": objective(loss)}, optimisation(), steps=50, what="test")
    assert trained.weight.item() == seen[2]  # the bad step changed nothing


def test_a_gradient_that_is_not_finite_stops_too():
    trained = nn.ParameterDict({"w": nn.Parameter(torch.zeros(1, 1))})
    with pytest.raises(UserError, match=r"^step 1: loss 0\.0 with gradient norm inf"):
        fit(trained, {"x": objective(lambda: trained["w"].sqrt().sum())}, optimisation(), steps=50, what="test")


def test_frozen_parts_stay_bit_for_bit_with_their_batch_statistics_and_without_dropout():
    torch.manual_seed(0)
    frozen, new = heads.MlpHead(3, 4, 3, 0.5), heads.ResidualHead(3, 4, 3, 0.5)
    frozen.requires_grad_(False)
    chain = nn.Sequential(frozen, new)
    before = {name: tensor.clone() for name, tensor in chain.state_dict().items()}
    x, y = torch.randn(8, 3), torch.randn(8, 3)
    outputs = []

    def loss():
        outputs.append(frozen(x).clone())
        return (chain(x) - y).square().mean()

    fit(nn.ModuleDict({"heads": chain}), {"x": objective(loss)}, optimisation(weight_decay=0.1), steps=50, what="test")
    assert any("running_mean" in name for name in before)
    for name, tensor in chain.state_dict().items():
        assert torch.equal(tensor, before[name]) == name.startswith("0."), name
    assert all(torch.equal(output, outputs[0]) for output in outputs)


def test_what_is_trained_is_in_training_mode_beside_what_is_frozen():
    frozen, new = heads.MlpHead(3, 4, 3, 0.5).requires_grad_(False), heads.MlpHead(3, 4, 3, 0.5)
    training_mode(nn.ModuleDict({"frozen": frozen, "new": new}))
    assert not any(module.training for module in frozen.modules())
    assert all(module.training for module in new.modules())


def test_encoder_and_heads_have_their_own_rates_and_biases_and_norms_no_decay(make_encoder):
    trained = nn.ModuleDict({"heads": heads.MlpHead(3, 4, 3, 0.0), "encoder": make_encoder()})
    trained["encoder"].transformer.embeddings.requires_grad_(False)
    groups = parameter_groups(trained, optimisation())
    settings = {
        id(parameter): (group["lr"], group.get("weight_decay", "as set"))
        for group in groups
        for parameter in group["params"]
    }
    for name, parameter in trained.named_parameters():
        if "embeddings" in name:
            assert id(parameter) not in settings
            continue
        rate = 0.01 if name.startswith("encoder.") else 0.1
        is_plain = (
            name.endswith("bias") or "LayerNorm" in name or ".layers.1." in f".{name}" or ".layers.5." in f".{name}"
        )
        assert settings.pop(id(parameter)) == (rate, 0.0 if is_plain else "as set"), name
    assert not settings
    assert groups[0]["lr"] == 0.1  # the rate that the history records is that of the heads


@pytest.mark.parametrize(
    ("parts", "rates"),
    [
        (("heads",), {"learning_rate": 0.1}),
        (("encoder",), {"learning_rate": 0.01, "encoder_learning_rate": 0.01}),
        (("encoder", "heads"), {"learning_rate": 0.1, "encoder_learning_rate": 0.01}),
    ],
)
def test_the_history_holds_the_rate_of_everything_that_is_trained(parts, rates):
    trained = nn.ModuleDict({name: nn.Linear(1, 1) for name in parts})
    loss = objective(lambda: sum(parameter.sum() for parameter in trained.parameters()))
    row = fit(trained, {"x": loss}, optimisation(), steps=1, what="test").steps.iloc[0]
    assert {name: row[name] for name in row.index if name.endswith("learning_rate")} == rates


def test_the_history_says_how_far_the_rate_is_from_its_peak_and_the_run_from_its_end():
    trained, parts = moving()
    rows = fit(trained, parts, optimisation(warmup_ratio=0.5, lr_scheduler="constant"), steps=4, what="test").steps
    assert rows["rate_factor"].tolist() == pytest.approx([1 / 3, 2 / 3, 1, 1])
    assert rows["progress"].tolist() == [0.25, 0.5, 0.75, 1.0]


def test_a_run_that_patience_ends_has_not_made_the_steps_it_planned():
    trained, parts = moving()
    history = fit(
        trained, parts, optimisation(), steps=10, what="test", evaluate=scripted([3, 2, 1, 0]), early_stopping=STOPPING
    )
    assert len(history.steps) < 10
    assert history.steps["progress"].iloc[-1] == len(history.steps) / 10


def test_the_history_says_which_objective_a_batch_took_where_one_is_drawn():
    trained, parts = moving()
    ((name, one),) = parts.items()
    several = {name: one, "other": one}
    drawn = Tasks(
        dict.fromkeys(several, 1.0),
        Options("equal", 1.0, "fixed", embeddings=False, cross_attention=False),
        size=dict.fromkeys(several, 1),
    )
    rows = Loop(trained, several, optimisation(), steps=20, what="test", sharing=drawn).fit().steps
    assert (rows[f"{name}_batches"] + rows["other_batches"]).tolist() == [1.0] * 20
    assert rows["other_batches"].tolist() == [float("other" in drawn.active(step, 0)) for step in range(1, 21)]
    whole = fit(trained, several, optimisation(), steps=1, what="test").steps
    assert not [column for column in whole if column.endswith("_batches")]


def test_decay_shrinks_matrices_by_hand_and_leaves_biases_and_norms_alone():
    # A loss without gradient: AdamW only decays, by (1 - rate * decay) a step: (1 - 0.1 * 0.5)^2 = 0.9025.
    head = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    before = {name: parameter.detach().clone() for name, parameter in head.named_parameters()}
    nothing = objective(lambda: sum(parameter.sum() for parameter in head.parameters()) * 0.0)
    fit(head, {"x": nothing}, optimisation(lr_scheduler="constant", weight_decay=0.5), steps=2, what="test")
    for name, parameter in head.named_parameters():
        share = 0.9025 if name == "0.weight" else 1.0
        torch.testing.assert_close(parameter.detach(), before[name] * share)


def test_no_steps_give_a_history_without_rows_that_still_has_its_column():
    trained, parts = moving()
    history = fit(trained, parts, optimisation(), steps=0, what="test")
    assert list(history.steps.columns) == ["step"] and len(history.steps) == 0
    assert history.evaluations.equals(pd.DataFrame())


def test_accumulated_batches_give_the_update_of_one_large_batch():
    torch.manual_seed(0)
    x, y = torch.randn(12, 3), torch.randn(12, 1)
    results = []
    for times, size in ((1, 12), (4, 3)):
        head = nn.Linear(3, 1)
        nn.init.constant_(head.weight, 0.5)
        nn.init.zeros_(head.bias)
        batches = itertools.cycle(zip(x.split(size), y.split(size), strict=True))

        def loss(head=head, batches=batches):
            own_x, own_y = next(batches)
            return (head(own_x) - own_y).square().mean()

        chosen = optimisation(gradient_accumulation_steps=times)
        history = fit(head, {"x": objective(loss)}, chosen, steps=5, what="test")
        results.append((head.weight.detach().clone(), history.steps["loss"]))
    torch.testing.assert_close(results[0][0], results[1][0], atol=1e-5, rtol=0)
    assert results[0][1].tolist() == pytest.approx(results[1][1].tolist(), abs=1e-5)


def test_memory_that_runs_out_is_a_user_error_that_says_what_to_lower():
    trained = nn.Linear(1, 1)

    def loss():
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    with pytest.raises(UserError, match=r"^step 1: out of memory; lower batch_size, set cache_tokens"):
        fit(trained, {"x": objective(loss)}, optimisation(), steps=2, what="test")


def test_another_error_of_torch_is_not_taken_for_one_of_memory():
    trained = nn.Linear(2, 1)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        fit(trained, {"x": objective(lambda: trained(torch.ones(1, 3)).sum())}, optimisation(), steps=2, what="test")


def test_the_history_tells_how_far_each_part_has_moved_from_where_it_started():
    # AdamW's steps under a gradient that stays are rate * sign: every weight of ones goes to 0.9 and 0.8, so
    # |change| / |start| is 0.1 and 0.2. A frozen part is not spoken of.
    trained = nn.ModuleDict({"heads": nn.Linear(2, 1, bias=False), "frozen": nn.Linear(1, 1).requires_grad_(False)})
    nn.init.ones_(trained["heads"].weight)
    loss = objective(lambda: trained["heads"].weight.sum())
    steps = fit(trained, {"x": loss}, optimisation(lr_scheduler="constant"), steps=2, what="test").steps
    assert steps["moved_heads"].tolist() == pytest.approx([0.1, 0.2], abs=1e-6)
    assert [name for name in steps if name.startswith("moved_")] == ["moved_heads"]


def test_the_share_of_each_loss_in_the_gradient_is_that_of_its_own_norm():
    # Gradients by hand: 2 * (3, 4) has the length 10 (the weight counts), (0, 30) has 30; they are summed for the step.
    trained = nn.Linear(2, 1, bias=False)
    slopes = {"one": torch.tensor([3.0, 4.0]), "two": torch.tensor([0.0, 30.0]), "off": torch.zeros(2)}
    weights = {"one": 2.0, "two": 1.0, "off": 1.0}
    losses = {name: objective(lambda slope=slope: (trained.weight * slope).sum()) for name, slope in slopes.items()}
    steps = fit(trained, losses, optimisation(gradient_accumulation_steps=2), steps=1, what="test", **weights).steps
    shares = [steps[f"{name}_gradient_share"].item() for name in slopes]
    assert shares == pytest.approx([0.25, 0.75, 0.0])
    assert steps["gradient_norm"].item() == pytest.approx((6**2 + 38**2) ** 0.5)


def test_a_rate_for_each_block_falls_from_the_last_to_the_embeddings(make_encoder):
    trained = nn.ModuleDict({"heads": nn.Linear(2, 1), "encoder": make_encoder()})
    rate = {
        name: group["lr"]
        for group in parameter_groups(trained, optimisation(layer_decay=0.5))
        for parameter in group["params"]
        for name, own in trained.named_parameters()
        if own is parameter
    }
    for name, own in rate.items():
        share = 1.0 if ".layer.1." in name else 0.5 if ".layer.0." in name else 0.25
        assert own == (0.01 * share if name.startswith("encoder.") else 0.1), name


@pytest.mark.parametrize(
    ("unfreeze", "learning"),
    [
        # 2 steps of heads alone, then a block every 3 steps.
        ("top_down", {1: [], 2: [], 3: [1], 5: [1], 6: [0, 1], 9: [0, 1]}),
        ("bottom_up", {1: [], 3: [0], 6: [0, 1]}),
    ],
)
def test_layers_are_unfrozen_one_by_one(unfreeze, learning, make_encoder):
    trained = nn.ModuleDict({"heads": nn.Linear(2, 1), "encoder": make_encoder()})
    names = [name for name, _ in trained.named_parameters()]
    for step, expected in learning.items():
        optimiser.unfreeze(trained, optimisation(freeze_steps=2, unfreeze_every=3, unfreeze=unfreeze), step, 20, names)
        for name, parameter in trained.named_parameters():
            block = 1 if ".layer.1." in name else 0
            assert parameter.requires_grad == (name.startswith("heads") or block in expected), (step, name)


@pytest.mark.parametrize(("frozen", "first"), [(0.25, 6), (5, 6), (0, 1), (0.9, 19)])
def test_below_one_freeze_steps_are_a_share_of_all(frozen, first, make_encoder):
    trained = nn.ModuleDict({"encoder": make_encoder()})
    names = [name for name, _ in trained.named_parameters()]
    learns = []
    for step in range(1, 21):
        optimiser.unfreeze(trained, optimisation(freeze_steps=frozen), step, 20, names)
        learns.append(next(trained.parameters()).requires_grad)
    assert learns == [step >= first for step in range(1, 21)]


@pytest.mark.parametrize("frozen", [20, 200])
def test_an_encoder_that_would_never_learn_is_a_user_error(frozen, make_encoder):
    trained = nn.ModuleDict({"heads": nn.Linear(2, 1), "encoder": make_encoder()})
    names = [name for name, _ in trained.named_parameters()]
    with pytest.raises(UserError, match=rf"`freeze_steps` is {frozen}, and training has 20 steps: the encoder would"):
        optimiser.unfreeze(trained, optimisation(freeze_steps=frozen), 1, 20, names)
    optimiser.unfreeze(trained, optimisation(freeze_steps=frozen), 1, 20, names[:2])


def test_dvclive_shows_the_steps_and_the_looks_of_a_training(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(trackers, "_named", ["dvclive"])
    monkeypatch.delenv("DVC_STAGE", raising=False)
    trained = nn.Linear(2, 1, bias=False)
    nn.init.ones_(trained.weight)
    fit(
        trained, {"x": objective(lambda: trained.weight.sum())}, optimisation(), steps=1, what="train",
        evaluate=scripted([0.1, 0.3]), early_stopping=STOPPING,
    )  # fmt: skip
    shown = json.loads((tmp_path / "logs/dvclive/train/metrics.json").read_text())
    assert shown["loss"] == pytest.approx(2.0) and shown["dev"]["mrr"] == pytest.approx(0.3)


def test_a_training_long_enough_to_tell_ends_with_a_line_of_its_speed(monkeypatch, capsys):
    monkeypatch.setattr(Speed, "summary", lambda speed, trained, padding, dtype: f"{padding:.0%} padding")
    trained = nn.Linear(2, 1, bias=False)
    fit(trained, {"x": objective(lambda: trained.weight.sum())}, optimisation(), steps=1, what="train")
    assert capsys.readouterr().err.endswith("train: 0% padding\n")
