"""The code on the README of an exported rival, run on the exported folder, ranks as the system did."""

import re
import sys

import numpy as np
import pytest

from whyrank.commands import rival_export
from whyrank.core import checksums, io, prepared
from whyrank.core.errors import UserError
from whyrank.core.options.params import Encoder, Evaluate
from whyrank.core.options.systems import System
from whyrank.scoring.systems import score
from whyrank.scoring.tasks import KEPT, Scored, Tasks

COSINE = ["base", "other"]
RIVALS = {
    "nearest": System("nearest-query", "rival", "data/runs/base"),
    "alone": System("nearest-query", "rival", "data/runs/base", own_score=False),
    "classifier": System("classifier", "rival", "data/runs/base"),
    "weighted": System("fusion", "rival", "data/scores/encoder", of=COSINE),
    "z": System("fusion", "rival", "data/scores/encoder", of=COSINE, normalise="z-score"),
    "rrf": System("fusion", "rival", "data/scores/encoder", of=COSINE, method="rrf"),
    "both": System("fusion", "rival", "data/scores/encoder", of=COSINE, fuse="all", lexical="none"),
    "dot": System("fusion", "rival", "data/scores/encoder", of=["dots"]),
    "mixed": System("fusion", "rival", "data/scores/encoder", of=["base", "dots"], fuse="all"),
}


@pytest.fixture
def made(topics, tmp_path, monkeypatch):
    """Runs of encoders with made-up vectors, one of which scores by the dot product of vectors of any length."""
    monkeypatch.chdir(tmp_path)
    encoder = Encoder("folder", "auto", "fp32", 0.0, batch_tokens=2048, trust_remote_code=False, keep_layers=0)
    tasks = Tasks(topics, Evaluate([1, 3], [3], [3], "", keep=4, pair_tokens=16), encoder, seed=0)
    prepared.write("data/prepared", topics)
    random, vectors = np.random.default_rng(3), {}
    for name, noise in (("base", 1.0), ("other", 2.0), ("dots", 1.0)):
        answer_AD = random.standard_normal((len(topics.answers), 8)).astype(np.float32)
        answer_AD *= random.uniform(0.2, 5, (len(answer_AD), 1)).astype(np.float32)
        query_ND = answer_AD[topics.relevant["answer"]] + noise * random.standard_normal((len(topics.queries), 8))
        vectors[name] = query_ND.astype(np.float32)
        sides = [vectors[name], answer_AD]
        if name != "dots":
            sides = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in sides]

        def product(query_Q, sides=sides):
            return (sides[0][query_Q] @ sides[1].T).astype(np.float32)

        metrics = f"metrics/evaluate/{name}.json"
        io.write_metrics(metrics, {"score_kind_cosine": int(name != "dots")})
        with checksums.summed_folder(f"data/runs/{name}", metrics) as folder:
            io.write_array(folder / "query_vectors.npy", vectors[name])
            io.write_array(folder / "answer_vectors.npy", answer_AD)
        scored = Scored(tasks.rank(product), others=tasks.rank_others(product))
        with checksums.summed_folder(f"data/scores/encoder/{name}") as folder:
            io.write_table(folder / KEPT, scored.kept(topics))
    return tasks, vectors


@pytest.mark.parametrize("name", RIVALS)
def test_the_code_of_the_readme_ranks_as_the_system_does(made, name, tmp_path, monkeypatch):
    tasks, vectors = made
    scored = score(RIVALS[name], tasks)
    with checksums.summed_folder(f"data/runs/{name}") as folder:
        scored.write(folder, name)
    assert rival_export.is_rival(name, tmp_path) and not rival_export.is_rival("base", tmp_path)
    rival_export.export(name, tmp_path / "out", tmp_path)
    monkeypatch.chdir(tmp_path / "out")
    if "systems" in scored.how:
        parts = [one for one in scored.how["systems"] if one != "bm25"]
        expected = ["dot" if one == "dots" else "cosine" for one in parts]
        assert io.read_json(tmp_path / "out/how.json")["similarities"] == expected
    (code,) = re.findall(r"```python\n(.*?)```", (tmp_path / "out/README.md").read_text(), re.DOTALL)
    assert len(code.splitlines()) < 50
    loaded = {}
    exec(code, loaded)
    queries, encoders = tasks.texts.queries, [one for one in scored.how.get("systems", ["base"]) if one in vectors]
    for row in tasks.texts.rows("test"):
        own = [vectors[one][row] for one in encoders]
        ranked = loaded["rank"](queries["raw_text"][row], own) if "systems" in scored.how else loaded["rank"](*own)
        part = scored.run.top[scored.run.top["query_id"] == queries["query_id"][row]]
        ids, values = zip(*ranked[: len(part)], strict=True)
        np.testing.assert_allclose(values, part["score"][: len(values)], atol=2e-5)
        far = np.abs(np.diff(part["score"])) > 1e-4  # neighbours that rounding may not swap
        if far.all():
            assert list(ids) == part["answer_id"].tolist()[: len(ids)]


