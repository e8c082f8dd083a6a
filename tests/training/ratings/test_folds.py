"""Ratings out of fold: each row is predicted by a training that has not seen it, and a killed run repeats none."""

import copy
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import torch

from whyrank.core import cache, io
from whyrank.core.errors import UserError
from whyrank.core.options import params
from whyrank.model import system
from whyrank.model.encoder import layers
from whyrank.model.encoder.encoder import Encoder
from whyrank.training import finetune
from whyrank.training.engine.loop import Loop
from whyrank.training.ratings import tables as rating_tables

ENCODER = params.Encoder("folder", "auto", "fp32", 0.0, batch_tokens=256, trust_remote_code=False)
TARGETS = ["visa", "agree", "rare"]


@pytest.fixture
def finetuning(options):
    base = {
        "objectives.rank.weight": 0.0,
        "objectives.ratings.weight": 1.0,
        "objectives.ratings.batch_size": 8,
        "head.kind": "none",
        "epochs": 1.0,
        "learning_rate": 0.01,
        "encoder_learning_rate": 1e-3,
        "early_stopping.evaluations": 1,
        "train": "last",
    }
    return lambda **changes: options(
        "finetune_rank", params.FinetuneRank, base | {k.replace("__", "."): v for k, v in changes.items()}
    )


@pytest.fixture
def columns(options):
    """Of the user's file."""
    return options("prepare", params.Prepare, {"ratings.id": "qa_id", "ratings.rescale": {}}).ratings


@pytest.fixture
def train(make_encoder, finetuning):
    def train(prepared, **changes):
        start = system.untrained(make_encoder())
        return finetune.finetune_rank(start, prepared, finetuning(**changes), ENCODER, 7)

    return train


@pytest.fixture(scope="module")
def shared():
    """Runs of `recorded` by their rounds."""
    return {}


class Run(NamedTuple):
    """A training over all folds, and what was seen while it ran."""

    ratings: rating_tables.RatingTables
    trainings: list[tuple[Any, Any]]  # of each fold and round: what it was given, and its objective
    tables: list[Any]  # of each fold
    activations: int  # how often the output of the frozen blocks was computed


@pytest.fixture
def recorded(rated, train, shared, monkeypatch):
    """A training of `rated` with so many rounds of pseudo-labels, once for all tests."""

    def recorded(rounds):
        if rounds not in shared:
            run = watch(monkeypatch)
            ratings = train(rated, objectives__ratings__pseudo_labels__rounds=rounds).out_of_fold
            shared[rounds] = Run(ratings, run["trainings"], run["tables"], len(run["activations"]))
        return shared[rounds]

    return recorded


def watch(monkeypatch):
    seen = {"trainings": [], "tables": [], "activations": []}
    finetune_rank, of_fold, outputs = finetune.finetune_rank, rating_tables.of_fold, layers.outputs

    def training(start, prepared, *given, **named):
        trained = finetune_rank(start, prepared, *given, **named)
        if prepared.held_out >= 0:
            seen["trainings"].append((prepared, trained.objectives["ratings"]))
        return trained

    monkeypatch.setattr(finetune, "finetune_rank", training)
    monkeypatch.setattr(rating_tables, "of_fold", lambda *o: seen["tables"].append(of_fold(*o)) or seen["tables"][-1])
    monkeypatch.setattr(layers, "outputs", lambda *o, **n: seen["activations"].append(1) or outputs(*o, **n))
    return seen


def of_two_folds(prepared):
    return replace(prepared, ratings=prepared.ratings.replace({"fold": {2: 1}}))


