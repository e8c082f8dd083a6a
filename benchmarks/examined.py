"""Models as other tools leave them, each with one thing wrong, for `whyrank examine` to explain (docs/examine.md).

    python -m benchmarks.examined split DATA FOLDER       # a copy of a BEIR folder with train, dev and test judgements
    python -m benchmarks.examined make FOLDER MODELS [NAME …]

A model is trained on the training judgements alone, by sentence-transformers, in few steps on a processor.
"""

import argparse
import importlib
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bm25s
import numpy as np
import torch
from datasets import Dataset
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.losses import CosineSimilarityLoss, MultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.modules import StaticEmbedding

from whyrank.model.encoder.source import embedded_folder

# Queries of each split; few, so that a model is trained and examined in minutes.
SIZES = {"test": 300, "dev": 100, "train": 800}
STEPS, BATCH, TOKENS, RATE = 50, 32, 96, 5e-5
NAMES = ["input_ids", "attention_mask", "token_type_ids"]
FEW = 8  # answers that a classifier of few examples is trained on


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]


def split(source: Path, folder: Path) -> None:
    """The same answers, and some queries of each split: the set's own splits, or drawn where it has one file."""
    files = {file.stem: _judgements(file) for file in sorted((source / "qrels").glob("*.tsv"))}
    if len(files) == 1:
        (lines,) = files.values()
        queries = sorted({query for query, *_ in lines})
        random.Random(0).shuffle(queries)
        ends = np.cumsum([0, *SIZES.values()])
        own = {name: queries[start:end] for name, start, end in zip(SIZES, ends[:-1], ends[1:], strict=True)}
        files = dict.fromkeys(SIZES, lines)
    else:
        own = {name: sorted({query for query, *_ in lines}) for name, lines in files.items()}
        own = {name: random.Random(0).sample(own[name], min(size, len(own[name]))) for name, size in SIZES.items()}
    (folder / "qrels").mkdir(parents=True)
    shutil.copy(source / "corpus.jsonl", folder)
    for name, queries in own.items():
        chosen = ["\t".join(line) for line in files[name] if line[0] in set(queries)]
        (folder / f"qrels/{name}.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *chosen]) + "\n")
    kept = {query for queries in own.values() for query in queries}
    texts = [json.dumps(row) for row in rows(source / "queries.jsonl") if row["_id"] in kept]
    (folder / "queries.jsonl").write_text("\n".join(texts) + "\n", encoding="utf-8")


def _judgements(file: Path) -> list[list[str]]:
    return [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()[1:]]


def texts(data: Path) -> tuple[dict[str, str], dict[str, str], list[tuple[str, str]]]:
    """Queries and answers by id, and the training pairs."""
    queries = {row["_id"]: row["text"] for row in rows(data / "queries.jsonl")}
    answers = {row["_id"]: f"{row.get('title', '')} {row['text']}".strip() for row in rows(data / "corpus.jsonl")}
    lines = (data / "qrels/train.tsv").read_text().splitlines()[1:]
    return queries, answers, [(query, answer) for query, answer, _ in (line.split("\t") for line in lines)]


def base(**options: Any) -> SentenceTransformer:
    model = SentenceTransformer(str(embedded_folder()), device="cpu", model_kwargs=options)
    model.max_seq_length = TOKENS
    return model


def trained(
    model: SentenceTransformer, table: Dataset, loss: Any, folder: Path, *, steps: int = STEPS, batch: int = BATCH
) -> SentenceTransformer:
    """Saved with the `trainer_state.json` that the trainer leaves beside it."""
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(folder / "runs"), max_steps=steps, per_device_train_batch_size=batch, warmup_ratio=0.1,
        learning_rate=RATE, logging_steps=1, save_strategy="no", report_to="none", seed=7, use_cpu=True,
        disable_tqdm=True,
    )  # fmt: skip
    trainer = SentenceTransformerTrainer(model=model, args=arguments, train_dataset=table, loss=loss)
    trainer.train()
    model.save_pretrained(str(folder))
    trainer.state.save_to_json(str(folder / "trainer_state.json"))
    shutil.rmtree(folder / "runs", ignore_errors=True)
    return model


def pairs(data: Path) -> Dataset:
    queries, answers, judged = texts(data)
    return Dataset.from_dict({"anchor": [queries[q] for q, _ in judged], "positive": [answers[a] for _, a in judged]})


def ranked(data: Path, folder: Path, *, scale: float = 20.0, **size: int) -> None:
    model = base()
    trained(model, pairs(data), MultipleNegativesRankingLoss(model, scale=scale), folder, **size)


def bf16_weights(data: Path, folder: Path) -> None:
    """Few and small batches: without the instructions for it a processor multiplies bfloat16 very slowly."""
    model = base(dtype=torch.bfloat16)
    trained(model, pairs(data), MultipleNegativesRankingLoss(model), folder, steps=12, batch=16)


def few_answers(data: Path, folder: Path) -> None:
    """As a classifier of few examples trains its encoder: cosine 1 within an answer, 0 between two, of few answers."""
    queries, _, judged = texts(data)
    draw, by_answer = random.Random(0), {}
    for query, answer in judged:
        by_answer.setdefault(answer, []).append(queries[query])
    chosen = sorted(by_answer, key=lambda answer: (-len(by_answer[answer]), answer))[:FEW]
    drawn: dict[str, list[Any]] = {"sentence1": [], "sentence2": [], "label": []}
    for i in range(STEPS * BATCH):
        one = draw.choice(chosen)
        other = one if i % 2 else draw.choice([answer for answer in chosen if answer != one])
        drawn["sentence1"].append(draw.choice(by_answer[one]))
        drawn["sentence2"].append(draw.choice(by_answer[other]))
        drawn["label"].append(float(one == other))
    model = base()
    trained(model, Dataset.from_dict(drawn), CosineSimilarityLoss(model), folder)


