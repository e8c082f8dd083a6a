"""The model card says what was recorded and no more, survives any text, and comes with a model that works."""

import copy
import dataclasses
import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml
from markdown_it import MarkdownIt

from whyrank import __main__
from whyrank.commands import card
from whyrank.core import io, lock
from whyrank.core.errors import UserError
from whyrank.data.ranking import statistics
from whyrank.diagnosis.compare.text import one_line
from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.report import files, html
from whyrank.findings.finding import Evidence, Finding, Fix
from whyrank.scoring.ranking import score as rank

from ..diagnosis.conftest import make_records

ROOT = Path(__file__).parents[2]
TEXTS = ["pension", "visa travel border passport when i travel", "my tax refund", "school"]
SYSTEMS = ["base", "barlow", "base-tuned", "barlow-tuned"]
VERSIONS = {"python": "3.11.7", "torch": "2.13.0+cpu"}
HOSTILE = (
    "| `code` **bold** _so_ __init__ ~~no~~ <b>tag</b> &amp; [a](http://b) ![c](d) \\| $5 {{ 7 * 7 }}\n---\n# no\n```\n"
    "\u202egnp.exe"
)
FINDINGS = [
    Finding(
        "hub-answers", "info", "barlow-tuned", "One answer is the nearest of 9 % of all queries.", (),
        "Some answers lie near the mean.", Fix({}, "Look for boilerplate."), "Radovanović et al. 2010",
    ),
    Finding(
        "pretraining-overfits", "warning", "pretrain_barlow", "The agreement was learnt by heart.", (),
        "Too few texts.", Fix({"pretrain_barlow.steps": 10}), "Zbontar et al. 2021",
    ),
    Finding(
        "truncation-loses-evidence", "warning", "data", "Selection cuts 35 % of the answers.", (),
        "Answers are longer than 128 tokens.", Fix({"prepare.tokens.answer": 256}), "Section 3",
    ),
]  # fmt: skip


class Workspace:
    """What a finished run leaves: models, metrics and dvc.lock, of records that are made up."""

    def __init__(self, root, records, counts, params):
        self.root, self.records, self.counts, self.params = root, records, counts, params
        self.verdict = (root / "metrics/diagnose/verdict.txt").read_text().strip()
        self.lock()

    def lock(self, change=lambda stages: None):
        """dvc.lock of these parameters with every file in one version, then changed in place."""
        reads = {
            "prepare": [],
            "pretrain_barlow": ["data/prepared", "models/base"],
            "finetune_rank@base": ["data/prepared", "models/base"],
            "finetune_rank@barlow": ["data/prepared", "models/barlow"],
            **{f"evaluate@{system}": ["data/prepared", f"models/{system}"] for system in SYSTEMS},
            "diagnose": ["data/prepared", "metrics/evaluate"],
        }
        writes = {
            "prepare": ["data/prepared", "models/base"],
            "pretrain_barlow": ["models/barlow"],
            "finetune_rank@base": ["models/base-tuned"],
            "finetune_rank@barlow": ["models/barlow-tuned"],
            **{f"evaluate@{system}": [f"metrics/evaluate/{system}.json"] for system in SYSTEMS},
            "diagnose": ["metrics/diagnose"],
        }
        stages = {}
        for name in reads:
            sections = {"seed", "encoder", name.split("@")[0]}
            stages[name] = {
                "deps": [{"path": path, "hash": "md5", "md5": "0"} for path in reads[name]],
                "outs": [{"path": path, "hash": "md5", "md5": "0"} for path in writes[name]],
                "params": {"params.yaml": {key: self.params[key] for key in self.params if key in sections}},
            }
        stages["prepare"]["params"]["params.yaml"]["pretrain_barlow.batch_size"] = 7
        stages["diagnose"]["params"]["params.yaml"]["diagnose"] = {"metric": "accuracy@1", "level": 0.9}
        stages["diagnose"]["params"]["params.yaml"] |= {name: self.params[name] for name in ("inits", "systems")}
        change(stages)
        # JSON is YAML, and made in no time.
        io.write_json(self.root / "dvc.lock", {"stages": stages})

    def find(self, *findings):
        io.write_json(self.root / "metrics/diagnose/findings.json", [finding.as_json() for finding in findings])

    def render(self, system="base-tuned"):
        return card.render(system, self.root)

    def parsed(self, system="base-tuned"):
        return Parsed(self.render(system))


