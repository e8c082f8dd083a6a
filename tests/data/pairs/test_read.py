"""Sentence pairs: every format gives the same table, every row is accounted for, every mistake is one line."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from whyrank.core.errors import UserError
from whyrank.core.options import params
from whyrank.data.pairs.read import PairSet, read_pairs
from whyrank.data.pairs.sampling import sample

ROOT = Path(__file__).parents[3]
CLASSES = ["entailment", "neutral", "contradiction"]
LABELS = {"entailment": 1.0, "neutral": 0.5, "contradiction": 0.0}
ROWS = [
    ("The lamp is on.", "A light is burning.", "entailment"),
    ("The lamp is on.", "The lamp is new.", "neutral"),
    ("The lamp is on.", "It is dark.", "contradiction"),
]
NAMED = pd.DataFrame(ROWS, columns=["premise", "hypothesis", "label"])
IDS = NAMED.assign(label=[CLASSES.index(name) for name in NAMED["label"]])
SCORED = pd.DataFrame(
    [("A pump hums.", "A pump is loud.", 4.0), ("A pump hums.", "A leaf is green.", 0.5)],
    columns=["sentence1", "sentence2", "score"],
)

Read = Callable[..., PairSet]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read one source of the folder of the test; classes unless it says otherwise."""

    def read_one(path: str = "", *, max_rejected: float = 0.0, seed: int = 7, **keys: Any) -> PairSet:
        values = {"name": "set", "path": path, "use": "train", "kind": "classes"}
        if keys.get("kind", "classes") == "classes":
            values["labels"] = LABELS
        else:
            values["range"] = [0, 5]
        pairs = {"pairs": {"folder": str(tmp_path), "sources": [values | keys]}}
        return read_pairs(params.section(pairs, "pairs", params.Pairs), max_rejected=max_rejected, seed=seed)

    return read_one


def count(found: PairSet, column: str) -> int:
    (value,) = found.counts[column]
    return int(value)


def assert_adds_up(counts: pd.DataFrame) -> None:
    parts = counts[["unlabelled", "unscored", "rejected", "left_out", "kept"]].sum(axis=1)
    assert counts["rows_read"].tolist() == parts.tolist()


def assert_is_the_set(found: PairSet) -> None:
    assert found.pairs["text1"].tolist() == [row[0] for row in ROWS]
    assert found.pairs["text2"].tolist() == [row[1] for row in ROWS]
    assert found.pairs["class_name"].tolist() == CLASSES
    assert found.pairs["label"].tolist() == [1.0, 0.5, 0.0]
    assert found.rejected.empty


# Classes: formats


def test_names_in_the_cells_of_a_csv_are_mapped_by_name(tmp_path: Path, read: Read) -> None:
    NAMED.to_csv(tmp_path / "nli.csv", index=False)
    found = read("nli.csv", use="dev")
    assert_is_the_set(found)
    assert found.pairs["pair_id"].tolist() == ["set//2", "set//3", "set//4"]
    assert found.pairs[["source", "subset", "use"]].drop_duplicates().to_numpy().tolist() == [["set", "", "dev"]]
    assert found.pairs["label"].dtype == np.float64
    assert found.counts.to_dict("records") == [
        {
            "source": "set", "use": "dev", "rows_read": 3, "unlabelled": 0, "unscored": 0, "rejected": 0,
            "left_out": 0, "kept": 3, "duplicates": 0,
        }
    ]  # fmt: skip


@pytest.mark.parametrize("cells", [[0, 1, 2], ["0", "1", "2"], ["0.0", "1.0", "+2"]])
def test_ids_in_a_csv_take_the_stated_order(tmp_path: Path, read: Read, cells: list[Any]) -> None:
    NAMED.assign(label=cells).to_csv(tmp_path / "nli.csv", index=False)
    assert_is_the_set(read("nli.csv", classes=CLASSES))


def test_another_stated_order_gives_other_names(tmp_path: Path, read: Read) -> None:
    IDS.to_csv(tmp_path / "nli.csv", index=False)
    assert read("nli.csv", classes=CLASSES[::-1]).pairs["class_name"].tolist() == CLASSES[::-1]


