"""Faults of what stands together in a batch, seen from its composition alone."""

from collections.abc import Iterator

from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix
from whyrank.findings.records import DataRecords

# Standardising a feature over a batch of k answers takes one of the k directions in which they differ: (k - 1) / k of
# what tells answers apart is left. With one answer nothing is; at a mean of 1.5 half of the batches or more have one.
SINGLE_ANSWER = 1.5

# Share of rows. One row in twenty that is told its right answer is wrong; expected collisions of a batch of 32 reach
# this with about 20 equally frequent answers per row (ST#2870, #608).
FALSE_NEGATIVES = 0.05

# Pretraining that cannot cost much whatever stands on top of it: the head starts as the identity, 30 steps keep it
# near, and queries are pulled to answers, which is what ranking asks for.
SAFE_PRETRAINING = {
    "pretrain_barlow.batches": "across_answers",
    "pretrain_barlow.views": ["query-answer"],
    "pretrain_barlow.head.kind": "residual",
    "pretrain_barlow.steps": 30,
}


def barlow_single_answer_batches(data: DataRecords) -> Iterator[Finding]:
    """The pretraining batches that were drawn hold one answer each."""
    drawn = data.batches[data.batches["stage"] == "pretrain_barlow"]
    if len(drawn) and drawn["distinct_answers"].mean() <= SINGLE_ANSWER:
        yield single_answer_finding(float(drawn["distinct_answers"].mean()), float(drawn["rows"].mean()))


def single_answer_finding(distinct: float, rows: float) -> Finding:
    return Finding(
        code="barlow-single-answer-batches",
        severity="error",
        system="pretrain_barlow",
        sentence=f"The {rows:.0f} rows of a Barlow Twins batch belong to {distinct:.1f} answers on average, so nothing "
        "that identifies an answer can be learned.",
        evidence=(
            Evidence("distinct answers per batch", distinct, "answers"),
            Evidence("rows per batch", rows, "rows"),
        ),
        cause="Each feature is standardised over the batch: its batch mean is subtracted. When all rows share one "
        "answer, that mean is the answer, so just what the two views have in common is removed. The rest is variation "
        "within the answer, paired at random; the invariance term cannot fall, and features that ignore the answer are "
        "rewarded.",
        fix=Fix(SAFE_PRETRAINING),
        reference="Zbontar et al. 2021, arXiv:2103.03230",
        weight=CAUSE,
    )


def false_negatives_in_batch(data: DataRecords) -> Iterator[Finding]:
    """The fine-tuning batches that were drawn tell rows that their right answer is wrong."""
    drawn = data.batches[data.batches["stage"] == "finetune_rank"]
    if len(drawn):
        yield from false_negative_findings(data, float(drawn["rows_with_false_negatives"].mean()))


def false_negative_findings(data: DataRecords, share: float) -> Iterator[Finding]:
    """share   of the rows of a batch that have at least one right answer among their negatives"""
    if share < FALSE_NEGATIVES:
        return
    twins, several = twin_share(data), several_share(data)
    merge = "give answers with the same text one id in corpus.jsonl and in the qrels" if twins else ""
    # A copy of the right answer is no wrong direction: with p on all copies together, the gradient at the query is the
    # sum of p_j a_j over the others less (1 - p) a. On the sample, over 12 settings of batch, rate and seed, masking
    # such copies changed accuracy@1 of base-tuned by 0.2 points on average (-8.8 to 6.6), of barlow-tuned by 0.0.
    has_others = several >= FALSE_NEGATIVES
    # Masking goes by id; where equal texts explain every case there is nothing for it to mask.
    params = {} if twins >= share else {"finetune_rank.same_answer": "masked"}
    yield Finding(
        code="false-negatives-in-batch",
        severity="warning" if has_others else "info",
        system="finetune_rank",
        sentence=f"{share:.0%} of the training rows have a right answer among the answers they are told are wrong.",
        evidence=(
            Evidence("rows with a false negative", share, "share"),
            Evidence("training pairs whose query has other right answers", several, "share"),
            Evidence("training pairs whose answer has a twin of equal text", twins, "share"),
        ),
        cause="Other answers that are right for the query serve as negatives: it is pushed away from what it must "
        "find, the harder the better the model becomes."
        if has_others
        else "Other rows of the batch hold the same answer (or one with the same text) and serve as negatives. Copies "
        "of the right answer count it several times: the loss cannot fall to zero, but the ranking hardly suffers.",
        fix=Fix(params, merge),
        reference="ST#3189, #2870, #608, #2954",
        weight=10 * share,
    )


def several_share(data: DataRecords) -> float:
    """Share of the training pairs whose query has another right answer, of another text."""
    train = data.queries.loc[data.queries["split"] == "train", "query_id"]
    pairs = data.qrels[(data.qrels["score"] > 0) & data.qrels["query_id"].isin(train)]
    texts = pairs["answer_id"].map(data.answers.set_index("answer_id")["raw_text"])
    return float((texts.groupby(pairs["query_id"]).transform("nunique") > 1).mean()) if len(pairs) else 0.0


def twin_share(data: DataRecords) -> float:
    """Share of the training pairs whose answer has the same text as another answer."""
    twins = data.answers.loc[data.answers["raw_text"].duplicated(keep=False), "answer_id"]
    train = data.queries.loc[data.queries["split"] == "train", "query_id"]
    pairs = data.qrels[(data.qrels["score"] > 0) & data.qrels["query_id"].isin(train)]
    return float(pairs["answer_id"].isin(twins).mean()) if len(pairs) else 0.0
