"""What a later stage reads, damaged in every way that we know: one line with the file and what makes it anew.

Raw data have their own tests under tests/data, the values of params.yaml under tests/core/options.
"""

import shutil
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from whyrank import __main__
from whyrank.commands import scenario
from whyrank.core import checksums, io, prepared, workspace
from whyrank.core.errors import UserError
from whyrank.core.options import params
from whyrank.core.options.systems import System
from whyrank.diagnosis.read import read_records
from whyrank.findings.systems import Systems
from whyrank.model import system
from whyrank.scoring import systems

ROOT = Path(__file__).parents[1]
SYSTEMS = {
    "tfidf": System("tfidf", "baseline", "src/whyrank/lexical"),
    "base": System("encoder", "zero-shot", "models/base"),
}
STEPS = pd.DataFrame({"step": [1, 2], "loss": [0.9, 0.8], "rank_loss": [0.9, 0.8]})
EVALUATIONS = pd.DataFrame({"step": [0, 2], "map@10_all": [0.5, 0.6]})
# Folder, its files, and the stage that makes it.
PREPARED = ("data/prepared", [f"{name}.parquet" for name in prepared.TABLES], "prepare")
MODEL = (
    "models/base",
    [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "1_Pooling/config.json",
        "modules.json",
        "config_sentence_transformers.json",
        "sentence_bert_config.json",
        "heads.json",
        "heads.safetensors",
    ],
    "prepare",
)
RECORDS = [
    ("metrics/prepare", ["batches.csv", "findings.json", "../prepare.json"], "prepare"),
    ("metrics/pretrain_barlow", ["history.csv", "../pretrain_barlow.json"], "pretrain_barlow"),
    ("metrics/finetune_rank/base", ["history.csv", "evaluations.csv", "../base.json"], "finetune_rank@base"),
    ("data/runs/tfidf", ["queries.parquet", "top.parquet", "../../../metrics/evaluate/tfidf.json"], "evaluate@tfidf"),
    (
        "data/runs/base",
        [
            "queries.parquet",
            "top.parquet",
            "query_vectors.npy",
            "answer_vectors.npy",
            "run.trec",
            "pairs.parquet",
            "../../../metrics/evaluate/base.json",
        ],
        "evaluate@base",
    ),
]
FOLDERS = [PREPARED, MODEL, *RECORDS]


@pytest.fixture(scope="module")
def whole(paired, tiny_folder, shipped_params, tmp_path_factory):
    """What a run of two systems left, so small that a copy costs nothing."""
    root = tmp_path_factory.mktemp("whole")
    for name in workspace.FILES:
        shutil.copy(ROOT / name, root)
    shutil.copytree(tiny_folder, root / "models/base")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        with checksums.summed_folder("data/prepared") as folder:
            prepared.write(folder, paired)
        batches = pd.DataFrame({"stage": ["finetune_rank"], "rows": [8], "distinct_answers": [6]})
        record("metrics/prepare", {"answers": 6}, {"batches.csv": batches}, {"findings.json": []})
        record("metrics/pretrain_barlow", {"steps": 2}, {"history.csv": STEPS})
        record("metrics/finetune_rank/base", {"steps_run": 2}, {"history.csv": STEPS, "evaluations.csv": EVALUATIONS})
        options = params.section(shipped_params, "evaluate", params.Evaluate)
        encoder = params.Encoder("embedded", "auto", "fp32", 0.0, batch_tokens=256, trust_remote_code=False)
        for name, one in SYSTEMS.items():
            scored = systems.score(one, systems.Tasks(paired, options, encoder, 7))
            file = f"metrics/evaluate/{name}.json"
            io.write_metrics(file, scored.metrics)
            with checksums.summed_folder(f"data/runs/{name}", file, "data/prepared/SHA256SUMS") as folder:
                scored.write(folder, name)
    return root


def record(folder, metrics, tables, texts=None):
    io.write_metrics(f"{folder}.json", metrics)
    with checksums.summed_folder(folder, f"{folder}.json") as temporary:
        for name, table in tables.items():
            io.write_table(temporary / name, table)
        for name, value in (texts or {}).items():
            io.write_json(temporary / name, value)


@pytest.fixture(scope="module")
def one_copy(whole, tmp_path_factory):
    root = tmp_path_factory.mktemp("one") / "copy"
    shutil.copytree(whole, root)
    return root


@pytest.fixture
def copy(whole, one_copy, monkeypatch):
    """A copy to spoil, entered. What a test changed of it is put back: a copy for each would take most of the time."""
    monkeypatch.chdir(one_copy)
    yield
    for path in [path for path in one_copy.rglob("*") if path.exists()]:
        source = whole / path.relative_to(one_copy)
        if path.exists() and (not source.exists() or path.is_dir() != source.is_dir()):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for source in filter(Path.is_file, whole.rglob("*")):
        target = one_copy / source.relative_to(whole)
        if not target.exists() or stamp(target) != stamp(source):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def stamp(file):
    stat = file.stat()
    return stat.st_size, stat.st_mtime_ns


