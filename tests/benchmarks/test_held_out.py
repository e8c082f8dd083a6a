"""The held-out and the blind kinds of faults do what they say: files change and parse, folders load, settings are read.

What the diagnosis says of them is no business of these tests. The patches of code are tried in test_held_out_code.py.
"""

import copy
import hashlib
import importlib
import json
import os
import pkgutil
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
import yaml

from whyrank.core.options import params
from whyrank.data.pairs.read import read_pairs
from whyrank.data.ranking import prepare
from whyrank.data.ratings.read import read_ratings
from whyrank.model import system
from whyrank.model.encoder import loading
from whyrank.model.encoder.declared import Declared

ROOT = Path(__file__).parents[2]
RAW = ROOT / "data/raw"
REAL = Path(os.environ.get("WHYRANK_REAL_DATA", ROOT.parent / "shared" / "data")) / "conditionalqa"
sys.path.insert(0, str(ROOT / "benchmarks"))
PLACES = {name: importlib.import_module(f"faults.{name}") for name in ("held_out", "blind", "blind_2")}
OF_PLACE = {
    name: [
        fault
        for module in pkgutil.iter_modules(place.__path__)
        for fault in importlib.import_module(f"faults.{name}.{module.name}").FAULTS
    ]
    for name, place in PLACES.items()
}
FAULTS = [fault for faults in OF_PLACE.values() for fault in faults]
LEAST = {
    "data": 8,
    "labels": 8,
    "parameters": 6,
    "code": 8,
    "encoder": 8,
    "barlow": 3,
    "pairs": 3,
    "ratings": 3,
}
# Of blind_2, which is smaller.
FEWER = LEAST | {"labels": 6, "code": 6, "encoder": 6, "pairs": 2, "ratings": 2}
TEXTS = ["permit for the garden fence", "Pension age, and payments?", "visa", "my neighbour licence " * 3]


def named(faults):
    return [pytest.param(fault, id=fault.name) for fault in faults]


