"""Sentence pairs with wrong texts, labels or losses."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..fault import Fault
from ..patching import replace
from ..raw import read_table, write_table

Random = np.random.Generator
SIMILARITY = "finetune_rank.objectives.similarity."


def two_scales(folder: Path, random: Random) -> None:
    rows = read_table(folder / "train.csv")
    for row in rows[len(rows) // 2 :]:
        row["score"] = f"{float(row['score']) / 5:.3f}"
    write_table(folder / "train.csv", rows)


def labels_sorted_apart(folder: Path, random: Random) -> None:
    for name, column in (("nli.csv", "label"), ("train.csv", "score")):
        rows = read_table(folder / name)
        for row, value in zip(rows, sorted(row[column] for row in rows), strict=True):
            row[column] = value
        write_table(folder / name, rows)


def second_is_first(folder: Path, random: Random) -> None:
    for name, first, second in (("nli.csv", "premise", "hypothesis"), ("train.csv", "sentence1", "sentence2")):
        rows = read_table(folder / name)
        for row in rows:
            if random.random() < 0.6:
                row[second] = row[first]
        write_table(folder / name, rows)


def test_scores_one_row_down(folder: Path, random: Random) -> None:
    rows = read_table(folder / "test.csv")
    scores = [row["score"] for row in rows]
    for row, score in zip(rows, [scores[-1], *scores[:-1]], strict=True):
        row["score"] = score
    write_table(folder / "test.csv", rows)


def turned_round(folder: Path, random: Random) -> None:
    other = {"entailment": "contradiction", "contradiction": "entailment", "neutral": "neutral"}
    rows = read_table(folder / "nli.csv")
    for row in rows:
        row["label"] = other[row["label"]] if random.random() < 0.85 else row["label"]
    write_table(folder / "nli.csv", rows)
    rows = read_table(folder / "train.csv")
    for row in rows:
        row["score"] = f"{np.clip(5 - float(row['score']) + random.normal(0, 1), 0, 5):.2f}"
    write_table(folder / "train.csv", rows)


def order_reversed() -> None:
    from whyrank.training.pairs import losses

    def wrong(score_B: torch.Tensor, label_B: torch.Tensor, *, temperature: float) -> Any:
        return right(-score_B, label_B, temperature=temperature)

    right = replace(losses, "cosent", wrong)


def second_texts_rolled() -> None:
    from whyrank.batches.pairs import PairBatch, PairBatches

    def wrong(self: PairBatches) -> PairBatch:
        batch = right(self)
        return PairBatch(batch.first_B, np.roll(batch.second_B, 1), batch.label_B, batch.negative_B)

    right = replace(PairBatches, "__next__", wrong)


FAULTS = (
    Fault(
        name="half-of-the-scores-on-another-scale",
        about="pairs",
        sentence="The second half of the training scores runs from 0 to 1 and is read as 0 to 5: its most similar "
        "pairs count as unrelated. Bring both halves to one scale.",
        source="ST#3382, ST#3838 (STS 0 to 5 beside 0 to 1)",
        task="pairs",
        mendable=True,
        data=two_scales,
    ),
    Fault(
        name="labels-sorted-apart-from-texts",
        about="pairs",
        sentence="The label column of the training files was sorted by itself: labels have nothing to do with their "
        "pairs. Restore the rows from the source.",
        source="spreadsheet errors (EuSpRIG: a column sorted alone); DeepCrime (ISSTA 2021), operator TCL",
        task="pairs",
        data=labels_sorted_apart,
    ),
    Fault(
        name="second-sentence-is-the-first",
        about="pairs",
        sentence="In six of ten training pairs a wrong join put the first sentence in the place of the second: "
        "identical texts with every label. Leave these pairs out or join again.",
        source="ST data_collator maybe_warn_about_column_order; QQP self-pairs",
        task="pairs",
        mendable=True,
        data=second_is_first,
    ),
    Fault(
        name="test-scores-one-row-down",
        about="pairs",
        sentence="The test scores are one row off: each pair has the score of the pair before, so the reported "
        "correlation is that of chance. Move the column up by one row.",
        source="mteb and SentEval ports (STS.gs beside STS.input with a dropped line)",
        task="pairs",
        data=test_scores_one_row_down,
    ),
    Fault(
        name="distance-taken-for-similarity",
        about="pairs",
        sentence="The training labels say how far apart two sentences are and not how alike, with some noise: "
        "training pushes paraphrases apart. Turn the labels round.",
        source="practitioners.md L1; ST#326 (labels of ContrastiveLoss: 1 is similar)",
        task="pairs",
        mendable=True,
        data=turned_round,
    ),
    Fault(
        name="order-loss-with-the-wrong-sign",
        about="pairs",
        sentence="The order loss has its sign turned: pairs of low label are drawn together and pairs of high label "
        "pushed apart. Correct the sign of the score in the loss.",
        source="CoSENT ports (kexue.fm/archives/8847: y_pred[:, None] - y_pred[None, :])",
        task="pairs",
        code=order_reversed,
    ),
    Fault(
        name="second-texts-one-row-off-in-the-batch",
        about="pairs",
        sentence="In each training batch the second texts are one row off, so a label belongs to two texts of "
        "different pairs. Build both sides of a batch from the same rows.",
        source="ST PR#3453 (misaligned columns); collators that sort one side by length",
        task="pairs",
        code=second_texts_rolled,
    ),
    Fault(
        name="neutral-pairs-are-positives",
        about="pairs",
        sentence="positive_from is 0.3, so neutral pairs count as positives of the in-batch loss: texts that merely "
        "share a topic are drawn together. Set it to 0.9.",
        source="seed-systems.md D; angle_emb in_batch_negative_loss (labels cast to int)",
        task="pairs",
        mendable=True,
        settings={
            SIMILARITY + "positive_from": 0.3,
            SIMILARITY + "in_batch.weight": 1.0,
            SIMILARITY + "cosine.weight": 0.0,
        },
    ),
    Fault(
        name="pairs-cut-to-three-tokens",
        about="pairs",
        sentence="prepare.tokens.pair is 5, so training reads the first three tokens of each sentence and cannot see "
        "what makes two alike. Set it to 128.",
        source="ST#4060, ST#1918 (max_seq_length left from another run)",
        task="pairs",
        mendable=True,
        settings={"prepare.tokens.pair": 5},
    ),
)
