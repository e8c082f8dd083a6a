"""The cache: what was saved comes back, what is damaged does not, and no state of it stops a run."""

import errno
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

from whyrank.core import cache, io

ARRAY = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)


@pytest.mark.parametrize(
    ("set_to", "expected"),
    [
        ({"WHYRANK_CACHE": "/own", "XDG_CACHE_HOME": "/xdg"}, "/own"),
        ({"XDG_CACHE_HOME": "/xdg"}, "/xdg/whyrank"),
        ({"WHYRANK_CACHE": "", "XDG_CACHE_HOME": "/xdg"}, "/xdg/whyrank"),
        ({"XDG_CACHE_HOME": "not/absolute"}, "/home/of/user/.cache/whyrank"),
        ({"XDG_CACHE_HOME": ""}, "/home/of/user/.cache/whyrank"),
        ({}, "/home/of/user/.cache/whyrank"),
    ],
)
def test_the_folder_is_that_of_the_environment_else_in_the_home_of_the_user(set_to, expected, monkeypatch):
    for name in ("WHYRANK_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/of/user")
    for name, value in set_to.items():
        monkeypatch.setenv(name, value)
    assert cache.folder() == Path(expected)


def test_a_user_without_a_home_has_a_folder_among_the_temporary_files(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    for name in ("WHYRANK_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert cache.folder().parent == Path(tempfile.gettempdir())


@pytest.mark.parametrize("mapped", [None, "c"])
@pytest.mark.parametrize("array", [ARRAY, ARRAY[:0], np.asfortranarray(ARRAY), ARRAY.astype(np.int64)])
def test_what_was_saved_comes_back_bit_for_bit(array, mapped, tmp_path, capsys):
    assert cache.write(tmp_path / "a.npy", array)
    back = cache.read(tmp_path / "a.npy", mapped=mapped)
    assert back.dtype == array.dtype and np.array_equal(back, array)
    assert capsys.readouterr().err == ""
    assert np.array_equal(np.load(tmp_path / "a.npy"), array)


def flipped(content, place):
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize(
    "harm",
    [
        lambda content: b"",
        lambda content: content[:7],
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: content[: -cache.TAIL.size],  # as a version before this one wrote it
        lambda content: content + b"x",
        lambda content: content + content,
        lambda content: flipped(content, 3),
        lambda content: flipped(content, 60),  # its shape
        lambda content: flipped(content, len(content) // 2),
        lambda content: flipped(content, -1),
        lambda content: bytes(len(content)),
        lambda content: b"<html>quota exceeded</html>",
    ],
)
def test_a_damaged_file_is_none_and_says_so(harm, tmp_path, capsys):
    file = tmp_path / "a.npy"
    cache.write(file, ARRAY)
    file.write_bytes(harm(file.read_bytes()))
    assert cache.read(file) is None
    assert capsys.readouterr().err == f"cache: {file} is damaged; it is made anew\n"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EDQUOT, errno.EIO])
def test_a_file_that_cannot_be_saved_costs_a_line(number, tmp_path, monkeypatch, capsys):
    def refused(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(io, "replacing", refused)
    assert not cache.write(tmp_path / "a.npy", ARRAY)
    assert capsys.readouterr().err == (
        f"cache: {tmp_path}/a.npy not saved ({os.strerror(number)}); the run continues without it\n"
    )
    assert cache.read(tmp_path / "a.npy") is None


def a_file(tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")


def a_link_to_nowhere(tmp_path):
    (tmp_path / "cache").symlink_to("nowhere/at/all")


def a_folder_of_the_name(tmp_path):
    (tmp_path / "cache/a.npy/in-it").mkdir(parents=True)


@pytest.mark.parametrize("harm", [a_file, a_link_to_nowhere, a_folder_of_the_name])
def test_a_cache_of_the_wrong_kind_stops_nothing(harm, tmp_path, capsys):
    harm(tmp_path)
    file = tmp_path / "cache" / "a.npy"
    assert cache.read(file) is None
    assert not cache.write(file, ARRAY)
    assert "not saved" in capsys.readouterr().err
    cache.drop([file])


def test_a_file_that_cannot_be_opened_or_touched_stops_nothing(tmp_path, monkeypatch):
    cache.write(tmp_path / "a.npy", ARRAY)

    def refused(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "utime", refused)
    assert np.array_equal(cache.read(tmp_path / "a.npy"), ARRAY)
    monkeypatch.setattr(cache, "is_whole", refused)
    assert cache.read(tmp_path / "a.npy") is None