def test_ids_in_parquet_take_the_names_in_its_schema(tmp_path: Path, read: Read) -> None:
    features = datasets.Features(
        {"premise": datasets.Value("string"), "hypothesis": datasets.Value("string")}
        | {"label": datasets.ClassLabel(names=CLASSES)}
    )
    rows = pd.concat([IDS, IDS.assign(label=-1)])
    datasets.Dataset.from_dict(rows.to_dict("list"), features=features).to_parquet(str(tmp_path / "nli.parquet"))
    found = read("nli.parquet")
    assert_is_the_set(found)
    assert (count(found, "rows_read"), count(found, "unlabelled")) == (6, 3)
    with pytest.raises(UserError, match=r"^nli\.parquet, column label: the file's classes are entailment, neutral"):
        read("nli.parquet", classes=CLASSES[::-1])


@pytest.mark.parametrize("column", [["entailment", "neutral", "contradiction", None], [0.0, 1.0, 2.0, None]])
def test_parquet_without_class_names_has_names_in_cells_or_ids_with_gaps(
    tmp_path: Path, read: Read, column: list[Any]
) -> None:
    rows = pd.concat([NAMED, NAMED.iloc[:1]])
    rows.assign(label=column).to_parquet(tmp_path / "nli.parquet", index=False)
    found = read("nli.parquet", classes=CLASSES)
    assert_is_the_set(found)
    assert count(found, "unlabelled") == 1


def test_the_original_jsonl_drops_and_counts_what_has_no_gold_label(tmp_path: Path, read: Read) -> None:
    golds = [*CLASSES, "-", "", -1, None]
    texts = [row[:2] for row in ROWS] + [ROWS[0][:2]] * 4
    lines = [
        {"gold_label": gold, "sentence1": first, "sentence2": second, "genre": "fiction"}
        for gold, (first, second) in zip(golds, texts, strict=True)
    ]
    without = {"sentence1": "The pump rests.", "sentence2": "The pump is silent."}
    (tmp_path / "nli.jsonl").write_text("".join(json.dumps(line) + "\n" for line in [*lines, without]))
    found = read("nli.jsonl")
    assert_is_the_set(found)
    assert (count(found, "rows_read"), count(found, "unlabelled"), count(found, "kept")) == (8, 5, 3)


# Classes: what is refused


@pytest.mark.parametrize(
    ("table", "keys", "message"),
    [
        (
            IDS,
            {},
            "nli.csv line 2, column label: nothing names class id 0; state `classes`, the names of the ids in order",
        ),
        (
            IDS.assign(label=[0, 1, 3]),
            {"classes": CLASSES},
            "nli.csv line 4, column label: class id 3 has no name (0 to 2 are entailment, neutral, contradiction)",
        ),
        (
            IDS,
            {"classes": [*CLASSES, "unsure"]},
            "nli.csv, column label: class 'unsure' has no entry in `labels` of source 'set' (entailment, neutral, "
            "contradiction); add it",
        ),
        (
            NAMED,
            {"labels": {"entailment": 1.0, "neutral": 0.5}},
            "nli.csv line 4, column label: class 'contradiction' has no entry in `labels` of source 'set' (entailment, "
            "neutral); add it",
        ),
        (
            NAMED,
            {"labels": LABELS | {"neutrl": 0.5}},
            "nli.csv, column label: `labels` of source 'set' has an entry for 'neutrl', which is no class there "
            "(entailment, neutral, contradiction); fix or remove the entry, or state `classes`",
        ),
        (
            NAMED.assign(label=["entailment", "neutral", "contra"]),
            {"classes": CLASSES},
            "nli.csv line 4, column label: class 'contra' is none of entailment, neutral, contradiction; fix it or "
            "`classes`",
        ),
        (
            NAMED,
            {"labels": "raw"},
            "nli.csv line 2, column label: `labels: raw` takes class ids, and 'entailment' has none; state `classes`",
        ),
        (
            NAMED.rename(columns={"hypothesis": "claim"}),
            {},
            "nli.csv: no known columns of sentence pairs (found premise, claim, label); name the right ones with "
            "`columns: {text1: …, text2: …, label: …}` of source 'set', or call them premise, hypothesis | sentence1",
        ),
        (
            NAMED,
            {"kind": "scores"},
            "nli.csv: column label holds classes, not scores, and no known column does (found premise, hypothesis, "
            "label); set `kind: classes`, or name the right ones with `columns:",
        ),
        (NAMED.iloc[:0], {}, "nli.csv is empty; it needs at least one row"),
        (
            NAMED.assign(label="-"),
            {"classes": CLASSES},
            "source 'set': no sound pair in nli.csv (3 without a label, 0 rejected); fix the rows or",
        ),
    ],
)
def test_a_class_that_the_parameters_do_not_cover_is_one_line_with_the_remedy(
    tmp_path: Path, read: Read, table: pd.DataFrame, keys: dict[str, Any], message: str
) -> None:
    table.to_csv(tmp_path / "nli.csv", index=False)
    with pytest.raises(UserError) as error:
        read("nli.csv", **keys)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_raw_labels_are_the_ids_as_they_stand(tmp_path: Path, read: Read) -> None:
    IDS.to_csv(tmp_path / "nli.csv", index=False)
    bare = read("nli.csv", labels="raw").pairs
    assert bare["label"].tolist() == [0.0, 1.0, 2.0] and bare["class_name"].tolist() == ["0", "1", "2"]
    named = read("nli.csv", labels="raw", classes=CLASSES).pairs
    assert named["label"].tolist() == [0.0, 1.0, 2.0] and named["class_name"].tolist() == CLASSES
    # A file with names in its cells shows the fault as well, once an order gives them ids.
    NAMED.to_csv(tmp_path / "named.csv", index=False)
    assert read("named.csv", labels="raw", classes=CLASSES).pairs["label"].tolist() == [0.0, 1.0, 2.0]