def split_as_given(source: Path, folder: Path) -> Path:
    """A set with one file of judgements as the bench has it: every sixth of them for dev, a third for test."""
    shutil.copytree(source, folder, copy_function=shutil.copyfile)
    for one in [folder, folder / "qrels"]:
        one.chmod(0o755)
    head, *lines = (folder / "qrels/train.tsv").read_text(encoding="utf-8").splitlines()
    for name, rows in (("dev", lines[5::6]), ("test", [*lines[1::6], *lines[3::6]])):
        (folder / f"qrels/{name}.tsv").write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    train = [*lines[0::6], *lines[2::6], *lines[4::6]]
    (folder / "qrels/train.tsv").write_text("\n".join([head, *train]) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    """The raw folder of each task."""
    folder = tmp_path_factory.mktemp("healthy")
    ranking = split_as_given(RAW / "sample", folder / "ranking")
    for name in ("pairs", "ratings"):
        (folder / name).mkdir()
    shutil.copyfile(RAW / "ratings/sample.csv", folder / "ratings/ratings.csv")
    shutil.copyfile(RAW / "pairs/nli.csv", folder / "pairs/nli.csv")
    scored = pd.read_csv(RAW / "pairs/sts.csv", dtype=str)
    for name, part in zip(("train", "dev", "test"), np.array_split(np.arange(len(scored)), 3), strict=True):
        scored.iloc[part].to_csv(folder / f"pairs/{name}.csv", index=False)
    return {"ranking": ranking, "barlow": ranking, "pairs": folder / "pairs", "ratings": folder / "ratings"}


def changed(fault, source, target):
    shutil.copytree(source, target)
    fault.data(target, np.random.default_rng(5))
    return target


def bytes_of(folder):
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def set_in(values, key, value):
    *path, last = key.split(".")
    for part in path:
        values = values[part]
    # The pooling of a system stands there only where it is another than that of its encoder.
    assert last in values or path[0] == "systems", f"no key {key}"
    values[last] = value


def section(shipped, changes, name, kind):
    values = copy.deepcopy(shipped)
    for key, value in changes.items():
        set_in(values, key, value)
    return params.section(values, name, kind)


def parse(task, folder, shipped):
    """Read the raw folder as `prepare` does; rows that are refused stop it."""
    if task in ("ranking", "barlow"):
        return prepare.read(section(shipped, {"prepare.source": str(folder)}, "prepare", params.Prepare)).queries
    if task == "ratings":
        found = {"prepare.ratings.read": True, "prepare.ratings.source": str(folder / "ratings.csv")}
        return read_ratings(section(shipped, found, "prepare", params.Prepare).ratings).rows
    labels = {"entailment": 1.0, "neutral": 0.5, "contradiction": 0.0}
    sources = [{"name": "nli", "use": "train", "kind": "classes", "path": "nli.csv", "labels": labels}]
    sources += [
        {"name": f"sts-{use}", "use": use, "kind": "scores", "path": f"{use}.csv", "range": [0, 5]}
        for use in ("train", "dev", "test")
    ]
    found = {"prepare.pairs.folder": str(folder), "prepare.pairs.sources": sources}
    return read_pairs(section(shipped, found, "prepare", params.Prepare).pairs, max_rejected=0, seed=1).pairs


@pytest.mark.parametrize(("place", "faults"), OF_PLACE.items(), ids=OF_PLACE)
def test_there_are_enough_of_each_and_all_have_a_name_a_sentence_and_a_source(place, faults):
    least, fewest = (FEWER, 40) if place == "blind_2" else (LEAST, 45)
    counts = {about: sum(fault.about == about for fault in faults) for about in least}
    assert all(counts[about] >= own for about, own in least.items()), counts
    assert len({fault.name for fault in faults}) == len(faults) >= fewest
    for fault in faults:
        assert len(fault.sentence) > 60 and fault.source and fault.name == fault.name.lower().replace(" ", "-")
        assert fault.data or fault.settings or fault.code or fault.encoder


@pytest.mark.parametrize("fault", named(fault for fault in FAULTS if fault.data))
def test_data_changes_alike_each_time_and_still_parses(fault, healthy, tmp_path, shipped_params):
    source = healthy[fault.task]
    one, two = (changed(fault, source, tmp_path / name) for name in ("one", "two"))
    assert bytes_of(one) == bytes_of(two) != bytes_of(source)
    assert len(parse(fault.task, one, shipped_params)) >= 20


@pytest.mark.skipif(not REAL.exists(), reason="conditionalqa is not on this machine")
@pytest.mark.slow
@pytest.mark.parametrize("fault", named(fault for fault in FAULTS if fault.data and fault.task == "ranking"))
def test_data_of_a_real_set_changes_and_parses(fault, tmp_path, shipped_params):
    source = split_as_given(REAL, tmp_path / "real")
    folder = changed(fault, source, tmp_path / "faulty")
    assert bytes_of(folder) != bytes_of(source)
    assert len(parse("ranking", folder, shipped_params)) >= 20


@pytest.mark.parametrize("fault", named(fault for fault in FAULTS if fault.settings))
def test_settings_are_keys_of_the_parameters_with_values_that_they_take(fault, shipped_params):
    on = {"finetune_rank.objectives.similarity.weight": 1.0} if fault.task == "pairs" else {}
    for name, kind in (
        ("prepare", params.Prepare),
        ("encoder", params.Encoder),
        ("pretrain_barlow", params.PretrainBarlow),
        ("finetune_rank", params.FinetuneRank),
        ("evaluate", params.Evaluate),
    ):
        found = section(shipped_params, on | dict(fault.settings), name, kind)
        if any(key.startswith(name) for key in fault.settings):
            assert found != section(shipped_params, {}, name, kind)


@pytest.fixture(scope="module")
def tiny(make_encoder, tmp_path_factory):
    """A folder of a tiny encoder whose norms are not as they start, and whose words it knows in lower case alone."""
    encoder = make_encoder()
    for name, parameter in encoder.transformer.named_parameters():
        if "LayerNorm" in name:
            drawn = np.random.default_rng(len(name)).standard_normal(len(parameter))
            parameter.data += 0.5 * torch.as_tensor(drawn, dtype=torch.float32)
    encoder.declared = Declared(normalises=True)
    folder = tmp_path_factory.mktemp("encoder") / "tiny"
    system.save(system.untrained(encoder), folder, longest=64)
    for file in ("heads.json", "heads.safetensors", "SHA256SUMS"):
        (folder / file).unlink(missing_ok=True)
    return folder


def vectors(folder, texts=TEXTS, limit=32):
    encoder = loading.load(folder)
    return encoder.encode(encoder.tokenise(texts, limit), batch_tokens=256, precision="fp32")


@pytest.mark.parametrize("fault", named(fault for fault in FAULTS if fault.encoder))
def test_an_encoder_loads_and_gives_other_vectors_the_same_each_time(fault, tiny, tmp_path):
    folders = []
    for name in ("one", "two"):
        folders.append(shutil.copytree(tiny, tmp_path / name))
        fault.encoder(folders[-1], np.random.default_rng(5))
    one, two = (vectors(folder) for folder in folders)
    before = vectors(tiny)
    np.testing.assert_array_equal(one, two)
    assert np.isfinite(one).all()
    assert one.shape != before.shape or np.abs(one - before).max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("fault", named(fault for fault in FAULTS if fault.encoder))
def test_the_packaged_encoder_with_a_fault_loads(fault, tmp_path):
    from whyrank.model.encoder.source import embedded_folder

    folder = shutil.copytree(embedded_folder(), tmp_path / "encoder", copy_function=shutil.copyfile)
    fault.encoder(folder, np.random.default_rng(5))
    # Long, and with words of every kind: what spoils late positions or single words shows in no short text.
    lines = (ROOT / "data/raw/sample/corpus.jsonl").read_text(encoding="utf-8").splitlines()[:4]
    texts = [json.loads(line)["text"] for line in lines]
    found, before = (vectors(one, texts, 256) for one in (folder, embedded_folder()))
    assert np.isfinite(found).all()
    assert found.shape != before.shape or np.abs(found - before).max() > 1e-3
    assert safetensors.torch.load_file(folder / "model.safetensors")


def test_the_parameters_file_is_what_the_settings_are_held_against(shipped_params):
    assert shipped_params == yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
