"""`whyrank examine`: the pipeline's report about a model made elsewhere, with what can be known of it and no more."""

import json
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from safetensors.torch import load_file, save_file

from whyrank import __main__
from whyrank.commands import examine, foreign, in_process
from whyrank.core.errors import UsageError, UserError
from whyrank.core.options import params
from whyrank.diagnosis.report import html

from ..pipeline.conftest import SMALL, write_source

ROOT = Path(__file__).parents[2]
SETTINGS = {key: SMALL[key] for key in SMALL if key.startswith(("prepare.tokens", "evaluate", "encoder", "diagnose"))}
# A learning rate that goes up and down with every step.
LOG = [
    {"step": i + 1, "loss": 3 - i * 0.05, "learning_rate": (1e-6, 2e-5)[i % 2 == 0] * (1 - i / 60), "grad_norm": 1.0}
    for i in range(40)
]


@pytest.fixture(scope="module")
def place(make_encoder, tmp_path_factory):
    """Data, a model and what it was trained from, as sentence-transformers saves them, and the log of the training."""
    from whyrank.model import system
    from whyrank.model.encoder.declared import Declared

    folder = tmp_path_factory.mktemp("examine")
    for name, seed in (("start", 0), ("mine", 1)):
        encoder = make_encoder(seed)
        encoder.declared = Declared(normalises=True)
        system.save(system.untrained(encoder), folder / name, longest=64)
        for own in (system.WEIGHTS, system.DESCRIPTION, "SHA256SUMS"):
            (folder / name / own).unlink()
    write_source(folder / "data")
    (folder / "trainer_state.json").write_text(json.dumps({"log_history": LOG, "max_steps": 40}))
    return folder


@pytest.fixture(scope="module", autouse=True)
def prepared_once(tmp_path_factory):
    """Of the same data, encoder and parameters `prepare` runs once; then what it made is copied, as DVC does it."""
    folder, stages, made = tmp_path_factory.mktemp("prepared"), in_process.stages, {}

    def copy(source, target):
        for name in ("data/prepared", "models/base", "metrics/prepare", "metrics/prepare.json"):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if (source / name).is_dir() else shutil.copyfile)(source / name, target / name)

    def once():
        values = params.load("prepare")
        read = [Path(values["prepare"]["source"]), Path(values["encoder"]["source"] or "packaged")]
        files = sorted(file for one in read for file in one.rglob("*") if file.is_file())
        key = json.dumps(values), *((str(file), file.read_bytes()) for file in files)
        refused = None
        if key in made:
            kept, refused = made[key]
            copy(kept, Path())
        else:
            try:
                stages(examine.template.root())["prepare"]()
            except UserError as error:
                refused = error
                if not str(error).startswith("preflight: "):
                    raise
            made[key] = folder / str(len(made)), refused
            copy(Path(), made[key][0])
        if refused is not None:
            raise refused

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(in_process, "stages", lambda root: {**stages(root), "prepare": once})
        yield


def run(place, *arguments, data="data", drawn=lambda plot: "", settings=SETTINGS):
    """The command, standing in the folder; drawing the figures takes long, and one report tells how they are."""
    words = [part for key, value in settings.items() for part in ("-S", f"{key}={value}")]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setattr(html, "drawn", drawn)
        patch.setattr(sys, "argv", ["whyrank", "examine", *arguments, "--data", data, *words])
        __main__.main()


@pytest.fixture(scope="module")
def with_base(place):
    run(place, "mine", "--base", "start", "--history", "trainer_state.json", "--out", "whole", drawn=html.drawn)
    return place / "whole"


@pytest.fixture(scope="module")
def alone(place):
    run(place, "mine", "--expected", "ndcg@10=0.01")
    return place / "whyrank-mine-data"


def checks(folder):
    table = pd.read_csv(folder / "metrics/diagnose/checks.csv")
    return {(row.code, row.system): row.status for row in table.itertuples()}


def test_the_model_is_compared_with_its_base_and_the_lexical_baselines(with_base):
    table = pd.read_csv(with_base / "metrics/diagnose/comparisons.csv")
    assert {("mine", "base"), ("mine", "tfidf")} <= set(zip(table["a"], table["b"], strict=True))
    assert "<svg" in (with_base / "metrics/diagnose/report.html").read_text()
    assert not (with_base / "metrics/plots").exists()


