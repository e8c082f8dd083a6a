"""Whether the figures of a run follow from its own records."""

from collections.abc import Iterator

from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.probes.ranking.by_lists import WRONG, of_list_metrics, of_lists, of_means, of_queries
from whyrank.diagnosis.probes.ranking.by_vectors import of_scores, of_vectors
from whyrank.diagnosis.recount import summary
from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, passed
from whyrank.findings.probe import probe

# The plainest first: the sentence is that of the first one that finds something.
CHECKS = (of_queries, of_lists, of_scores, of_vectors, of_list_metrics, of_means)


@probe(
    "metrics-do-not-follow",
    on="trained",
    explains=(
        "evaluation-differs-from-training",
        "worse-than-zero-shot",
        "worse-than-lexical",
        "lexical-at-chance",
        "encoder-at-chance",
        "labels-at-chance",
        "below-chance",
        "trained-at-chance",
        "tuning-brought-nothing",
        "pretraining-hurts",
        "pretraining-helps",
        "underfitted",
        "overfitted",
        "forgetting",
        "hub-answers",
        "question-conversation-gap",
        "ties-decide-the-metric",
    ),
    about="ranking",
    layer="evaluation",
)
def metrics_do_not_follow(case: Examination) -> Iterator[Finding | Outcome]:
    """The recorded figures of a system are not what its vectors, lists and the judgements come to."""
    for system, run in case.records.runs.items():
        faults = [fault for check in CHECKS if (fault := check(case, run)) is not None]
        if not faults:
            sure = "" if run.query_vectors is None else "also by its vectors"
            yield passed(system, percent("queries whose figures are others", 0.0), 100 * WRONG, sure)
            continue
        yield Finding(
            severity="error",
            system=system,
            sentence=f"The figures of {system} do not follow from its own records: {faults[0].words}.",
            evidence=(
                *(percent(f"affected: {fault.words}", fault.share).against(100 * WRONG) for fault in faults),
                *(Evidence(f"recorded {name}", value) for name, value in list(summary(run.queries).items())[:3]),
            ),
            cause="The scoring code counts ranks, queries, judgements or the mean otherwise than its definition says: "
            "every comparison with this system is void until it is corrected.",
            fix=Fix({}, "correct src/whyrank/scoring and src/whyrank/measure/metrics (their tests say where), then run "
                        f"`dvc repro --force evaluate@{system}`"),
            reference="ir_measures, ranx and trec_eval define the metrics; mteb#642, ST#3450 (figures that differ)",
            weight=CAUSE + 100 * max(fault.share for fault in faults),
        )  # fmt: skip
