"""A folder, whatever its formats, and a hub repository give the same rows."""

import json
from collections.abc import Callable
from pathlib import Path

import datasets
import pandas as pd
import pytest

from whyrank.core.errors import UserError
from whyrank.data.ranking.prepare import QREL_COLUMNS
from whyrank.data.ranking.source import read_source
from whyrank.data.ranking.validate import Validated, validate

SECTIONS = [{"title": "First", "text": "step one"}, {"title": "Second", "text": "step two"}]
ANSWERS = [("a1", "press the button", SECTIONS), ("a2", "call the desk", None)]
QUERIES = [("q1", "which button?", "question"), ("q2", "hello, I need a person on the phone", "conversation")]
QRELS = pd.DataFrame({"query-id": ["q1", "q2"], "corpus-id": ["a1", "a2"], "score": [1, 2]})


def write_jsonl(folder: Path) -> None:
    corpus = [{"_id": a, "title": "T", "text": text, "metadata": {"sections": s}} for a, text, s in ANSWERS]
    queries = [{"_id": q, "text": text, "metadata": {"type": kind}} for q, text, kind in QUERIES]
    for stem, rows in (("corpus", corpus), ("queries", queries)):
        (folder / f"{stem}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    QRELS.to_csv(folder / "qrels" / "train.tsv", sep="\t", index=False)


def flat_tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    corpus = pd.DataFrame(
        [(a, "T", text, json.dumps(s) if s else None) for a, text, s in ANSWERS],
        columns=["_id", "title", "text", "metadata.sections"],
    )
    return corpus, pd.DataFrame(QUERIES, columns=["_id", "text", "type"])


def write_csv(folder: Path) -> None:
    corpus, queries = flat_tables()
    corpus.to_csv(folder / "corpus.csv", index=False)
    kinds = [json.dumps({"type": kind}) for kind in queries["type"]]
    queries.drop(columns="type").assign(metadata=kinds).to_csv(folder / "queries.csv", index=False)
    QRELS.to_csv(folder / "qrels" / "train.csv", index=False)


def write_tsv(folder: Path) -> None:
    corpus, queries = flat_tables()
    for stem, table in (("corpus", corpus), ("queries", queries)):
        lines = ["\t".join(table.columns), *("\t".join(row) for row in table.fillna("").to_numpy())]
        (folder / f"{stem}.tsv").write_text("\n".join(lines))
    QRELS.to_csv(folder / "qrels" / "train.tsv", sep="\t", index=False)


def write_parquet(folder: Path) -> None:
    corpus, queries = flat_tables()
    nested = [s for _, _, s in ANSWERS]
    corpus.drop(columns="metadata.sections").assign(sections=nested).to_parquet(folder / "corpus.parquet")
    queries.rename(columns={"type": "metadata.type"}).to_parquet(folder / "queries.parquet")
    QRELS.to_parquet(folder / "qrels" / "train.parquet")


def assert_is_the_set(valid: Validated) -> None:
    assert valid.answers["answer_id"].tolist() == ["a1", "a2"]
    assert valid.answers["body"].tolist() == ["press the button", "call the desk"]
    assert valid.answers["sections"].tolist() == [SECTIONS, None]
    assert valid.queries["declared_type"].tolist() == ["question", "conversation"]
    assert valid.qrels[QREL_COLUMNS].to_numpy().tolist() == [["q1", "a1", 1.0], ["q2", "a2", 2.0]]
    assert valid.rejected.empty


@pytest.mark.parametrize("write", [write_jsonl, write_csv, write_tsv, write_parquet])
def test_every_format_gives_the_same_set(tmp_path: Path, write: Callable[[Path], None]) -> None:
    (tmp_path / "qrels").mkdir()
    write(tmp_path)
    valid = validate(read_source(tmp_path))
    assert_is_the_set(valid)
    assert valid.given is None


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def hub_repository(folder: Path, configs: dict[str, dict[str, str]]) -> None:
    """A README whose header declares the configs, as on the hub: config -> split -> file."""
    header = ["---", "configs:"]
    for config, files in configs.items():
        header += [f"- config_name: {config}", "  data_files:"]
        for split, file in files.items():
            header += [f"  - split: {split}", f"    path: {file}"]
    (folder / "README.md").write_text("\n".join([*header, "---", ""]))


@pytest.mark.parametrize("config", ["qrels", "default"])
def test_a_hub_repository_with_its_judgements_in_a_config_gives_the_same_set(
    tmp_path: Path, hub_cache: None, config: str
) -> None:
    folder = tmp_path / "set"
    (folder / "parts").mkdir(parents=True)
    (folder / "qrels").mkdir()
    write_jsonl(folder)
    for stem in ("corpus", "queries"):
        (folder / f"{stem}.jsonl").rename(folder / "parts" / f"{stem}.jsonl")
    QRELS.to_json(folder / "parts" / "qrels.jsonl", orient="records", lines=True)
    hub_repository(
        folder,
        {
            "corpus": {"corpus": "parts/corpus.jsonl"},
            "queries": {"queries": "parts/queries.jsonl"},
            config: {"test": "parts/qrels.jsonl"},
        },
    )
    valid = validate(read_source(folder, test_alone="split"))
    assert_is_the_set(valid)
    assert valid.rows_in == {"corpus": 2, "queries": 2, "qrels/test": 2}


def test_a_hub_set_finds_its_judgements_in_the_sister_repository(tmp_path: Path, hub_cache: None) -> None:
    folder, sister = tmp_path / "set", tmp_path / "set-qrels"
    (folder / "parts").mkdir(parents=True)
    sister.mkdir()
    (folder / "qrels").mkdir()
    write_jsonl(folder)
    for stem in ("corpus", "queries"):
        (folder / f"{stem}.jsonl").rename(folder / "parts" / f"{stem}.jsonl")
    hub_repository(folder, {stem: {stem: f"parts/{stem}.jsonl"} for stem in ("corpus", "queries")})
    QRELS.iloc[:1].to_csv(sister / "train.tsv", sep="\t", index=False)
    QRELS.iloc[1:].to_csv(sister / "validation.tsv", sep="\t", index=False)
    valid = validate(read_source(folder))
    assert_is_the_set(valid)
    assert valid.given == {"q1": "train", "q2": "dev"}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: (f / "corpus.jsonl").unlink(), "no corpus file; add corpus.jsonl, or another of .jsonl"),
        (lambda f: (f / "corpus.csv").write_text("_id,text\n"), "corpus.csv and corpus.jsonl stand side by side"),
        (lambda f: (f / "queries.jsonl").write_text("\n"), "queries.jsonl is empty"),
        (lambda f: (f / "qrels" / "train.tsv").unlink(), "no qrels file; add train.tsv"),
        (lambda f: (f / "qrels" / "extra.tsv").write_text("x"), "'extra' is no split"),
        (lambda f: (f / "qrels" / "train.csv").write_text("x"), "one split stands in two files"),
        (
            lambda f: (f / "qrels" / "train.tsv").rename(f / "qrels" / "dev.tsv").with_name("test.tsv").touch(),
            "one train",
        ),
    ],
)
def test_a_missing_or_surplus_file_is_one_line_with_the_remedy(
    tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    (tmp_path / "qrels").mkdir()
    write_jsonl(tmp_path)
    spoil(tmp_path)
    with pytest.raises(UserError) as error:
        read_source(tmp_path)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_hub_set_that_cannot_be_read_is_one_line(tmp_path: Path, hub_cache: None) -> None:
    (tmp_path / "corpus.bin").write_text("x")
    hub_repository(tmp_path, {"corpus": {"corpus": "corpus.bin"}})
    with pytest.raises(UserError, match="no hub set that can be read: Unable to find") as error:
        read_source(tmp_path)
    assert "\n" not in str(error.value)
    (tmp_path / "corpus.bin").rename(tmp_path / "text.csv")
    hub_repository(tmp_path, {"corpus": {"corpus": "text.csv"}})
    with pytest.raises(UserError, match="no config 'queries'"):
        read_source(tmp_path)


def test_a_hub_id_out_of_reach_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(name: str) -> list[str]:
        raise ConnectionError(f"cannot reach {name}\nsecond line")

    monkeypatch.setattr(datasets, "get_dataset_config_names", unreachable)
    with pytest.raises(UserError, match=r"no hub set that can be read: cannot reach nobody/nothing second line$"):
        read_source("nobody/nothing")


def test_a_mistyped_folder_is_not_sought_on_the_hub(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist; name a folder"):
        read_source(tmp_path / "nowhere")
    with pytest.raises(UserError, match="does not exist; name a folder"):
        read_source("data/raw/nowhere")