def test_its_history_is_read_by_the_checks_of_a_training(with_base):
    assert checks(with_base)["learning-rate-jumps", "mine"] == "failed"
    found = json.loads((with_base / "metrics/diagnose/findings.json").read_text())
    fix = {one["code"]: one["fix"] for one in found}["learning-rate-jumps"]
    # Nothing is trained here: the change is one of another tool.
    assert fix["action"].startswith("where the model is trained, set what corresponds to lr_scheduler=linear")
    assert not any(one["fix"]["command"].startswith("dvc") for one in found)
    assert "dvc exp run" not in (with_base / "metrics/diagnose/report.md").read_text()
    history = pd.read_csv(with_base / "metrics/finetune_rank/base/history.csv")
    assert history["moved_embeddings"].notna().tolist() == [False] * 39 + [True]


@pytest.mark.parametrize(
    "code",
    ["best-not-kept", "few-evaluations", "overfitted", "unusual-setting", "evaluation-differs-from-training",
     "underfitted", "first-loss-off", "updates-lost-in-rounding"],
)  # fmt: skip
def test_what_was_not_recorded_is_not_applicable_and_never_passed(with_base, code):
    assert {status for (one, system), status in checks(with_base).items() if (one, system) == (code, "mine")} <= {
        "not applicable"
    }


def test_without_a_base_or_a_history_the_checks_of_a_training_do_not_apply(alone):
    found = checks(alone)
    assert found["learning-rate-too-high", "finetune_rank"] == found["overfitted", "finetune_rank"] == "not applicable"
    assert {system for _, system in found} >= {"mine", "tfidf"} and "base" not in {system for _, system in found}


def test_figures_are_those_of_sentence_transformers(alone):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.evaluation import InformationRetrievalEvaluator

    queries, answers, qrels = (
        pd.read_parquet(alone / f"data/prepared/{name}.parquet") for name in ("queries", "answers", "qrels")
    )
    asked = queries[queries["split"] == "test"]
    relevant = qrels[qrels["score"] > 0].groupby("query_id")["answer_id"].agg(set).to_dict()
    evaluator = InformationRetrievalEvaluator(
        dict(zip(asked["query_id"], asked["text"], strict=True)),
        dict(zip(answers["answer_id"], answers["text"], strict=True)),
        {query: relevant[query] for query in asked["query_id"]},
        accuracy_at_k=[1, 3, 10],
        ndcg_at_k=[10],
        map_at_k=[10],
        write_csv=False,
    )
    theirs = evaluator(SentenceTransformer(str(alone.parent / "mine"), device="cpu"))
    ours = json.loads((alone / "metrics/evaluate/mine.json").read_text())
    for name in ("accuracy@1", "accuracy@3", "accuracy@10", "ndcg@10", "map@10"):
        assert ours[f"{name}_all"] == pytest.approx(theirs[f"cosine_{name}"], abs=1e-4), name


def test_the_library_gives_the_vectors_that_were_evaluated(alone, with_base):
    for folder in (alone, with_base):
        assert checks(folder)["library-disagrees", "mine"] == "passed"
        assert (pd.read_parquet(folder / "data/runs/mine/library.parquet")["ours_same_text"] > 0.9999).all()


def test_of_weights_in_bfloat16_the_share_that_is_as_before_is_recorded(place):
    shutil.copytree(place / "mine", place / "narrow")
    start, mine = (load_file(place / name / "model.safetensors") for name in ("start", "mine"))
    layers = sorted(name for name, value in start.items() if "embeddings" not in name and value.dim() > 1)
    half = {name: (start if name in layers[::2] else mine)[name].bfloat16() for name in start}
    save_file(half, place / "narrow/model.safetensors", {"format": "pt"})
    run(place, "narrow", "--base", "start")
    made = place / "whyrank-narrow-data"
    kept = sum(start[name].numel() for name in layers[::2]) / sum(start[name].numel() for name in layers)
    recorded = json.loads((made / "metrics/finetune_rank/base.json").read_text())
    assert recorded["weights_as_before"] == pytest.approx(kept, abs=0.02)
    assert checks(made)["weights-in-half-precision", "narrow"] == ("failed" if kept >= 0.5 else "passed")


def test_a_figure_from_elsewhere_is_explained(alone):
    found = {one["code"]: one for one in json.loads((alone / "metrics/diagnose/findings.json").read_text())}
    assert "ndcg@10 of mine is" in found["expected-figure-differs"]["sentence"]
    assert "0.010 was expected" in found["expected-figure-differs"]["sentence"]


@pytest.mark.parametrize(("declared", "kept"), [(None, "cosine"), ("cosine", "cosine"), ("dot", "dot")])
def test_vectors_of_the_library_are_compared_as_their_files_say(tmp_path, declared, kept):
    (tmp_path / "config_sentence_transformers.json").write_text(json.dumps({"similarity_fn_name": declared}))
    assert foreign.similarity(tmp_path) == kept
    (tmp_path / "config_sentence_transformers.json").write_text(json.dumps({"similarity_fn_name": "euclidean"}))
    with pytest.raises(UserError, match="compares vectors by euclidean"):
        foreign.similarity(tmp_path)