class Parsed:
    """Front matter, and the Markdown behind it as a reader sees it."""

    def __init__(self, text):
        _, front, body = text.split("---\n", 2)
        self.front = yaml.safe_load(front)
        self.tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(body)
        self.text = "\n".join(shown(token) for token in self.tokens if token.type == "inline")
        self.blocks = [(token.info, token.content) for token in self.tokens if token.type == "fence"]

    def after(self, opening):
        """What stands in each element of a kind."""
        pairs = zip(self.tokens, self.tokens[1:], strict=False)
        return [shown(inner) for outer, inner in pairs if outer.type == opening]

    def tables(self):
        """Lists of rows of cells, header first."""
        found = []
        for i, token in enumerate(self.tokens):
            if token.type == "table_open":
                found.append([])
            elif token.type == "tr_open":
                found[-1].append([])
            elif token.type in ("th_open", "td_open"):
                found[-1][-1].append(shown(self.tokens[i + 1]))
        return found


def shown(inline):
    """The text of an inline token; markup in it would leave its own tokens, without their content."""
    return "".join(child.content if child.type in ("text", "code_inline") else " " * (child.type == "softbreak")
                   for child in inline.children)  # fmt: skip


@pytest.fixture(scope="module")
def finished(tiny_folder, shipped_params, tmp_path_factory):
    """Folder, records and counts of a run, not to be written to."""
    root, records = tmp_path_factory.mktemp("finished"), make_records()
    for system in SYSTEMS:
        shutil.copytree(tiny_folder, root / "models" / system)
    for system, run in records.runs.items():
        numbers = rank.summary(run.queries) | ({"features": 32} if system in SYSTEMS else {})
        io.write_metrics(root / f"metrics/evaluate/{system}.json", numbers)
    queries = records.data.queries.assign(declared_type=records.data.queries["type"])
    counts, _ = statistics.count_queries(records.data.answers, queries, records.data.qrels)
    io.write_metrics(root / "metrics/prepare.json", counts)
    folder = root / "metrics/diagnose"
    case = Examination(records, "accuracy@1", level=0.9, resamples=50, seed=0)
    provenance = {"params": shipped_params, "versions": VERSIONS}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(html, "drawn", lambda plot: "")  # the card has no figures
        io.write_text(folder / "verdict.txt", files.write(case, FINDINGS, folder, provenance))
    return root, records, counts


@pytest.fixture
def workspace(finished, shipped_params, tmp_path):
    root, records, counts = finished
    shutil.copytree(root, tmp_path / "workspace")
    made = Workspace(tmp_path / "workspace", records, counts, copy.deepcopy(shipped_params))
    made.find(*FINDINGS)
    return made


def our_vectors(folder, texts):
    """The texts as queries and as answers, by our own reader of a system."""
    import torch

    from whyrank.model import system

    ours = system.load(folder)
    rows = ours.encoder.tokenise(texts, system.longest(folder))
    encoded = torch.as_tensor(ours.encoder.encode(rows, batch_tokens=100, precision="fp32"))
    with torch.inference_mode():
        return [side.numpy() for side in ours.project(encoded, encoded)]


def write_dual(folder, encoder):
    """A system with one head for queries and another for answers, both away from the identity."""
    import torch

    from whyrank.model import system
    from whyrank.model.heads import heads

    shutil.rmtree(folder)
    sides = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        sides.append(torch.nn.Sequential(heads.ResidualHead(32, 8, 32, 0.1)))
        for parameter in sides[-1].parameters():
            parameter.data += 0.4 * (torch.rand_like(parameter) - 0.5)
    system.save(system.System(encoder, *sides, "cosine").eval(), folder, longest=16)


