"""Values of params.yaml that were copied from elsewhere, typed wrongly or left over."""

import csv
from pathlib import Path
from typing import Any

import numpy as np

from ..fault import Change, Fault
from ..raw import read_lines, read_qrels, write_qrels

RANK = "finetune_rank."
LAST = {RANK + "early_stopping.metric": ""}
INSTRUCTION = (
    "You are a helpful assistant that works for the support desk of our company. Below you find one article of the "
    "knowledge base. Read it carefully from the beginning to the end, do not leave anything out, do not add anything "
    "that is not written there, be polite, stay with the facts, and represent the meaning of the article so that it "
    "can be found again later by somebody who asks about it in other words than those which the author has used. "
    "The article follows after this line: "
)
CORRECTIONS = "corrections.csv"


def corrections_of_another_version(folder: Path, random: np.random.Generator, share: float = 0.6) -> None:
    """So many judgements of training and dev go to the article three places on."""
    ids = [row["_id"] for row in read_lines(folder / "corpus.jsonl")]
    place = {one: at for at, one in enumerate(ids)}
    rows = [row for split in ("train", "dev") for row in read_qrels(folder, split) if random.random() < share]
    with open(folder / CORRECTIONS, "w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["query_id", "answer_id", "becomes", "why"])
        writer.writerows([query, one, ids[(place[one] + 3) % len(ids)], "renumbered"] for query, one, _ in rows)


def confidences(folder: Path, random: np.random.Generator) -> None:
    """The score of a training judgement says how sure its annotator was, from 0.5 to 1."""
    rows = read_qrels(folder, "train")
    sure = random.uniform(0.5, 1.0, len(rows))
    sure[: 8 if len(rows) > 8 else 2] = 1.0
    write_qrels(folder, "train", [[*row[:2], f"{own:.3f}"] for row, own in zip(rows, sure, strict=True)])


def fault(name: str, sentence: str, source: str, settings: dict[str, Any], data: Change | None = None) -> Fault:
    return Fault(name, "parameters", sentence, source, mendable=True, data=data, settings=settings)


FAULTS = (
    fault(
        "encoder-from-scratch",
        "encoder.source is scratch, meant for languages without a published encoder: a small encoder with random "
        "weights is to learn from a few hundred queries. Set encoder.source to embedded.",
        "Reimers and Gurevych 2019, arXiv:1908.10084; reports on transformers trained from scratch on little data",
        {"encoder.source": "scratch"},
    ),
    fault(
        "lora-alpha-far-too-high",
        "lora.alpha is 4096 at a rank of 4, so an update counts a thousand times as much as the optimiser means it to "
        "and overruns the encoder's weights. Set alpha to once or twice the rank.",
        "bmaltais/kohya_ss#1758 and huggingface/lerobot#3551: alpha / rank",
        LAST | {RANK + "train": "all", RANK + "lora.rank": 4, RANK + "lora.alpha": 4096,
                RANK + "head.kind": "none", RANK + "epochs": 2.0, RANK + "encoder_learning_rate": 1.0e-3},
    ),
    fault(
        "side-source-with-reversed-classes",
        "Pairs of sentences are trained beside ranking on the same head, and their classes count the wrong way round: "
        "contradictions are drawn together and what follows pushed apart. Correct their labels, or leave them out.",
        "practitioners 15: one source in the mix hurts; failures L1",
        LAST | {
            RANK + "objectives.similarity.weight": 100.0,
            RANK + "learning_rate": 3.0e-3,
            RANK + "epochs": 20.0,
            "prepare.pairs.sources": [
                {"name": "nli", "use": "train", "kind": "classes", "path": "nli.csv",
                 "labels": {"entailment": 0.0, "neutral": 0.5, "contradiction": 1.0}},
            ],
        },
    ),
    fault(
        "corrections-of-another-version",
        "prepare.corrections names a list that was made for another version of the set, in which the articles were "
        "numbered otherwise: it moves most training and dev labels to wrong articles. Apply no corrections.",
        "reports on patches of labels that outlive their data; practitioners 40",
        {"prepare.corrections": f"raw/{CORRECTIONS}"},
        corrections_of_another_version,
    ),
    fault(
        "attention-dropout-is-a-keep-rate",
        "encoder.attention_dropout is 0.95, a keep probability taken for a dropout rate: in training the two upper "
        "layers see a twentieth of their attention, and learn from noise. Set it to 0.1 or 0.",
        "DeepCrime and DEFault++ operators: dropout rate; reports on keep_prob of TensorFlow 1",
        LAST | {"encoder.attention_dropout": 0.95, RANK + "train": "last", RANK + "last_layers": 2,
                RANK + "head.kind": "none", RANK + "encoder_learning_rate": 3.0e-4},
    ),
    fault(
        "instruction-before-documents",
        "encoder.prompts puts the instruction of a chat model before every document, a hundred words for an encoder "
        "without instructions: little of an article fits behind it. Set encoder.prompts to auto.",
        "FlagEmbedding FAQ: no instruction for passages; practitioners 2",
        {"encoder.prompts": {"query": "", "document": INSTRUCTION}},
    ),
    fault(
        "threshold-leaves-a-handful",
        "prepare.relevant_from is 0.99, and the scores of training say how sure the annotator was, from 0.5 to 1: all "
        "but a few training queries lose their label, and these are learnt by heart. Lower prepare.relevant_from.",
        "reports on thresholds of graded judgements; practitioners 40",
        LAST | {"prepare.relevant_from": 0.99, RANK + "epochs": 40.0},
        confidences,
    ),
)  # fmt: skip