def test_raw_labels_take_the_mark_of_a_pair_without_a_class_for_a_label_and_the_table_of_labels_says_so(
    tmp_path: Path, read: Read
) -> None:
    pd.concat([IDS, IDS.iloc[:1].assign(label=-1)]).to_csv(tmp_path / "nli.csv", index=False)
    raw = read("nli.csv", labels="raw", classes=CLASSES)
    assert raw.pairs["label"].tolist() == [0.0, 1.0, 2.0, -1.0]
    assert raw.pairs["class_name"].tolist() == [*CLASSES, "-1"] and count(raw, "unlabelled") == 0
    (row,) = raw.tables()["pair_labels"].to_dict("records")
    assert (row["lowest"], row["highest"], row["distinct"], row["upper_quartile"]) == (0.0, 2.0, 3, 1.5)
    assert (row["pairs"], row["unlabelled"], row["outside"], row["fractional"]) == (4, 0.25, 0.25, 0.0)
    named = read("nli.csv", classes=CLASSES)
    (row,) = named.tables()["pair_labels"].to_dict("records")
    assert (row["pairs"], row["unlabelled"], row["outside"], row["fractional"]) == (3, 0.0, 0.0, pytest.approx(1 / 3))


def test_a_sample_keeps_the_classes_of_each_source_and_leaves_out_pairs_without_a_class() -> None:
    pairs = pd.DataFrame(
        {
            "source": ["nli"] * 300 + ["sts"] * 50,
            "class_name": ["a", "b", "-1"] * 100 + [""] * 50,
            "label": [0.0, 1.0, -1.0] * 100 + list(np.linspace(0, 1, 50)),
        }
    )
    pairs["use"] = np.where(pairs["source"] == "nli", "train", "test")
    sizes = {"train": 40, "test": 20}
    drawn = sample(pairs, sizes, seed=1)
    assert drawn.groupby("source").size().to_dict() == {"nli": 40, "sts": 20}
    of_nli = drawn[drawn["source"] == "nli"]
    assert of_nli["stratum"].value_counts().to_dict() == {"a": 20, "b": 20}
    assert drawn[drawn["source"] == "sts"]["stratum"].nunique() == 5
    assert drawn.index.is_monotonic_increasing
    pd.testing.assert_frame_equal(drawn, sample(pairs, sizes, seed=1))
    assert sample(pairs.iloc[:0], sizes, seed=1).empty


# Scores: formats


def test_scores_of_a_csv_are_brought_to_0_to_1_by_their_range(tmp_path: Path, read: Read) -> None:
    SCORED.to_csv(tmp_path / "sts.csv", index=False)
    pairs = read("sts.csv", kind="scores").pairs
    assert pairs["label"].tolist() == [0.8, 0.1]
    assert pairs["class_name"].tolist() == pairs["subset"].tolist() == ["", ""]
    wider = read("sts.csv", kind="scores", range=[-5, 5]).pairs
    assert wider["label"].tolist() == pytest.approx([0.9, 0.55])


