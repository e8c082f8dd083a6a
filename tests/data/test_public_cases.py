"""Inputs that people brought to other tools: BEIR sets as they are, spreadsheets, logs, ratings of other countries."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from whyrank.core.errors import UserError
from whyrank.core.options import params
from whyrank.data.pairs.read import PairSet, read_pairs
from whyrank.data.ranking.prepare import read
from whyrank.data.ranking.validate import Validated
from whyrank.data.ratings.read import read_ratings

ANSWERS = {f"a{i}": f"Article {i}: press the button of part {i}, then wait." for i in range(12)}
QUERIES = {f"q{i}": f'how do i reset "part {i}" of my garden?' for i in range(108)}
QRELS = {query: f"a{i % 12}" for i, query in enumerate(QUERIES)}
CORPUS_TABLE = pd.DataFrame({"_id": list(ANSWERS), "title": "", "text": list(ANSWERS.values())})
QUERY_TABLE = pd.DataFrame({"_id": list(QUERIES), "text": list(QUERIES.values())})
QRELS_TABLE = pd.DataFrame({"query-id": list(QRELS), "corpus-id": list(QRELS.values()), "score": 1})

Write = Callable[..., Path]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A sound set in BEIR layout: 12 answers, 108 queries, one judgement each."""
    folder = tmp_path / "set"
    (folder / "qrels").mkdir(parents=True)
    for name, table in (("corpus", CORPUS_TABLE), ("queries", QUERY_TABLE)):
        table.to_json(folder / f"{name}.jsonl", orient="records", lines=True)
    QRELS_TABLE.to_csv(folder / "qrels/train.tsv", sep="\t", index=False)
    return folder


@pytest.fixture
def read_source(source: Path, options: Callable[..., Any]) -> Callable[..., Validated]:
    return lambda **changes: read(
        options(
            "prepare", params.Prepare, {"source": str(source)} | {k.replace("__", "."): v for k, v in changes.items()}
        )
    )


def assert_whole(valid: Validated) -> None:
    assert dict(zip(valid.queries["query_id"], valid.queries["raw_text"], strict=True)) == QUERIES
    assert (len(valid.answers), len(valid.qrels), len(valid.rejected), len(valid.left_out)) == (12, 108, 0, 0)


def test_a_document_with_a_title_alone_is_a_document(source: Path, read_source: Callable[..., Validated]) -> None:
    table = CORPUS_TABLE.assign(title=CORPUS_TABLE["text"])
    table.loc[:2, "text"] = ""
    table.to_json(source / "corpus.jsonl", orient="records", lines=True)
    assert_whole(read_source())


def test_an_empty_document_is_the_cause_and_what_points_to_it_the_consequence(
    source: Path, read_source: Callable[..., Validated]
) -> None:
    table = CORPUS_TABLE.copy()
    table.loc[:2, "text"] = ""
    table.to_json(source / "corpus.jsonl", orient="records", lines=True)
    with pytest.raises(UserError) as error:
        read_source()
    assert str(error.value) == (
        "3 of 228 rows are rejected (1.32%, at most 1.00%): corpus.jsonl line 1, column text: empty text: '' (3 rows); "
        "54 more rows point to them; fix the rows, or raise -S prepare.max_rejected"
    )
    valid = read_source(max_rejected=0.02)
    assert (len(valid.answers), len(valid.queries), len(valid.rejected), len(valid.left_out)) == (9, 81, 3, 54)


@pytest.mark.parametrize(
    "name", ["test.tsv", "dev.tsv", "validation.tsv", "TEST.TSV", "test.tsv.gz", "qrels.test.tsv", "test_set.tsv"]
)
def test_a_test_set_alone_is_not_trained_on_unasked(
    source: Path, read_source: Callable[..., Validated], name: str
) -> None:
    (source / "qrels/train.tsv").unlink()
    QRELS_TABLE.to_csv(source / "qrels" / name, sep="\t", index=False, compression="infer")
    with pytest.raises(
        UserError, match=r"holds the only judgements, and is called (test|dev): .*test_alone=split; or add"
    ):
        read_source()
    assert_whole(read_source(split__test_alone="split"))


