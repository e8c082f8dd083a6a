"""The label curve: which labels an arm has, how many steps, what is compared, and what is said of it."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from whyrank.commands import label_curve, label_gains, scenario
from whyrank.core.errors import UserError
from whyrank.core.options.overrides import put
from whyrank.model import system
from whyrank.training import finetune

from ..shipped import PARAMS

ROOT = Path(__file__).parents[2]
SMALL = {
    "pretrain_barlow.steps": 3, "pretrain_barlow.batch_size": 6, "pretrain_barlow.head.hidden": 8,
    "finetune_rank.max_steps": 4, "finetune_rank.head.hidden": 8, "finetune_rank.early_stopping.evaluations": 1,
    "encoder.precision": "fp32", "evaluate.accuracy_cutoffs": [1, 3], "evaluate.map_cutoffs": [3],
    "evaluate.ndcg_cutoffs": [3], "diagnose.metric": "accuracy@1",
}  # fmt: skip
CURVE = yaml.safe_load((ROOT / "scenarios/label-curve.yaml").read_text(encoding="utf-8"))["overrides"]


@pytest.fixture
def run(topics, make_encoder):
    texts = replace(topics, answers=topics.answers.assign(sections=None), queries=topics.queries.assign(thread=-1))
    values = put(PARAMS, {**CURVE, **SMALL})
    return label_curve.Run(values, texts, system.untrained(make_encoder().eval()))


def test_each_number_of_labels_has_so_many_queries_and_dev_and_test_keep_theirs(run):
    sets = list(label_curve.labelled_sets(run, (5, 20, 400)))
    assert [there for _, there in sets] == [5, 20, 48]  # 400 are more than there are
    for prepared, there in sets:
        assert prepared.relevant_in("train")["query"].nunique() == there
        assert len(prepared.relevant_in("dev")) == len(run.prepared.relevant_in("dev"))
    few, more = (set(prepared.relevant_in("train")["query"]) for prepared, _ in sets[:2])
    assert few < more


def test_all_arms_are_scored_on_the_same_queries_and_the_control_has_the_steps_of_pretraining(run, monkeypatch):
    steps, train = [], finetune.finetune_rank

    def counted(*given, **kept):
        trained = train(*given, **kept)
        steps.append(len(trained.history.steps))
        return trained

    monkeypatch.setattr(label_curve.finetune, "finetune_rank", counted)
    found = [(arm, there, list(queries["query_id"])) for arm, there, queries in label_curve.arms(run, (5,))]
    assert [(arm, there) for arm, there, _ in found] == [
        ("untrained", -1), ("barlow, untuned", -1), ("infonce, untuned", -1),
        *((arm, there) for there in (5, 48) for arm in ("tuned", "longer", "barlow", "infonce", "pseudo-queries")),
    ]  # fmt: skip
    assert len({tuple(queries) for *_, queries in found}) == 1
    assert steps == [4, 7, 4, 4, 7] * 2  # as many in all, with those of pretraining
    assert not run.base.query_head  # what a training changed was a copy


def test_each_query_has_the_metric_of_the_diagnosis_whichever_it_is(run, monkeypatch):
    values = put(dict(run.values), {"diagnose.metric": "ndcg@3", "evaluate.accuracy_cutoffs": [3]})
    monkeypatch.setattr(label_curve, "begun", lambda values, seed: replace(run, values=values))
    monkeypatch.setattr(label_curve, "arms", lambda run, _: [("untrained", -1, run.scored(run.base))])
    found = label_curve.measured(values, [3])
    assert list(found) == ["query_id", "type", "cluster", "mrr", "ndcg@3", "seed", "arm", "labels"]
    assert found["ndcg@3"].between(0, 1).all()


@pytest.mark.parametrize("batch_size", [5, 64])
@pytest.mark.parametrize("accumulated", [1, 3])
def test_as_many_updates_are_made_as_asked_for_however_many_batches_are_gathered_for_one(
    run, monkeypatch, batch_size, accumulated
):
    changes = {"gradient_accumulation_steps": accumulated, "batch_size": batch_size}
    values = put(dict(run.values), {f"finetune_rank.{key}": value for key, value in changes.items()})
    histories, train = [], finetune.finetune_rank
    monkeypatch.setattr(
        label_curve.finetune,
        "finetune_rank",
        lambda *given, **kept: histories.append((one := train(*given, **kept)).history.steps) or one,
    )
    for longer in (0, 9):
        replace(run, values=values).tuned(run.start(), run.labelled(11), longer=longer)
    assert [len(steps) for steps in histories] == [4, 13]
    assert [steps["progress"].iloc[-1] for steps in histories] == [1, 1]


def test_a_teacher_and_a_cross_encoder_teach_here_too(run, monkeypatch, make_cross_encoder, tiny_folder):
    changes = {"distillation.weight": 1.0, "distillation.teacher": str(tiny_folder), "reranker.weight": 1.0}
    changes |= {"reranker.model": make_cross_encoder(), "reranker.depth": 2, "max_steps": 1}
    values = put(dict(run.values), {f"finetune_rank.{key}": value for key, value in changes.items()})
    histories, train = [], finetune.finetune_rank
    monkeypatch.setattr(
        label_curve.finetune,
        "finetune_rank",
        lambda *given, **kept: histories.append((one := train(*given, **kept)).history.steps) or one,
    )
    replace(run, values=values).tuned(run.start(), run.labelled(11))
    assert {"rank_distillation", "rank_reranker_loss"} <= set(histories[0])


def test_pseudo_queries_stand_beside_the_labels_tokenised(run):
    titled = replace(run.prepared, answers=run.prepared.answers.assign(title=run.prepared.answers["raw_text"].str[:20]))
    found = run.with_pseudo(titled)
    made = found.queries.iloc[len(titled.queries) :]
    assert len(made) and set(made["split"]) == {"train"} and set(made["thread"]) == {-1}
    assert made["input_ids"].map(len).between(3, 64).all()
    assert list(found.queries["input_ids"][: len(titled.queries)]) == list(titled.queries["input_ids"])
    assert found.relevant_in("train")["query"].nunique() == 48 + len(made)


def rows(gain, *, labels=(50, 100), seeds=(1, 2), queries=200):
    """A control that finds half of the queries, and an arm that finds `gain[i]` more of them with the i-th labels."""
    tables = []
    for seed in seeds:
        for place, count in enumerate(labels):
            hit = (np.arange(queries) % 2).astype(float)
            more = hit.copy()
            more[np.flatnonzero(hit == 0)[: round(abs(gain[place]) * queries)]] = 1.0
            arms = {"longer": hit, "barlow": more} if gain[place] >= 0 else {"longer": more, "barlow": hit}
            for arm, value in arms.items():
                table = pd.DataFrame({"query_id": [f"q{i}" for i in range(queries)], "type": "question"})
                table["cluster"] = [f"a{i}" for i in range(queries)]
                # Splits of different seeds leave different numbers for all.
                tables.append(
                    table.assign(**{"accuracy@1": value, "mrr": value}, seed=seed, arm=arm, labels=count + seed)
                )
    return pd.concat(tables, ignore_index=True)


def test_a_gain_is_the_mean_difference_over_the_queries_of_all_seeds():
    table = label_gains.gains(rows((0.1, 0.0)), "accuracy@1", arms=("barlow",))
    assert table["labels"].tolist() == [51.5, 101.5]
    assert table["gain"].tolist() == pytest.approx([0.1, 0.0])
    assert table["control"].tolist() == pytest.approx([0.5, 0.5]) and table["value"][0] == pytest.approx(0.6)
    assert 0.05 < table["low"][0] < 0.1 < table["high"][0] < 0.15 and table["p_holm"].tolist() == pytest.approx(
        [2 * table["p"][0], 1.0]
    )


@pytest.mark.parametrize(
    ("gain", "said"),
    [
        ((0.1, 0.0), r"^barlow: with up to 52 labelled queries it pays here: \+10\.0 points .* steps\.$"),
        ((0.2, 0.1), r"^barlow: with up to 102 .*: \+10\.0 points .*, \+20\.0 points \[.*\] with 52\.$"),
        ((0.0, 0.0), r"^barlow: no sure gain over as many steps without it, .* \(at most \+0\.0\)\.$"),
        ((0.0, -0.1), r"^barlow: it costs -10\.0 points .* with 102 labelled queries; no sure gain"),
    ],
)
def test_the_conclusion_says_what_the_intervals_show(gain, said):
    table = label_gains.gains(rows(gain), "accuracy@1", arms=("barlow",))
    assert re.search(said, label_gains.conclusion(table, "barlow"))


def test_the_scenario_writes_rows_and_table_and_a_slip_in_a_setting_is_refused_before(tmp_path, monkeypatch):
    flat = rows((0.0, 0.0)).query("arm == 'barlow'")
    whole = pd.concat([rows((0.1, 0.0)), *(flat.assign(arm=arm) for arm in label_gains.ARMS if arm != "barlow")])
    monkeypatch.setattr(label_gains, "measured", lambda values, seeds: whole.assign(asked=values["seed"], n=len(seeds)))
    monkeypatch.setattr(label_gains, "starting_params", lambda: PARAMS)
    chosen = scenario.read("label-curve", ROOT / "scenarios")
    said = label_gains.measure(chosen, ["seed=11"], tmp_path / "out")
    assert "with up to 52 labelled queries it pays here" in said and said == (tmp_path / "out/table.md").read_text()
    kept = pd.read_csv(tmp_path / "out/queries.csv")
    assert set(kept["asked"]) == {11} and set(kept["n"]) == {3}
    for setting in ("pretrain_barlow.steps=-1", "finetune_rank.max_steps=0", "finetune_rank.max_step=9"):
        with pytest.raises(UserError, match=setting.partition("=")[0]):
            label_gains.measure(chosen, [setting], tmp_path / "none")
    assert not (tmp_path / "none").exists()
