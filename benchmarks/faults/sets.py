"""The raw sets of the bench, small enough that a case costs seconds: drawn by seed, in the layout of `fault`.

sample          440 queries of the bundled help desk, all answers
conditionalqa   30 answers with the most queries, 600 of these; where shared/data has the set
stackexchange   220 answers with a question and a conversation each, test answers unseen; where shared/data has it
pairs: sample   the bundled pairs;  stsb: SNLI and STS-B of shared/data
ratings: sample the bundled ratings;  stackexchange: 300 rows of 6 targets
"""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from benchmarks.faults import raw
from benchmarks.faults.fault import Task
from whyrank.core.options import params
from whyrank.core.options.yaml_files import read_yaml
from whyrank.data.ranking import prepare

ROOT = Path(__file__).parents[2]
# Where larger sets lie that are not part of the project.
SHARED = Path(os.environ.get("WHYRANK_REAL_DATA", ROOT.parent / "shared" / "data"))
SETS: Mapping[Task, tuple[str, ...]] = {
    "ranking": ("sample", "conditionalqa", "stackexchange"),
    "barlow": ("sample", "conditionalqa", "stackexchange"),
    "pairs": ("stsb", "sample"),
    "ratings": ("stackexchange", "sample"),
}


def is_there(task: Task, name: str) -> bool:
    needs = {"pairs": {"stsb": "sts"}, "ratings": {"stackexchange": "ratings"}}.get(task, {}).get(name, name)
    return name == "sample" or (SHARED / needs).is_dir()


def build(task: Task, name: str, seed: int, folder: Path, queries: int = 0) -> None:
    """Fill an empty folder with the set `name` of a task, split, drawn by `seed`; queries: another size than usual."""
    random = np.random.default_rng(seed)
    builders: dict[str, Callable[[str, np.random.Generator, Path], None]] = {"pairs": pairs, "ratings": ratings}
    if task in builders:
        builders[task](name, random, folder)
    else:
        ranking(name, random, folder, seed, queries)


def ranking(name: str, random: np.random.Generator, folder: Path, seed: int, queries: int = 0) -> None:
    source = ROOT / "data/raw/sample" if name == "sample" else SHARED / name
    corpus, texts = raw.read_lines(source / "corpus.jsonl"), raw.read_lines(source / "queries.jsonl")
    splits = [split for split in raw.SPLITS if (source / "qrels" / f"{split}.tsv").exists()]
    judged = {split: raw.read_qrels(source, split) for split in splits}
    wanted = queries or {"sample": 440, "conditionalqa": 600, "stackexchange": 440}[name]
    if wanted < len(texts):
        per_answer = Counter(answer for rows in judged.values() for _, answer, _ in rows)
        share = {"sample": len(corpus), "conditionalqa": wanted / 20, "stackexchange": wanted / 2}[name]
        # Many queries of an answer where there are, so that something can be learnt of it.
        drawn = sorted(per_answer, key=lambda answer: (-per_answer[answer] // 4, random.random()))
        kept = set(drawn[: max(12, round(share))])
        judged = {split: [row for row in rows if row[1] in kept] for split, rows in judged.items()}
        every = [row[0] for rows in judged.values() for row in rows]
        few = set(random.permutation(every)[:wanted].tolist())
        judged = {split: [row for row in rows if row[0] in few] for split, rows in judged.items()}
        asked = {row[0] for rows in judged.values() for row in rows}
        corpus = [row for row in corpus if row["_id"] in kept]
        texts = [row for row in texts if row["_id"] in asked]
    for row in corpus:
        row.get("metadata", {}).pop("sections", None)
    raw.write_lines(folder / "corpus.jsonl", corpus)
    raw.write_lines(folder / "queries.jsonl", texts)
    for split, rows in judged.items():
        raw.write_qrels(folder, split, rows)
    if len(splits) == 1:
        split_as_the_pipeline_does(folder, seed)


def split_as_the_pipeline_does(folder: Path, seed: int) -> None:
    """Three files of judgements in place of one, so that a fault can be one of a split alone."""
    values = read_yaml(str(ROOT / "params.yaml"))
    options = params.section({"prepare": values["prepare"] | {"source": str(folder)}}, "prepare", params.Prepare)
    valid = prepare.read(options)
    counted = prepare.prepare(
        valid,
        options,
        tokens={"question": 64, "conversation": 256, "answer": 256},
        count_tokens=lambda texts: [len(text.split()) for text in texts],
        seed=seed,
    )
    split = dict(zip(counted.queries["query_id"], counted.queries["split"], strict=True))
    rows = raw.read_qrels(folder, "train")
    for name in raw.SPLITS:
        raw.write_qrels(folder, name, [row for row in rows if split.get(row[0]) == name])


def pairs(name: str, random: np.random.Generator, folder: Path) -> None:
    if name == "sample":
        source = ROOT / "data/raw/pairs"
        shutil.copyfile(source / "nli.csv", folder / "nli.csv")
        rows = raw.read_table(source / "sts.csv")
        rows = [rows[number] for number in random.permutation(len(rows))]
        parts = {"train": rows[:20], "dev": rows[20:35], "test": rows[35:]}
    else:
        names = ("entailment", "neutral", "contradiction")
        nli = raw.read_table(SHARED / "nli/snli_train.csv")
        nli = [nli[number] for number in random.permutation(len(nli))[:600]]
        named = [row | {"label": names[int(row["label"])]} for row in nli if row["label"] in ("0", "1", "2")]
        raw.write_table(folder / "nli.csv", named)
        parts = {part: sts_rows(SHARED / f"sts/stsbenchmark/sts-{part}.csv") for part in raw.SPLITS}
        sizes = {"train": 800, "dev": 200, "test": 500}
        parts = {
            part: [rows[number] for number in random.permutation(len(rows))[: sizes[part]]]
            for part, rows in parts.items()
        }
    for part, rows in parts.items():
        raw.write_table(folder / f"{part}.csv", rows)


def sts_rows(file: Path) -> list[dict[str, str]]:
    cells = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()]
    return [{"sentence1": row[5], "sentence2": row[6], "score": row[4]} for row in cells if len(row) >= 7]


TARGETS = [
    "question_views",
    "answer_score",
    "answer_has_code",
    "answer_has_link",
    "answer_has_list",
    "answer_discussed",
]


def ratings(name: str, random: np.random.Generator, folder: Path) -> None:
    if name == "sample":
        shutil.copyfile(ROOT / "data/raw/ratings/sample.csv", folder / "ratings.csv")
        return
    rows = raw.read_table(SHARED / "ratings/stackexchange_ratings.csv")
    titles = sorted({row["question_title"] for row in rows})
    kept = {titles[number] for number in random.permutation(len(titles))[:200]}
    columns = ["qa_id", "question_title", "question_body", "answer", *TARGETS]
    own = [{column: row[column] for column in columns} for row in rows if row["question_title"] in kept]
    raw.write_table(folder / "ratings.csv", own[:300])
