"""The bench of faults judges rightly: harm against a healthy twin, what was flagged, and which cause came first.

Its runs are not tried here: `python -m benchmarks.faults run` takes half an hour.
"""

import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
# After the path: the benchmarks are no package that is installed.
from benchmarks.faults import harm, kinds, raw, report  # noqa: E402
from benchmarks.faults.development import labels  # noqa: E402
from whyrank.diagnosis import registry  # noqa: E402

DEVELOPMENT = kinds.faults("development")


def measure(values, name="base-tuned"):
    return {name: {str(at): (value, str(at // 2)) for at, value in enumerate(values)}}


def said(*codes, severity="warning", is_root=True):
    return [{"code": code, "severity": severity, "is_root": is_root} for code in codes]


def row(findings, preflight=(), **more):
    found = {"key": "k", "kind": "development", "fault": "f", "about": "labels", "task": "ranking", "set": "sample",
             "seed": 1, "harm": {"lost": [-0.1, -0.2, -0.05]}, "refused": ""}  # fmt: skip
    return found | {"findings": list(findings), "preflight": list(preflight)} | more


def test_a_loss_beyond_its_interval_is_harm_and_noise_is_none():
    random = np.random.default_rng(1)
    healthy = measure(random.random(200))
    worse = measure([value - 0.2 for value, _ in healthy["base-tuned"].values()])
    noise = measure([value + random.normal() / 100 for value, _ in healthy["base-tuned"].values()])
    assert "lost" in harm.harms(worse, worse, healthy, healthy)
    assert harm.harms(noise, noise, healthy, healthy) == {}


def test_a_figure_above_what_the_system_is_worth_is_harm():
    healthy = measure(np.linspace(0.2, 0.6, 100))
    recorded = measure(np.linspace(0.5, 0.9, 100))
    assert set(harm.harms(healthy, recorded, healthy, healthy)) == {"inflated:base-tuned"}


def test_a_baseline_is_worth_what_it_has_in_the_healthy_run():
    healthy = measure(np.linspace(0.2, 0.6, 100), "bm25")
    recorded = measure(np.linspace(0.0, 0.3, 100), "bm25")
    assert set(harm.harms({}, recorded, {}, healthy)) == {"recorded:bm25", "deflated:bm25"}


def test_units_that_share_nothing_are_compared_by_their_means():
    one = {f"a{at}": (0.9, str(at)) for at in range(50)}
    other = {f"b{at}": (0.1 + at / 1000, str(at)) for at in range(50)}
    assert harm.difference(one, other).is_gain


@pytest.mark.parametrize(("hits", "n"), [(31, 37), (0, 5), (120, 120)])
def test_shares_have_the_interval_of_wilson(hits, n):
    low, high = scipy.stats.binomtest(hits, n).proportion_ci(method="wilson")
    assert report.wilson(hits, n) == f"{hits} of {n}: {100 * hits / n:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"


def test_what_the_healthy_run_has_too_does_not_flag_a_fault():
    marks = report.judged(row(said("usual")), row(said("usual")), ["wrong-labels"])
    assert not marks["flagged"] and not marks["first"]


def test_the_first_root_names_the_cause_and_a_symptom_does_not():
    found = [*said("underfitted", is_root=False), *said("other", "wrong-labels")]
    marks = report.judged(row(found), row([]), ["wrong-labels"])
    assert marks["flagged"] and not marks["first"] and marks["three"] and not marks["early"]


@pytest.mark.parametrize(
    ("sets", "is_first"), [(["finetune_rank.weight_decay"], True), (["finetune_rank.epochs"], False), ([], False)]
)
def test_a_suspicion_names_a_fault_only_by_a_key_that_it_set(sets, is_first):
    found = [one | {"sets": sets} for one in said("unusual-setting", "other")]
    marks = report.judged(row(found), row([]), ["unusual-setting"], {"finetune_rank.weight_decay", "seed"})
    assert marks["first"] == is_first and marks["flagged"]
    assert "finetune_rank.weight_decay" in kinds.named("development")["weight-decay-undoes"]


def test_a_refusal_flags_and_names_by_its_words():
    refused = row([], refused="the tokenizer sets no [CLS]", stage="prepare")
    assert report.judged(refused, row([]), ["refused: tokenizer"])["first"]
    assert not report.judged(refused, row([]), ["wrong-labels"])["first"]


def test_the_report_has_a_line_of_each_kind():
    twin = row([], kind="twin", fault="none", key="t")
    told = report.report([twin, row(said("wrong-labels"), fault="labels-20-percent-wrong")], "development")
    assert "harmful, right cause first: 1 of 1" in told
    assert "| labels-20-percent-wrong | labels | 1/1 | 1/1 | 1/1 | 1/1 | **wrong-labels** 1 |" in told


def test_kinds_are_many_over_all_subjects():
    assert len(DEVELOPMENT) >= 55
    assert {fault.about for fault in DEVELOPMENT} == {
        "data", "labels", "parameters", "code", "encoder", "barlow", "pairs", "ratings",
    }  # fmt: skip
    assert sum(fault.encoder is not None for fault in DEVELOPMENT) >= 20


@pytest.mark.parametrize("kind", kinds.PLACES)
def test_every_cause_is_that_of_a_kind_and_every_code_that_of_a_check(kind):
    causes = kinds.causes(kind)
    assert set(causes) <= {fault.name for fault in kinds.faults(kind)}
    accepted = {code for codes in causes.values() for code in codes if not code.startswith("refused:")}
    assert accepted <= set(registry.codes())


def test_labels_moved_keep_the_queries_and_shuffled_ones_the_answers(tmp_path):
    rows = [[f"q{at}", f"a{at}", "1"] for at in range(40)]
    for split in raw.SPLITS:
        raw.write_qrels(tmp_path, split, rows)
    labels.in_splits(["train"], labels.moved)(tmp_path, np.random.default_rng(1))
    assert raw.read_qrels(tmp_path, "train")[:2] == [["q0", "a39", "1"], ["q1", "a0", "1"]]
    labels.in_splits(["test"], labels.shuffled, 0.5)(tmp_path, np.random.default_rng(1))
    found = raw.read_qrels(tmp_path, "test")
    changed = sum(one != other for one, other in zip(found, rows, strict=True))
    assert sorted(one[1] for one in found) == sorted(one[1] for one in rows) and 10 < changed < 30
    assert raw.read_qrels(tmp_path, "dev") == rows