def test_the_sts_benchmark_has_no_header_no_quoting_and_sometimes_two_more_fields(tmp_path: Path, read: Read) -> None:
    (tmp_path / "sts-train.csv").write_text(
        'main-captions\tA\t2012\t0001\t5.000\tA "lamp.\tA lamp.\n'
        "main-news\tB\t2015\t0002\t1.25\tA pump.\tA leaf.\tone\ttwo\n"
        "main-news\tB\t2015\t0003\t1.25\tA pump.\n"
    )
    found = read("sts-train.csv", kind="scores", max_rejected=0.5)
    assert found.pairs["pair_id"].tolist() == ["set/main-captions/1", "set/main-news/2"]
    assert found.pairs["subset"].tolist() == ["main-captions", "main-news"]
    assert found.pairs["text1"].tolist() == ['A "lamp.', "A pump."]
    assert found.pairs["label"].tolist() == [1.0, 0.25]
    assert found.rejected[["file", "line", "reason"]].to_numpy().tolist() == [
        ["sts-train.csv", 3, "wrong column count"]
    ]


SICK = (
    "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment\r\n"
    "6\tA lamp burns\tA lamp is lit\t5\tENTAILMENT\r\n"
    "7\tA lamp burns\tNo lamp burns\t3\tCONTRADICTION\r\n"
)


def test_sick_has_a_score_and_a_class(tmp_path: Path, read: Read) -> None:
    (tmp_path / "SICK.txt").write_bytes(SICK.encode())
    assert read("SICK.txt", kind="scores", range=[1, 5]).pairs["label"].tolist() == [1.0, 0.5]
    classes = read("SICK.txt", labels={"ENTAILMENT": 1, "CONTRADICTION": 0}).pairs
    assert classes["class_name"].tolist() == ["ENTAILMENT", "CONTRADICTION"]
    assert classes["text2"].tolist() == ["A lamp is lit", "No lamp burns"]


def write_year(folder: Path, subsets: dict[str, tuple[str, str]]) -> None:
    folder.mkdir(exist_ok=True)
    for subset, (texts, gold) in subsets.items():
        (folder / f"STS.input.{subset}.txt").write_text(texts)
        (folder / f"STS.gs.{subset}.txt").write_text(gold)


def test_a_year_of_sts_drops_what_is_not_scored_and_names_files_without_a_counterpart(
    tmp_path: Path, read: Read
) -> None:
    three = 'a "lamp\ta light\na pump\ta leaf\na pod\ta box\n'
    write_year(tmp_path / "sts", {"x.OnWN": (three, "5\n\n2.5\n"), "answers": ("one\ttwo", "\n")})
    (tmp_path / "sts" / "STS.gs.ALL.txt").write_text("5\n")
    (tmp_path / "sts" / "STS.input.bare.txt").write_text("one\ttwo\n")
    (tmp_path / "sts" / "STS.input.x.LICENSE").write_text("Do what you like.\n")
    found = read("sts", kind="scores", name="sts99")
    assert found.pairs["pair_id"].tolist() == ["sts99/x.OnWN/1", "sts99/x.OnWN/3"]
    assert found.pairs["text1"].tolist() == ['a "lamp', "a pod"]
    assert found.pairs["label"].tolist() == [1.0, 0.5]
    assert (count(found, "rows_read"), count(found, "unscored"), count(found, "unlabelled")) == (4, 2, 0)
    assert found.unpaired.to_numpy().tolist() == [["sts99", "sts/STS.input.bare.txt"], ["sts99", "sts/STS.gs.ALL.txt"]]


def test_a_year_of_sts_rejects_a_broken_line_in_the_file_that_has_it(tmp_path: Path, read: Read) -> None:
    write_year(tmp_path / "sts", {"a": ("one\ttwo\nalone\n\nthree\tfour\nfive\tsix\n", "1\n2\n3\nhigh\n4\n")})
    (tmp_path / "sts" / "STS.gs.a.txt").write_bytes(b"1\n2\n3\nhigh\n\xff\n")
    found = read("sts", kind="scores", max_rejected=1)
    assert found.rejected[["file", "line", "reason"]].to_numpy().tolist() == [
        ["sts/STS.input.a.txt", 2, "wrong column count"],
        ["sts/STS.input.a.txt", 3, "empty text"],
        ["sts/STS.gs.a.txt", 4, "not a finite number"],
        ["sts/STS.gs.a.txt", 5, "not a finite number"],
    ]


def test_texts_and_scores_of_different_length_are_refused(tmp_path: Path, read: Read) -> None:
    write_year(tmp_path / "sts", {"a": ("one\ttwo\nthree\tfour\n", "1\n")})
    with pytest.raises(UserError, match=r"STS\.gs\.a\.txt has 1 lines, STS\.input\.a\.txt has 2; a pair needs one in"):
        read("sts", kind="scores")