def test_a_folder_in_use_and_a_torn_run_are_refused(made, tmp_path):
    tasks, _ = made
    with checksums.summed_folder("data/runs/nearest") as folder:
        score(RIVALS["nearest"], tasks).write(folder, "nearest")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine").touch()
    with pytest.raises(UserError, match=r"is not empty; name a new folder$"):
        rival_export.export("nearest", tmp_path / "full", tmp_path)
    (tmp_path / "data/runs/nearest/index.npz").write_bytes(b"torn")
    with pytest.raises(UserError, match=r"index\.npz is not as it was written"):
        rival_export.export("nearest", tmp_path / "out", tmp_path)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["nearest", "both"])
def test_a_rival_whose_encoder_was_made_anew_is_refused(made, name, tmp_path):
    tasks, _ = made
    with checksums.summed_folder(f"data/runs/{name}") as folder:
        score(RIVALS[name], tasks).write(folder, name)
    model, run, scores = (
        {"path": path, "md5": "1"} for path in ("models/base", "data/runs/base", "data/scores/encoder")
    )
    stages = {
        "prepare": {"outs": [model]},
        "evaluate@base": {"deps": [model], "outs": [run, scores | {"path": "data/scores/encoder/base"}]},
        "evaluate@rival": {
            "deps": [scores if name == "both" else run], "outs": [{"path": f"data/runs/{name}", "md5": "2"}]
        },
    }  # fmt: skip
    io.write_json("dvc.lock", {"stages": stages})
    rival_export.export(name, tmp_path / "before", tmp_path)
    stages["prepare"]["outs"] = [model | {"md5": "3"}]
    io.write_json("dvc.lock", {"stages": stages})
    with pytest.raises(
        UserError, match=r"^models/base was made anew after evaluate@base had read it; run `dvc repro`$"
    ):
        rival_export.export(name, tmp_path / "out", tmp_path)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"format": "onnx-int8", "layers": 0}, "run `whyrank export base FOLDER --backend onnx --precision int8`"),
        ({"format": "onnx", "layers": 0}, "run `whyrank export base FOLDER --backend onnx`"),
        ({"format": "onnx", "layers": 2}, "loads no onnx with 2 layers; serve an `onnx` one"),
        ({"format": "torch-int8", "layers": 0}, "loads no torch-int8 with all layers; serve an `onnx` one"),
    ],
)
def test_an_encoder_in_another_format_is_exported_by_the_system_that_it_was_made_of(made, how, said, tmp_path):
    with checksums.summed_folder("data/runs/small") as folder:
        io.write_json(folder / "how.json", {"kind": "served", "made_of": "models/base", **how})
    with pytest.raises(UserError, match=said):
        rival_export.export("small", tmp_path / "out", tmp_path)


def test_the_command_takes_a_rival(made, tmp_path, monkeypatch, capsys):
    from whyrank import __main__ as cli

    tasks, _ = made
    with checksums.summed_folder("data/runs/nearest") as folder:
        score(RIVALS["nearest"], tasks).write(folder, "nearest")
    monkeypatch.setattr(cli.workspace, "enter", lambda: None)
    monkeypatch.setattr(sys, "argv", ["whyrank", "export", "nearest", "out"])
    cli.main()
    assert "nearest" in capsys.readouterr().out and (tmp_path / "out/index.npz").exists()
