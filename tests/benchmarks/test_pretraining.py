"""The confirmation of pretraining: its cells have parameters that are taken, and its copy of a set is whole."""

import json

import pandas as pd
import pytest

from benchmarks import pretraining


@pytest.mark.parametrize("name", pretraining.SETS)
@pytest.mark.parametrize("encoder", pretraining.ENCODERS)
def test_each_cell_has_parameters_that_the_checks_take(name, encoder, tmp_path):
    values = pretraining.values_of(name, encoder, tmp_path)
    assert values["encoder"]["readout"] == "standardised" and values["finetune_rank"]["max_steps"] == 150
    layered = pretraining.values_of(name, encoder, tmp_path, "layers")
    assert (layered["finetune_rank"]["train"], layered["pretrain_barlow"]["train"]) == ("last", "head")
    assert layered["encoder"]["readout"] == "standardised"


def test_a_copy_has_all_judgements_in_one_file_and_the_thread_that_an_id_begins(tmp_path):
    source = tmp_path / "set"
    (source / "qrels").mkdir(parents=True)
    (source / "corpus.jsonl").write_text('{"_id": "a", "text": "x"}\n')
    queries = [{"_id": name, "text": "x", "metadata": {"type": "question"}} for name in ("s-1-q", "s-1-c", "other")]
    (source / "queries.jsonl").write_text("".join(json.dumps(query) + "\n" for query in queries))
    for split in ("dev", "train"):
        (source / f"qrels/{split}.tsv").write_text(f"query-id\tcorpus-id\tscore\n{split}\ta\t1\n")
    pretraining.whole(source, tmp_path / "copy")
    copied = [json.loads(line) for line in (tmp_path / "copy/queries.jsonl").read_text().splitlines()]
    assert [query["metadata"].get("thread") for query in copied] == ["s-1", "s-1", None]
    judged = pd.read_csv(tmp_path / "copy/qrels/train.tsv", sep="\t")
    assert judged["query-id"].tolist() == ["dev", "train"]


def test_the_table_has_a_row_for_each_cell_objective_control_and_metric(tmp_path):
    table = pd.DataFrame({"query_id": [f"q{i}" for i in range(40)], "type": "question", "cluster": range(40)})
    arms = {"longer": 0.0, "longer, raw": 0.0, "barlow": 1.0, "infonce": 0.0}
    rows = [
        table.assign(**{"accuracy@1": value, "mrr": value}, seed=1, arm=arm, labels=50) for arm, value in arms.items()
    ]
    pd.concat(rows).to_csv(tmp_path / "sample.mean.1.csv", index=False)
    lines = pretraining.table(tmp_path).splitlines()
    assert len(lines) == 2 + 2 * 2 * 2
    assert "+100.0 points" in lines[2] and lines[2].startswith("| barlow")


def test_cells_of_two_trained_layers_have_a_table_of_their_own(tmp_path):
    table = pd.DataFrame({"query_id": [f"q{i}" for i in range(40)], "type": "question", "cluster": range(40)})
    for begin, gain in (("", 1.0), ("layers.", -1.0)):
        arms = {"longer": 0.0, "longer, raw": 0.0, "tuned": 0.0, "barlow": gain, "infonce": 0.0}
        rows = [table.assign(**{"accuracy@1": one, "mrr": one}, seed=1, arm=arm, labels=9) for arm, one in arms.items()]
        pd.concat(rows).to_csv(tmp_path / f"{begin}sample.cls.1.csv", index=False)
    lines = pretraining.table(tmp_path, "layers").splitlines()[2:]
    assert len(lines) == 2 * 2 and all("-100.0 points" in line for line in lines)
    assert "+100.0 points" in pretraining.table(tmp_path)
