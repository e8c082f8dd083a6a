"""Tables of queries and answers as users keep them become a set in BEIR layout, or one line for each fault."""

import codecs
import json
import sys
from pathlib import Path

import pandas as pd
import pytest

from whyrank import __main__
from whyrank.core.errors import UsageError, UserError
from whyrank.data.ranking.source import read_source
from whyrank.data.ranking.validate import validate

TICKETS = "text,answer_id,kind\ncant get in,reset,question\n“it broke”,7,chat\n"
ANSWERS = "answer_id,title,text\nreset,Reset,Open settings\n7,,Send it in\n"
GIVEN = ("--from", "tickets.csv", "--query", "text", "--answer", "answer_id", "--answers", "answers.csv")
PLACE = Path("data/raw/tickets")


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Write two tables and turn them into a set; what was printed."""
    monkeypatch.chdir(tmp_path)

    def command(*more, tickets=TICKETS, answers=ANSWERS):
        for name, content in (("tickets.csv", tickets), ("answers.csv", answers)):
            Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
        monkeypatch.setattr(sys, "argv", ["whyrank", "init", *GIVEN, *more])
        __main__.main()
        return capsys.readouterr().out

    return command


def rows(name):
    return [json.loads(line) for line in (PLACE / name).read_text(encoding="utf-8").splitlines()]


def test_two_tables_become_the_beir_layout_that_prepare_reads(run):
    told = run("--type", "kind")
    assert told == f"{PLACE}: 2 answers, 2 queries, 2 judgements\nnext: whyrank check {PLACE}\n"
    assert rows("corpus.jsonl") == [
        {"_id": "reset", "title": "Reset", "text": "Open settings"},
        {"_id": "7", "title": "", "text": "Send it in"},
    ]
    assert rows("queries.jsonl")[1] == {"_id": "q3", "text": "“it broke”", "metadata": {"type": "chat"}}
    assert (PLACE / "qrels/train.tsv").read_text() == "query-id\tcorpus-id\tscore\nq2\treset\t1\nq3\t7\t1\n"
    valid = validate(read_source(PLACE))
    assert len(valid.queries) == len(valid.answers) == 2 and valid.rejected.empty


@pytest.mark.parametrize(
    "change",
    [
        lambda text: codecs.BOM_UTF8 + text.encode(),
        lambda text: text.encode("utf-16"),
        lambda text: text.replace(",", ";").encode(),
        lambda text: text.replace(",", "\t").encode(),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("cant get in", '"cant get in"').encode(),
        lambda text: text.encode() + b",,\n,,\n",
    ],
    ids=["mark", "utf-16", "semicolons", "tabs", "crlf", "quoted", "empty rows"],
)
def test_how_a_table_is_written_makes_no_difference(run, change):
    run(tickets=change(TICKETS), answers=change(ANSWERS))
    assert [row["text"] for row in rows("queries.jsonl")] == ["cant get in", "“it broke”"]
    assert {row["_id"] for row in rows("corpus.jsonl")} == {"reset", "7"}


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_other_formats_with_ids_that_are_numbers(run, tmp_path, suffix, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, table in (
        ("tickets", pd.DataFrame({"text": ["a b", "c d"], "answer_id": [1.0, 2.0]})),
        ("answers", pd.DataFrame({"id": [1, 2], "text": ["one", "two"]})),
    ):
        if suffix == ".parquet":
            table.to_parquet(f"{name}{suffix}")
        else:
            table.to_json(f"{name}{suffix}", orient="records", lines=True)
    given = [one.replace(".csv", suffix) for one in GIVEN]
    monkeypatch.setattr(sys, "argv", ["whyrank", "init", *given])
    __main__.main()
    assert (PLACE / "qrels/train.tsv").read_text().splitlines()[1:] == ["q1\t1\t1", "q2\t2\t1"]


def test_a_query_in_several_rows_has_several_answers(run):
    run("--id", "kind", tickets="text,answer_id,kind\na b,reset,t1\na b,7,t1\nc d,7,t2\n")
    assert len(rows("queries.jsonl")) == 2
    assert (PLACE / "qrels/train.tsv").read_text().splitlines()[1:] == ["t1\treset\t1", "t1\t7\t1", "t2\t7\t1"]


@pytest.mark.parametrize(
    ("more", "tables", "says"),
    [
        ([], {"tickets": "body,answer_id\nx,7\n"},
         "tickets.csv: no column 'text' (it has body, answer_id); name the right one with --query"),
        ([], {"tickets": "text,answer\nx,7\n"},
         "tickets.csv: no column 'answer_id' (it has text, answer); name the right one with --answer"),
        (["--type", "channel"], {},
         "tickets.csv: no column 'channel' (it has text, answer_id, kind); name the right one with --type"),
        ([], {"answers": "key,text\n7,x\n"},
         "answers.csv: no column 'answer_id' or '_id' or 'id' (it has key, text); "
         "name the right one with --answers-id"),
        ([], {"answers": "id,words\n7,x\n"},
         "answers.csv: no column 'text' or 'answer' or 'body' or 'content' (it has id, words); "
         "name the right one with --answers-text"),
        ([], {"answers": "id,text\nreset,one\n7,two\nreset,three\n"},
         "answers.csv line 4, column id: another text has the id: 'reset'; give each its own, or remove one"),
        (["--id", "kind"], {"tickets": "text,answer_id,kind\na b,7,t1\nc d,7,t1\n"},
         "tickets.csv line 3, column kind: another text has the id: 't1'; give each its own, or remove one"),
        ([], {"tickets": "text,answer_id\nfine,7\n  ,7\n"},
         "tickets.csv line 3, column text: empty text: '  '; fill it"),
        ([], {"answers": "id,text\nreset,\n7,two\n"}, "answers.csv line 2, column text: empty text; fill it"),
        ([], {"tickets": "text,answer_id\nfine,7\nlost,x9\n"},
         "tickets.csv line 3, column answer_id: no answer in answers.csv has the id: 'x9'; "
         "add the answer, or correct the id"),
        ([], {"tickets": "text,answer_id\nfine,7\nlost,\n"},
         "tickets.csv line 3, column answer_id: missing id; fill it"),
        ([], {"tickets": "text,answer_id\nfine,7\na, b, c\n"},
         "tickets.csv line 3: wrong column count: 'a, b, c'; put cells that hold the separator in quotation marks"),
    ],
)  # fmt: skip
def test_a_fault_is_one_line_with_file_row_column_value_and_remedy(run, more, tables, says):
    with pytest.raises(UserError) as fault:
        run(*more, **tables)
    assert fault.value.args[0] == says and not PLACE.exists()


def test_another_encoding_is_named_and_can_be_given(run):
    tickets = "text,answer_id\nGerät geht nicht,7\nfür alle,7\nschön öde,7\n".encode("cp1252")
    with pytest.raises(UserError, match=r"tickets\.csv line 2: not UTF-8.* -S prepare\.files\.encoding=cp1252"):
        run(tickets=tickets)
    run("-S", "prepare.files.encoding=cp1252", tickets=tickets)
    assert rows("queries.jsonl")[0]["text"] == "Gerät geht nicht"
    with pytest.raises(UsageError, match=r"-S seed: only prepare\.files\.\* says how the tables are read"):
        run("-S", "seed=1")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"PK\x03\x04\x00", "a ZIP archive or an Excel workbook; save its table as CSV, in UTF-8"),
        (b"", "tickets.csv is empty; it needs at least one row"),
        (b"text,answer_id\n", "tickets.csv is empty; it needs at least one row"),
        (b"text,text\na,b\n", "column 'text' stands twice, as columns 1 and 2; rename or remove one"),
    ],
)
def test_a_file_that_is_no_table_is_one_line(run, content, says):
    with pytest.raises(UserError, match=says.replace("(", r"\(")):
        run(tickets=content)


def test_bad_rows_are_left_out_where_the_user_says_so_and_many_are_counted(run):
    bad = "text,answer_id\n" + "fine,7\n" + "lost,x9\n" * 9
    with pytest.raises(UserError) as fault:
        run(tickets=bad)
    assert len(fault.value.args) == 7 and fault.value.args[5] == "and 4 more rows with a fault"
    assert "1 queries, 1 judgements; 9 rows with a fault left out" in run("--skip-bad-rows", tickets=bad)
    with pytest.raises(UserError, match=r"data/raw/tickets is there already, and stays as it is"):
        run()


def test_a_table_with_no_row_left_is_refused(run):
    with pytest.raises(UserError, match=r"tickets\.csv: no row is left; correct the rows"):
        run("--skip-bad-rows", tickets="text,answer_id\nlost,x9\n")
