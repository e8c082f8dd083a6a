"""What several folders of tests share: a tiny encoder made from a configuration, a small ranking set, typed parameters.

torch and transformers are imported inside the fixtures, so that the tests of data and measure do not wait for them.
"""

import copy
import gc
import itertools
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

# Before NumPy and torch start their threads: on matrices this small they wait for each other, 15 times longer.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# A shell ignores Ctrl-C in what it starts in the background, tests too: here it comes to all of them alike.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import numpy as np
import pandas as pd
import pytest
import yaml

from whyrank.core.options import params
from whyrank.core.prepared import PAIR_COLUMNS, RATING_COLUMNS, Prepared

ROOT = Path(__file__).parents[1]
TOPICS = {
    "permit": ["permit", "garden", "fence", "neighbour"],
    "pension": ["pension", "retire", "age", "payment"],
    "visa": ["visa", "travel", "border", "passport"],
    "tax": ["tax", "income", "return", "refund"],
    "school": ["school", "child", "place", "term"],
    "licence": ["licence", "drive", "car", "test"],
}
OPTIMISATION = {
    "learning_rate": 1e-3,
    "encoder_learning_rate": 2e-5,
    "weight_decay": 0.0,
    "warmup_ratio": 0.1,
    "lr_scheduler": "cosine",
    "max_grad_norm": 1.0,
    "train": "head",
    "last_layers": 1,
    "layer_decay": 1.0,
    "freeze_steps": 0,
    "unfreeze_every": 0,
    "unfreeze": "top_down",
    "gradient_accumulation_steps": 1,
    "cache_tokens": 0,
    "gradient_checkpointing": False,
    "shard_encoder": False,
    "lora.rank": 0,
    "head.kind": "residual",
    "head.hidden": 8,
    "head.output": 16,
    "head.dropout": 0.1,
}
PINNED = {
    "pretrain_barlow": OPTIMISATION
    | {
        "batches": "across_answers",
        "views": ["question-conversation", "query-answer"],
        "redundancy_weight": 0.005,
        "early_stopping.metric": "",
    },
    "finetune_rank": OPTIMISATION
    | {
        "objectives.rank.weight": 1.0,
        "objectives.rank.freeze_encoder": False,
        "max_steps": 0,
        "hard_negatives.count": 0,
        "early_stopping.eval_steps": 0,
        "candidates": "all",
        "max_candidates": 5000,
        "same_answer": "masked",
        "similarity.kind": "cosine",
        "similarity.scale": 20.0,
        "similarity.learn_scale": True,
        "encoders": "shared",
        "barlow_head": "inherit",
        "early_stopping.metric": "map@10_all",
        "early_stopping.evaluations": 4,
        "early_stopping.patience": 8,
    },
}
CACHES = itertools.count()
FILLER = ["the", "my", "i", "you", "please", "how", "when", "about", "for", "a"]


def pytest_collection_finish() -> None:
    """What stands when all is imported stands to the end: the garbage collector need not go through it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_test_reads_or_writes_the_cache_of_the_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Each test has a cache of its own, a folder that is made only when something is kept there."""
    monkeypatch.setenv("WHYRANK_CACHE", str(tmp_path_factory.getbasetemp() / "caches" / str(next(CACHES))))


@pytest.fixture(autouse=True)
def a_command_that_ran_in_this_process_leaves_no_handler() -> Iterator[None]:
    """Of Ctrl-C, SIGTERM and exceptions without a caller: those of a command are for its whole process."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    hook = sys.unraisablehook
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    sys.unraisablehook = hook


@pytest.fixture(scope="session")
def shipped_params() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "params.yaml").read_text())


@pytest.fixture
def options(shipped_params: dict[str, Any]) -> Callable[..., Any]:
    """A section as its dataclass, with changes by dotted key: {"head.kind": "mlp"}.

    The shipped values change as experience grows; what tests rely on is `PINNED`.
    """

    def parse(name: str, kind: type, changes: dict[str, Any] | None = None) -> Any:
        values = {name: copy.deepcopy(shipped_params[name])}
        for key, value in (PINNED.get(name, {}) | (changes or {})).items():
            *path, last = key.split(".")
            at = values[name]
            for part in path:
                at = at[part]
            assert last in at, f"no key {key} in {name}"
            at[last] = value
        return params.section(values, name, kind)

    return parse


@pytest.fixture(scope="session")
def make_encoder() -> Callable[..., Any]:
    """An untrained BERT of 2 layers and 32 features; the same seed gives the same weights."""
    import tokenizers
    import torch
    import transformers

    from whyrank.model.encoder.encoder import Encoder

    words = sorted({word for topic in TOPICS.values() for word in topic} | set(FILLER))
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words, *(f"##{letter}" for letter in "aeinrst")]
    wordpiece = tokenizers.BertWordPieceTokenizer({piece: i for i, piece in enumerate(pieces)})
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    config = transformers.BertConfig(
        vocab_size=len(pieces),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )

    def make(seed: int = 0, pooling: str = "mean") -> Any:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            transformer = transformers.BertModel(config)
            # Freshly drawn weights are so small that all texts nearly coincide; at 5 times that they lie apart.
            for parameter in transformer.parameters():
                if parameter.ndim > 1:
                    parameter.data *= 5
        tokenizer = transformers.PreTrainedTokenizerFast(
            tokenizer_object=tokenizers.Tokenizer.from_str(wordpiece.to_str()), model_max_length=64, **special
        )
        return Encoder(transformer, tokenizer, pooling).eval()

    return make


@pytest.fixture
def tiny_encoder(make_encoder: Callable[..., Any]) -> Any:
    return make_encoder()


@pytest.fixture(scope="session")
def tiny_folder(make_encoder: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny encoder saved as a system without heads, longest text 16 tokens; not to be written to."""
    from whyrank.model import system
    from whyrank.model.encoder.declared import Declared

    folder = tmp_path_factory.mktemp("tiny") / "base"
    encoder = make_encoder()
    encoder.declared = Declared(normalises=True)
    system.save(system.untrained(encoder), folder, longest=16)
    return folder


