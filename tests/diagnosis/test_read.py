"""What diagnosis reads of the earlier stages."""

import pandas as pd

from whyrank.core import checksums, io, prepared
from whyrank.diagnosis.compare import queries
from whyrank.diagnosis.read import read_data
from whyrank.preflight.probes import data as probes


def test_ids_that_look_like_numbers_meet_the_ids_of_the_texts(make_prepared, tmp_path):
    asked = [("007", "question", "train", "x"), ("12", "question", "test", "x"), ("1e3", "question", "test", "z")]
    texts = make_prepared(
        [("0", "zero"), ("00", "one")], asked, [("007", "0", 1.0), ("12", "00", 1.0), ("1e3", "0", 1.0)]
    )
    prepared.write(tmp_path / "prepared", texts)
    ids = texts.queries["query_id"].tolist()
    leaks = pd.DataFrame(
        {"query_left": ["007"], "split_left": ["train"], "query_right": ["12"], "split_right": ["test"]}
    )
    tables = {
        "batches": pd.DataFrame({"stage": ["finetune_rank"], "rows": [2]}),
        "leaks": leaks,
        "overlap": pd.DataFrame({"query_id": ids, "overlap": [0.1, 0.2, 0.3]}),
        "answer_votes": pd.DataFrame({"answer_id": ["0"], "becomes": ["00"]}),
        "rows_labels-shifted": pd.DataFrame({"query_id": ["007"], "answer_id": ["0"], "becomes": ["00"], "why": ["w"]}),
    }
    io.write_metrics(tmp_path / "prepare.json", {"queries": 3})
    with checksums.summed_folder(tmp_path / "prepare", tmp_path / "prepare.json") as folder:
        for name, table in tables.items():
            io.write_table(folder / f"{name}.csv", table)
    data = read_data(tmp_path / "prepared", tmp_path / "prepare")
    assert probes.leaked_queries(data).tolist() == ["12"]
    assert queries.overlap(data).reindex(ids).tolist() == [0.1, 0.2, 0.3]
    assert queries.suspected(data)["007"] == "w"
    assert data.table("answer_votes").to_numpy().tolist() == [["0", "00"]]
