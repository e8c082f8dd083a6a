"""Answers whose texts changed places."""

from collections.abc import Iterator

from whyrank.findings.finding import Evidence, Finding, Fix
from whyrank.findings.outcome import Outcome, not_applicable, passed, too_little
from whyrank.findings.probe import probe
from whyrank.findings.records import DataRecords, rows_of
from whyrank.preflight.probes.label_symptoms import OF_TRAINING
from whyrank.preflight.probes.wrong_labels import APPLY

# Queries of answers that changed places; of healthy sets, four of two answers about one thing pointed crosswise.
FEWEST_VOTES = 6


@probe("answer-texts-swapped", on="preflight", layer="labels", about="ranking", explains=(*OF_TRAINING, "wrong-labels"))
def answer_texts_swapped(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Answers whose queries all point to each other's text."""
    if data.table("untuned").empty:
        yield not_applicable("data", "judgements under untuned rankers")
        return
    table = data.table("answer_votes")
    circles = table[table["circle"] > 0] if len(table) else table
    if 0 < circles["queries"].sum() < FEWEST_VOTES:
        yield too_little("data", f"{int(circles['queries'].sum())} queries that point to each other's answers")
        return
    if circles.empty:
        yield passed("data", Evidence("answers that changed places", 0, "answers"), 2)
        return
    named = ", ".join(f"{row.answer_id} → {row.becomes}" for row in rows_of(circles)[:4])
    yield Finding(
        system="data",
        sentence=f"The texts of {len(circles)} answers changed places ({named}): none of their "
        f"{int(circles['queries'].sum())} queries finds its own answer, and all point to the other.",
        evidence=(
            Evidence("answers that changed places", len(circles), "answers").against(2),
            Evidence("their queries", int(circles["queries"].sum()), "queries"),
            Evidence("lead of the other answer", float(circles["margin"].mean()), "standard deviations"),
        ),
        cause="Ids and texts of these answers were joined crosswise.",
        fix=Fix(
            {},
            "give the answers their own texts; or " + APPLY.format("the list"),
            rows="metrics/prepare/rows_answer-texts-swapped.csv",
        ),
        reference="docs/findings.md",
        weight=100 * float(circles["queries"].sum()) / max(len(data.table("judgements")), 1),
    )