def test_the_card_says_which_heads_do_not_leave_with_the_modules(workspace, make_encoder):
    from torch import nn

    from whyrank.model import system
    from whyrank.model.heads import heads
    from whyrank.model.heads.task_heads import TaskHeads

    folder = workspace.root / "models/base-tuned"
    assert "trained beside" not in workspace.render()
    shutil.rmtree(folder)
    own = {"similarity": nn.Sequential(heads.ResidualHead(32, 8, 32, 0.1))}
    chain = nn.Sequential()
    made = system.System(make_encoder(), chain, chain, "cosine", TaskHeads(["rank", "similarity"], own))
    system.save(made, folder, longest=16)
    assert "It was trained beside similarity, with a head of its own for each" in workspace.render()


def test_with_a_graph_the_code_on_the_card_loads_that(workspace, tmp_path, tiny_graph, monkeypatch):
    from whyrank.model import formats

    monkeypatch.setattr(formats, "graph", lambda encoder: tiny_graph)
    card.export("base-tuned", tmp_path / "out", workspace.root, backend="onnx")
    assert (tmp_path / "out/onnx/model.onnx").read_bytes() == tiny_graph
    assert 'SentenceTransformer("path/to/this/folder", backend="onnx")' in (tmp_path / "out/README.md").read_text()
    with pytest.raises(UserError, match="add --backend onnx"):
        card.export("base-tuned", tmp_path / "other", workspace.root, precision="int8")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("dual", [False, True])
def test_the_code_on_the_card_runs_on_the_exported_folder_and_gives_our_vectors(
    workspace, make_encoder, dual, tmp_path
):
    source = workspace.root / "models/base-tuned"
    if dual:
        write_dual(source, make_encoder())
    folder = tmp_path / "out/deep"
    card.export("base-tuned", folder, workspace.root)
    text = (folder / "README.md").read_text()
    (code,) = [content for language, content in Parsed(text).blocks if language == "python"]
    assert ("encode_query" in code and "encode_document" in code and "one head for queries" in text) == dual
    names = {}
    exec(code.replace("path/to/this/folder", str(folder)).replace("a short question", TEXTS[1]), names)
    queries, answers = our_vectors(source, TEXTS)
    np.testing.assert_allclose(names["queries"][0], queries[1], atol=1e-5)
    assert names["scores"].shape == (2, 2)
    np.testing.assert_allclose(names["model"].encode(TEXTS), answers, atol=1e-5)
    assert np.allclose(queries, answers, atol=1e-3) != dual


def test_the_card_tells_the_prompts_and_its_code_uses_them(workspace, make_encoder):
    from whyrank.model import system
    from whyrank.model.encoder.declared import Declared

    folder = workspace.root / "models/base-tuned"
    assert "encode_query" not in workspace.render()
    shutil.rmtree(folder)
    encoder = make_encoder()
    encoder.declared = Declared(prompts={"query": "my: ", "other": "x"})
    system.save(system.untrained(encoder), folder, longest=16)
    text = workspace.render()
    assert 'encode_query puts "my: " before every text.' in Parsed(text).text and "encode_document puts" not in text
    assert "queries = model.encode_query(" in text and "answers = model.encode_document(" in text


def test_the_export_holds_the_model_as_it_is_and_others_may_read_it(workspace, tmp_path):
    source, folder = workspace.root / "models/base-tuned", tmp_path / "out"
    (source / "model.safetensors").chmod(0o400)
    folder.mkdir()
    card.export("base-tuned", folder, workspace.root)
    copied = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    assert copied == {path.relative_to(source) for path in source.rglob("*") if path.is_file()} | {Path("README.md")}
    for name in copied - {Path("README.md")}:
        assert (folder / name).read_bytes() == (source / name).read_bytes()
    (tmp_path / "new").touch()
    assert (folder / "model.safetensors").stat().st_mode == (tmp_path / "new").stat().st_mode
    assert (folder / "README.md").read_text() == workspace.render() == workspace.render()


