"""The sets that models of other tools are made on: some queries of each split, and no judgement of another."""

import json
from pathlib import Path

import pytest

from benchmarks import examined

ROOT = Path(__file__).parents[2]


def ids(file: Path) -> set[str]:
    return {line.split("\t")[0] for line in file.read_text(encoding="utf-8").splitlines()[1:]}


@pytest.mark.parametrize("splits", [("train",), ("train", "dev", "test")], ids=["one file", "own splits"])
def test_a_set_is_drawn_with_its_own_splits_or_split_anew(tmp_path, monkeypatch, splits):
    monkeypatch.setattr(examined, "SIZES", {"test": 30, "dev": 10, "train": 80})
    source, target = tmp_path / "source", tmp_path / "target"
    sample = ROOT / "data/raw/sample"
    (source / "qrels").mkdir(parents=True)
    for name in ("corpus.jsonl", "queries.jsonl"):
        (source / name).write_bytes((sample / name).read_bytes())
    header, *rows = (sample / "qrels/train.tsv").read_text(encoding="utf-8").splitlines()
    for number, name in enumerate(splits):
        (source / f"qrels/{name}.tsv").write_text("\n".join([header, *rows[number :: len(splits)]]) + "\n")
    examined.split(source, target)
    drawn = {name: ids(target / f"qrels/{name}.tsv") for name in examined.SIZES}
    assert {name: len(own) for name, own in drawn.items()} == examined.SIZES
    assert not drawn["test"] & drawn["train"] and not drawn["dev"] & (drawn["train"] | drawn["test"])
    if len(splits) > 1:
        assert all(own <= ids(source / f"qrels/{name}.tsv") for name, own in drawn.items())
    texts = {json.loads(line)["_id"] for line in (target / "queries.jsonl").read_text().splitlines()}
    assert texts == set.union(*drawn.values())
    queries, answers, pairs = examined.texts(target)
    assert {query for query, _ in pairs} == drawn["train"] and {answer for _, answer in pairs} <= set(answers)
    assert set(queries) == texts
