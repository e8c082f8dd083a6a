"""Faults of what stands together in a batch, seen from its composition alone."""

from collections.abc import Iterator

from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed
from whyrank.findings.probe import probe
from whyrank.findings.records import DataRecords

# Standardising a feature over a batch of k answers takes one of the k directions in which they differ: (k - 1) / k of
# what tells answers apart is left. With one answer nothing is; at a mean of 1.5 half of the batches or more have one.
SINGLE_ANSWER = 1.5

# Share of rows. One row in twenty that is told its right answer is wrong; expected collisions of a batch of 32 reach
# this with about 20 equally frequent answers per row (ST#2870, #608).
FALSE_NEGATIVES = 0.05

# Pretraining that cannot cost much whatever stands on top of it: the head starts as the identity, 30 steps keep it
# near, its views need no label, and what it changes is kept only where dev queries gain by it.
SAFE_PRETRAINING = {
    "pretrain_barlow.batches": "across_answers",
    "pretrain_barlow.views": ["question-in-conversation", "span-document"],
    "pretrain_barlow.head.kind": "residual",
    "pretrain_barlow.steps": 30,
    "pretrain_barlow.early_stopping.metric": "mrr_all",
}

SIMILARITY = "finetune_rank.objectives.similarity"
# Shares of the batches with one label. An order loss is zero there; our own batches mix labels from two pairs on.
CONSTANT, CONSTANT_MOST = 0.05, 0.5
USUAL_BATCH = 32


@probe(
    "barlow-single-answer-batches",
    on="preflight",
    explains=("pretraining-hurts", "collapsed-embeddings", "dimensional-collapse"),
    layer="batches",
)
def barlow_single_answer_batches(data: DataRecords) -> Iterator[Finding | Outcome]:
    """The pretraining batches that were drawn hold one answer each."""
    drawn = data.batches[data.batches["stage"] == "pretrain_barlow"]
    if len(drawn) and drawn["distinct_answers"].mean() <= SINGLE_ANSWER:
        yield single_answer_finding(float(drawn["distinct_answers"].mean()), float(drawn["rows"].mean()))
    elif len(drawn):
        distinct = Evidence("distinct answers per batch", float(drawn["distinct_answers"].mean()), "answers")
        yield passed("pretrain_barlow", distinct, SINGLE_ANSWER)
    else:
        yield not_applicable("pretrain_barlow", "pretraining")


def single_answer_finding(distinct: float, rows: float) -> Finding:
    return Finding(
        severity="error",
        system="pretrain_barlow",
        sentence=f"Pretraining cannot learn what identifies an answer: the {rows:.0f} rows of a Barlow Twins batch "
        f"belong to {distinct:.1f} answers on average.",
        evidence=(
            Evidence("distinct answers per batch", distinct, "answers").against(SINGLE_ANSWER),
            Evidence("rows per batch", rows, "rows"),
        ),
        cause="Barlow Twins standardises each feature over the batch. When all rows share one answer, the batch mean "
        "is that answer, and subtracting it removes what the two views have in common. The invariance term cannot "
        "fall, and features that ignore the answer are rewarded.",
        fix=Fix(SAFE_PRETRAINING),
        reference="Zbontar et al. 2021, arXiv:2103.03230",
        weight=CAUSE,
    )


@probe("false-negatives-in-batch", on="preflight", layer="batches")
def false_negatives_in_batch(data: DataRecords) -> Iterator[Finding | Outcome]:
    """The fine-tuning batches that were drawn tell rows that their correct answer is wrong."""
    drawn = data.batches[data.batches["stage"] == "finetune_rank"]
    if len(drawn):
        yield from false_negative_findings(data, float(drawn["rows_with_false_negatives"].mean()))
    else:
        yield not_applicable("finetune_rank", "training of ranking")