def test_the_hub_library_reads_the_front_matter_with_every_number_of_the_system(workspace, tmp_path):
    from huggingface_hub import ModelCard

    card.export("base-tuned", tmp_path / "out", workspace.root)
    data = ModelCard.load(tmp_path / "out/README.md").data
    assert (data.library_name, data.pipeline_tag) == ("sentence-transformers", "sentence-similarity")
    assert "whyrank" in data.tags and data.model_name == "base-tuned"
    evaluated = io.read_json(workspace.root / "metrics/evaluate/base-tuned.json")
    kinds = {"all test queries": "all", "questions": "question", "conversations": "conversation"}
    read = {}
    for result in data.eval_results:
        name, _, kind = result.dataset_name.partition(", ")
        assert (name, result.dataset_split) == ("sample", "test")
        read[f"{result.metric_type.removeprefix('cosine_')}_{kinds[kind]}"] = result.metric_value
    expected = {key: value for key, value in evaluated.items() if not key.startswith(("n_", "tied", "features"))}
    assert read == pytest.approx(expected, abs=2e-6) and len(expected) > 10


def test_the_tables_hold_the_recorded_numbers(workspace):
    counts, systems, metrics = workspace.parsed().tables()
    assert counts[1:] == [
        [label, *(str(workspace.counts[f"{name}_{split}"]) for split in ("train", "dev", "test")),
         str(workspace.counts[name])]
        for label, name in (("questions", "questions"), ("conversations", "conversations"), ("all", "queries"))
    ]  # fmt: skip
    table = io.read_table(workspace.root / "metrics/diagnose/systems.csv").set_index(["system", "type", "metric"])
    order = list(dict.fromkeys(table.index.get_level_values("metric")))
    table = table.sort_index()

    def cell(*key):
        row = table.loc[key]
        return f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"

    n = table["n"].groupby("type").first()
    kinds = ["all", "question", "conversation"]
    titles = ("All queries", "Questions", "Conversations")
    assert systems[0] == ["System", *(f"{title} (n = {n[kind]})" for title, kind in zip(titles, kinds, strict=True))]
    for name, *cells in systems[1:]:
        assert [" ".join(one.split()) for one in cells] == [cell(name, kind, "accuracy@1") for kind in kinds]
    assert "tfidf: lexical baseline; " in " ".join(workspace.render().split())
    assert [row[0] for row in systems[1:]] == list(workspace.records.runs)
    for metric, *cells in metrics[1:]:
        assert cells == [cell("base-tuned", kind, metric) for kind in kinds]
    assert [row[0] for row in metrics[1:]] == order


def test_the_best_system_alone_is_bold(workspace):
    (line,) = [line for line in workspace.render().splitlines() if line.startswith("| base-tuned ")]
    assert line.count("**") == 6
    assert workspace.render().count("**0.") == 3


def test_the_card_tells_verdict_interval_level_and_versions(workspace):
    text = workspace.parsed().text
    assert workspace.verdict in text
    assert "accuracy@1 on the test queries with its 90 % CI" in text
    assert "Versions of the run: python 3.11.7, torch 2.13.0+cpu." in text
    tokens, selection = workspace.params["prepare"]["tokens"], workspace.params["prepare"]["selection"]
    cuts = [f"{tokens[kind]} tokens per {kind} (selection: {selection[kind]})" for kind in selection]
    assert f"cut beforehand, to {', '.join(cuts)}." in text and len(cuts) == 3


