"""What the batches showed a training of ranking: which rows, in which order, against which mined negatives."""

from collections.abc import Iterator
from dataclasses import replace

from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.probes.training.learning_rate import SPOILT
from whyrank.diagnosis.probes.training.steps import each_training, rounded, rows_seen
from whyrank.findings.finding import Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed, too_little
from whyrank.findings.probe import probe
from whyrank.findings.records import TrainingRecord

# Distance of neighbours of a batch in the order of the data, over that of a random order. Mean over the steps of
# healthy
# runs: 0.9 to 1.1.
IN_ORDER = 0.5
# Rows of all batches, and largest share of the data in one batch.
FEWEST_ROWS, LARGEST_BATCH = 64, 0.5
# Share of the training queries that should have been seen by then; with each row once before any again it is 1.
SEEN = 0.7
# Share of the training queries that a training should have seen at least.
ENOUGH = 0.5
# Share of the mined negatives that score as high as the right answer.
NEAR, RIGHT = 0.2, 0.001

LITTLE = ("underfitted", "overfitted", *SPOILT)


@probe("batches-not-mixed", on="trained", explains=LITTLE, layer="batches", about="ranking")
@each_training
def batches_not_mixed(case: Examination, init: str, record: TrainingRecord) -> Iterator[Finding | Outcome]:
    """Batches hold queries that stand side by side in the data."""
    history, queries = record.history, _training_queries(case)
    if "row_gap" not in history:
        yield not_applicable("", "the order of the rows in the batches")
        return
    if history["rows"].sum() < FEWEST_ROWS or history["rows"].max() > LARGEST_BATCH * queries:
        yield too_little("", f"{history['rows'].sum():.0f} rows in batches of {history['rows'].max():.0f} of {queries}")
        return
    gap, distinct = float(history["row_gap"].mean()), float((history["distinct_answers"] / history["rows"]).mean())
    if gap >= IN_ORDER:
        yield passed("", Evidence("distance of neighbours in a batch, of that in a random order", gap), IN_ORDER)
        return
    yield Finding(
        sentence=f"Batches are not shuffled: neighbours in a batch stand {100 * gap:.0f} % as far apart in the data "
        f"as in a "
        f"random order, and a batch has {100 * distinct:.0f} % different answers.",
        evidence=(
            percent("distance of neighbours in a batch, of that in a random order", gap).against(100 * IN_ORDER),
            percent("different answers, of the rows of a batch", distinct),
        ),
        cause="Rows come as they stand in the data, sorted by answer, topic or source: a batch sees a part of the "
        "task, "
        "and each part of the training overwrites the one before.",
        fix=Fix({}, "shuffle the training pairs before each epoch"),
        reference="Bottou 2012, Stochastic gradient descent tricks; ST#2920",
        weight=10.0,
    )


@probe("rows-never-seen", on="trained", explains=("batches-not-mixed", *LITTLE), layer="batches", about="ranking")
@each_training
def rows_never_seen(case: Examination, init: str, record: TrainingRecord) -> Iterator[Finding | Outcome]:
    """Training queries that no step had, though so many rows were drawn, or because there were too few steps."""
    history, queries = record.history, _training_queries(case)
    if "queries_seen" not in history or not queries:
        yield not_applicable("", "the training queries that batches had")
        return
    drawn, pairs = rows_seen(case.records, record, "rank", "rows"), len(case.data.ranking.relevant_in("train"))
    seen = min(1.0, float(history["queries_seen"].iloc[-1]) / queries)
    # Of a query with several answers some pairs may be all that was drawn: each query counts once.
    expected = min(1.0, drawn / pairs)
    if seen >= max(SEEN * expected, ENOUGH):
        yield passed("", percent("training queries that a step had", seen), 100 * max(SEEN * expected, ENOUGH))
        return
    is_left_out = seen < SEEN * expected
    yield Finding(
        severity="warning" if is_left_out else "info",
        sentence=f"{100 * (1 - seen):.0f} % of the {queries} training queries were in no batch, though {drawn:.0f} "
        f"rows were "
        f"drawn from {pairs} training pairs."
        if is_left_out
        else f"Training ended before it had {100 * (1 - seen):.0f} % of the {queries} training queries.",
        evidence=(
            percent("training queries that a step had", seen).against(100 * max(SEEN * expected, ENOUGH)),
            Evidence("rows of all batches", drawn, "rows"),
            Evidence("training pairs", pairs, "pairs"),
        ),
        cause="The batches are drawn from a part of the rows: a limit, a filter, or a sampler that starts anew."
        if is_left_out
        else "There are fewer steps than one round through the training pairs takes.",
        fix=Fix({}, "draw every training pair once before any comes again")
        if is_left_out
        else Fix(
            {"finetune_rank.epochs": 1.0 if drawn < pairs else rounded(2 * drawn / pairs), "finetune_rank.max_steps": 0}
        ),
        reference="sentence-transformers: max_steps; Bottou 2012",
        weight=100 * (1 - seen) / 5,
    )


@probe("hard-negatives-are-right", on="trained", explains=LITTLE, layer="batches", about="ranking")
@each_training
def hard_negatives_are_right(case: Examination, init: str, record: TrainingRecord) -> Iterator[Finding | Outcome]:
    """Mined negatives that the judgements call right, or that score as the right answer does."""
    history = record.history
    if "negatives_near" not in history:
        yield not_applicable("", "mined hard negatives")
        return
    near, right = float(history["negatives_near"].mean()), float(history["negatives_right"].mean())
    if near < NEAR and right < RIGHT:
        yield passed("", percent("mined negatives that score 0.95 of the right answer or more", near), 100 * NEAR)
        return
    yield Finding(
        sentence=f"{100 * right:.1f} % of the mined negatives are relevant by the judgements."
        if right >= RIGHT
        else f"{100 * near:.0f} % of the mined negatives score at least 0.95 of the right answer: many are right, too.",
        evidence=(
            replace(
                percent("mined negatives that score 0.95 of the right answer or more", near),
                threshold=100 * NEAR if near >= NEAR else None,
            ),
            replace(
                percent("mined negatives that are relevant by the judgements", right),
                threshold=100 * RIGHT if right >= RIGHT else None,
            ),
        ),
        cause="What scores like the right answer is often another right answer that nobody judged: training pushes "
        "it away.",
        fix=Fix(
            {"finetune_rank.hard_negatives.margin": 0.1 if near < NEAR else 0.05},
            "or judge the negatives that score highest",
        ),
        reference="Moreira et al. 2024, arXiv:2407.15831; FE#826, #1262",
        weight=10.0,
    )


def _training_queries(case: Examination) -> int:
    return int(case.data.ranking.relevant_in("train")["query"].nunique())