@pytest.mark.parametrize(
    "name", ["test.txt", "qrels.test.txt", "test", "test.xlsx", "test.trec", "dev_1.csv.zip", "val.json"]
)
def test_judgements_in_a_format_that_is_not_read_are_named(
    source: Path, read_source: Callable[..., Validated], name: str
) -> None:
    QRELS_TABLE[:72].to_csv(source / "qrels/train.tsv", sep="\t", index=False)
    (source / "qrels" / name).write_text("".join(f"{q} 0 {a} 1\n" for q, a in list(QRELS.items())[72:]))
    with pytest.raises(
        UserError, match=rf"qrels/{name} is not read: its format is none of .*; write it as (test|dev)\.tsv"
    ):
        read_source()


@pytest.mark.parametrize("name", ["test.TSV", "test.tsv.gz", "Test.csv", "test.csv.bz2", "test.jsonl.xz"])
def test_judgements_in_capitals_or_packed_are_read(
    source: Path, read_source: Callable[..., Validated], name: str
) -> None:
    QRELS_TABLE[:72].to_csv(source / "qrels/train.tsv", sep="\t", index=False)
    kind = name.lower().split(".")[1]
    if kind == "jsonl":
        QRELS_TABLE[72:].to_json(source / "qrels" / name, orient="records", lines=True)
    else:
        QRELS_TABLE[72:].to_csv(source / "qrels" / name, sep="\t" if kind == "tsv" else ",", index=False)
    valid = read_source()
    assert_whole(valid)
    assert list(pd.Series(valid.given).value_counts().sort_index()) == [36, 72]


def test_every_other_file_of_the_folder_is_named(source: Path, read_source: Callable[..., Validated]) -> None:
    for name in (
        "corpus.jsonl.bak",
        "queries.old.jsonl",
        "notes.xlsx",
        "qrels/extra.log",
        "README.md",
        ".DS_Store",
        "LICENSE",
    ):
        (source / name).write_text("x")
    (source / "images").mkdir()
    assert read_source().unread == ["corpus.jsonl.bak", "images", "notes.xlsx", "queries.old.jsonl", "qrels/extra.log"]