def test_a_run_of_another_tool_is_scored_on_a_test_set_alone(place, alone):
    """What needs no training queries stays, whatever its role."""
    name = "alone-for-run"
    shutil.copytree(place / "data", place / name)
    (place / name / "qrels/train.tsv").rename(place / name / "qrels/test.tsv")
    shutil.copy(alone / "data/runs/mine/run.trec", place / "theirs.trec")
    run(place, "theirs.trec", "--out", f"{name}-made", data=name)
    scored = {file.stem for file in (place / f"{name}-made/metrics/evaluate").glob("*.json")}
    assert "theirs-trec" in scored and not {"nearest-query", "classifier", "fusion"} & scored


def test_a_folder_that_only_the_library_reads_is_examined_by_its_vectors(place):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    pieces = SentenceTransformer(str(place / "start"), device="cpu").tokenizer
    static = StaticEmbedding(pieces.backend_tokenizer, embedding_dim=16)
    SentenceTransformer(modules=[static], device="cpu").save_pretrained(str(place / "static"))
    run(place, "static", "--base", "start")
    found = checks(place / "whyrank-static-data")
    assert (found["bag-of-words", "static"], found["library-disagrees", "static"]) == ("failed", "passed")
    table = pd.read_csv(place / "whyrank-static-data/metrics/diagnose/comparisons.csv")
    assert ("static", "base") in set(zip(table["a"], table["b"], strict=True))


@pytest.mark.parametrize("base", [[], ["--base", "start"]], ids=["alone", "base"])
def test_vectors_and_runs_of_another_tool_are_examined(place, alone, base):
    theirs, name = place / "theirs", "based" if base else "lone"
    if not theirs.exists():
        theirs.mkdir()
        for side, table in (("query", "queries"), ("answer", "answers")):
            ids = pd.read_parquet(alone / f"data/prepared/{table}.parquet")[f"{side}_id"]
            (theirs / f"{side}_ids.txt").write_text("\n".join(ids) + "\n")
            shutil.copy(alone / f"data/runs/mine/{side}_vectors.npy", theirs)
        shutil.copy(alone / "data/runs/mine/run.trec", place / "their.trec")
    run(place, "theirs", *base, "--out", f"{name}-vectors")
    run(place, "their.trec", *base, "--out", f"{name}-run")
    expected = json.loads((alone / "metrics/evaluate/mine.json").read_text())["map@10_all"]
    for kind, system in (("vectors", "theirs"), ("run", "their-trec")):
        made = place / f"{name}-{kind}"
        assert json.loads((made / f"metrics/evaluate/{system}.json").read_text())["map@10_all"] == pytest.approx(
            expected
        )
        assert (made / "metrics/diagnose/report.html").exists()
        assert checks(made)["library-disagrees", system] == "not applicable"


def test_a_model_in_the_cache_of_the_hub_is_found_offline(place, monkeypatch):
    from huggingface_hub import constants

    of, revision = place / "hub/models--org--mine", "a" * 40
    if not of.exists():
        shutil.copytree(place / "mine", of / "snapshots" / revision)
        (of / "refs").mkdir()
        (of / "refs/main").write_text(revision)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(of.parent))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    run(place, "org/mine", "--out", "hubbed")
    brought = json.loads((place / "hubbed/metrics/prepare/encoder.json").read_text())
    assert (brought["source"], brought["revision"]) == ("org/mine", revision)


@pytest.mark.parametrize("base", [[], ["--base", "start", "--history", "trainer_state.json"]], ids=["alone", "base"])
def test_of_judgements_of_a_test_set_alone_all_are_scored(place, base, monkeypatch, capsys):
    name = "held-out-base" if base else "held-out"
    shutil.copytree(place / "data", place / name)
    (place / name / "qrels/train.tsv").rename(place / name / "qrels/test.tsv")
    with open(place / name / "queries.jsonl", "a") as file:  # of other splits, whose judgements are not there
        file.writelines(json.dumps({"_id": f"other-{n}", "text": "how about my permit"}) + "\n" for n in range(5))
    run(place, "mine", *base, "--out", f"{name}-made", data=name)
    made = place / f"{name}-made"
    queries = pd.read_parquet(made / "data/prepared/queries.parquet")
    assert len(queries) == 72 and set(queries["split"]) == {"test"}
    found = checks(made)
    assert found["few-training-queries", "data"] == "not applicable"
    assert found.get(("split-smaller-than-asked", "data")) != "failed"
    table = pd.read_csv(made / "metrics/diagnose/comparisons.csv")
    assert (("mine", "base") in set(zip(table["a"], table["b"], strict=True))) == bool(base)
    said = capsys.readouterr().err
    assert "all queries are test queries" in said and ("left out, and --history" in said) == bool(base)