@pytest.mark.parametrize(
    ("system", "codes"),
    [
        ("base", ["truncation-loses-evidence"]),
        ("base-tuned", ["truncation-loses-evidence"]),
        ("barlow", ["pretraining-overfits", "truncation-loses-evidence"]),
        ("barlow-tuned", ["hub-answers", "pretraining-overfits", "truncation-loses-evidence"]),
    ],
)
def test_findings_are_those_of_the_system_of_its_stages_and_of_the_data(workspace, system, codes):
    parsed = workspace.parsed(system)
    of = {finding.code: finding for finding in FINDINGS}
    expected = [f"{of[code].severity}: {code} (about {of[code].system})" for code in codes]
    assert [heading for heading in parsed.after("heading_open") if "(about" in heading] == expected
    commands = [of[code].fix.command for code in codes if of[code].fix.command]
    assert [content.strip() for language, content in parsed.blocks if language == "bash"] == commands
    assert all(of[code].sentence in parsed.text and of[code].cause in parsed.text for code in codes)


def test_a_system_without_findings_says_so(workspace):
    workspace.find()
    assert "No problem was found in this model" in workspace.render()


@pytest.mark.parametrize("text", [*HOSTILE.splitlines(), HOSTILE, "a_b __c__ d_", "\\", "\\\\|", "a``b` |", "<!--"])
def test_a_text_is_shown_in_a_cell_as_it_is_on_one_line(text):
    parsed = Parsed(f"---\na: 1\n---\n| a | b |\n| --- | --- |\n| {card.plain(text)} | 1 |\n")
    assert parsed.tables()[0][1] == [one_line(text), "1"]
    (cell,) = [token for token in parsed.tokens if token.type == "inline" and token.content not in ("a", "b", "1")]
    assert {child.type for child in cell.children} == {"text"}


@pytest.mark.parametrize("text", ["a", "```\nb\n```", "a ````` b"])
def test_a_code_block_ends_only_at_its_own_fence(text):
    assert Parsed(f"---\na: 1\n---\n{card.fenced(text, 'bash')}\n").blocks == [("bash", f"{text}\n")]


def test_text_from_data_breaks_neither_the_front_matter_nor_the_shape_of_the_card(workspace):
    before = workspace.parsed()
    fault = dataclasses.replace(
        FINDINGS[2], code=HOSTILE, sentence=HOSTILE, cause=HOSTILE, reference=HOSTILE,
        evidence=(Evidence(HOSTILE, 1.0),), fix=Fix({"a": HOSTILE}, HOSTILE), severity="error",
    )  # fmt: skip
    workspace.params["prepare"]["source"] = f"data/raw/{HOSTILE.replace('/', '')}"
    workspace.find(fault)
    workspace.lock()
    after = workspace.parsed()
    assert after.front["model-index"][0]["results"][0]["dataset"]["name"].startswith("| `code` **bold**")
    assert list(after.front) == list(before.front)
    kinds = [Counter(token.type for token in parsed.tokens) for parsed in (before, after)]
    # The one difference: this fault has an action beside its command.
    assert kinds[1] - kinds[0] == Counter(["paragraph_open", "inline", "paragraph_close"])
    assert not kinds[0] - kinds[1]
    assert [len(table) for table in after.tables()] == [len(table) for table in before.tables()]
    assert one_line(HOSTILE) in after.text
    assert [content for language, content in after.blocks if language == "bash"] == [f"{fault.fix.command}\n"]
    assert "{{ 7 * 7 }}" in after.text


def test_parameters_are_the_recorded_ones_and_tell_nothing_of_the_machine(workspace):
    workspace.params["prepare"]["source"] = f"{workspace.root}/sets/helpdesk"
    workspace.params["encoder"]["source"] = "../someone/encoder"
    workspace.lock()
    (workspace.root / "params.yaml").write_text("finetune_rank: {epochs: 99}\n")
    parsed = workspace.parsed()
    (recipe,) = [content for language, content in parsed.blocks if language == "yaml"]
    recorded = yaml.safe_load(recipe)
    assert set(recorded) == {"seed", "encoder", "prepare", "finetune_rank"}
    assert recorded["finetune_rank"] == workspace.params["finetune_rank"]
    assert (recorded["prepare"]["source"], recorded["encoder"]["source"]) == ("helpdesk", "encoder")
    assert "The ranking set helpdesk:" in parsed.text
    assert str(workspace.root.parent) not in workspace.render() and "someone" not in workspace.render()
    assert "base_model" not in parsed.front and "datasets" not in parsed.front


