"""Write a large set of made texts in BEIR layout, to see what `prepare` costs on it.

    python benchmarks/large.py FOLDER [--answers 300000] [--queries 5000]
    OMP_NUM_THREADS=1 RAYON_NUM_THREADS=1 python benchmarks/large.py FOLDER --measure    # in the repository

`--checks` in place of `--measure`, or `--tfidf`, measures more. Words are drawn as often as those of a language are
(Zipf-Mandelbrot, 200,000 of them, made of the tokenizer's pieces). Two answers of a hundred repeat an earlier one with
every twentieth word changed, and half of a query are words of its answer.
"""

import argparse
import json
import resource
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import islice, pairwise, product
from pathlib import Path
from typing import Any

import numpy as np

from whyrank.core.options import params
from whyrank.core.prepared import Prepared
from whyrank.data.ranking import prepare
from whyrank.lexical.ranking import tfidf
from whyrank.model.encoder import budgets
from whyrank.model.encoder.encoder import Encoder, TokenIds
from whyrank.model.encoder.loading import load
from whyrank.model.encoder.source import embedded_folder
from whyrank.preflight import figures

SEED = 7
WORDS, SHIFT = 200_000, 2.7
ANSWER_WORDS, QUERY_WORDS = (60, 200), (10, 60)
COPIED, CHANGED = 0.02, 0.05
ASKED = 300
SPLITS = {"train": 0.6, "dev": 0.15, "test": 0.25}


def vocabulary() -> np.ndarray:
    """(W,) words: those that the embedded tokenizer knows, from the most frequent on, then made of two pieces each."""
    pieces = json.loads((embedded_folder() / "tokenizer.json").read_text())["model"]["vocab"]
    ordered = [piece for piece in sorted(pieces, key=pieces.__getitem__) if piece.removeprefix("##").isalpha()]
    whole = [piece for piece in ordered if piece.isascii() and piece.isalpha() and len(piece) > 1]
    ends = [piece.removeprefix("##") for piece in ordered if piece.isascii() and piece.startswith("##")]
    made = (begin + end for end, begin in product(ends, whole))
    return np.array([*whole, *islice(made, WORDS - len(whole))], dtype=object)


class Draw:
    """Texts of word numbers, drawn as often as the words of a language are."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        weight = 1 / (np.arange(WORDS) + SHIFT)
        self.up_to = np.cumsum(weight) / weight.sum()

    def words(self, count: int) -> np.ndarray:
        return np.minimum(np.searchsorted(self.up_to, self.rng.random(count)), WORDS - 1)

    def texts(self, count: int, lengths: tuple[int, int]) -> list[np.ndarray]:
        ends = np.cumsum(self.rng.integers(lengths[0], lengths[1] + 1, count))
        drawn = self.words(int(ends[-1]))
        return [drawn[start:stop] for start, stop in pairwise([0, *ends.tolist()])]

    def changed(self, text: np.ndarray) -> np.ndarray:
        return np.where(self.rng.random(len(text)) < CHANGED, self.words(len(text)), text)

    def asking(self, answer: np.ndarray) -> np.ndarray:
        """Half of a query are words of its answer, in their order."""
        count = int(self.rng.integers(QUERY_WORDS[0], QUERY_WORDS[1] + 1))
        start = int(self.rng.integers(0, max(len(answer) - count // 2, 0) + 1))
        own = answer[start : start + count // 2]
        return np.concatenate([own, self.words(count - len(own))])


def write(folder: Path, answers: int, queries: int) -> None:
    draw, spelling = Draw(np.random.default_rng(SEED)), vocabulary()
    texts = draw.texts(answers, ANSWER_WORDS)
    for number in draw.rng.choice(np.arange(1, answers), int(COPIED * answers), replace=False).tolist():
        texts[number] = draw.changed(texts[int(draw.rng.integers(0, number))])
    right = draw.rng.integers(0, answers, queries).tolist()
    asked = [draw.asking(texts[number]) for number in right]
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    for name, of_kind, ids in (("corpus", texts, "a"), ("queries", asked, "q")):
        with (folder / f"{name}.jsonl").open("w") as lines:
            for number, text in enumerate(of_kind):
                row = {"_id": f"{ids}{number}", "text": " ".join(spelling[text])}
                lines.write(json.dumps(row | ({"title": ""} if ids == "a" else {})) + "\n")
    ends = (np.cumsum([0, *SPLITS.values()]) * queries).round().astype(int).tolist()
    for split, (start, stop) in zip(SPLITS, pairwise(ends), strict=True):
        rows = [f"q{number}\ta{right[number]}\t1\n" for number in range(start, stop)]
        (folder / "qrels" / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(rows))


def measure(folder: Path, *, checks: bool) -> None:
    """Processor seconds of reading, checking, splitting, counting, cutting and tokenising, without any figure.

    checks   then those of all figures that the checks read, with random vectors in place of encoding
    """
    values = params.load("prepare")
    options = replace(params.section(values, "prepare", params.Prepare), source=str(folder), hub="")
    valid = prepare.read(options)
    said("read")
    encoder = load(embedded_folder())
    budget = budgets.budgets(encoder, options.tokens, with_pairs=False)
    found = prepare.prepare(valid, options, tokens=budget.own, count_tokens=encoder.count_tokens, seed=SEED)
    said("prepared")
    texts = budgets.tokenised(encoder, Prepared(found.answers, found.queries, found.qrels), budget)
    said("tokenised")
    if checks:
        encoder.encode = partial(drawn, encoder)
        encoding = params.section(values, "encoder", params.Encoder)
        figures.tables(encoder, texts, encoding, SEED, valid, found.otherwise)
        said("figures")


def drawn(encoder: Encoder, rows: Sequence[TokenIds], **_: Any) -> np.ndarray:
    return np.random.default_rng(SEED).standard_normal((len(rows), encoder.width), dtype=np.float32)


def measure_tfidf(folder: Path) -> None:
    """The same of TF-IDF over the answers, for some queries."""
    answers, queries = (
        [json.loads(line)["text"] for line in (folder / f"{name}.jsonl").open()] for name in ("corpus", "queries")
    )
    said("read")
    tfidf(answers)(queries[:ASKED])
    said("ranked")


def said(what: str) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(f"{what}: {used.ru_utime:.1f} s user, {used.ru_stime:.1f} s system, {used.ru_maxrss / 2**20:.1f} GiB at most")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--answers", type=int, default=300_000)
    arguments.add_argument("--queries", type=int, default=5_000)
    arguments.add_argument("--measure", action="store_true", help="prepare the set that was written")
    arguments.add_argument("--checks", action="store_true", help="the same, and the figures of the checks")
    arguments.add_argument("--tfidf", action="store_true", help="rank the answers of that set by TF-IDF alone")
    options = arguments.parse_args()
    if options.tfidf:
        measure_tfidf(options.folder)
        return
    if options.measure or options.checks:
        measure(options.folder, checks=options.checks)
        return
    write(options.folder, options.answers, options.queries)


if __name__ == "__main__":
    main()
