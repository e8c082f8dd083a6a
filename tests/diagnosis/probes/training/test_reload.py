"""Training beside evaluation: vectors of the same texts, and dev metrics of the same weights."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from whyrank.diagnosis.examination import Examination
from whyrank.findings.probe import registered
from whyrank.findings.records import Records
from whyrank.findings.systems import Systems

from ..faults import of, planted

ROWS = np.arange(0, 40, 5)


def golden(run: Any, below: np.ndarray | None = None, *, random: np.random.Generator | None = None) -> pd.DataFrame:
    """What a training records of texts whose vectors are those of `run`, above heads that turned them round."""
    query_ND, answer_ND = run.query_vectors[ROWS], run.answer_vectors[ROWS]
    own_ND = np.concatenate([query_ND, answer_ND])
    noise = 0 if random is None else random.standard_normal(own_ND.shape)
    table = pd.DataFrame({"side": np.repeat(["query", "answer"], len(ROWS)), "row": np.tile(ROWS, 2)})
    below_ND = own_ND[:, ::-1] if below is None else below
    turned_ND = np.roll(own_ND, 1, axis=1)
    is_query = (table["side"] == "query").to_numpy()[:, None]
    vectors = {
        "encoder_vector": below_ND,
        "query_vector": np.where(is_query, own_ND + noise, turned_ND),
        "answer_vector": np.where(is_query, turned_ND, own_ND + noise),
    }
    return table.assign(**{name: list(vector_ND) for name, vector_ND in vectors.items()})


def with_golden(records: Records, table: pd.DataFrame, again: pd.DataFrame | None = None) -> Records:
    finetune = records.finetune | {"base": replace(records.finetune["base"], golden=table)}
    run = replace(records.runs["base-tuned"], golden=again)
    return replace(records, finetune=finetune, runs=records.runs | {"base-tuned": run})


@planted("reload-changes-vectors", of("reload-changes-vectors", "base-tuned"))
def other_weights(lab: Any, healthy: Records) -> Records:
    """Training recorded vectors that nothing evaluated has."""
    random = np.random.default_rng(0)
    return with_golden(healthy, golden(healthy.runs["base-tuned"], random=random))


def told(code: str, records: Records) -> dict[str, Any]:
    (probe,) = [one for one in registered("trained") if one.code == code]
    return {one.system: one for one in probe.find(Examination(records, "accuracy@1", 0.95, 300, 0))}


def test_vectors_that_are_the_same_pass_and_unrecorded_ones_do_not_apply(healthy):
    found = told("reload-changes-vectors", with_golden(healthy, golden(healthy.runs["base-tuned"])))
    assert found["base-tuned"].status == "passed" and found["base-tuned"].measured.value > 0.9999
    assert found["barlow-tuned"].status == "not applicable"


def with_pooling(records, name="base-tuned", **more):
    own = records.systems.options
    options = own | {name: replace(own["base-tuned"], pooling="max")} | more
    return replace(records, systems=Systems(options, records.systems.inits))


def test_another_pooling_than_that_of_the_training_is_named_and_taken_back(lab, healthy):
    found = told("reload-changes-vectors", with_pooling(other_weights(lab, healthy)))["base-tuned"]
    assert found.severity == "error" and "pooled by max, not as in training" in found.sentence
    assert found.fix.params == {"systems.base-tuned.pooling": "auto"}
    same = with_pooling(with_golden(healthy, golden(healthy.runs["base-tuned"])))
    assert told("reload-changes-vectors", same)["base-tuned"].status == "passed"


def test_a_variant_beside_the_system_as_it_was_trained_is_no_fault(lab, healthy):
    own = healthy.systems.options["base-tuned"]
    variant = with_pooling(other_weights(lab, healthy), **{"as-trained": own})
    assert told("reload-changes-vectors", variant)["base-tuned"].severity == "info"


def test_half_precision_of_another_batch_is_no_fault(healthy):
    run = healthy.runs["base-tuned"]
    random = np.random.default_rng(0)
    rounded = replace(
        run, query_vectors=run.query_vectors * (1 + 0.004 * random.standard_normal(run.query_vectors.shape))
    )
    assert told("reload-changes-vectors", with_golden(healthy, golden(rounded)))["base-tuned"].status == "passed"


def swapped(run):
    table = golden(run)
    return table.rename(columns={"query_vector": "answer_vector", "answer_vector": "query_vector"})


def below_heads(run):
    own_ND = np.concatenate([run.query_vectors[ROWS], run.answer_vectors[ROWS]])
    return golden(
        replace(run, query_vectors=run.query_vectors[:, ::-1], answer_vectors=run.answer_vectors[:, ::-1]), own_ND
    )


def shorter(run):
    return golden(replace(run, query_vectors=run.query_vectors[:, :32], answer_vectors=run.answer_vectors[:, :32]))


def moved_rows(run):
    return golden(replace(run, answer_vectors=np.roll(run.answer_vectors, 3, axis=0)))


@pytest.mark.parametrize(
    ("trained", "words"),
    [(swapped, "heads of queries and answers were swapped"), (below_heads, "the heads were not loaded"),
     (shorter, "64 features instead of 32"), (moved_rows, "they are those of other answers")],
)  # fmt: skip
def test_what_was_loaded_instead_is_named(trained, words, healthy):
    found = told("reload-changes-vectors", with_golden(healthy, trained(healthy.runs["base-tuned"])))
    assert words in found["base-tuned"].sentence


def test_the_weights_before_training_are_recognised(lab, healthy):
    records = lab.spoil(healthy, base_tuned=healthy.runs["base"])
    found = told("reload-changes-vectors", with_golden(records, golden(healthy.runs["base-tuned"])))
    assert "they are those of base" in found["base-tuned"].sentence


def test_dropout_heads_and_encoder_are_told_apart_by_a_second_pass(healthy):
    run, random = healthy.runs["base-tuned"], np.random.default_rng(0)
    trained = golden(run, random=random)
    cases = {
        "dropout is on": golden(run, random=random),
        "the heads differ": golden(run),
        "they differ below the heads already": golden(run, np.stack(list(golden(run)["query_vector"]))),
    }
    for words, again in cases.items():
        assert words in told("reload-changes-vectors", with_golden(healthy, trained, again))["base-tuned"].sentence


def with_dev(healthy: Records, shift: float, rows: int = 80) -> Records:
    """Training's last evaluation, and what `evaluate` finds of the same dev queries."""
    record, run = healthy.finetune["base"], healthy.runs["base-tuned"]
    ids = healthy.data.queries.loc[healthy.data.queries["split"] == "dev", "query_id"].to_numpy()[:rows]
    dev = pd.DataFrame({"query_id": ids, "split": "dev", "mrr": 0.9})
    dev["accuracy@1"] = (np.arange(rows) < round((record.evaluations["accuracy@1_all"].iloc[-1] + shift) * rows)) * 1.0
    looks = record.evaluations.assign(mrr_all=0.9)
    finetune = healthy.finetune | {"base": replace(record, evaluations=looks)}
    return replace(healthy, finetune=finetune, runs=healthy.runs | {"base-tuned": replace(run, other_splits=dev)})