@pytest.fixture
def make_cross_encoder(tiny_folder: Path, tmp_path: Path) -> Callable[..., str]:
    """A folder with a cross-encoder of random weights over the words of the tiny encoder; `scores` for a pair."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    def make(scores: int = 1) -> str:
        tokenizer, folder = AutoTokenizer.from_pretrained(tiny_folder), tmp_path / f"cross-{scores}"
        torch.manual_seed(0)
        config = BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            initializer_range=1.0,
            num_labels=scores,
            max_position_embeddings=64,
        )
        BertForSequenceClassification(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return str(folder)

    return make


@pytest.fixture(scope="session")
def tiny_graph(make_encoder: Callable[..., Any]) -> bytes:
    """The tiny encoder as an ONNX graph, which takes seconds to make; the encoder is left as it was."""
    from whyrank.model import formats

    encoder = make_encoder()
    given = encoder.tokenise(["the visa border"], 16), {"batch_tokens": 40, "precision": "fp32"}
    before = encoder.encode(given[0], **given[1])
    graph = formats.graph(encoder)
    np.testing.assert_array_equal(encoder.encode(given[0], **given[1]), before)
    return graph


@pytest.fixture(scope="session")
def make_prepared() -> Callable[..., Prepared]:
    """Tables from rows: answers (id, text) · queries (id, type, split, text) · qrels (query, answer, score)."""

    def make(answers: list[tuple], queries: list[tuple], qrels: list[tuple]) -> Prepared:
        answer_table = pd.DataFrame(answers, columns=["answer_id", "raw_text"]).assign(title="")
        query_table = pd.DataFrame(queries, columns=["query_id", "type", "split", "raw_text"]).assign(thread=-1)
        qrels_table = pd.DataFrame(qrels, columns=["query_id", "answer_id", "score"])
        for table in (answer_table, query_table):
            table["text"] = table["raw_text"]
        return Prepared(answer_table, query_table, qrels_table)

    return make


@pytest.fixture(scope="session")
def topics(make_encoder: Callable[..., Any], make_prepared: Callable[..., Prepared]) -> Prepared:
    """6 answers, each with 8 questions and 6 conversations over train, dev and test, tokenised for the tiny encoder."""
    random = np.random.default_rng(1)

    def text(words: list[str], length: int) -> str:
        return " ".join(random.choice([*words, *words, *FILLER], length))

    answers = [(f"a-{topic}", text(words, 12)) for topic, words in TOPICS.items()]
    queries, qrels = [], []
    for topic, words in TOPICS.items():
        for kind, split_of, length in (
            ("question", ["train"] * 4 + ["dev"] * 2 + ["test"] * 2, 5),
            ("conversation", ["train"] * 4 + ["dev", "test"], 12),
        ):
            for i, split in enumerate(split_of):
                queries.append((f"{kind[0]}-{topic}-{i}", kind, split, text(words, length)))
                qrels.append((queries[-1][0], f"a-{topic}", 1.0))
    prepared = make_prepared(answers, queries, qrels)
    encoder = make_encoder()
    for table in (prepared.answers, prepared.queries):
        table["input_ids"] = encoder.tokenise(table["text"], 16)
    return prepared


NLI = {"entailment": 1.0, "neutral": 0.5, "contradiction": 0.0}


@pytest.fixture(scope="session")
def paired(topics: Prepared, make_encoder: Callable[..., Any]) -> Prepared:
    """`topics` with pairs beside: for each topic six first texts (4 train, 1 dev, 1 test), each with a second text of
    its own topic (entailment), half of it and half of another (neutral), and of another (contradiction)."""
    random = np.random.default_rng(2)
    names = list(TOPICS)

    def text(*words: str) -> str:
        return " ".join(random.choice(words, 6))

    rows = []
    for use, repeats in (("train", 4), ("dev", 1), ("test", 1)):
        for i, own in enumerate(names):
            other = TOPICS[names[(i + 1) % len(names)]]
            for number in range(repeats):
                first = text(*TOPICS[own])
                for name, words in zip(NLI, (TOPICS[own], [*TOPICS[own], *other], other), strict=True):
                    key = f"nli/{use}-{own}-{number}-{name}"
                    rows.append((key, "nli", "", use, name, NLI[name], first, text(*words)))
    pairs = pd.DataFrame(rows, columns=[*PAIR_COLUMNS[:-2], "text1", "text2"])
    texts = pd.unique(pairs[["text1", "text2"]].to_numpy().flatten())
    start = len(topics.answers) + len(topics.queries)
    number = pd.Series(np.arange(len(texts)) + start, texts)
    pairs["first"], pairs["second"] = number[pairs["text1"]].to_numpy(), number[pairs["text2"]].to_numpy()
    ids = make_encoder().tokenise(list(texts), 16)
    return replace(topics, pairs=pairs[PAIR_COLUMNS], pair_texts=pd.DataFrame({"text": texts, "input_ids": ids}))


@pytest.fixture(scope="session")
def make_rated(topics: Prepared, make_encoder: Callable[..., Any]) -> Callable[..., Prepared]:
    """`topics` with ratings beside: 36 rows of 18 questions in 3 folds, 4 test rows and 4 unlabelled ones.

    visa    share of the answer's words that are of that topic: of the answer alone
    agree   1 where question and answer are of one topic, else 0: of neither alone
    rare    1 in 4 rows of each fold, else 0
    """

    def make(layout: str = "joint") -> Prepared:
        random = np.random.default_rng(3)
        names = [*TOPICS][:3]
        rows, texts = [], []
        uses = [("train", number) for number in range(36)] + [("test", n) for n in range(4)]
        for use, number in [*uses, *(("unlabelled", n) for n in range(4))]:
            question, answer = TOPICS[names[(number // 2 + number // 6) % 3]], TOPICS[names[random.integers(3)]]
            title, body = (" ".join(random.choice(question, count)) for count in (2, 4))
            said = " ".join(random.choice([*answer, *FILLER[:4]], 6))
            share = sum(word in TOPICS["visa"] for word in said.split()) / 6
            target = [share, float(question == answer), float(number // 6 % 3 == 0)]
            fold = number // 2 % 3 if use == "train" else -1
            label = target if use == "train" else [np.nan] * 3
            rows.append((f"{use}-{number}", use, number // 2, fold, title, body, said, *label))
            texts += [f"{title} {body} [SEP] {said}"] if layout == "joint" else [f"{title} {body}", said]
        start = len(topics.answers) + len(topics.queries)
        place = start + np.arange(len(texts)).reshape(len(rows), -1)
        table = pd.DataFrame(rows, columns=[*RATING_COLUMNS[:-2], "visa", "agree", "rare"])
        table.insert(7, "first", place[:, 0])
        table.insert(8, "second", place[:, 1] if layout == "separate" else -1)
        ids = make_encoder().tokenise(texts, 20)
        return replace(topics, ratings=table, rating_texts=pd.DataFrame({"text": texts, "input_ids": ids}))

    return make


@pytest.fixture(scope="session")
def rated(make_rated: Callable[..., Prepared]) -> Prepared:
    """Each row as one text."""
    return make_rated("joint")


@pytest.fixture(scope="session")
def rated_apart(make_rated: Callable[..., Prepared]) -> Prepared:
    """Question and answer as two texts."""
    return make_rated("separate")


@pytest.fixture
def fake_stderr(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], Any]:
    """Replace standard error by a text buffer that says whether it is a terminal."""
    import io
    import sys

    def replace(is_terminal: bool) -> Any:
        buffer = io.StringIO()
        monkeypatch.setattr(buffer, "isatty", lambda: is_terminal, raising=False)
        monkeypatch.setattr(sys, "stderr", buffer)
        return buffer

    return replace


@pytest.fixture
def in_float64() -> Any:
    """float64 as torch's default while a test runs, for exact comparisons."""
    import torch

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield SimpleNamespace(dtype=torch.float64)
    torch.set_default_dtype(before)
