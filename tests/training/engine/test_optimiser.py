"""Learning rates by task: each for what a task has for itself, whatever it is called."""

import pytest
import torch
from torch import nn

from whyrank.core.errors import UserError
from whyrank.core.options import params
from whyrank.model.encoder.projection import Projection
from whyrank.model.heads import heads
from whyrank.model.heads.task_heads import TaskHeads
from whyrank.model.system import System
from whyrank.training.engine.optimiser import Optimiser, parameter_groups, part_of, task_of, unfreeze

TASKS = ["rank", "similarity", "classification"]


@pytest.fixture
def chosen(options):
    return options("finetune_rank", params.FinetuneRank, {"learning_rate": 1e-3, "warmup_ratio": 0.0, "train": "all"})


def whole(encoder, own=TASKS[1:]):
    """What `finetune.finetune_rank` hands to the loop, with a parameter for each objective and loss weights."""

    def chain():
        return nn.Sequential(heads.ResidualHead(32, 8, 32, 0.0))

    tasks = TaskHeads(TASKS, {name: chain() for name in own}, embedding_width=32, attention_width=32)
    system = System(encoder, chain(), chain(), "cosine", tasks)
    trained = nn.ModuleDict({"heads": system.heads(), "encoder": encoder})
    scalars = {name: nn.ParameterDict({"scale": nn.Parameter(torch.zeros(()))}) for name in TASKS}
    trained.add_module("objectives", nn.ModuleDict(scalars))
    weights = nn.ParameterDict({name: nn.Parameter(torch.zeros(())) for name in TASKS})
    trained.add_module("tasks", nn.ModuleDict({"log_variance": weights}))
    return trained


def test_every_weight_of_a_head_has_its_task_and_shared_ones_have_none(tiny_encoder):
    trained = whole(tiny_encoder)
    by_task = {}
    for name, _ in trained.named_parameters():
        by_task.setdefault(task_of(name), set()).add(".".join(name.split(".")[:4]))
    assert {name.split(".")[0] for name in by_task.pop("")} == {"encoder", "tasks"}
    attention = {f"heads.tasks.attention.{part}" for part in ("query", "bias", "output")}
    assert by_task["rank"] == attention | {
        "heads.query.0.layers", "heads.answer.0.layers", "heads.tasks.embedding.rank", "objectives.rank.scale",
    }  # fmt: skip
    assert by_task["similarity"] == attention | {
        "heads.tasks.own.similarity", "heads.tasks.embedding.similarity", "objectives.similarity.scale",
    }  # fmt: skip
    assert len(by_task["classification"]) == 6


def test_a_task_with_a_rate_has_it_for_its_own_weights_and_all_else_keeps_the_common_ones(tiny_encoder, chosen):
    trained = whole(tiny_encoder)
    rate = {id(parameter): group["lr"] for group in parameter_groups(trained, chosen, {"similarity": 0.5})
            for parameter in group["params"]}  # fmt: skip
    assert len(rate) == len(list(trained.parameters()))
    for name, parameter in trained.named_parameters():
        common = chosen.encoder_learning_rate if name.startswith("encoder") else 1e-3
        assert rate[id(parameter)] == (0.5 if task_of(name) == "similarity" else common), name


def test_without_rates_of_tasks_the_groups_are_those_of_heads_and_encoder(tiny_encoder, chosen):
    groups = parameter_groups(whole(tiny_encoder), chosen)
    assert [(group["is_encoder"], group["lr"]) for group in groups] == [(False, 1e-3)] * 2 + [(True, 2e-5)] * 2


def test_the_history_has_the_rate_of_each_task_beside_the_common_one(tiny_encoder, chosen):
    optimiser = Optimiser(whole(tiny_encoder), chosen, 10, {"similarity": 0.5, "rank": 1e-5})
    first, last = (
        {name: rate for name, rate in optimiser.rates(step).items() if name.endswith("learning_rate")}
        for step in (1, 10)
    )
    assert first == pytest.approx(
        {"learning_rate": 1e-3, "encoder_learning_rate": 2e-5, "rank_learning_rate": 1e-5,
         "similarity_learning_rate": 0.5}
    )  # fmt: skip
    # They fall together.
    assert {name: last[name] / first[name] for name in first} == pytest.approx(
        dict.fromkeys(first, last["learning_rate"] / 1e-3)
    )


def test_a_rate_for_a_task_without_weights_of_its_own_is_a_user_error_with_two_ways_out(tiny_encoder, chosen):
    trained = nn.ModuleDict({"heads": nn.ModuleDict({"query": nn.Sequential(nn.Linear(2, 2))})})
    with pytest.raises(
        UserError, match=r"similarity has no weight of its own; .*head\.kind=residual, or learning_rate=0"
    ):
        parameter_groups(trained, chosen, {"similarity": 0.5})


def test_what_stands_above_the_pooling_learns_as_the_last_layer_does(tiny_encoder, options):
    tiny_encoder.projection = Projection(nn.Sequential(nn.Linear(32, 8)))
    trained = nn.ModuleDict({"encoder": tiny_encoder})
    changes = {
        "train": "all",
        "layer_decay": 0.5,
        "encoder_learning_rate": 1e-3,
        "freeze_steps": 2,
        "unfreeze_every": 2,
    }
    chosen = options("finetune_rank", params.FinetuneRank, changes)
    rate = {id(one): group["lr"] for group in parameter_groups(trained, chosen) for one in group["params"]}
    named = dict(trained.named_parameters())
    above = [name for name in named if ".projection." in name]
    assert len(above) == 2 and {rate[id(named[name])] for name in above} == {1e-3}
    assert rate[id(named["encoder.transformer.encoder.layer.1.output.dense.weight"])] == 1e-3
    assert rate[id(named["encoder.transformer.encoder.layer.0.output.dense.weight"])] == 5e-4
    for step, learns in ((1, False), (3, True)):
        unfreeze(trained, chosen, step, 20, list(named))
        assert {named[name].requires_grad for name in above} == {learns}
        assert not named["encoder.transformer.encoder.layer.0.output.dense.weight"].requires_grad
    assert {part_of(name) for name in above} == {"moved_projection"}