def test_a_set_of_the_hub_is_named_by_its_id(workspace):
    workspace.params["prepare"]["hub"] = "BeIR/scifact"
    workspace.lock()
    parsed = workspace.parsed()
    assert parsed.front["datasets"] == ["BeIR/scifact"]
    assert parsed.front["model-index"][0]["results"][0]["dataset"]["type"] == "BeIR/scifact"
    assert "](https://huggingface.co/datasets/BeIR/scifact)" in workspace.render()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("embedded", "sentence-transformers/all-MiniLM-L6-v2"),
        ("scratch", None),
        ("intfloat/e5-small-v2", "intfloat/e5-small-v2"),
        ("bert-base-uncased", "bert-base-uncased"),
        ("encoders/mine", None),
        ("a/b/c", None),
        ("/encoders/mine", None),
    ],
)
def test_only_an_encoder_of_a_hub_is_a_base_model(source, expected, tmp_path):
    (tmp_path / "encoders/mine").mkdir(parents=True)
    assert card.base_model(source, tmp_path) == expected


def remove(path):
    return lambda workspace: (workspace.root / path).unlink()


def entry(stages, name, kind, path):
    return next(entry for entry in stages[name][kind] if entry["path"] == path)


def retrained(workspace):
    workspace.lock(lambda stages: entry(stages, "finetune_rank@base", "outs", "models/base-tuned").update(md5="1"))


def prepared_anew(workspace):
    workspace.lock(lambda stages: entry(stages, "diagnose", "deps", "data/prepared").update(md5="1"))


def unknown_to_the_lock(workspace):
    workspace.lock(lambda stages: stages.pop("finetune_rank@base"))


def evaluated_anew(workspace):
    file = workspace.root / "metrics/evaluate/base-tuned.json"
    io.write_json(file, io.read_json(file) | {"mrr_all": 0.1})


def evaluated_as(**changed):
    def spoil(workspace):
        workspace.params["systems"]["base-tuned"] |= changed
        workspace.lock()

    return spoil


@pytest.mark.parametrize(
    ("system", "spoil", "message"),
    [
        (
            "base-tuned",
            evaluated_as(pooling="cls"),
            r"evaluated with `pooling: cls`, and the model in models/base-tuned "
            r"has mean; make it with -S encoder\.pooling=cls",
        ),
        (
            "base-tuned",
            evaluated_as(made_of="models/mine"),
            r"evaluated as models/mine, and models/base-tuned is another",
        ),
        ("base-tuend", None, r"no system 'base-tuend' with a model; there are barlow, barlow-tuned, base, base-tuned"),
        ("bm25", None, r"no system 'bm25' with a model"),
        ("../models/base", None, r"no system '\.\./models/base' with a model"),
        ("base-tuned", remove("metrics/evaluate/base-tuned.json"), r"base-tuned was not evaluated: .*run `dvc repro`"),
        ("base-tuned", remove("metrics/diagnose/systems.csv"), r"diagnose has not run: .*run `dvc repro`"),
        ("base-tuned", remove("dvc.lock"), r"no run of the pipeline was recorded: .*run `dvc repro`"),
        ("base-tuned", retrained, r"models/base-tuned was made anew after evaluate@base-tuned had read it"),
        ("base-tuned", prepared_anew, r"data/prepared was made anew after diagnose had read it"),
        ("base-tuned", unknown_to_the_lock, r"dvc\.lock does not say how models/base-tuned was made"),
        ("base-tuned", evaluated_anew, r"base-tuned was evaluated anew after diagnose had run"),
    ],
)
def test_nothing_is_exported_that_the_records_do_not_describe(workspace, tmp_path, system, spoil, message):
    if spoil is not None:
        spoil(workspace)
    with pytest.raises(UserError, match=message):
        card.export(system, tmp_path / "out", workspace.root)
    assert not (tmp_path / "out").exists()