def test_every_labelled_row_is_predicted_once_by_the_training_of_the_others(rated, recorded, make_encoder, finetuning):
    ratings = recorded(0).ratings
    rows = rated.ratings[rated.ratings["use"] == "train"].set_index("rating_id")
    found = ratings.out_of_fold
    assert len(found) == 36 * 3 and not found.duplicated(["rating_id", "target"]).any()
    assert (found["fold"] == rows["fold"][found["rating_id"]].to_numpy()).all()
    # The same as training that fold alone, from the start and not from the fold before.
    torch.manual_seed((7 * 1_000_003) % 2**63)
    prepared = replace(rated, held_out=2)
    alone = finetune.finetune_rank(system.untrained(make_encoder()), prepared, finetuning(), ENCODER, 7)
    expected = alone.objectives["ratings"].predict(prepared.rated(held_out=True)).ravel()
    assert (found.loc[found["fold"] == 2, "prediction"] == expected.astype(float)).all()
    looks = ratings.evaluations
    assert looks.columns.tolist() == rating_tables.EVALUATIONS and looks["fold"].tolist() == [0, 0, 1, 1, 2, 2]
    assert looks["loss"].isna().tolist() == [True, False] * 3 and looks["constant_columns"].eq(0).all()


def test_test_rows_have_the_mean_over_the_folds(rated, recorded, columns, tmp_path):
    result, each = recorded(0).ratings, recorded(0).tables
    assert result.test["rating_id"].tolist() == [f"test-{number}" for number in range(4)]
    np.testing.assert_allclose(result.test[TARGETS], np.mean([one.test[TARGETS] for one in each], axis=0))
    assert not np.allclose(each[0].test[TARGETS], each[1].test[TARGETS], rtol=1e-4)
    result.write(tmp_path, rated, columns)
    tmp_path = tmp_path / "ratings"
    submission = pd.read_csv(tmp_path / "submission.csv")
    assert submission.columns.tolist() == ["qa_id", *TARGETS] and len(submission) == 4
    assert io.read_table(tmp_path / "out_of_fold.parquet").equals(result.out_of_fold)


def test_a_snapped_submission_has_labels_where_most_folds_snapped_and_the_plain_mean_elsewhere(
    rated, columns, tmp_path
):
    fold, rows = np.repeat(range(3), 3), rated.ratings[rated.ratings["use"] == "train"]
    snaps = {"visa": [True, True, False], "agree": [False, True, False], "rare": [False] * 3}
    said = pd.DataFrame({"rating_id": "r", "fold": fold, "target": TARGETS * 3, "prediction": 0.5, "snapped": 0.5})
    said["snaps"] = [snaps[target][number] for number, target in zip(fold, said["target"], strict=True)]
    test = pd.DataFrame({"rating_id": list("abcd"), "visa": [0.4, 0.1, 0.3, 0.2], "agree": 0.5, "rare": [0.1, 0, 0, 0]})
    rating_tables.RatingTables(pd.DataFrame(), said, test).write(tmp_path, rated, columns)
    tmp_path = tmp_path / "ratings"
    found = pd.read_csv(tmp_path / "submission_snapped.csv").set_index("qa_id")
    plain = pd.read_csv(tmp_path / "submission.csv").set_index("qa_id")
    assert found[["agree", "rare"]].equals(plain[["agree", "rare"]])
    expected = np.quantile(rows["visa"], [0.875, 0.125, 0.625, 0.375], method="inverted_cdf")
    assert found["visa"].tolist() == pytest.approx(expected.tolist(), abs=1e-6)
    assert not np.allclose(found["visa"], plain["visa"])


def test_ids_of_a_submission_are_as_they_are(rated, columns, tmp_path):
    said = pd.DataFrame({"rating_id": "r", "fold": 0, "target": TARGETS, "prediction": 0.5, "snapped": 0.5, "snaps": 0})
    test = pd.DataFrame({"rating_id": ["-kX3", "@u7"], **dict.fromkeys(TARGETS, 0.5)})
    rating_tables.RatingTables(pd.DataFrame(), said, test).write(tmp_path, rated, columns)
    for name in ("submission", "submission_snapped"):
        assert pd.read_csv(tmp_path / f"ratings/{name}.csv")["qa_id"].tolist() == ["-kX3", "@u7"]