# Scores: what is refused


@pytest.mark.parametrize(
    ("score", "message"),
    [
        (
            "5.01",
            "sts.csv line 3, column score: score 5.01 is outside the range [0, 5] of source 'set'; fix the score",
        ),
        ("-1", "sts.csv line 3, column score: score -1 is outside the range [0, 5]"),
    ],
)
def test_a_score_outside_the_range_is_an_error(tmp_path: Path, read: Read, score: str, message: str) -> None:
    SCORED.assign(score=["1", score]).to_csv(tmp_path / "sts.csv", index=False)
    with pytest.raises(UserError) as error:
        read("sts.csv", kind="scores")
    assert str(error.value).startswith(message)


def test_a_score_that_is_no_number_and_an_empty_text_are_rejected_rows(tmp_path: Path, read: Read) -> None:
    rows = [("a", "b", "1"), ("c", "d", "nan"), ("e", "f", "four"), (" ", "h", "2"), ("i", "j", " ")]
    table = pd.DataFrame(rows, columns=["sentence1", "sentence2", "score"])
    table.to_csv(tmp_path / "sts.csv", index=False)
    found = read("sts.csv", kind="scores", max_rejected=0.6)
    assert found.rejected.to_numpy().tolist() == [
        ["sts.csv", 3, "score", "not a finite number", "nan"],
        ["sts.csv", 4, "score", "not a finite number", "four"],
        ["sts.csv", 5, "sentence1", "empty text", " "],
    ]
    assert (count(found, "rows_read"), count(found, "rejected"), count(found, "unscored")) == (5, 3, 1)
    with pytest.raises(
        UserError,
        match=r"3 of 5 rows are rejected .*: sts\.csv line 3, column score: not a finite number: 'nan' \(2 rows\)",
    ):
        read("sts.csv", kind="scores", max_rejected=0.5)


def test_a_score_that_parquet_holds_as_nan_is_missing_as_a_class_is(tmp_path: Path, read: Read) -> None:
    cells = {"sentence1": ["a", "b"], "sentence2": ["c", "d"], "score": pa.array([1.0, float("nan")])}
    pq.write_table(pa.table(cells), tmp_path / "sts.parquet")
    found = read("sts.parquet", kind="scores")
    assert (count(found, "kept"), count(found, "unscored"), count(found, "rejected")) == (1, 1, 0)


@pytest.mark.parametrize("labels", [LABELS, "raw"], ids=["named", "raw"])
@pytest.mark.parametrize("number", [10**400, -(10**400), 10**20, "1" + "0" * 400, 1e300], ids=range(5))
def test_a_number_too_large_for_a_class_id_is_a_rejected_row(
    tmp_path: Path, read: Read, number: object, labels: object
) -> None:
    lines = [{"premise": "a", "hypothesis": "b", "label": label} for label in (0, number)]
    (tmp_path / "nli.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = read("nli.jsonl", max_rejected=0.5, classes=CLASSES, labels=labels)
    assert found.rejected[["line", "reason"]].to_numpy().tolist() == [[2, "neither a class id nor a class name"]]


def test_a_class_cell_that_is_neither_id_nor_name_is_a_rejected_row(tmp_path: Path, read: Read) -> None:
    lines = [{"premise": "a", "hypothesis": "b", "label": label} for label in ("entailment", 0.5, True, ["neutral"])]
    (tmp_path / "nli.jsonl").write_text("".join(json.dumps(line) + "\n" for line in [*lines, "no object"]))
    found = read("nli.jsonl", max_rejected=1, classes=CLASSES)
    assert found.rejected["reason"].tolist() == ["neither a class id nor a class name"] * 3 + ["not a JSON object"]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"text1": "hypothesis"}, "'hypothesis' would be text1 and text2 of 'set'"),
        ({"text2": "premise", "text1": "premise"}, "'premise' would be text1 and text2 of 'set'"),
        ({"label": "hypothesis"}, "'hypothesis' would be text2 and label of 'set'"),
    ],
)
def test_no_column_is_two_things(tmp_path: Path, read: Read, columns: dict[str, str], said: str) -> None:
    NAMED.to_csv(tmp_path / "nli.csv", index=False)
    with pytest.raises(UserError, match=f"nli.csv: column {said}; name one for each with `columns"):
        read("nli.csv", columns=columns)
    found = read("nli.csv", columns={"text1": "hypothesis", "text2": "premise"})
    assert found.pairs["text1"].tolist() == NAMED["hypothesis"].tolist()


