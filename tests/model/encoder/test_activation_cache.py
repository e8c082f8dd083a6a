"""The output of frozen blocks on disk: computed once, never stale, and bounded."""

import errno
import os

import pytest
import torch

from whyrank.core import io
from whyrank.model.encoder import layers, vector_cache

ROWS = [[2, 7, 8, 3], [2, 9, 3]]


@pytest.fixture
def computed(monkeypatch):
    """Count how often the blocks are run."""
    count, outputs = [], layers.outputs
    monkeypatch.setattr(layers, "outputs", lambda *given, **named: count.append(1) or outputs(*given, **named))
    return count


def read(encoder, folder, rows=ROWS, last=1):
    return layers.Activations(encoder, rows, last, batch_tokens=8, precision="fp32", folder=folder)


def test_another_training_reads_the_same_bytes_and_may_write_over_them_for_itself(make_encoder, computed, tmp_path):
    one, two = read(make_encoder(), tmp_path), read(make_encoder(), tmp_path)
    assert len(computed) == 1 and torch.equal(one.token_TD, two.token_TD)
    two.token_TD.zero_()
    assert torch.equal(read(make_encoder(), tmp_path).token_TD, one.token_TD) and len(computed) == 1


def test_what_is_above_the_kept_blocks_does_not_matter_and_all_below_does(make_encoder, computed, tmp_path):
    read(make_encoder(), tmp_path)
    other = make_encoder()
    with torch.no_grad():
        layers.layers_of(other)[1].output.dense.weight += 1
    read(other, tmp_path)
    assert len(computed) == 1
    with torch.no_grad():
        layers.layers_of(other)[0].output.dense.weight += 1
    read(other, tmp_path)
    read(make_encoder(), tmp_path, rows=[*ROWS, [2, 3]])
    read(make_encoder(), tmp_path, last=2)
    assert len(computed) == 4


def test_the_files_least_lately_used_go_and_one_that_is_too_large_is_not_written(tmp_path, monkeypatch):
    tokens = {name: torch.full((4, 8), float(value)) for value, name in enumerate("abc")}
    monkeypatch.setattr(vector_cache, "KEPT_BYTES", 2 * 256 + 150)  # two files with their headers
    for age, name in enumerate("abc"):
        vector_cache.kept(tmp_path / f"{name}.npy", lambda name=name: tokens[name])
        os.utime(tmp_path / f"{name}.npy", (age, age))
        if name == "b":
            os.utime(tmp_path / "a.npy", (9, 9))
    assert {file.stem for file in tmp_path.iterdir()} == {"a", "c"}
    vector_cache.kept(tmp_path / "d.npy", lambda: torch.zeros(40, 8))
    assert not (tmp_path / "d.npy").exists()


def test_a_full_disk_costs_a_warning(tmp_path, monkeypatch, capsys):
    def full(path):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(io, "replacing", full)
    found = vector_cache.kept(tmp_path / "a.npy", lambda: torch.ones(2, 3))
    assert torch.equal(found, torch.ones(2, 3)) and "No space left" in capsys.readouterr().err


@pytest.mark.parametrize("at", [0.1, 0.5, 0.99])
def test_damaged_activations_are_computed_anew_with_a_line_and_saved_again(
    make_encoder, computed, tmp_path, at, capsys
):
    one = read(make_encoder(), tmp_path)
    (file,) = tmp_path.iterdir()
    content = bytearray(file.read_bytes())
    content[int(at * len(content))] ^= 1
    file.write_bytes(content)
    two = read(make_encoder(), tmp_path)
    assert torch.equal(one.token_TD, two.token_TD) and len(computed) == 2
    assert "is damaged; it is made anew" in capsys.readouterr().err
    read(make_encoder(), tmp_path)
    assert len(computed) == 2