@pytest.mark.parametrize("separator", [";", ",", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-8", "utf-16"])
def test_a_spreadsheet_with_any_separator_is_read(
    source: Path, read_source: Callable[..., Validated], separator: str, encoding: str
) -> None:
    for name, table in (("corpus", CORPUS_TABLE), ("queries", QUERY_TABLE), ("qrels/train", QRELS_TABLE)):
        table.to_csv(source / f"{name}.csv", sep=separator, index=False, encoding=encoding)
    for name in ("corpus.jsonl", "queries.jsonl", "qrels/train.tsv"):
        (source / name).unlink()
    assert_whole(read_source())


def test_a_spreadsheet_in_windows_1252_names_the_option_that_reads_it(
    source: Path, read_source: Callable[..., Validated]
) -> None:
    table = QUERY_TABLE.assign(text=[f"{text} – café" for text in QUERY_TABLE["text"]])
    table.to_csv(source / "queries.csv", index=False, encoding="cp1252")
    (source / "queries.jsonl").unlink()
    with pytest.raises(UserError, match=r"queries\.csv line 2: not UTF-8, .*-S prepare\.files\.encoding=cp1252"):
        read_source()
    assert read_source(files__encoding="cp1252").queries["raw_text"].str.endswith("– café").all()


def test_a_tab_separated_file_of_pandas_is_read_as_it_was_written(
    source: Path, read_source: Callable[..., Validated]
) -> None:
    QUERY_TABLE.to_csv(source / "queries.tsv", sep="\t", index=False)
    (source / "queries.jsonl").unlink()
    assert '""part 0""' in (source / "queries.tsv").read_text()
    assert_whole(read_source())


def test_a_text_that_begins_with_a_mark_in_a_csv_without_quoting_is_named_with_its_line(
    source: Path, read_source: Callable[..., Validated]
) -> None:
    texts = {query: text.replace('"', "") for query, text in QUERIES.items()} | {"q20": '"how', "q60": '"why'}
    (source / "queries.jsonl").unlink()
    (source / "queries.csv").write_text("_id,text\n" + "".join(f"{query},{text}\n" for query, text in texts.items()))
    with pytest.raises(
        UserError, match=r"queries\.csv: a quotation mark opened in line 22 is never closed before line 62"
    ):
        read_source()
    valid = read_source(files__quoting="none")
    assert dict(zip(valid.queries["query_id"], valid.queries["raw_text"], strict=True)) == texts


def test_one_answer_to_all_queries_is_nothing_to_rank(source: Path, read_source: Callable[..., Validated]) -> None:
    QRELS_TABLE.assign(**{"corpus-id": "a3"}).to_csv(source / "qrels/train.tsv", sep="\t", index=False)
    with pytest.raises(
        UserError, match="all 108 queries have one relevant answer, 'a3': there is nothing to rank; add"
    ):
        read_source()


def test_a_local_copy_of_a_hub_set_is_a_source(source: Path, read_source: Callable[..., Validated]) -> None:
    with pytest.raises(
        UserError, match=r"`prepare\.hub` is '.*', a folder, which is not watched for changes; name it with"
    ):
        read_source(hub=str(source))


def pairs_of(folder: Path, **source: Any) -> PairSet:
    values = {"name": "sick", "path": "SICK.txt", "use": "train", "kind": "classes"} | source
    if values["kind"] == "classes":
        values.setdefault("labels", {"ENTAILMENT": 1.0, "NEUTRAL": 0.5})
    section = {"pairs": {"folder": str(folder), "sources": [values]}}
    return read_pairs(params.section(section, "pairs", params.Pairs), max_rejected=0.0, seed=7)


SICK = pd.DataFrame(
    {
        "pair_ID": range(40),
        "sentence_A": [f"Dog {i} barks" for i in range(40)],
        "sentence_B": "A dog sleeps",
        "entailment_label": ["NEUTRAL", "ENTAILMENT"] * 20,
        "relatedness_score": [1 + i % 5 for i in range(40)],
    }
)


def test_sick_as_its_authors_distribute_it_has_classes_and_scores(tmp_path: Path) -> None:
    SICK.to_csv(tmp_path / "SICK.txt", sep="\t", index=False)
    assert pairs_of(tmp_path).pairs["class_name"].value_counts().to_dict() == {"NEUTRAL": 20, "ENTAILMENT": 20}
    assert pairs_of(tmp_path, kind="scores", range=[1, 5]).pairs["label"].max() == 1.0


@pytest.mark.parametrize(
    ("renamed", "columns"),
    [
        ({"sentence_A": "Sentence_a", "sentence_B": "SENTENCE_B"}, {}),
        ({"sentence_A": "left", "sentence_B": "right"}, {"text1": "left", "text2": "right"}),
        ({"entailment_label": "gold"}, {"label": "gold"}),
    ],
)
def test_columns_of_any_name_are_read_once_they_are_named(
    tmp_path: Path, renamed: dict[str, str], columns: dict[str, str]
) -> None:
    SICK.rename(columns=renamed).to_csv(tmp_path / "SICK.txt", sep="\t", index=False)
    assert len(pairs_of(tmp_path, columns=columns).pairs) == 40
    if columns:
        with pytest.raises(UserError, match=r"columns: \{text1: …, text2: …, label: …\}` of source 'sick'"):
            pairs_of(tmp_path)


@pytest.mark.parametrize("path", ["../SICK.txt", "/etc/passwd", "sub/../../SICK.txt"])
def test_no_path_of_pairs_leaves_its_folder(tmp_path: Path, path: str) -> None:
    (tmp_path / "pairs/sub").mkdir(parents=True)
    SICK.to_csv(tmp_path / "SICK.txt", sep="\t", index=False)
    with pytest.raises(
        UserError, match=r"`path` of source 'sick' leads to .*, which is not below `prepare\.pairs\.folder`"
    ):
        pairs_of(tmp_path / "pairs", path=path)
    (tmp_path / "pairs/link.txt").symlink_to(tmp_path / "SICK.txt")
    assert len(pairs_of(tmp_path / "pairs", path="link.txt").pairs) == 40
    with pytest.raises(UserError, match=r"`hub` of source 'sick' leads to"):
        pairs_of(tmp_path / "pairs", path="", hub=str(tmp_path))


def test_scores_with_decimal_commas_are_named_with_the_option_that_reads_them(
    tmp_path: Path, options: Callable[..., Any]
) -> None:
    SICK.assign(relatedness_score=SICK["relatedness_score"].astype(str) + ",5").to_csv(tmp_path / "SICK.txt", sep="\t")
    source = {"name": "sick", "path": "SICK.txt", "use": "train", "kind": "scores", "range": [0, 10]}
    changes = {"pairs.folder": str(tmp_path), "pairs.sources": [source]}
    with pytest.raises(
        UserError, match=r"numbers with a decimal comma; read them with -S 'prepare\.files\.numbers=\[comma\]'"
    ):
        read_pairs(options("prepare", params.Prepare, changes).pairs, max_rejected=0, seed=7)
    prepare = options("prepare", params.Prepare, changes | {"files.numbers": ["comma"]})
    assert read_pairs(prepare.pairs, max_rejected=0, seed=7, how=prepare.files).pairs["label"].max() == 0.55


def rated(options: Callable[..., Any], source: Path, **changes: Any) -> dict[str, pd.DataFrame]:
    keys = {"ratings.read": True, "ratings.source": str(source)} | {k.replace("__", "."): v for k, v in changes.items()}
    prepare = options("prepare", params.Prepare, keys)
    return read_ratings(prepare.ratings, prepare.files).tables


def test_a_question_asked_again_under_other_titles_is_a_leak_by_its_body(
    write_rows: Write, rated_rows: list[dict[str, Any]], options: Callable[..., Any]
) -> None:
    body = "Hello from groep 6! I'm a teacher, 27 kids, one garden, number"
    rows = [
        row | {"question_title": f"Title {i}", "question_body": f"{body} {i // 3}"} for i, row in enumerate(rated_rows)
    ]
    folds = rated(options, write_rows(rows))["rating_folds"]
    assert folds["shared_body"].sum() == 24 and folds["shared_title"].sum() == 0 and set(folds["kept_by"]) == {"body"}
    by_body = rated(options, write_rows(rows), ratings__group="question_body")["rating_folds"]
    assert by_body["shared_rows"].sum() == 0


@pytest.mark.parametrize(
    ("spell", "way"),
    [
        (lambda value: str(value).replace(".", ","), "comma"),
        (lambda value: f"{100 * value:g}%", "percent"),
        (lambda value: f"{100 * value:g} %", "percent"),
        (lambda value: f"{round(4 * value)}/4", "fraction"),
        (lambda value: "yes" if value > 0.5 else "no", "boolean"),
    ],
)
def test_ratings_in_another_spelling_are_named_and_read_by_the_option_that_is_named(
    write_rows: Write, rated_rows: list[dict[str, Any]], options: Callable[..., Any], spell: Any, way: str
) -> None:
    source = write_rows([row | {"helpful": spell(row["helpful"])} for row in rated_rows])
    line = rated(options, source)["rating_columns"].set_index("column").loc["helpful"]
    assert (line["kind"], line["spellings"]) == ("written_numbers", way)
    assert line["why"].endswith(f"; read them with -S 'prepare.files.numbers=[{way}]'")
    with pytest.raises(UserError, match=rf"'helpful': .* is no plain number: .*; read them .*numbers=\[{way}\]'"):
        rated(options, source, ratings__targets=["helpful", "has_link"])
    table = rated(options, source, files__numbers=[way])["rating_targets"].set_index("target")
    mean = sum(row["helpful"] > 0.5 if way == "boolean" else row["helpful"] for row in rated_rows) / 24
    assert table.loc["helpful", "mean"] == pytest.approx(mean)


def test_a_single_rating_in_another_spelling_names_the_option_too(
    write_rows: Write, rated_rows: list[dict[str, Any]], options: Callable[..., Any]
) -> None:
    source = write_rows([row | {"helpful": "0,25" if i == 3 else row["helpful"]} for i, row in enumerate(rated_rows)])
    with pytest.raises(
        UserError, match=r"line 5, column 'helpful': '0,25' is one of numbers with a decimal comma; read them"
    ):
        rated(options, source)
    assert json.dumps(rated(options, source, files__numbers=["comma"])["rating_targets"]["n"].tolist()) == "[24, 24]"
