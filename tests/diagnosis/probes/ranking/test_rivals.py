"""A rival that beats every encoder and baseline is named with interval and what to do; one that does not, is not."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.probes.ranking import rivals
from whyrank.diagnosis.report import recommended
from whyrank.diagnosis.report.content import gather
from whyrank.diagnosis.report.sections.systems import choice
from whyrank.findings.probe import registered
from whyrank.findings.records import Records

from ..faults import of, planted

PROBES = {
    "nearest-query": rivals.nearest_query_wins,
    "classifier": rivals.classifier_wins,
    "fusion": rivals.fusion_wins,
}
HOW = {
    "nearest-query": {"unseen_query_share": 0.02, "unseen_answer_share": 0.05},
    "classifier": {"C": 10.0, "dev_mrr": 0.5, "unseen_query_share": 0.0, "unseen_answer_share": 0.0},
    "fusion": {"systems": ["bm25", "base"], "weights": [0.3, 0.7], "method": "weighted", "dev_mrr": 0.5},
}


def winning(lab: Any, healthy: Records, rival: str) -> Records:
    """Its scores are those of vectors that lie closer to their answers than any other system's."""
    return lab.spoil(healthy, **{rival: lab.scored(lab.vectors(0.05) @ lab.answer_AD.T)})


for name in PROBES:
    planted(f"{name}-wins", of(f"{name}-wins", name))(partial(winning, rival=name))


@pytest.fixture
def with_rival(recorded):
    """A run in which a rival is right for all but a share of the queries."""

    def make(kind, wrong):
        run = recorded.runs["base-tuned"]
        value = (np.random.default_rng(3).random(len(run.queries)) >= wrong).astype(float)
        metrics = {name: value for name in run.queries if "@" in name or name == "mrr"}
        own = replace(
            run, queries=run.queries.assign(**metrics), query_vectors=None, answer_vectors=None, how=HOW[kind]
        )
        records = replace(recorded, runs={**recorded.runs, kind: own})
        return Examination(records, "accuracy@1", level=0.95, resamples=500, seed=7)

    return make


@pytest.mark.parametrize("kind", PROBES)
def test_a_rival_that_wins_is_told_with_its_interval_and_what_to_do(with_rival, kind):
    case = with_rival(kind, 0.0)
    (finding,) = PROBES[kind](case)
    assert finding.code == f"{kind}-wins" and finding.system == kind
    assert finding.sentence.startswith(kind) and "beats base-tuned" in finding.sentence and "  " not in finding.sentence
    assert finding.interval is not None and finding.interval[0] > 0
    assert f"whyrank export {kind} FOLDER" in finding.fix.action
    assert finding.severity == ("info" if kind == "fusion" else "warning")


@pytest.mark.parametrize("kind", PROBES)
def test_a_rival_that_loses_passes_and_one_without_a_run_is_not_applicable(with_rival, recorded, kind):
    case = with_rival(kind, 0.9)
    assert not list(PROBES[kind](case))
    (probe,) = [one for one in registered("trained") if one.code == f"{kind}-wins"]
    assert [one.status for one in probe.find(case)] == ["passed"]
    alone = Examination(recorded, "accuracy@1", level=0.95, resamples=500, seed=7)
    assert [one.status for one in probe.find(alone)] == ["not applicable"]


def test_verdict_and_recommendation_name_the_rival_that_wins(with_rival):
    content = gather(with_rival("classifier", 0.0), [], {})
    assert "classifier beats base-tuned, by " in content.verdict
    assert recommended.recommended(content)[0] == "classifier"
    lost = gather(with_rival("classifier", 0.9), [], {})
    assert "classifier" not in lost.verdict and recommended.recommended(lost)[0] != "classifier"


def test_the_report_says_whether_the_dev_set_chose():
    made = HOW["fusion"]
    assert choice(made, []) == "bm25 (0.30) with base (0.70), weighted, chosen on the dev set"
    assert choice(made | {"dev_mrr": None}, []).endswith("weighted, not chosen: no dev query is known")