def test_a_submission_has_targets_on_the_scale_that_they_came_on(rated, columns, tmp_path):
    said = pd.DataFrame({"rating_id": "r", "fold": 0, "target": TARGETS, "prediction": 0.5, "snapped": 0.5, "snaps": 0})
    test = pd.DataFrame({"rating_id": list("abc"), **{target: [0.0, 0.25, 1.0] for target in TARGETS}})
    rescaled = replace(columns, rescale={"agree": [1, 5]})
    rating_tables.RatingTables(pd.DataFrame(), said, test).write(tmp_path, rated, rescaled)
    for name in ("submission", "submission_snapped"):
        found = pd.read_csv(tmp_path / f"ratings/{name}.csv")
        assert found["agree"].tolist() == [1, 2, 5] and found["visa"].tolist() == [0, 0.25, 1]
    assert io.read_table(tmp_path / "ratings/test.parquet")["agree"].tolist() == [0, 0.25, 1]


def test_what_frozen_blocks_give_is_computed_once_for_all_folds_and_rounds(recorded):
    assert recorded(1).activations == 1


def test_what_a_frozen_encoder_gives_is_computed_once_for_all_folds_and_rounds(rated, train, monkeypatch):
    made, encode = [], Encoder.encode
    monkeypatch.setattr(Encoder, "encode", lambda *given, **named: made.append(1) or encode(*given, **named))
    train(of_two_folds(rated), train="head", objectives__ratings__pseudo_labels__rounds=1)
    assert len(made) == 2  # a table: of the ranking texts, and of the others


def test_the_start_is_left_as_it_was_and_the_system_is_that_of_the_first_fold(rated, make_encoder, finetuning):
    start = system.untrained(make_encoder())
    before = copy.deepcopy(start.state_dict())
    result = finetune.finetune_rank(start, of_two_folds(rated), finetuning(), ENCODER, 7)
    assert all(torch.equal(value, before[name]) for name, value in start.state_dict().items())
    # Whatever the other folds are, the first one trains on the same rows.
    torch.manual_seed((7 * 1_000_003) % 2**63)
    alone = finetune.finetune_rank(copy.deepcopy(start), replace(rated, held_out=0), finetuning(), ENCODER, 7)
    one, two = result.system.state_dict(), alone.system.state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert any(not torch.equal(one[name], before[name]) for name in one)


def changed_labels(prepared, fold):
    """Labels of one fold turned round."""
    ratings = prepared.ratings.copy()
    chosen = (ratings["fold"] == fold) & (ratings["use"] == "train")
    ratings.loc[chosen, TARGETS] = 1 - ratings.loc[chosen, TARGETS]
    return replace(prepared, ratings=ratings)


def test_labels_of_a_fold_change_no_byte_of_its_predictions_snapped_or_pseudo_labelled(rated, train, recorded):
    one = recorded(1).ratings.out_of_fold
    other = train(changed_labels(rated, 1), objectives__ratings__pseudo_labels__rounds=1).out_of_fold.out_of_fold
    own = one["fold"] == 1
    assert one[own].equals(other[own])
    assert not (one["prediction"] == other["prediction"])[~own].any()


def test_pseudo_labels_of_a_fold_are_those_of_its_own_model_and_weigh_by_how_sure_it_is(rated, recorded):
    seen = recorded(1).trainings
    assert [prepared.held_out for prepared, _ in seen] == [0, 0, 1, 1, 2, 2]
    rows = rated.ratings[rated.ratings["use"] != "train"]
    for (_, teacher), (prepared, pupil) in zip(seen[::2], seen[1::2], strict=True):
        said = teacher.predict(rows)
        assert (prepared.ratings.loc[rows.index, TARGETS].to_numpy() == said).all()
        assert pupil.rows.weight_RT[-8:] == pytest.approx(np.abs(2 * said - 1), abs=1e-6)
        assert not np.allclose(pupil.predict(rows), said, rtol=1e-4)


