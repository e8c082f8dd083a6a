"""Missing judgements: planted as copies of answers under other ids, that nobody judged."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from whyrank.core.prepared import Prepared
from whyrank.findings.finding import Finding
from whyrank.findings.outcome import Outcome
from whyrank.findings.probe import registered
from whyrank.findings.records import DataRecords, Records
from whyrank.preflight.figures import rankers, unjudged
from whyrank.preflight.figures.texts.read import Read

from ...diagnosis.probes.faults import of, planted, with_data

WORDS = [f"word{i}" for i in range(500)]


def texts(answers: int) -> list[str]:
    random = np.random.default_rng(1)
    return [" ".join(random.choice(WORDS, 40)) for _ in range(answers)]


def recorded(data: DataRecords, copied: int) -> dict[str, pd.DataFrame]:
    """What is recorded where so many answers have a copy with another last word; rankers cannot tell them apart."""
    random = np.random.default_rng(2)
    answers = data.answers.assign(text=texts(len(data.answers)))
    copies = answers.head(copied).assign(answer_id=[f"copy of {name}" for name in answers["answer_id"].head(copied)])
    copies["text"] += " besides"
    both = pd.concat([answers, copies], ignore_index=True)
    prepared = Prepared(both, data.queries, data.qrels)
    score_SA = random.standard_normal((len(data.queries), len(both)))
    right = prepared.relevant
    score_SA[right["query"], right["answer"]] += 4
    has_copy = right["answer"] < copied
    score_SA[right["query"][has_copy], right["answer"][has_copy] + len(answers)] += 4
    pairs = right.assign(row=right["query"], split=data.queries["split"].to_numpy()[right["query"]], type="question")
    scores = dict.fromkeys(rankers.RANKERS, rankers.standardised(score_SA))
    ranked = rankers.Ranked(np.arange(len(data.queries)), pairs, scores, rankers.RANKERS, 9.0)
    return unjudged.tables(ranked, Read(prepared))


@planted("missing-judgements", of("missing-judgements", "data"))
def copies_nobody_judged(lab: Any, healthy: Records) -> Records:
    return with_data(healthy, tables=healthy.data.tables | recorded(healthy.data, 12))


def told(data: DataRecords, tables: dict[str, pd.DataFrame]) -> Finding | Outcome:
    (probe,) = [one for one in registered("preflight") if one.code == "missing-judgements"]
    (one,) = probe.find(replace(data, tables=data.tables | tables))
    return one


def test_copies_above_the_right_answer_say_what_the_metric_leaves_out(healthy):
    found = told(healthy.data, recorded(healthy.data, 12))
    assert isinstance(found, Finding) and found.severity == "warning"
    # 12 of 40 answers have a copy, which is ahead for half of their queries.
    low, high = found.interval
    assert low < 100 * 12 / 40 / 2 < high and 8 < found.weight < 30
    assert found.fix.rows == "metrics/prepare/rows_missing-judgements.csv"
    merged = recorded(healthy.data, 12)["rows_missing-judgements"]
    assert len(merged) == 12 and all(
        f"copy of {right}" == other or f"copy of {other}" == right
        for other, right in zip(merged["answer_id"], merged["becomes"], strict=True)
    )


def test_healthy_judgements_pass_with_their_share(healthy):
    one = told(healthy.data, recorded(healthy.data, 0))
    assert isinstance(one, Outcome) and one.status == "passed" and one.measured.value == 0


def test_one_copied_answer_is_no_finding(healthy):
    one = told(healthy.data, recorded(healthy.data, 1))
    assert isinstance(one, Outcome) and one.status == "passed" and one.measured.value > 0


def test_few_queries_are_too_little(healthy):
    few = {name: table.head(30) for name, table in recorded(healthy.data, 12).items()}
    assert told(healthy.data, few).status == "not enough data"
    assert told(healthy.data, {}).status == "not applicable"