def test_the_parameters_pass_all_checks_with_and_without_a_base(shipped_params):
    for base in ("", "start"):
        values = examine.values_of("org/my.model", "data", [], shipped_params, base=base, kind="encoder")
        params.check(values)
        assert "my-model" in values["systems"] and values["inits"] == (["base"] if base else [])
        assert values["encoder"]["source"] == (base or "org/my.model")
    assert yaml.safe_load((ROOT / "params.yaml").read_text()) == shipped_params


@pytest.mark.parametrize(("asked", "expected"), [([], 64), (["prepare.tokens.answer=100"], 100)])
def test_texts_are_cut_where_the_model_cuts_them_unless_more_is_asked_for(
    place, shipped_params, capsys, asked, expected
):
    answer = {"answer": expected} if asked else {}
    tokens = dict.fromkeys(("question", "conversation", "answer", "pair"), 100) | answer
    values = {**shipped_params, "prepare": {**shipped_params["prepare"], "tokens": tokens}}
    found = foreign.as_served(values, place / "mine", asked)["prepare"]["tokens"]
    assert found["answer"] == expected and found["conversation"] == found["question"] == 64
    assert "texts are cut after 64 tokens" in capsys.readouterr().err


def test_a_model_that_reads_little_is_examined_on_that(place):
    shutil.copytree(place / "mine", place / "brief")
    (place / "brief/sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 9}))
    settings = {key: value for key, value in SETTINGS.items() if not key.startswith("prepare.tokens")}
    run(place, "brief", "--out", "brief-made", settings=settings)
    for side in ("queries", "answers"):
        ids = pd.read_parquet(place / f"brief-made/data/prepared/{side}.parquet")["input_ids"]
        assert ids.map(len).max() == 9


def test_a_model_that_takes_as_much_is_read_as_asked(place, shipped_params, capsys):
    tokens = dict.fromkeys(("question", "conversation", "answer", "pair"), 64)
    values = {**shipped_params, "prepare": {**shipped_params["prepare"], "tokens": tokens}}
    assert foreign.as_served(values, place / "mine", [])["prepare"]["tokens"] == tokens
    assert capsys.readouterr().err == ""


def test_without_training_queries_only_what_is_learnt_from_them_is_left_out(shipped_params):
    small = {"role": "rival", "kind": "compressed", "made_of": "data/runs/base", "store": "int8"}
    ours = {**shipped_params, "systems": {**shipped_params["systems"], "small": small}}
    values = examine.values_of("org/my.model", "data", [], ours, base="start", kind="encoder")
    assert {"small", "my-model", "base", "tfidf", "bm25"} == examine._without_training(values)["systems"].keys()


def test_rivals_of_systems_that_only_a_training_makes_are_left_out(shipped_params):
    own = {"role": "rival"}
    more = {
        "small": {**own, "kind": "served", "made_of": "models/base-tuned", "format": "onnx"},
        "bytes": {**own, "kind": "compressed", "made_of": "data/runs/small", "store": "int8"},
        "both": {**own, "kind": "fusion", "made_of": "data/scores/encoder", "of": ["base-tuned"]},
        "kept": {**own, "kind": "compressed", "made_of": "data/runs/base", "store": "int8"},
    }
    ours = {**shipped_params, "systems": {**shipped_params["systems"], **more}}
    values = examine.values_of("org/my.model", "data", [], ours, base="start", kind="encoder")
    params.check(values)
    assert {"kept", "fusion", "nearest-query"} <= values["systems"].keys()
    assert not {"small", "bytes", "both"} & values["systems"].keys()


@pytest.mark.parametrize(
    ("arguments", "kind", "says"),
    [
        (["mine", "--expected", "ndcg@10=52.0", "--out", "x"], UserError, "expected"),
        (["mine", "--history", "trainer_state.json"], UsageError, "name the base, too"),
        (
            ["data/corpus.jsonl", "--base", "start", "--history", "trainer_state.json"],
            UsageError,
            "is none that whyrank",
        ),
        (["mine", "--out", "data"], UserError, "data is not empty, and stays as it is; name a new folder with --out"),
        (["mine", "--base", "start", "--history", "data/corpus.jsonl", "--out", "x"], UserError, "no logged row"),
    ],
)
def test_what_cannot_be_examined_is_one_line(place, arguments, kind, says):
    with pytest.raises(kind, match=says):
        run(place, *arguments)
    assert not (place / "x").exists()