# Sources


def test_a_path_that_leads_to_no_pairs_is_named(tmp_path: Path, read: Read) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "pairs.xlsx").touch()
    (tmp_path / "broken.jsonl").write_text("not at all\n")
    for path, message in {
        "nli.csv": r"^source 'set': .*nli\.csv does not exist; fix `path`, or name a hub id with `hub`$",
        "empty": r"empty: no STS\.input\.<subset>\.txt beside its STS\.gs\.<subset>\.txt",
        "pairs.xlsx": r"pairs\.xlsx: '\.xlsx' is no format of sentence pairs; use \.txt or one of \.jsonl",
        "broken.jsonl": r"broken\.jsonl: no readable row; the first, line 1, not a JSON object: 'not at all'",
    }.items():
        with pytest.raises(UserError, match=message):
            read(path)
    write_year(tmp_path / "sts", {"a": ("one\ttwo\n", "1\n")})
    with pytest.raises(UserError, match="sts holds scores, not classes; set `kind: scores`"):
        read("sts")


@pytest.fixture
def hub_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a hub repository with a train and a validation split, and class names among its features."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    folder = tmp_path / "nli-set"
    folder.mkdir()
    for split, rows in {"train": IDS, "validation": IDS.iloc[:1]}.items():
        rows.to_csv(folder / f"{split}.csv", index=False)
    columns = "".join(f"  - name: {name}\n    dtype: string\n" for name in ("premise", "hypothesis"))
    names = "".join(f"          '{i}': {name}\n" for i, name in enumerate(CLASSES))
    (folder / "README.md").write_text(
        f"---\ndataset_info:\n  features:\n{columns}  - name: label\n    dtype:\n      class_label:\n        names:\n"
        f"{names}---\n"
    )
    return folder


def test_a_hub_set_names_its_classes_and_takes_the_split_of_its_use(hub_set: Path, read: Read) -> None:
    assert_is_the_set(read(hub=str(hub_set)))
    assert count(read(hub=str(hub_set), use="dev"), "rows_read") == 1
    assert count(read(hub=str(hub_set), use="test", split="validation"), "rows_read") == 1
    for keys, message in {
        (("use", "test"),): r"nli-set: no split 'test' \(found train, validation\); set `split`",
        (("config", "plain"),): r"nli-set: no config 'plain' \(found default\)",
        (("hub", "nobody/nothing"),): "hub set 'nobody/nothing' cannot be read",
    }.items():
        with pytest.raises(UserError, match=message):
            read(**({"hub": str(hub_set)} | dict(keys)))


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("nli.py", "import datasets", "Dataset scripts are no longer supported, but found nli.py"),
        ("train.parquet", "PAR1", "Parquet file size is 4 bytes"),
        ("train.zip", "PK\x03\x04", "File is not a zip file"),
        ("README.md", "---\nconfigs: [\n---\n", "while parsing a flow node"),
    ],
)
def test_a_hub_set_that_its_library_cannot_read_is_one_line(
    tmp_path: Path, read: Read, file: str, content: str, said: str
) -> None:
    folder = tmp_path / "nli"
    folder.mkdir()
    (folder / file).write_text(content)
    with pytest.raises(UserError, match=f"hub set '{folder}' cannot be read: {said}"):
        read(hub=str(folder))


# Draws, duplicates and leaks


def test_max_samples_keeps_the_share_of_each_class_and_reports_what_it_left_out(tmp_path: Path, read: Read) -> None:
    names = ["entailment"] * 60 + ["neutral"] * 30 + ["contradiction"] * 11
    pd.DataFrame({"premise": [f"p {i}" for i in range(101)], "hypothesis": "h", "label": names}).to_csv(
        tmp_path / "nli.csv", index=False
    )
    found = read("nli.csv", max_samples=10)
    assert found.pairs["class_name"].value_counts().to_dict() == {"entailment": 6, "neutral": 3, "contradiction": 1}
    assert found.strata.to_numpy().tolist() == [
        ["set", "contradiction", 11, 10],
        ["set", "entailment", 60, 54],
        ["set", "neutral", 30, 27],
    ]
    assert (count(found, "left_out"), count(found, "kept")) == (91, 10)
    pd.testing.assert_frame_equal(found.pairs, read("nli.csv", max_samples=10).pairs)
    assert found.pairs["pair_id"].tolist() != read("nli.csv", max_samples=10, seed=8).pairs["pair_id"].tolist()
    lines = [int(name.rsplit("/", 1)[1]) for name in found.pairs["pair_id"]]
    assert lines == sorted(lines)
    assert count(read("nli.csv", max_samples=500), "kept") == 101