def false_negative_findings(data: DataRecords, share: float) -> Iterator[Finding | Outcome]:
    """share   of the rows of a batch that have at least one correct answer among their negatives"""
    if share < FALSE_NEGATIVES:
        rows = percent("rows with a correct answer among their negatives", share)
        yield passed("finetune_rank", rows, 100 * FALSE_NEGATIVES)
        return
    train = data.queries.loc[data.queries["split"] == "train", "query_id"]
    pairs = data.qrels[(data.qrels["score"] > 0) & data.qrels["query_id"].isin(train)]
    text = data.answers.set_index("answer_id")["raw_text"]
    own = pairs["answer_id"].map(text)
    # Queries with correct answers of several texts; answers whose text stands under another id too.
    several_P = own.groupby(pairs["query_id"]).transform("nunique") > 1
    twin_P = pairs["answer_id"].isin(text.index[text.duplicated(keep=False)])
    several, twins = (float(found_P.mean()) if len(pairs) else 0.0 for found_P in (several_P, twin_P))
    # A copy of the correct answer is no wrong direction: with p on all copies together, the gradient at the query is
    # the sum of p_j a_j over the others less (1 - p) a. On the sample, over 12 settings of batch, rate and seed,
    # masking such copies changed accuracy@1 of base-tuned by 0.2 points on average (-8.8 to 6.6), of barlow-tuned by
    # 0.0.
    has_others = several >= FALSE_NEGATIVES
    yield Finding(
        severity="warning" if has_others else "info",
        system="finetune_rank",
        sentence=f"{100 * share:.0f} % of the rows of a fine-tuning batch contain an in-batch false negative.",
        evidence=(
            percent("rows with a correct answer among their negatives", share).against(100 * FALSE_NEGATIVES),
            percent("training pairs whose query has correct answers of several texts", several),
            percent("training pairs whose answer has an identical text elsewhere", twins),
        ),
        cause="Another row of the batch holds a different correct answer of the query and serves as its negative: "
        "training pushes the query away from what it must find, the harder the better the model becomes."
        if has_others
        else "Other rows of the batch hold the same answer (or one with the same text) and serve as negatives. The "
        "loss cannot fall to zero, but the ranking hardly suffers, because copies pull the same way.",
        # Masking goes by id; where equal texts explain every case there is nothing for it to mask.
        fix=Fix(
            {} if twins >= share else {"finetune_rank.same_answer": "masked"},
            "give answers with the same text one id in corpus.jsonl and in the qrels" if twins else "",
        ),
        reference="ST#3189, #2870, #608, #2954",
        weight=10 * share,
    )


@probe(
    "constant-label-batches",
    on="preflight",
    explains=("similarity-worse-than-zero-shot",),
    about="pairs",
    layer="batches",
)
def constant_label_batches(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Batches whose labels have no order, where the labels of all training pairs have one."""
    drawn = data.table("pair_batches")
    share = 0.0 if drawn.empty else float((drawn["distinct_labels"] < 2).mean())
    if drawn.empty:
        yield not_applicable("finetune_rank", "training on pairs")
    elif share < CONSTANT:
        yield passed("finetune_rank", percent("batches with a single label", share), 100 * CONSTANT)
    if share < CONSTANT:
        return
    # Where all training pairs have one label, only losses that take positives alone can be trained on them.
    labels = data.tables["pair_labels"]
    if labels.loc[labels["use"] == "train", "distinct"].max() < 2:
        yield not_applicable("finetune_rank", "training pairs with several labels")
        return
    yield Finding(
        severity="error" if share >= CONSTANT_MOST else "warning",
        system="finetune_rank",
        sentence=f"{100 * share:.0f} % of the batches of pairs have a single label: no order of labels to learn.",
        evidence=(
            percent("batches with a single label", share).against(100 * CONSTANT),
            Evidence("pairs per batch", float(drawn["rows"].mean()), "pairs"),
            Evidence("different labels per batch", float(drawn["distinct_labels"].mean()), "labels"),
        ),
        cause="The losses `cosine`, `angle` and `angle_signed` compare pairs with different labels. Where all labels "
        "are equal there is nothing to compare, and the step changes nothing.",
        fix=Fix({f"{SIMILARITY}.batch_size": USUAL_BATCH}),
        reference="equal labels give angle_emb 0.6.1 a loss and a gradient of 0",
        weight=10 * share + (CAUSE if share >= CONSTANT_MOST else 0.0),
    )
