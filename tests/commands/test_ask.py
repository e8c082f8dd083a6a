"""Texts of one's own, ranked by every kind of system as the evaluation ranked the same texts."""

import copy
import io as streams
import shutil
from argparse import Namespace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from whyrank.commands import ask
from whyrank.core import checksums, io, prepared
from whyrank.core.errors import UsageError, UserError
from whyrank.core.options import params
from whyrank.core.options.params import Encoder, Evaluate
from whyrank.data.ranking.selection import SELECTIONS
from whyrank.scoring import systems
from whyrank.scoring.tasks import KEPT, Tasks

RIVALS = {"role": "rival", "made_of": "data/runs/base"}
SYSTEMS = {
    "tfidf": {"kind": "tfidf", "role": "baseline", "made_of": "src"},
    "bm25": {"kind": "bm25", "role": "baseline", "made_of": "src"},
    "base": {"kind": "encoder", "role": "zero-shot", "made_of": "models/base"},
    "maximum": {"kind": "encoder", "role": "zero-shot", "made_of": "models/base", "pooling": "max"},
    "small": {"kind": "served", "role": "rival", "made_of": "models/base", "layers": 1},
    "nearest": {"kind": "nearest-query", **RIVALS},
    "alone": {"kind": "nearest-query", **RIVALS, "own_score": False},
    "classes": {"kind": "classifier", **RIVALS},
    "fused": {"kind": "fusion", "role": "rival", "made_of": "data/scores/encoder"},
    "ranks": {"kind": "fusion", "role": "rival", "made_of": "data/scores/encoder", "method": "rrf", "lexical": "tfidf"},
}