def read(folder):
    """As the stage reads it that comes next."""
    if folder == "data/prepared":
        prepared.read(folder)
    elif folder == "models/base":
        system.load(folder)
    else:
        places = {name: Path(name) for name in ("metrics",)}
        read_records(
            prepared=Path("data/prepared"),
            runs=Path("data/runs"),
            systems=Systems(SYSTEMS, ("base",)),
            params={},
            **places,
        )


def only_line(action, *arguments):
    with pytest.raises(UserError) as raised:
        action(*arguments)
    (line,) = raised.value.args
    return " ".join(str(line).split())


def scored_with(name, own, how):
    """Systems with one more, whose run is there and says so of what it was scored with."""
    file = f"metrics/evaluate/{name}.json"
    io.write_metrics(file, {"mrr_all": 0.5})
    with checksums.summed_folder(f"data/runs/{name}", file) as folder:
        for table in ("queries", "top"):
            shutil.copy(f"data/runs/base/{table}.parquet", folder)
        io.write_json(folder / "how.json", how)
    return Systems(SYSTEMS | {name: own}, ("base",))


FUSED = System("fusion", "rival", "data/scores/encoder")
RERANKED = System("reranker", "rival", "data/scores/encoder", model="cross")


@pytest.mark.parametrize(
    ("own", "how", "gone"),
    [
        (FUSED, {"systems": ["bm25", "base"]}, ""),
        (FUSED, {"systems": ["bm25", "tuned"]}, "tuned"),
        (FUSED, {"systems": ["bm25", "tfidf"]}, "tfidf"),  # a system of another kind by now
        (RERANKED, {"first_stage": "base"}, ""),
        (RERANKED, {"first_stage": "tuned"}, "tuned"),
        (RERANKED, {"first_stage": "bm25"}, "bm25"),
    ],
)
def test_a_rival_that_was_scored_with_a_system_that_is_gone_is_one_line_with_its_stage(copy, own, how, gone):
    places = {"prepared": Path("data/prepared"), "runs": Path("data/runs"), "metrics": Path("metrics")}
    read_all = partial(read_records, **places, systems=scored_with("both", own, how), params={})
    if not gone:
        assert read_all().runs["both"].how == how
        return
    assert only_line(read_all) == (
        f"data/runs/both was scored with {gone!r}, which is no longer a system of kind encoder in params.yaml; "
        "run `dvc repro -f -s evaluate@both`, then `dvc repro`"
    )


def empty(file):
    file.write_bytes(b"")


