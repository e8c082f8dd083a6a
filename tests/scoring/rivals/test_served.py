"""An encoder in another format ranks by its vectors, and is timed beside the encoder as it was made."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from torch import nn

from whyrank.core import checksums
from whyrank.core.errors import UserError
from whyrank.core.options.systems import System
from whyrank.model import formats
from whyrank.model import system as models
from whyrank.model.heads import heads
from whyrank.scoring.rivals import pace, served
from whyrank.scoring.systems import score
from whyrank.scoring.tasks import GRAPH

FORMATS = {
    "torch-int8": {"format": "torch-int8"},
    "onnx": {"format": "onnx"},
    "static": {"format": "static"},
    "one layer": {"layers": 1},
}


@pytest.fixture
def folder(tiny_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_folder, "models/base")
    return "models/base"


def system(folder, **more):
    return System("served", "rival", folder, **more)


@pytest.mark.parametrize("name", FORMATS)
def test_it_ranks_by_its_own_vectors_and_says_its_size_and_pace(tasks, folder, name, tmp_path, tiny_graph, monkeypatch):
    monkeypatch.setattr(served.formats, "graph", lambda encoder: tiny_graph)
    own = system(folder, **FORMATS[name])
    whole = score(System("encoder", "zero-shot", folder), tasks)
    found = score(own, tasks)
    cosine = (found.vectors.query_ND * whole.vectors.query_ND).sum(axis=1)
    lengths = np.linalg.norm(found.vectors.query_ND, axis=1) * np.linalg.norm(whole.vectors.query_ND, axis=1)
    nearest = (cosine / lengths).min()
    assert (nearest > 0.999999) == (name == "onnx") and nearest > (0.95 if name == "torch-int8" else -1)
    how, metrics = found.how, found.metrics
    assert how["kind"] == "served" and how["made_of"] == folder
    assert metrics["megabytes"] == pytest.approx(how["bytes"] / 1e6)
    if name != "onnx":  # of this tiny one a graph's own description is larger than its weights
        assert how["bytes"] < how["bytes_before"] == 1e6 * whole.metrics["megabytes"]
    assert (metrics["parameters"] < whole.metrics["parameters"]) == (name in ("static", "one layer"))
    for side in ("before", "after"):
        assert how[f"texts_per_s_{side}"] > 0 and how[f"ms_per_text_{side}"] > 0
    # What another machine would measure otherwise stands in no metric.
    assert not any("per_s" in key or "ms_" in key for key in metrics)
    with checksums.summed_folder("data/runs/small") as run:
        found.write(run, "small")
    assert (tmp_path / "data/runs/small" / GRAPH).exists() == (name == "onnx")
    model = served.restored(own, tasks.encoder, tmp_path / "data/runs/small")
    vector_ND = served.encoding(model, own.format, tasks.encoder)(tasks.texts.token_ids[len(tasks.texts.answers) :])
    again_ND, _ = served.heads(model, vector_ND, vector_ND[:1])
    # Inputs are rounded by the largest of their batch, which is another one here.
    np.testing.assert_allclose(again_ND, found.vectors.query_ND, atol=2e-2 if name == "torch-int8" else 1e-5)


def test_heads_stay_and_count_among_the_bytes(tasks, tmp_path, monkeypatch, make_encoder):
    monkeypatch.chdir(tmp_path)
    base = models.untrained(make_encoder())
    chain = nn.Sequential(heads.MlpHead(32, 8, 4, 0.0))
    models.save(models.with_heads(base, chain, dual=False, score="cosine"), "models/base", longest=16)
    found = score(system("models/base", format="torch-int8"), tasks)
    assert found.vectors.answer_AD.shape == (len(tasks.texts.answers), 4)
    transformer = formats.int8(make_encoder())
    assert found.how["bytes"] == transformer + sum(weight.nbytes for weight in chain.parameters())


def test_weights_of_8_bits_are_not_multiplied_in_half_precision_as_well(tasks, folder):
    options = replace(tasks.encoder, precision="bf16")
    own = system(folder, format="torch-int8")
    model = served.reduced(own, options)
    served.convert(own, model)
    rows = tasks.texts.token_ids[:4]
    single = served.encoding(model, own.format, tasks.encoder)(rows)
    np.testing.assert_array_equal(served.encoding(model, own.format, options)(rows), single)


def test_more_layers_than_there_are_stop_it(tasks, folder):
    with pytest.raises(UserError, match="`layers` is 5, this encoder has 2 layers"):
        score(system(folder, layers=5), tasks)


def test_ways_take_turns_on_the_same_texts():
    seen = []

    def way(name):
        return lambda rows: seen.append((name, [len(row) for row in rows]))

    found = pace.side_by_side({"before": way("before"), "after": way("after")}, [[0] * n for n in range(1, 200)])
    assert set(found) == {"texts_per_s_before", "texts_per_s_after", "ms_per_text_before", "ms_per_text_after"}
    many = [(name, sizes) for name, sizes in seen if len(sizes) == pace.TEXTS]
    assert [name for name, _ in many] == ["before", "after"] * pace.ROUNDS
    assert all(sizes == many[0][1] for _, sizes in many)
