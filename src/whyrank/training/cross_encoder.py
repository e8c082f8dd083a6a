"""A cross-encoder trained on the training pairs and on wrong answers that the encoder takes for relevant.

sentence-transformers trains it; what it reads is ours.

Shapes: P training pairs · N wrong answers of a pair · Q dev queries · K answers of each that are reranked
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
import torch
from transformers.trainer_callback import ProgressCallback

from whyrank.core.errors import UserError
from whyrank.core.options import params
from whyrank.core.prepared import Prepared
from whyrank.model.encoder import vector_cache
from whyrank.model.encoder.loading import quiet
from whyrank.model.system import System
from whyrank.training.ranking.hard_negatives import mine

# Of the score of the right answer: what scores higher is as often right as not (Moreira et al. 2024).
MARGIN = 0.05
METRIC = "eval_dev_mrr@10"


@dataclass(frozen=True)
class Options:
    negatives: int  # wrong answers of each pair
    epochs: float
    batch_size: int  # pairs of texts
    learning_rate: float
    tokens: int  # of a query and an answer together, after which the pair is cut
    queries: int  # training queries, drawn at random; 0: all
    dev_queries: int  # that choose the weights, at most
    depth: int  # answers of a dev query that are reranked
    evaluations: int
    seed: int


class Examples(NamedTuple):
    """train   columns query, answer and label (1.0 right, 0.0 wrong), in a random order
    dev     samples of `CrossEncoderRerankingEvaluator`: query, positive texts, and texts in the encoder's order
    """

    train: dict[str, list[Any]]
    dev: list[dict[str, Any]]


def examples(start: System, prepared: Prepared, encoder: params.Encoder, options: Options) -> Examples:
    """Right answers, and the hardest wrong ones by `start`. Raises UserError where a split has no query."""
    random = np.random.default_rng(options.seed)
    vector_ND = vector_cache.encoded(start.encoder, prepared.token_ids, encoder)
    with torch.no_grad():
        answers, queries = vector_ND.tensor_split([len(prepared.answers)])
        query_QD, answer_AD = start.project(queries, answers)
    query_text, answer_text = (table["text"].to_numpy() for table in (prepared.queries, prepared.answers))
    train, dev = (chosen(prepared, split, most, random) for split, most in (
        ("train", options.queries), ("dev", options.dev_queries)
    ))  # fmt: skip
    pairs = prepared.relevant
    shape = len(prepared.queries), len(prepared.answers)
    relevant_QA = scipy.sparse.csr_matrix((np.ones(len(pairs)), (pairs["query"], pairs["answer"])), shape)
    own = pairs[pairs["query"].isin(train)]
    text_A = np.unique(prepared.answers["raw_text"], return_inverse=True)[1]
    query_P, answer_P = own["query"].to_numpy(), own["answer"].to_numpy()
    given = (query_QD, answer_AD, query_P, answer_P, relevant_QA)
    wrong_PN = mine(*given, count=options.negatives, margin=MARGIN, text_A=text_A)
    rows = [(query, right, 1.0) for query, right in zip(query_P, answer_P, strict=True)]
    rows += [(query_P[pair], wrong_PN[pair, n], 0.0) for pair, n in np.argwhere(wrong_PN >= 0)]
    rows = [rows[i] for i in random.permutation(len(rows))]
    columns = {
        "query": [query_text[query] for query, _, _ in rows],
        "answer": [answer_text[answer] for _, answer, _ in rows],
        "label": [label for _, _, label in rows],
    }
    best_QK = (query_QD[torch.as_tensor(dev)] @ answer_AD.T).topk(min(options.depth, len(answer_AD))).indices
    samples = [
        {
            "query": query_text[query],
            "positive": answer_text[relevant_QA[query].indices].tolist(),
            "documents": answer_text[best_K.numpy()].tolist(),
        }
        for query, best_K in zip(dev, best_QK.cpu(), strict=True)
    ]
    return Examples(columns, samples)


def chosen(prepared: Prepared, split: str, most: int, random: np.random.Generator) -> np.ndarray:
    """Queries of a split that have a right answer, at most so many (0: all), in order."""
    found = np.unique(prepared.relevant_in(split)["query"].to_numpy())
    if not len(found):
        raise UserError(f"data/prepared has no {split} queries with a right answer; change prepare.split")
    return np.sort(random.choice(found, most, replace=False)) if 0 < most < len(found) else found


class Fitted(NamedTuple):
    model: Any
    mrr: float  # at 10, of the dev queries, over the answers that the encoder lists
    encoder_mrr: float  # of the encoder's own order


class Bar(ProgressCallback):
    """The bar of transformers, without a line of its figures at each evaluation."""

    def on_log(self, *_: Any, **__: Any) -> None:
        return None


def fitted(start: System, found: Examples, options: Options) -> Fitted:
    """Train from the weights of `start`; the evaluation with the best MRR of the dev queries wins.

    The loss is binary cross-entropy; a right pair weighs as much as its wrong ones together.
    Raises UserError where accelerate, which the trainer needs, is not installed.
    """
    from datasets import Dataset
    from sentence_transformers import CrossEncoder
    from sentence_transformers.cross_encoder import CrossEncoderTrainer, CrossEncoderTrainingArguments
    from sentence_transformers.cross_encoder.evaluation import CrossEncoderRerankingEvaluator
    from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss

    evaluator = CrossEncoderRerankingEvaluator(
        found.dev, at_k=10, always_rerank_positives=False, name="dev", batch_size=32, write_csv=False
    )
    labels = np.array(found.train["label"])
    with tempfile.TemporaryDirectory() as folder, quiet():
        start.encoder.transformer.save_pretrained(folder)
        start.encoder.tokenizer.save_pretrained(folder)
        torch.manual_seed(options.seed)  # of the head
        model = CrossEncoder(folder, num_labels=1, max_length=options.tokens)
        steps = int(np.ceil(options.epochs * len(labels) / options.batch_size))
        every = max(1, steps // options.evaluations)
        try:
            arguments = CrossEncoderTrainingArguments(
                output_dir=str(Path(folder) / "training"),
                max_steps=steps,
                per_device_train_batch_size=options.batch_size,
                learning_rate=options.learning_rate,
                warmup_steps=steps // 10,
                eval_strategy="steps",
                eval_steps=every,
                save_strategy="steps",
                save_steps=every,
                save_total_limit=1,
                load_best_model_at_end=True,
                metric_for_best_model=METRIC,
                logging_strategy="no",
                report_to="none",
                dataloader_pin_memory=torch.cuda.is_available(),
                seed=options.seed,
            )
        except ImportError as error:
            raise UserError("accelerate is not installed; pip install 'whyrank[teach]'") from error
        loss = BinaryCrossEntropyLoss(model, pos_weight=torch.tensor((labels == 0).sum() / max(1, labels.sum())))
        trainer = CrossEncoderTrainer(
            model=model, args=arguments, train_dataset=Dataset.from_dict(found.train), loss=loss, evaluator=evaluator
        )
        trainer.remove_callback(ProgressCallback)
        trainer.add_callback(Bar)
        trainer.train()
    measured = evaluator(model)
    return Fitted(model, measured["dev_mrr@10"], measured["dev_base_mrr@10"])
