"""What all contenders are given: the same pairs, cut to the same tokens, and the same dev queries.

Shapes: N texts · Q dev queries · A answers · D features
"""

import contextlib
import dataclasses
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from whyrank.core import io, prepared
from whyrank.core.errors import UserError
from whyrank.core.options import params
from whyrank.core.prepared import Prepared
from whyrank.data.ranking import prepare
from whyrank.model import system
from whyrank.model.encoder import budgets, source
from whyrank.scoring.ranking import score as rank

ROOT = Path(__file__).parents[1]


class Task(NamedTuple):
    folder: Path  # prepared/, base/, texts.json, params.json
    texts: Prepared
    pairs: int  # of the training split
    corpus: int  # texts to encode
    evaluate: params.Evaluate
    attention_dropout: float  # of whyrank's training
    tokens_a_token_attends_to: float  # mean over the tokens of the training pairs
    weights_of_layers: int
    layers: int
    width: int

    @property
    def operations_per_token(self) -> float:
        """Floating-point operations of a training step per token that goes through the layers.

        Forward 2 for each weight of the layers, and in each layer 4 D for each token attended to (scores, and the mix
        of the values); the gradients of inputs and of weights cost as much again each, so three times that.
        Embeddings, softmax, normalisation and the optimiser are left out.
        """
        attention = 4 * self.layers * self.width * self.tokens_a_token_attends_to
        return 3 * (2 * self.weights_of_layers + attention)


def make(data: Path, folder: Path, *, tokens: int, batch: int, corpus: int, seed: int) -> Task:
    """Prepare a folder in BEIR layout with the shipped parameters, the embedded encoder and `tokens` for every text."""
    with contextlib.chdir(ROOT):
        values = params.load("finetune_rank@base") | params.load("evaluate@base")
        values["prepare"] = params.load("prepare")["prepare"]  # whole; training declares a part of it
    values["encoder"] |= {"source": "embedded"}
    options = params.section(values, "prepare", params.Prepare)
    options = dataclasses.replace(
        options,
        source=str(data),
        corrections=str(ROOT / "data/corrections/none.csv"),
        tokens=params.Tokens(tokens, tokens, tokens, tokens),
    )
    valid = prepare.read(options)
    encoder = source.bring(params.section(values, "encoder", params.Encoder), [])
    budget = budgets.budgets(encoder, options.tokens, with_pairs=False)
    result = prepare.prepare(valid, options, tokens=budget.own, count_tokens=encoder.count_tokens, seed=seed)
    texts = budgets.tokenised(encoder, Prepared(result.answers, result.queries, result.qrels), budget)
    prepared.write(folder / "prepared", texts)
    system.save(system.untrained(encoder), folder / "base", longest=tokens)
    io.write_json(folder / "params.json", values)
    whole = [*texts.answers["raw_text"], *texts.queries["raw_text"]]
    drawn = np.random.default_rng(seed).permutation(len(whole))[:corpus]
    pairs = texts.relevant_in("train")
    if len(pairs) < batch:
        raise UserError(f"{data}: {len(pairs)} training pairs are fewer than a batch of {batch}; lower --batch")
    query, answer = texts.queries["text"].tolist(), texts.answers["text"].tolist()
    io.write_json(
        folder / "texts.json",
        {
            "encoder": str(source.embedded_folder()),
            "pairs": [(query[q], answer[a]) for q, a in zip(pairs["query"], pairs["answer"], strict=True)],
            "scored": [*answer, *(query[q] for q in rank.queries_with_relevant(texts, "dev"))],
            "corpus": [whole[i] for i in drawn],
        },
    )
    lengths = np.array(
        [
            len(texts.token_ids[i])
            for i in [*texts.texts.of("query")[pairs["query"]], *texts.texts.of("answer")[pairs["answer"]]]
        ]
    )
    config = encoder.transformer.config
    return Task(
        folder,
        texts,
        len(pairs),
        len(drawn),
        params.section(values, "evaluate", params.Evaluate),
        float(config.attention_probs_dropout_prob),
        float((lengths**2).sum() / lengths.sum()),
        sum(parameter.numel() for parameter in encoder.transformer.get_submodule("encoder").parameters()),
        config.num_hidden_layers,
        config.hidden_size,
    )


class Accuracy(NamedTuple):
    correct_Q: np.ndarray  # accuracy@1 of each dev query
    cluster_Q: np.ndarray  # its answer


def accuracy(task: Task, vectors: Path) -> Accuracy:
    queries = ranked(task, vectors)
    return Accuracy(queries["accuracy@1"].to_numpy(), queries["cluster"].to_numpy())


def mean_precision(task: Task, vectors: Path) -> float:
    """MAP@10 of the dev queries."""
    return float(ranked(task, vectors)["map@10"].mean())


def ranked(task: Task, vectors: Path) -> pd.DataFrame:
    """Of the vectors of all answers and the dev queries, in the order of `scored`; by the code of the evaluation."""
    unit_ND = functional.normalize(torch.from_numpy(io.read_array(vectors)), dim=1)
    answer_AD, query_QD = unit_ND[: len(task.texts.answers)], unit_ND[len(task.texts.answers) :]
    dev_Q = rank.queries_with_relevant(task.texts, "dev")
    assert len(query_QD) == len(dev_Q)

    def score(some_Q: np.ndarray) -> np.ndarray:
        return (query_QD[np.searchsorted(dev_Q, some_Q)] @ answer_AD.T).numpy()

    return rank.rank(score, task.texts, dev_Q, task.evaluate).queries


def largest_distance(one: Path, other: Path) -> float:
    """Of the vectors of the same texts, 1 - cosine."""
    first_ND, second_ND = (torch.from_numpy(io.read_array(path)).double() for path in (one, other))
    return float((1 - functional.cosine_similarity(first_ND, second_ND)).max())
