"""The vector cache: the same bytes without encoding again, and never a stale one."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from whyrank.core import runtime
from whyrank.model import system
from whyrank.model.encoder import vector_cache
from whyrank.model.encoder.encoder import Encoder
from whyrank.model.encoder.projection import Projection

ROWS = [[2, 7, 8, 3], [2, 9, 3]]


@pytest.fixture
def calls(tiny_encoder, monkeypatch):
    """Count how often the encoder is asked."""
    count = []
    encode = tiny_encoder.encode

    def counted(*args, **kwargs):
        count.append(1)
        return encode(*args, **kwargs)

    monkeypatch.setattr(tiny_encoder, "encode", counted)
    return count


def read(encoder, folder, rows=ROWS):
    return vector_cache.encode(encoder, rows, batch_tokens=100, precision="fp32", folder=folder)


def test_a_hit_returns_the_same_bytes_without_encoding(tiny_encoder, calls, tmp_path):
    fresh = tiny_encoder.encode(ROWS, batch_tokens=100, precision="fp32")
    calls.clear()
    first, second = read(tiny_encoder, tmp_path), read(tiny_encoder, tmp_path)
    assert len(calls) == 1
    assert first.tobytes() == second.tobytes() == fresh.tobytes()
    assert first.dtype == second.dtype == np.float32


def test_another_text_is_encoded_anew(tiny_encoder, calls, tmp_path):
    read(tiny_encoder, tmp_path)
    other = read(tiny_encoder, tmp_path, [[2, 7, 9, 3], [2, 9, 3]])
    assert len(calls) == 2
    assert not np.array_equal(other[0], read(tiny_encoder, tmp_path)[0])


def test_the_fingerprint_changes_with_weight_text_order_pooling_batch_precision_and_threads(make_encoder, monkeypatch):
    def fingerprint(encoder, rows=ROWS, batch_tokens=100, precision="fp32"):
        return vector_cache.fingerprint(encoder, rows, batch_tokens, precision)

    prints = [
        fingerprint(make_encoder()),
        fingerprint(make_encoder(pooling="cls")),
        fingerprint(make_encoder(), rows=[[2, 7, 8, 3], [2, 10, 3]]),
        fingerprint(make_encoder(), rows=ROWS[::-1]),
        fingerprint(make_encoder(), rows=[[2, 7, 8, 3, 2, 9, 3]]),  # one text that is the two put together
        fingerprint(make_encoder(), batch_tokens=50),
        fingerprint(make_encoder(), precision="bf16"),
    ]
    changed = make_encoder()
    with torch.no_grad():
        weight = changed.transformer.encoder.layer[1].output.dense.weight
        weight[0, 0] = torch.nextafter(weight[0, 0], torch.tensor(10.0))  # one weight by its last bit
    prints.append(fingerprint(changed))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 99)
    prints.append(fingerprint(make_encoder()))
    assert len(set(prints)) == len(prints)


def test_the_fingerprint_does_not_depend_on_the_type_of_a_row_or_on_the_run(make_encoder):
    one = vector_cache.fingerprint(make_encoder(), ROWS, 100, "fp32")
    arrays = [np.array(row, dtype=np.int32) for row in ROWS]  # as parquet gives them back
    assert vector_cache.fingerprint(make_encoder(), arrays, 100, "fp32") == one


@pytest.mark.parametrize(("native", "same"), [(True, "bf16"), (False, "fp32")])
def test_auto_is_the_precision_that_this_machine_makes_of_it(native, same, tiny_encoder, monkeypatch):
    monkeypatch.setattr(runtime, "processor_has_bf16", lambda: native)
    prints = {kind: vector_cache.fingerprint(tiny_encoder, ROWS, 100, kind) for kind in ("auto", "bf16", "fp32")}
    assert [kind for kind in ("bf16", "fp32") if prints[kind] == prints["auto"]] == [same]


def test_the_same_encoder_loaded_from_two_folders_has_one_fingerprint(tiny_encoder, tmp_path):
    prints = []
    for folder in (tmp_path / "base", tmp_path / "barlow-tuned"):
        system.save(system.untrained(tiny_encoder), folder, longest=32)
        prints.append(vector_cache.fingerprint(system.load(folder).encoder, ROWS, 100, "fp32"))
    assert prints[0] == prints[1]


def test_the_files_used_longest_ago_are_dropped(tiny_encoder, monkeypatch, tmp_path):
    monkeypatch.setattr(vector_cache, "KEPT_FILES", 2)
    names = []
    for i, row in enumerate(([2, 3], [2, 7, 3], [2, 8, 3])):
        if i == 2:
            read(tiny_encoder, tmp_path, [[2, 3]])  # used again, so the second is now the oldest
        read(tiny_encoder, tmp_path, [row])
        names.append(vector_cache.fingerprint(tiny_encoder, [row], 100, "fp32") + ".npy")
        for age, name in enumerate(names):
            file = tmp_path / name
            if i == 1 and file.exists():
                os.utime(file, (1000 + age, 1000 + age))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([names[0], names[2]])


def test_damaged_vectors_are_encoded_anew_with_a_line_and_saved_again(tiny_encoder, calls, tmp_path, capsys):
    first = read(tiny_encoder, tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-40])
    assert np.array_equal(read(tiny_encoder, tmp_path), first) and len(calls) == 2
    assert capsys.readouterr().err == f"cache: {file} is damaged; it is made anew\n"
    read(tiny_encoder, tmp_path)
    assert len(calls) == 2


def test_vectors_of_other_code_are_not_taken(make_encoder, monkeypatch):
    one = vector_cache.fingerprint(make_encoder(), ROWS, 100, "fp32")
    monkeypatch.setattr(vector_cache, "code", lambda: "other")
    assert vector_cache.fingerprint(make_encoder(), ROWS, 100, "fp32") != one


LATE_AND_ELSEWHERE = """
import sys, time
from pathlib import Path
import torch
from whyrank.core import processes
from whyrank.model import system
from whyrank.model.encoder import vector_cache

