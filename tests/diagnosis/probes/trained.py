"""Short trainings of the tiny encoder, as the stages make them, and their records: no table here is made up.

12 answers with two words of their own. A query holds two draws of them among words of others; 120 queries train, 48 are
the dev set, 72 the test.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import yaml

from whyrank.core.options import params
from whyrank.core.prepared import PAIR_COLUMNS, Prepared
from whyrank.findings.records import DataRecords, Records, RunRecord, TrainingRecord
from whyrank.model import system
from whyrank.scoring.ranking import representation
from whyrank.scoring.ranking import score as rank
from whyrank.scoring.search import embed
from whyrank.training import finetune
from whyrank.training.engine.trained import finetuning_summary

from ...shipped import SHIPPED as SYSTEMS

SHIPPED = yaml.safe_load((Path(__file__).parents[3] / "params.yaml").read_text())
EVALUATE = params.section(SHIPPED, "evaluate", params.Evaluate)
ENCODER = params.Encoder(
    "tiny", pooling="auto", precision="fp32", attention_dropout=0.0, batch_tokens=8192, trust_remote_code=False
)
OWN_WORDS = [
    ["permit", "garden"], ["fence", "neighbour"], ["pension", "retire"], ["age", "payment"],
    ["visa", "travel"], ["border", "passport"], ["tax", "income"], ["return", "refund"],
    ["school", "child"], ["place", "term"], ["licence", "drive"], ["car", "test"],
]  # fmt: skip
FILLER = ["the", "my", "i", "you", "please", "how", "when", "about", "for", "a"]
SPLITS = ["train"] * 10 + ["dev"] * 4 + ["test"] * 6
# 30 steps of a whole encoder, which bring accuracy on training queries from 0.34 to 0.90.
HEALTHY = {
    "train": "all",
    "head.kind": "none",
    "encoder_learning_rate": 5e-3,
    "learning_rate": 5e-3,
    "epochs": 6,
    "batch_size": 24,
    "candidates": "batch",
    "early_stopping.metric": "",
    "early_stopping.evaluations": 3,
    "early_stopping.patience": 3,
}


def questions(encoder: Any) -> Prepared:
    random = np.random.default_rng(0)
    words = [word for own in OWN_WORDS for word in own]
    answers, queries, qrels = [], [], []
    for number, own in enumerate(OWN_WORDS):
        answers.append((f"a{number:02}", " ".join([*own, *own, *random.choice(FILLER, 6)])))
        for i, split in enumerate(SPLITS):
            kind, length = ("question", 5) if i % 2 else ("conversation", 12)
            text = [*random.choice(own, 2), *random.choice([*FILLER, *words], length - 2)]
            queries.append((f"q{number:02}-{i}", kind, split, " ".join(random.permutation(text))))
            qrels.append((queries[-1][0], f"a{number:02}", 1.0))
    return Prepared(
        tokenised(pd.DataFrame(answers, columns=["answer_id", "raw_text"]).assign(title=""), encoder),
        tokenised(pd.DataFrame(queries, columns=["query_id", "type", "split", "raw_text"]), encoder),
        pd.DataFrame(qrels, columns=["query_id", "answer_id", "score"]),
    )


def tokenised(table: pd.DataFrame, encoder: Any) -> pd.DataFrame:
    ids = encoder.tokenise(table["raw_text"], 16)
    lengths = [len(row) for row in ids]
    return table.assign(text=table["raw_text"], input_ids=ids, tokens=lengths, tokens_raw=lengths)


def with_pairs(
    prepared: Prepared, encoder: Any, texts: Callable[[int, np.random.Generator], tuple[str, str, str]],
    labels: tuple[float, float] = (1.0, 0.0), train: int = 8,
) -> Prepared:  # fmt: skip
    """texts(answer, random)   a first text, one that means the same, and another
    labels   that the training pairs with these two have; those of dev are right
    train    first texts of each answer
    """
    random = np.random.default_rng(1)
    rows = []
    for use, repeats, given in (("train", train, labels), ("dev", 6, (1.0, 0.0))):
        for number in range(len(OWN_WORDS)):
            for i in range(repeats):
                first, *seconds = texts(number, random)
                for label, second in zip(given, seconds, strict=True):
                    rows.append((f"{use}-{number}-{i}-{label}", "pairs", "", use, "", label, first, second))
    pairs = pd.DataFrame(rows, columns=[*PAIR_COLUMNS[:-2], "text1", "text2"])
    known = pd.unique(pairs[["text1", "text2"]].to_numpy().flatten())
    place = pd.Series(np.arange(len(known)) + len(prepared.answers) + len(prepared.queries), known)
    pairs = pairs.assign(first=place[pairs["text1"]].to_numpy(), second=place[pairs["text2"]].to_numpy())
    pair_texts = pd.DataFrame({"text": known, "input_ids": encoder.tokenise(list(known), 16)})
    return replace(prepared, pairs=pairs[PAIR_COLUMNS], pair_texts=pair_texts)


def by_answer(number: int, random: np.random.Generator) -> tuple[str, str, str]:
    """Texts of words of one answer, and one of those of the next."""
    own, other = OWN_WORDS[number], OWN_WORDS[(number + 1) % len(OWN_WORDS)]
    first, same, another = (" ".join(random.choice(words, 6)) for words in (own, own, other))
    return first, same, another


def of_synonyms(number: int, random: np.random.Generator) -> tuple[str, str, str]:
    """The two words of an answer stand for each other, so that texts that mean the same share nothing but filler."""
    one, other = OWN_WORDS[number]
    another = OWN_WORDS[(number + 1 + random.integers(11)) % len(OWN_WORDS)][1]
    first, same, different = (
        " ".join(random.permutation([word] * 3 + [*random.choice(FILLER, 2)])) for word in (one, other, another)
    )
    return first, same, different


def experiment(encoder: Any, prepared: Prepared, options: params.FinetuneRank, seed: int = 0) -> Records:
    """base, base-tuned and the training between them; the cache is that of `WHYRANK_CACHE`."""
    assert "WHYRANK_CACHE" in os.environ
    torch.manual_seed(seed)
    start = system.untrained(encoder)
    before = evaluated(start, prepared)
    done = finetune.finetune_rank(start, prepared, options, ENCODER, seed)
    training = TrainingRecord(finetuning_summary(done.history), done.history.steps, done.history.evaluations)
    runs = {"base": before, "base-tuned": evaluated(done.system, prepared)}
    return Records(recorded(prepared), None, {"base": training}, runs, SYSTEMS)


def evaluated(trained: system.System, prepared: Prepared) -> RunRecord:
    vectors = embed.embed(trained, prepared, ENCODER)
    ranked = rank.rank(
        embed.Product(vectors, trained.score), prepared, rank.queries_with_relevant(prepared, "test"), EVALUATE
    )
    geometry = representation.describe(vectors, prepared, ranked.top, 0)
    metrics = rank.summary(ranked.queries) | geometry | {"score_kind_cosine": int(trained.score == "cosine")}
    return RunRecord(metrics, ranked.queries, ranked.top, vectors.query_ND, vectors.answer_AD)


def recorded(prepared: Prepared) -> DataRecords:
    """What `prepare` writes of data without leaks, conflicts and cuts."""
    crossing = ["query_left", "split_left", "query_right", "split_right", "kind", "similarity", "same_answer"]
    per_answer = pd.DataFrame({"answer_id": prepared.answers["answer_id"], "question": 10, "conversation": 10})
    uses = prepared.pairs.groupby("use").size().rename_axis("use").rename("kept").reset_index()
    tables = {
        "per_answer": per_answer.assign(train=10, dev=4, test=6),
        "leaks": pd.DataFrame(columns=crossing),
        "conflicts": pd.DataFrame(columns=crossing[:4]),
        "torn_threads": pd.DataFrame(columns=crossing[:4]),
        "pair_counts": uses,
    }
    cut = {f"{what}_share_{kind}": 0.0 for what in ("tfidf_lost", "tokens_lost", "texts_cut")
           for kind in ("question", "conversation", "answer")}  # fmt: skip
    batches = pd.DataFrame(columns=["stage", "rows", "distinct_answers", "rows_with_false_negatives"])
    return DataRecords(prepared.answers, prepared.queries, prepared.qrels, cut, tables, batches)