def static(data: Path, folder: Path) -> None:
    """A table of word pieces, their mean as the vector: what the encoder reads before its first layer."""
    whole = base()
    weight = whole[0].model.get_input_embeddings().weight.detach().float().numpy()
    model = SentenceTransformer(modules=[StaticEmbedding(whole.tokenizer, embedding_weights=weight)], device="cpu")
    model.save_pretrained(str(folder))


def write_vectors(data: Path, folder: Path, encode: Callable[[list[str]], np.ndarray]) -> None:
    queries, answers, _ = texts(data)
    folder.mkdir(parents=True, exist_ok=True)
    for side, of_side in (("query", queries), ("answer", answers)):
        np.save(folder / f"{side}_vectors.npy", encode(list(of_side.values())))
        (folder / f"{side}_ids.txt").write_text("\n".join(of_side) + "\n")


def dropout_live(data: Path, folder: Path) -> None:
    """Vectors from a model that nobody put into evaluation mode."""
    model = base()

    def encode(all_texts: list[str]) -> np.ndarray:
        found = []
        for start in range(0, len(all_texts), BATCH):
            model.train()
            features = model.preprocess(all_texts[start : start + BATCH])
            with torch.no_grad():
                found.append(model(features)["sentence_embedding"].numpy())
        return np.concatenate(found)

    write_vectors(data, folder, encode)


def half_vectors(data: Path, folder: Path) -> None:
    """Vectors in float16 whose lengths the format cannot hold."""
    model = base()
    with np.errstate(over="ignore"):
        write_vectors(data, folder, lambda all_texts: (model.encode(all_texts) * 3e5).astype(np.float16))


def bm25_run(data: Path, folder: Path) -> None:
    """Another tool's BM25: queries are in lower case, answers are not, and ten answers of each query are kept."""
    queries, answers, _ = texts(data)
    judged = {line.split("\t")[0] for line in (data / "qrels/test.tsv").read_text().splitlines()[1:]}
    index = bm25s.BM25()
    index.index(
        bm25s.tokenize(list(answers.values()), lower=False, stopwords=[], show_progress=False), show_progress=False
    )
    asked = {query: text for query, text in queries.items() if query in judged}
    tokens = bm25s.tokenize(list(asked.values()), lower=True, stopwords=[], show_progress=False)
    found, scores = index.retrieve(tokens, corpus=list(answers), k=10, show_progress=False)
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        f"{query} Q0 {answer} {place} {score:.6f} bm25s"
        for query, own, of_own in zip(asked, found, scores, strict=True)
        for place, (answer, score) in enumerate(zip(own, of_own, strict=True), start=1)
    ]
    (folder / "run.trec").write_text("\n".join(lines) + "\n")


def data_parallel(data: Path, folder: Path) -> None:
    """Weights saved from inside DataParallel: every name begins with `module.`."""
    model = base()
    model.save_pretrained(str(folder))
    file = next(folder.rglob("model.safetensors"))
    save_file({f"module.{name}": tensor for name, tensor in load_file(file).items()}, file, {"format": "pt"})


class ByName(torch.nn.Module):
    """The exporter gives inputs by their place."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.model(**dict(zip(NAMES, inputs, strict=True))).last_hidden_state


def onnx_int8(data: Path, folder: Path) -> None:
    """Exported and quantised for ONNX Runtime; the weights of torch are not there. Needs onnx and onnxruntime."""
    # By name: of all that is measured here this model alone needs them.
    quantize_dynamic = importlib.import_module("onnxruntime.quantization").quantize_dynamic
    model = base()
    model.save_pretrained(str(folder))
    weights = next(folder.rglob("model.safetensors"))
    target = weights.parent / "onnx"
    target.mkdir()
    given = {
        name: value for name, value in model.preprocess(["a text", "and another one"]).items() if torch.is_tensor(value)
    }
    torch.onnx.export(
        ByName(model[0].auto_model), tuple(given[name] for name in NAMES), str(target / "model.onnx"),
        input_names=NAMES, output_names=["last_hidden_state"], dynamo=False,
        dynamic_axes={name: {0: "batch", 1: "tokens"} for name in [*NAMES, "last_hidden_state"]},
    )  # fmt: skip
    quantize_dynamic(target / "model.onnx", target / "model_qint8.onnx")
    (target / "model.onnx").unlink()
    weights.unlink()


MODELS: dict[str, Callable[[Path, Path], None]] = {
    "healthy": ranked,
    "wrong-temperature": lambda data, folder: ranked(data, folder, scale=1.0),
    "dropout-live": dropout_live,
    "bf16-weights": bf16_weights,
    "few-answers": few_answers,
    "static": static,
    "bm25-run": bm25_run,
    "float16-vectors": half_vectors,
    "data-parallel": data_parallel,
    "int8-onnx": onnx_int8,
}


def make(data: Path, folder: Path, names: list[str]) -> None:
    for name in names or MODELS:
        if not (folder / name).exists():
            print(name, flush=True)
            MODELS[name](data, folder / name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("split")
    one.add_argument("source", type=Path)
    one.add_argument("folder", type=Path)
    other = commands.add_parser("make")
    other.add_argument("data", type=Path)
    other.add_argument("folder", type=Path)
    other.add_argument("names", nargs="*")
    given = parser.parse_args()
    if given.command == "split":
        split(given.source, given.folder)
    else:
        make(given.data, given.folder, given.names)


if __name__ == "__main__":
    main()