@planted("evaluation-differs-from-training", of("evaluation-differs-from-training", "base-tuned"))
def other_dev_figures(lab: Any, healthy: Records) -> Records:
    return with_dev(healthy, -0.3)


def test_the_same_dev_figures_pass_and_a_small_dev_set_tells_nothing(healthy):
    code = "evaluation-differs-from-training"
    assert told(code, with_dev(healthy, 0.0))["base-tuned"].status == "passed"
    assert told(code, with_dev(healthy, -0.3, rows=19))["base-tuned"].status == "not enough data"


def test_the_figures_before_a_read_out_that_was_chosen_after_training_are_not_compared(healthy):
    records = with_dev(healthy, -0.3)
    training = records.finetune["base"]
    chosen = replace(training, metrics=training.metrics | {"has_new_readout": 1.0})
    records = replace(records, finetune=records.finetune | {"base": chosen})
    assert told("evaluation-differs-from-training", records)["base-tuned"].status == "not applicable"


def test_an_earlier_checkpoint_is_recognised(healthy):
    records = with_dev(healthy, 0.0)
    run, looks = records.runs["base-tuned"], records.finetune["base"].evaluations
    dev = run.other_splits.assign(**{"accuracy@1": looks["accuracy@1_all"].iloc[0]})
    records = replace(records, runs=records.runs | {"base-tuned": replace(run, other_splits=dev)})
    assert "before its first step" in told("evaluation-differs-from-training", records)["base-tuned"].sentence