def test_max_samples_of_scores_takes_from_every_level(tmp_path: Path, read: Read) -> None:
    scores = np.linspace(0, 5, 100)
    table = pd.DataFrame({"sentence1": [f"s {i}" for i in range(100)], "sentence2": "t", "score": scores})
    table.to_csv(tmp_path / "sts.csv", index=False)
    found = read("sts.csv", kind="scores", max_samples=10)
    assert found.strata["rows"].tolist() == [20] * 5 and found.strata["left_out"].tolist() == [18] * 5
    assert np.histogram(found.pairs["label"], bins=5, range=(0, 1))[0].tolist() == [2] * 5
    table.assign(score=3).to_csv(tmp_path / "same.csv", index=False)
    same = read("same.csv", kind="scores", max_samples=10)
    assert same.strata.to_numpy().tolist() == [["set", "0.600 to 0.600", 100, 90]]


def write_sources(folder: Path, sources: dict[str, tuple[str, list[tuple[str, str, float]]]]) -> params.Pairs:
    for name, (_, rows) in sources.items():
        table = pd.DataFrame(rows, columns=["sentence1", "sentence2", "score"])
        table.to_csv(folder / f"{name}.csv", index=False)
    entries = [
        {"name": name, "path": f"{name}.csv", "use": use, "kind": "scores", "range": [0, 5]}
        for name, (use, _) in sources.items()
    ]
    return params.section({"pairs": {"folder": str(folder), "sources": entries}}, "pairs", params.Pairs)


def test_repeated_pairs_are_counted_and_a_training_pair_that_is_tested_is_listed(tmp_path: Path) -> None:
    options = write_sources(
        tmp_path,
        {
            "one": ("train", [("A lamp.", "A pod.", 1), ("a pod", "A LAMP !", 2), ("A lamp.", "A leaf.", 3)]),
            "two": ("train", [("A leaf.", "A lamp.", 3)]),
            "held": ("test", [("A pod.", "A lamp.", 1), ("A pod.", "A pump.", 1), ("???", "A lamp.", 1)]),
            "dev": ("dev", [("A lamp.", "a leaf", 2), ("A pod.", "A pump.", 1)]),
        },
    )
    found = read_pairs(options, max_rejected=0, seed=7)
    assert found.counts["duplicates"].tolist() == [1, 0, 0, 0]
    assert found.leaks.to_numpy().tolist() == [
        ["held//2", "held", "test", "one//2", "one", 2],
        ["dev//2", "dev", "dev", "one//4", "one", 2],
    ]
    # Only recorded: nothing is taken out.
    assert found.counts["kept"].tolist() == [3, 1, 3, 2]
    assert_adds_up(found.counts)


def test_another_source_changes_nothing_in_what_is_drawn_from_the_first(tmp_path: Path) -> None:
    rows = [(f"s {i}", "t", i / 10) for i in range(50)]
    both = write_sources(tmp_path, {"other": ("dev", rows), "set": ("train", rows)})
    drawn = [
        read_pairs(params.Pairs(both.folder, sources), max_rejected=0, seed=7).pairs.query("source == 'set'")
        for sources in (both.sources, both.sources[1:])
    ]
    pd.testing.assert_frame_equal(*(table.reset_index(drop=True) for table in drawn))


def test_a_training_pair_that_was_not_drawn_is_no_leak(tmp_path: Path) -> None:
    rows = [(f"s {i}", "t", i / 10) for i in range(50)]
    options = write_sources(tmp_path, {"set": ("train", rows), "held": ("test", rows)})
    drawn = [dataclasses.replace(source, max_samples=20) for source in options.sources]
    found = read_pairs(params.Pairs(options.folder, drawn), max_rejected=0, seed=7)
    texts = found.pairs.set_index("pair_id")["text1"]
    train, held = (set(found.pairs.query(f"use == '{use}'")["text1"]) for use in ("train", "test"))
    assert set(texts[found.leaks["pair_id"]]) == train & held and 0 < len(found.leaks) < 20
    assert texts[found.leaks["pair_id"]].tolist() == texts[found.leaks["train_pair_id"]].tolist()


def test_no_source_at_all_gives_empty_tables() -> None:
    none = read_pairs(params.Pairs("", []), max_rejected=0, seed=7)
    assert none.pairs.empty and none.leaks.empty and none.pairs["label"].dtype == np.float64