def half(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def without_its_last_byte(file):
    file.write_bytes(file.read_bytes()[:-1])


def one_bit(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def zeros(file):
    file.write_bytes(bytes(file.stat().st_size))


def a_page_of_a_proxy(file):
    file.write_text("<html><body>407 Proxy Authentication Required</body></html>")


def gone(file):
    file.unlink()


def a_folder_in_its_place(file):
    file.unlink()
    file.mkdir()


def a_pointer_of_git_lfs(file):
    file.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")


HARMS = [empty, half, without_its_last_byte, one_bit, zeros, a_page_of_a_proxy, gone, a_folder_in_its_place]
HARMS += [a_pointer_of_git_lfs]


def cases(*endings):
    return [
        pytest.param(folder, name, stage, id=f"{folder}/{name}")
        for folder, names, stage in FOLDERS
        for name in [*names, *([] if endings else [checksums.SUMS])]
        if not endings or name.endswith(endings)
    ]


def check_line(line, file, stage):
    # A digest that is torn names the file that it is of.
    file = file.parent if file.name == checksums.SUMS else file
    assert file.resolve().relative_to(Path.cwd()).as_posix() in line
    assert f"`dvc repro -f -s {stage}`" in line


def test_the_whole_is_read(copy):
    for folder, *_ in FOLDERS:
        read(folder)


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize(("folder", "name", "stage"), cases())
def test_a_damaged_file_is_one_line(copy, folder, name, stage, harm):
    file = Path(folder) / name
    harm(file)
    if name == checksums.SUMS and folder == "models/base" and not file.is_file():
        return read(folder)  # a model may come from elsewhere
    return check_line(only_line(read, folder), file, stage)


def without_a_column(table):
    return table.iloc[:, 1:]


def with_a_renamed_column(table):
    return table.rename(columns={table.columns[0]: "other"})


def of_another_type(table):
    return table.assign(**{table.columns[-1]: [f"text {i}" for i in range(len(table))]})


def shorter(table):
    return table.iloc[:-1] if len(table) else table.assign(more=0)


def doubled(table):
    return pd.concat([table, table.iloc[:1]]) if len(table) else table.assign(more=0)


def swapped(table):
    return table.iloc[::-1] if len(table) > 1 else table.assign(more=0)


def with_a_hole(table):
    changed = table.astype(object)
    if not len(table):
        return table.assign(more=0)
    changed.iloc[0, len(table.columns) - 1] = None
    return changed


SHAPES = [without_a_column, with_a_renamed_column, of_another_type, shorter, doubled, swapped, with_a_hole]


@pytest.mark.parametrize("change", SHAPES)
@pytest.mark.parametrize(("folder", "name", "stage"), cases(".parquet", ".csv"))
def test_a_table_of_another_shape_is_one_line(copy, folder, name, stage, change):
    file = Path(folder) / name
    io.write_table(file, change(io.read_table(file)))
    check_line(only_line(read, folder), file, stage)


@pytest.mark.parametrize(
    "change",
    [
        lambda array: array[:-1],
        lambda array: array[:, :-1],
        lambda array: array * np.nan,
        lambda array: array.astype(np.int64),
        lambda array: array[::-1],
        np.ravel,
    ],
    ids=["shorter", "narrower", "NaN", "whole numbers", "turned", "flat"],
)
@pytest.mark.parametrize(("folder", "name", "stage"), cases(".npy"))
def test_vectors_of_another_shape_are_one_line(copy, folder, name, stage, change):
    file = Path(folder) / name
    io.write_array(file, change(io.read_array(file)))
    check_line(only_line(read, folder), file, stage)


@pytest.mark.parametrize(("folder", "name", "stage"), cases(".json"))
def test_an_edited_value_is_one_line(copy, folder, name, stage):
    file = Path(folder) / name
    file.write_text(file.read_text().rstrip() + " ")
    check_line(only_line(read, folder), file, stage)


@pytest.mark.parametrize(("one", "other", "stage"), [
    ("data/runs/base", "data/runs/tfidf", "evaluate@tfidf"),
    ("metrics/finetune_rank/base", "metrics/pretrain_barlow", "pretrain_barlow"),
])  # fmt: skip
def test_two_folders_that_were_swapped_are_one_line(copy, one, other, stage):
    Path(one).rename("third")
    Path(other).rename(one)
    Path("third").rename(other)
    assert f"`dvc repro -f -s {stage}`" in only_line(read, one)


def test_runs_of_other_data_are_one_line(copy, topics):
    with checksums.summed_folder("data/prepared") as folder:
        prepared.write(folder, topics)
    line = only_line(read, "data/runs/tfidf")
    assert line.startswith("data/prepared/SHA256SUMS is not the one that data/runs/tfidf was made with: ")


@pytest.mark.parametrize("name", ["answers", "queries"])
def test_texts_of_another_encoder_are_one_line(copy, paired, name):
    other = getattr(paired, name).copy()
    other["input_ids"] = [[2, *ids[1:-1][::-1], 3] for ids in other["input_ids"]]
    model = system.load("models/base")
    system.check_tokens(model, paired, "models/base")
    line = only_line(system.check_tokens, model, replace(paired, **{name: other}), "models/base")
    assert line.startswith(
        "models/base: its tokenizer or its prompts are not those that the texts in data/prepared were "
    )
    assert "`dvc repro -f -s prepare`" in line


def heads(**changes):
    def change(file):
        found = io.read_json(file) | changes
        io.write_json(file, {name: value for name, value in found.items() if value is not None})

    return change


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        (system.DESCRIPTION, empty),
        (system.DESCRIPTION, half),
        (system.DESCRIPTION, gone),
        (system.DESCRIPTION, lambda file: file.write_text("[]")),
        (system.DESCRIPTION, lambda file: file.write_text("3")),
        (system.DESCRIPTION, lambda file: file.write_bytes(b"\xff\xfe{}")),
        (system.DESCRIPTION, heads(longest=None)),
        (system.DESCRIPTION, heads(longest="16")),
        (system.DESCRIPTION, heads(query=None)),
        (system.DESCRIPTION, heads(score=None)),
        (system.DESCRIPTION, heads(query=[{"kind": "magic"}])),
        (system.DESCRIPTION, heads(query=[{"kind": "residual"}])),
        (system.DESCRIPTION, heads(query=[{"kind": "residual", "width": "x", "hidden": 1, "output": 1, "dropout": 0}])),
        (system.DESCRIPTION, heads(query=[{"kind": "residual", "width": 32, "hidden": 4, "output": 32, "dropout": 0}])),
        (system.DESCRIPTION, heads(query="residual")),
        (system.DESCRIPTION, heads(tasks={"names": []})),
        (system.WEIGHTS, empty),
        (system.WEIGHTS, half),
        (system.WEIGHTS, gone),
        (system.WEIGHTS, zeros),
        (system.WEIGHTS, a_page_of_a_proxy),
        (system.WEIGHTS, lambda file: shutil.copy(file.with_name("model.safetensors"), file)),
    ],
)
def test_a_model_from_elsewhere_whose_heads_do_not_fit_is_one_line(copy, tmp_path, name, harm):
    folder = tmp_path / "mine"
    shutil.copytree("models/base", folder)
    (folder / checksums.SUMS).unlink()
    harm(folder / name)
    line = only_line(system.load, folder)
    assert line.startswith(str(folder)) and name in line