@pytest.fixture
def finished(topics, tiny_folder, tmp_path, monkeypatch, shipped_params):
    """A workspace after `evaluate`, and its tasks."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_folder, "models/base")
    values = copy.deepcopy(shipped_params) | {"systems": copy.deepcopy(SYSTEMS), "inits": []}
    values["prepare"]["tokens"] |= dict.fromkeys(("question", "conversation", "answer"), 16)
    values["encoder"] |= {"precision": "fp32"}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    prepared.write("data/prepared", topics)
    languages = [("question", "en", 1.0), ("conversation", "de", 0.9), ("conversation", "en", 0.1)]
    io.write_table("metrics/prepare/languages.csv", pd.DataFrame(languages, columns=["kind", "language", "share"]))
    encoder = params.section(values, "encoder", Encoder)
    tasks = Tasks(topics, Evaluate([1], [3], [3], "", keep=4, pair_tokens=16), encoder, seed=0)
    for name in SYSTEMS:
        system = params.system(values, name)
        scored = systems.score(system, tasks)
        with checksums.summed_folder(f"data/runs/{name}") as folder:
            scored.write(folder, name)
        with checksums.summed_folder(f"data/scores/{system.kind}/{name}") as folder:
            io.write_table(folder / KEPT, scored.kept(topics))
    return tasks


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_test_query_is_answered_as_the_evaluation_answered_it(finished, name):
    tested = finished.texts.queries.query("split == 'test'")
    found = ask.Answering(name, 4)(tested["raw_text"].tolist())
    own = found[found["system"] == name]
    top = io.read_table(f"data/runs/{name}/top.parquet").query("rank <= 4")
    top = top.set_index("query_id").loc[tested["query_id"]]
    np.testing.assert_allclose(own["score"], top["score"], atol=2e-5)
    # Of equal scores either may come first.
    is_clear = ~np.isclose(np.diff(top["score"], append=-9), 0, atol=1e-4)
    is_clear &= ~np.isclose(np.diff(top["score"], prepend=9), 0, atol=1e-4)
    assert is_clear.mean() > 0.2
    assert own["answer_id"].to_numpy()[is_clear].tolist() == top["answer_id"].to_numpy()[is_clear].tolist()


def test_beside_the_system_stand_the_first_encoder_as_published_and_bm25(finished):
    assert ask.beside("fused", SYSTEMS) == ["fused", "base", "bm25"]
    assert ask.beside("bm25", SYSTEMS) == ["bm25", "base"]
    assert ask.beside("tfidf", {"tfidf": SYSTEMS["tfidf"]}) == ["tfidf"]
    text = ask.shown(ask.Answering("fused", 2)(["visa passport border"]))
    assert [line for line in text.splitlines() if not line.startswith(" ")] == ["fused", "base", "bm25"]
    first = [line.split() for line in text.splitlines() if line.startswith("  1")]
    assert [row[2] for row in first] == ["a-visa"] * 3


def asked(**changes):
    return Namespace(**{"system": "base", "text": None, "file": None, "best": 3} | changes)


def test_the_lines_of_a_file_are_answered_as_a_table(finished, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(ask, "AT_ONCE", 2)
    texts = ["tax, income", "school place", "drive a car"]
    (tmp_path / "asked.txt").write_text("\ufeff" + "\n\n".join(texts) + "\n", encoding="utf-8")
    (tmp_path / "below").mkdir()
    ask.run(asked(file=Path("../asked.txt")), tmp_path / "below")
    table = pd.read_csv(streams.StringIO(capsys.readouterr().out))
    assert list(table) == ask.COLUMNS and len(table) == 3 * 2 * 3
    assert table.groupby("number")["text"].first().tolist() == texts
    alone = ask.Answering("base", 3)(["drive a car"])
    last = table[table["number"] == 3]
    assert last["answer_id"].tolist() == alone["answer_id"].tolist()
    np.testing.assert_allclose(last["score"], alone["score"], rtol=1e-4)


def test_each_line_that_comes_in_is_answered_with_the_rankers_loaded_once(finished, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("sys.stdin", streams.StringIO("tax\n\nvisa\n"))
    loaded = []
    monkeypatch.setattr(ask, "Answering", lambda *given, own=ask.Answering: loaded.append(given) or own(*given))
    ask.run(asked(), tmp_path)
    assert capsys.readouterr().out.count("bm25") == 2 and loaded == [("base", 3)]


def test_an_answer_without_a_title_is_shown_by_its_first_words(finished):
    table = ask.Answering("bm25", 1)(["pension retire"])
    raw = finished.texts.answers.set_index("answer_id")["raw_text"]
    assert table["title"].tolist() == [raw["a-pension"][: ask.SHOWN]] * 2


def test_sentences_of_a_long_text_end_as_those_of_the_set_do(finished, monkeypatch):
    values = yaml.safe_load(Path("params.yaml").read_text())
    values["prepare"]["selection"]["conversation"] = "tfidf"
    Path("params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    languages = []

    def cut(documents, budget, rules):
        languages.append(rules.language)
        return [document.whole for document in documents]

    monkeypatch.setitem(SELECTIONS, "tfidf", cut)
    ask.Answering("base", 1)([" ".join(["bitte"] * 40)])
    assert languages == ["de"]


def test_a_long_text_is_cut_as_prepare_cuts_a_conversation(finished):
    long = " ".join(["please"] * 40 + ["visa", "passport", "border"])
    values = yaml.safe_load(Path("params.yaml").read_text())
    found = {}
    for way in ("head", "tail"):
        values["prepare"]["selection"]["conversation"] = way
        values["prepare"]["tokens"]["question"] = 8
        Path("params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
        found[way] = ask.Answering("base", 1)([long, " ".join(["please"] * 14), "visa passport border"])[
            "score"
        ].tolist()
    # Its first 14 words are all that the head leaves.
    assert found["head"][0] == pytest.approx(found["head"][2]) and found["tail"][0] != pytest.approx(found["tail"][2])
    assert found["head"][4] == found["tail"][4]


def test_what_cannot_be_asked_is_one_line(finished, tmp_path):
    with pytest.raises(UserError, match=r"no system 'nope' in params\.yaml; there are tfidf, bm25, base"):
        ask.Answering("nope", 5)
    shutil.rmtree("data/runs/base")
    with pytest.raises(UserError, match=r"data/runs/base does not exist; "):
        ask.Answering("tfidf", 5)
    values = yaml.safe_load(Path("params.yaml").read_text())
    values["systems"]["theirs"] = {"kind": "run", "role": "rival", "made_of": "run.trec"}
    Path("params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    with pytest.raises(UserError, match="theirs is of kind run, which scores no new text; ask one of kind tfidf, bm25"):
        ask.Answering("theirs", 5)
    with pytest.raises(UsageError, match="name a text or --file, not both"):
        ask.run(asked(text="x", file=tmp_path / "y"), tmp_path)
    (tmp_path / "empty.txt").write_text("\n\n")
    with pytest.raises(UserError, match=r"empty\.txt has no text; write one a line"):
        ask.run(asked(file=tmp_path / "empty.txt"), tmp_path)
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(UserError, match=r"latin\.txt cannot be read .*; name a text file in UTF-8"):
        ask.run(asked(file=tmp_path / "latin.txt"), tmp_path)


def test_an_encoder_that_serves_a_fusion_and_stands_beside_it_is_loaded_once(finished, monkeypatch):
    from whyrank.model import system

    loaded = []
    monkeypatch.setattr(
        system, "load", lambda folder, own=system.load, **how: loaded.append(folder) or own(folder, **how)
    )
    answering = ask.Answering("fused", 2)
    (one,) = [name for name in io.read_json("data/runs/fused/how.json")["systems"] if name != "bm25"]
    assert len(loaded) == len({one, "base"}) and len(answering(["visa"])) == 6


def test_vectors_of_a_model_that_was_made_anew_are_not_compared_with_those_kept_of_the_last_one(finished):
    base = {"path": "models/base", "md5": "1"}
    stages = {
        "prepare": {"outs": [base]},
        **{
            f"evaluate@{name}": {"deps": [base], "outs": [{"path": f"data/runs/{name}", "md5": "2"}]}
            for name in SYSTEMS
        },
    }
    stages["evaluate@nearest"]["deps"] = stages["evaluate@base"]["outs"]
    io.write_json("dvc.lock", {"stages": stages})
    for name in ("base", "nearest", "fused"):
        assert len(ask.Answering(name, 1)(["visa"]))
    stages["prepare"]["outs"] = [base | {"md5": "3"}]
    io.write_json("dvc.lock", {"stages": stages})
    for name in ("base", "nearest", "fused"):
        with pytest.raises(
            UserError, match=r"^models/base was made anew after evaluate@\w+ had read it; run `dvc repro`$"
        ):
            ask.Answering(name, 1)


def test_a_rival_of_the_vectors_of_another_tool_has_none_of_a_new_text(finished):
    values = yaml.safe_load(Path("params.yaml").read_text())
    values["systems"]["theirs"] = {"kind": "vectors", "role": "zero-shot", "made_of": "theirs"}
    values["systems"]["nearest"] |= {"made_of": "data/runs/theirs"}
    Path("params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    with pytest.raises(UserError, match=r"^theirs has the vectors of another tool, .* a new text; ask another system$"):
        ask.Answering("nearest", 1)


def test_a_fusion_with_a_system_that_is_gone_is_one_line_with_its_stage(finished):
    shutil.copy(Path(__file__).parents[2] / "dvc.yaml", ".")
    values = yaml.safe_load(Path("params.yaml").read_text())
    (part,) = [one for one in io.read_json("data/runs/fused/how.json")["systems"] if one != "bm25"]
    others = {name: own for name, own in values["systems"].items() if own["made_of"] != RIVALS["made_of"]}
    values["systems"] = {"another" if name == part else name: own for name, own in others.items()}
    Path("params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    with pytest.raises(
        UserError, match=rf"^data/runs/fused was scored with '{part}', .*`dvc repro -f -s evaluate@fused`"
    ):
        ask.Answering("fused", 2)