def test_another_systems_new_training_does_not_stand_in_the_way(workspace):
    workspace.lock(lambda stages: entry(stages, "finetune_rank@barlow", "outs", "models/barlow-tuned").update(md5="1"))
    assert "# base-tuned" in workspace.render()


def test_a_folder_in_use_is_left_as_it_is(workspace, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/README.md").write_text("mine")
    for folder in (tmp_path / "notes", tmp_path / "notes/README.md"):
        with pytest.raises(UserError, match="exists and is not empty"):
            card.export("base-tuned", folder, workspace.root)
    with pytest.raises(UserError, match="is inside models/"):
        card.export("base-tuned", workspace.root / "models/mine", workspace.root)
    assert (tmp_path / "notes/README.md").read_text() == "mine"


def test_a_copy_that_fails_leaves_nothing_behind(workspace, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError("No space left on device")

    monkeypatch.setattr(card.shutil, "copyfile", full)
    before = sorted(tmp_path.iterdir())
    with pytest.raises((OSError, shutil.Error)):
        card.export("base-tuned", tmp_path / "out", workspace.root)
    assert sorted(tmp_path.iterdir()) == before


def test_the_committed_dvc_lock_says_what_made_each_system():
    stages = yaml.safe_load((ROOT / "dvc.lock").read_text())["stages"]
    assert lock.made_by(stages, "models/base") == ["prepare"]
    assert lock.made_by(stages, "models/barlow-tuned") == ["prepare", "pretrain_barlow", "finetune_rank@barlow"]
    card.check_hashes("barlow-tuned", stages)
    sections = card.recorded_params(stages, lock.made_by(stages, "models/base-tuned"))
    assert {"seed", "encoder", "prepare", "finetune_rank"} <= set(sections) and "pretrain_barlow" not in sections
    assert set(stages["diagnose"]["params"]["params.yaml"]["diagnose"]) >= {"metric", "level"}


def a_repository(folder):
    for name in ("dvc.yaml", "params.yaml"):
        (folder / name).touch()


def test_the_command_exports_from_where_it_is_called(workspace, tmp_path, monkeypatch, capsys):
    a_repository(workspace.root)
    monkeypatch.chdir(workspace.root / "models")
    monkeypatch.setattr(sys, "argv", ["whyrank", "export", "base", "../../out"])
    __main__.main()
    assert capsys.readouterr().out.startswith(
        "../../out holds base with its card; before you publish it, add `license`"
    )
    assert json.loads((tmp_path / "out/modules.json").read_text())


def test_a_mistake_is_one_line_on_standard_error(tmp_path):
    a_repository(tmp_path)
    command = [sys.executable, "-m", "whyrank", "export", "base", str(tmp_path / "out")]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr == "error: no system 'base' with a model; none was made; run `dvc repro`\n"


RECORDS = ["dvc.lock", "metrics/evaluate/base-tuned.json", "metrics/prepare.json", "metrics/diagnose/systems.csv",
           "metrics/diagnose/findings.json", "models/base-tuned/heads.json"]  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b"7", b"<html>407</html>", b"<<<<<<< HEAD\n", b"\xff\xfe\x00", b'{"stages": [1', b"a,b\n1\n"],
)
@pytest.mark.parametrize("name", RECORDS)
def test_a_torn_record_is_one_line_and_leaves_no_folder(workspace, tmp_path, name, content):
    (workspace.root / name).write_bytes(content)
    if content in (b"[]", b"{}") and name == "metrics/diagnose/findings.json":
        return  # a run in which no problem was found
    with pytest.raises(UserError) as raised:
        card.export("base-tuned", tmp_path / "out", workspace.root)
    (line,) = raised.value.args
    assert "dvc repro" in line or "copy it here again" in line
    assert not (tmp_path / "out").exists()