processes.start()
torch.set_num_threads(1)
encoder = system.load(Path(sys.argv[1]) / "start").encoder
for rows in ([], [[2, 7, 8, 3], [2, 9, 3], [2, 7, 3]]):
    for cache in ("shared", f"of-{processes.number()}"):
        settings = {"batch_tokens": 100, "precision": "fp32", "folder": Path(sys.argv[1]) / cache}
        if cache.endswith("0"):
            vector_cache.remember(vector_ND, encoder, rows, **settings)
        time.sleep(processes.number() * 0.5)
        vector_ND = vector_cache.encode(encoder, rows, **settings)
        total = torch.from_numpy(vector_ND.copy())
        processes.add_up(total)
        assert torch.equal(total, 2 * torch.from_numpy(vector_ND)), rows
"""


@pytest.mark.slow
def test_processes_of_which_one_finds_the_vectors_and_another_does_not_go_on_together(tiny_encoder, tmp_path):
    system.save(system.untrained(tiny_encoder), tmp_path / "start", longest=16)
    (tmp_path / "job.py").write_text(LATE_AND_ELSEWHERE)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    surroundings = {"PYTHONPATH": str(Path(vector_cache.__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    command = [*launcher, str(tmp_path / "job.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, env=os.environ | surroundings)
    assert done.returncode == 0, done.stderr[-2000:]


def test_what_an_encoder_has_above_its_pooling_is_a_part_of_its_fingerprint(make_encoder, monkeypatch):
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize

    def fingerprint(*above):
        torch.manual_seed(0)
        projection = Projection(nn.Sequential(*(make() for make in above))) if above else None
        encoder = Encoder(*tiny, "mean", None, projection)
        return vector_cache.fingerprint(encoder, ROWS, 100, "fp32")

    made = make_encoder()
    tiny = made.transformer, made.tokenizer
    tanh, relu = partial(Dense, 32, 32), partial(Dense, 32, 32, activation_function=nn.ReLU())
    found = [fingerprint(*above) for above in ((), (Normalize,), (tanh,), (relu,), (tanh, Normalize))]
    assert len(set(found)) == 5 and fingerprint(tanh) == found[2]
    monkeypatch.setattr("sentence_transformers.__version__", "0")
    assert fingerprint() == found[0] and fingerprint(tanh) != found[2]