# Whole sets


def test_the_bundled_pairs_are_balanced_and_sound() -> None:
    nli = {"name": "nli", "path": "nli.csv", "use": "train", "kind": "classes", "labels": LABELS, "classes": CLASSES}
    sts = {"name": "sts", "path": "sts.csv", "use": "dev", "kind": "scores", "range": [0, 5]}
    values = {"pairs": {"folder": str(ROOT / "data" / "raw" / "pairs"), "sources": [nli, sts]}}
    found = read_pairs(params.section(values, "pairs", params.Pairs), max_rejected=0, seed=7)
    assert found.counts["kept"].tolist() == [90, 60]
    assert found.counts["duplicates"].tolist() == [0, 0] and found.leaks.empty
    assert found.pairs.query("source == 'nli'")["class_name"].value_counts().to_dict() == dict.fromkeys(CLASSES, 30)
    assert found.pairs.query("source == 'sts'")["label"].agg(["min", "max"]).tolist() == [0.0, 1.0]


STS_KEPT = {12: (3108, 0), 13: (1500, 0), 14: (3750, 0), 15: (3000, 5500), 16: (1186, 7997)}
SICK_FILES = {"train": "train", "dev": "trial", "test": "test_annotated"}


def test_the_public_sets_are_read_whole(real_data: Path) -> None:
    def classes(name: str, use: str, path: str, **keys: Any) -> dict[str, Any]:
        return {"name": name, "path": path, "use": use, "kind": "classes", "labels": LABELS} | keys

    def scores(name: str, use: str, path: str, bounds: list[float]) -> dict[str, Any]:
        return {"name": name, "path": path, "use": use, "kind": "scores", "range": bounds}

    sources = [
        classes("snli-train", "train", "nli/snli_train.csv", classes=CLASSES),
        classes("snli-dev", "dev", "nli/snli_validation.csv", classes=CLASSES),
        classes("jsonl-dev", "dev", "nli/snli_1.0_dev_sample.jsonl"),
        classes("jsonl-test", "dev", "nli/snli_1.0_test_sample.jsonl"),
        *(scores(f"stsb-{use}", use, f"sts/stsbenchmark/sts-{use}.csv", [0, 5]) for use in ("train", "dev", "test")),
        *(scores(f"sts{year}", "test", f"sts/STS{year}-en-test", [0, 5]) for year in STS_KEPT),
        *(scores(f"sick-{use}", use, f"sts/sick2014/SICK_{name}.txt", [1, 5]) for use, name in SICK_FILES.items()),
    ]
    values = {"pairs": {"folder": str(real_data), "sources": sources}}
    found = read_pairs(params.section(values, "pairs", params.Pairs), max_rejected=0, seed=7)
    counts = found.counts.set_index("source")
    assert_adds_up(counts)
    assert found.rejected.empty and found.pairs["pair_id"].is_unique and found.pairs["label"].between(0, 1).all()
    assert counts.loc[["snli-train", "snli-dev"], "kept"].tolist() == [9842, 9824]
    assert counts.loc[["jsonl-dev", "jsonl-test"], ["rows_read", "unlabelled"]].sum().tolist() == [2566, 39]
    # 503 of these rows have nine fields.
    assert counts.loc[["stsb-train", "stsb-dev", "stsb-test"], "kept"].tolist() == [5749, 1500, 1379]
    assert found.pairs.query("source == 'stsb-train'").groupby("subset").size().to_dict() == {
        "main-captions": 2000, "main-forum": 450, "main-news": 3299,
    }  # fmt: skip
    years = counts.loc[[f"sts{year}" for year in STS_KEPT], ["kept", "unscored"]]
    assert [tuple(row) for row in years.to_numpy().tolist()] == list(STS_KEPT.values())
    assert found.pairs.query("source == 'sts15'").groupby("subset").size().to_dict() == {
        "answers-forums": 375, "answers-students": 750, "belief": 375, "headlines": 750, "images": 750,
    }  # fmt: skip
    assert found.unpaired["file"].tolist() == [
        "sts/STS12-en-test/STS.gs.ALL.txt",
        "sts/STS13-en-test/STS.gs.SMT.txt",
    ]
    assert counts.loc[["sick-train", "sick-dev", "sick-test"], "kept"].tolist() == [4500, 500, 4927]
    assert not found.pairs["text2"].str.contains(r"[\r\n\t]").any()