def test_a_column_is_snapped_where_that_helped_on_training_rows_and_nowhere_else(rated, train):
    found = train(rated, epochs=4.0).out_of_fold.out_of_fold
    rows = rated.ratings.set_index("rating_id")
    for (fold, target), own in found.groupby(["fold", "target"]):
        assert own["snaps"].isin([own["snaps"].iloc[0]]).all()
        if not own["snaps"].iloc[0]:
            assert (own["snapped"] == own["prediction"]).all()
            continue
        others = rows[(rows["use"] == "train") & (rows["fold"] != fold)][target]
        assert own["snapped"].isin(others).all()
        assert scipy.stats.kendalltau(own["snapped"], own["prediction"]).statistic > 0
    assert found["snaps"].any() and not found["snaps"].all()


class KilledError(Exception):
    pass


def test_a_killed_run_goes_on_with_its_fold_and_ends_with_the_same_bytes(
    rated, train, tmp_path, monkeypatch, capsys, columns
):
    monkeypatch.setattr("whyrank.training.engine.checkpoint.Checkpoints.__init__.__defaults__", (0.0,))
    options = {"objectives__ratings__pseudo_labels__rounds": 1}
    rated = of_two_folds(rated)

    def written(name):
        steps = []
        take = Loop.step
        with monkeypatch.context() as patch:
            patch.setattr(Loop, "step", lambda loop, step: steps.append(loop.what) or take(loop, step))
            trained = train(rated, **options)
        system.save(trained.system, tmp_path / name, longest=16)
        ratings = trained.out_of_fold
        ratings.write(tmp_path / name, rated, columns)
        for table, rows in (("folds", ratings.evaluations), ("steps", trained.history.steps)):
            io.write_table(tmp_path / name / f"{table}.csv", rows)
        io.write_table(tmp_path / name / "evaluations.csv", trained.history.evaluations)
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        return {str(path.relative_to(tmp_path / name)): path.read_bytes() for path in files}, steps, trained

    expected, whole, trained = written("whole")
    trained.checkpoints.remove()
    # After the first step of the second round of the second fold.
    killed_at, take, done = "fold 2 of 2, pseudo-labels 1 of 1: fine-tune", Loop.keep, []

    def keep(loop, *, now):
        take(loop, now=True)
        if loop.what == killed_at and not done:
            done.append(loop.done)
            raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "keep", keep)
        with pytest.raises(KilledError):
            train(rated, **options)
    capsys.readouterr()
    found, repeated, trained = written("again")
    assert found.keys() == expected.keys() and len(found) > 8
    assert {name for name in found if found[name] != expected[name]} == set()
    assert "fold 1 of 2: finished before" in capsys.readouterr().err
    assert repeated == whole[-len(repeated) :] and repeated.count(killed_at) == whole.count(killed_at) - 1
    assert len(set(whole)) == 4
    trained.checkpoints.remove()
    assert not any((cache.folder() / "checkpoints").rglob("*.checkpoint"))


def test_ratings_learn_what_question_and_answer_say_together(rated_apart, train):
    changes = {"epochs": 12.0, "max_steps": 36, "learning_rate": 0.02, "encoder_learning_rate": 2e-3}
    trained = train(of_two_folds(rated_apart), **changes)
    last = trained.out_of_fold.evaluations.groupby("fold").last()
    assert (last["train_ratings_spearman"] > 0.7).all()
    assert trained.history.steps["ratings_loss"].iloc[-3:].mean() < 0.7 * trained.history.steps["ratings_loss"].iloc[0]


def test_without_ratings_there_is_one_training_as_ever(topics, make_encoder, finetuning):
    chosen = finetuning(
        objectives__rank__weight=1.0, objectives__ratings__weight=0.0, head__kind="residual", train="head"
    )
    torch.manual_seed(0)
    result = finetune.finetune_rank(system.untrained(make_encoder()), topics, chosen, ENCODER, 7)
    torch.manual_seed(0)
    alone = finetune.finetune_rank(system.untrained(make_encoder()), topics, chosen, ENCODER, 7)
    assert result.out_of_fold is None and result.history.steps.equals(alone.history.steps)
    assert "ratings_undefined" not in alone.history.evaluations


def test_one_fold_is_a_user_error(rated, train):
    with pytest.raises(UserError, match=r"the ratings are of 1 fold"):
        train(replace(rated, ratings=rated.ratings.replace({"fold": {1: 0, 2: 0}})))