PARAMS = [
    b"", b"seed", b"[]", b"- seed: 7", b"seed: 7\nseed: 8\n", b"seed:\t7\n  x: 1", b"\tseed: 7", b"{",
    b"a: [1, 2", b"'", b'"',
    b"<<<<<<< HEAD\nseed: 7\n=======\nseed: 8\n>>>>>>> theirs\n", b"\x00\x00", b"\xff\xfes\x00e", b"seed: \xe9\n",
    b"a: *b\n",
    b"seed: 7\n---\nseed: 8\n", b"!!python/object/apply:os.system ['true']", b"7", b"null", b"seed: &a [*a]\n",
    b"? [1]\n: 2\n",
    b"prepare: null\n", b"prepare: []\nevaluate: 3\n",
]  # fmt: skip


@pytest.mark.parametrize("content", PARAMS)
@pytest.mark.parametrize("file", workspace.FILES)
def test_a_broken_params_or_pipeline_file_is_lines_with_its_name(copy, file, content):
    Path(file).write_bytes(content)
    with pytest.raises(UserError) as raised:
        params.load("evaluate@base")
    assert all(str(line).startswith(f"{file}: ") for line in raised.value.args)


SCENARIOS = [
    *PARAMS[:-2],
    b"name: mine\n",
    b"name: [mine]\nquestion: q\noverrides: {}\nexpected: []\nunexpected: []\n",
    b"name: mine\nquestion: 3\noverrides: {}\nexpected: []\nunexpected: []\n",
    b"name: mine\nquestion: q\noverrides: []\nexpected: []\nunexpected: []\n",
    b"name: mine\nquestion: q\noverrides: {3: 4}\nexpected: []\nunexpected: []\n",
    b"name: mine\nquestion: q\noverrides: {seed: 8}\nexpected: hub-answers\nunexpected: []\n",
    b"name: mine\nquestion: q\noverrides: {seed: 8}\nexpected: []\nunexpected: [1]\n",
    b"name: mine\nquestion: q\noverrides: {seed: 8}\nexpected: []\nunexpected:\n",
    b"name: other\nquestion: q\noverrides: {seed: 8}\nexpected: []\nunexpected: []\n",
    b"name: mine\nquestion: q\noverrides: {seed: 8}\nexpected: []\nunexpected: []\nmore: 1\n",
]


@pytest.mark.parametrize("content", SCENARIOS)
def test_a_broken_scenario_file_is_one_line(tmp_path, content):
    (tmp_path / "mine.yaml").write_bytes(content)
    assert only_line(scenario.read, "mine", tmp_path).startswith(f"{tmp_path}/mine.yaml: ")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "the following arguments are required: COMMAND; `whyrank --help` says more"),
        (["scenarios"], "argument COMMAND: invalid choice: 'scenarios'"),
        (["scenario", "seed-barlow", "more"], "unrecognized arguments: more"),
        (["scenario", "no-such"], "no scenario 'no-such'; there are"),
        (["scenario", "../seed-barlow"], "no scenario '../seed-barlow'; there are"),
        (["scenario", ""], "no scenario ''; there are"),
        (["scenario", "-S"], "argument -S: expected one argument"),
        (["scenario", "--no-such-flag"], "unrecognized arguments: --no-such-flag"),
        (["post-mortem"], "the following arguments are required: topic; `whyrank post-mortem --help` says more"),
        (["post-mortem", "no-such"], "no post-mortem of 'no-such'"),
        (["export"], "the following arguments are required: system, folder"),
        (["export", "base"], "the following arguments are required: folder"),
        (["export", "no-such", "out"], "no system 'no-such' with a model; there are base"),
        (["export", "base", "models"], "is inside models/, which the pipeline writes"),
        (["export", "base", "data"], "exists and is not empty; name a new folder"),
        (["export", "base", "params.yaml"], "exists and is not empty; name a new folder"),
        (["schema", "more"], "unrecognized arguments: more"),
        (["--versio"], ""),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line(copy, monkeypatch, arguments, line):
    shutil.copytree(ROOT / "scenarios", "scenarios")
    monkeypatch.setattr(sys, "argv", ["whyrank", *arguments])
    if line:
        assert line in only_line(__main__.main)
    else:
        with pytest.raises(SystemExit) as ended:
            __main__.main()
        assert ended.value.code == 0
