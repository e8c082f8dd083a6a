"""Files: whole or not at all, the same bytes for the same content."""

import errno
import json
import math
import os
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from whyrank.core import io
from whyrank.core.errors import UserError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_write_that_fails_half_way_leaves_the_old_file_and_no_temporary(tmp_path):
    path = tmp_path / "result.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), io.replacing(path) as temporary:
        temporary.write_text("half of the n")
        raise RuntimeError
    assert path.read_text() == "old"
    assert names(tmp_path) == ["result.txt"]


def test_the_old_file_is_there_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "result.txt"
    path.write_text("old")
    with io.replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.parent == tmp_path  # a rename is atomic only within one file system
        assert temporary.suffix == ".txt"
    assert path.read_text() == "new"
    assert names(tmp_path) == ["result.txt"]


def test_a_written_file_is_as_readable_as_the_umask_allows(tmp_path):
    before = os.umask(0o027)
    try:
        io.write_text(tmp_path / "result.txt", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "result.txt").stat().st_mode & 0o777 == 0o640  # 0666 without 0027


def test_a_folder_is_listed_by_time_of_use_without_what_another_process_has_just_renamed(tmp_path):
    for age, name in enumerate(["b.npy", "c.npy", "a.npy"]):
        (tmp_path / name).write_bytes(b"1" * (age + 1))
        os.utime(tmp_path / name, (age, age))
    (tmp_path / "d.csv").touch()
    # In the folder's list, and gone when asked for: as the temporary of a writer that renames it in between.
    (tmp_path / ".a.npy").symlink_to("nowhere")
    found = io.newest_first(tmp_path, "*.npy")
    assert [(path.name, stat.st_size) for path, stat in found.items()] == [("a.npy", 3), ("c.npy", 2), ("b.npy", 1)]
    assert io.newest_first(tmp_path / "nowhere") == {}


def test_folders_above_a_file_are_made(tmp_path):
    io.write_text(tmp_path / "a" / "b" / "c.txt", "x")
    assert (tmp_path / "a" / "b" / "c.txt").read_text() == "x"


def test_a_folder_write_that_fails_leaves_the_old_folder_and_no_temporary(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "old").write_text("old")
    with pytest.raises(RuntimeError), io.replacing_folder(folder) as temporary:
        (temporary / "new").write_text("half")
        raise RuntimeError
    assert names(tmp_path) == ["model"]
    assert names(folder) == ["old"]


def test_a_folder_is_replaced_as_a_whole_so_that_no_old_file_stays(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "old").write_text("old")
    with io.replacing_folder(folder) as temporary:
        (temporary / "new").write_text("new")
        assert names(folder) == ["old"]
    assert names(tmp_path) == ["model"]
    assert names(folder) == ["new"]


def test_a_folder_is_never_away_for_longer_than_two_renames_and_comes_back_where_the_second_fails(
    tmp_path, monkeypatch
):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "old").write_text("old")
    rename, calls = io.Path.rename, []

    def failing(self, target):
        calls.append(target)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "no space", str(self))
        return rename(self, target)

    monkeypatch.setattr(io.Path, "rename", failing)
    with pytest.raises(OSError, match=r"No space left on device: .*/model'"), io.replacing_folder(folder) as temporary:
        (temporary / "new").write_text("new")
    assert names(tmp_path) == ["model"]
    assert names(folder) == ["old"]


def test_json_that_cannot_be_written_leaves_the_old_file(tmp_path):
    path = tmp_path / "result.json"
    io.write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        io.write_json(path, {"a": math.nan})
    assert io.read_json(path) == {"a": 1}
    assert names(tmp_path) == ["result.json"]


def test_json_keeps_the_order_given_and_letters_as_they_are(tmp_path):
    io.write_json(tmp_path / "a.json", {"b": "Gebühr", "a": 1})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n  "b": "Gebühr",\n  "a": 1\n}\n'


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float32("nan"), "0.5", None, [0.5]])
def test_metrics_that_are_not_finite_numbers_are_refused_and_named(tmp_path, value):
    with pytest.raises(AssertionError, match="mrr_all"):
        io.write_metrics(tmp_path / "metrics.json", {"n": 3, "mrr_all": value})
    assert names(tmp_path) == []


def test_metrics_are_rounded_to_six_decimals_and_numpy_numbers_become_plain_ones(tmp_path):
    io.write_metrics(
        tmp_path / "metrics.json",
        {"third": 1 / 3, "n": np.int64(7), "half": np.float32(0.5), "whole": 1.0, "large": 123456.7890123},
    )
    assert (tmp_path / "metrics.json").read_text() == (
        '{\n  "third": 0.333333,\n  "n": 7,\n  "half": 0.5,\n  "whole": 1.0,\n  "large": 123456.789012\n}\n'
    )


TABLE = pd.DataFrame(
    {
        "id": ["a", "b"],
        "n": [1, 2],
        "x": [1 / 3, np.nan],
        "tokens": [[1, 2, 3], []],
        "sections": [[{"title": "t", "text": "x"}], None],
    }
)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_the_same_table_gives_the_same_bytes_and_another_table_does_not(tmp_path, suffix):
    flat = TABLE[["id", "n", "x"]]
    io.write_table(tmp_path / f"one{suffix}", flat)
    io.write_table(tmp_path / f"two{suffix}", flat.copy())
    io.write_table(tmp_path / f"three{suffix}", flat.assign(n=[1, 3]))
    one, two, three = ((tmp_path / f"{name}{suffix}").read_bytes() for name in ("one", "two", "three"))
    assert one == two
    assert one != three


def test_parquet_round_trips_nested_columns_in_order(tmp_path):
    io.write_table(tmp_path / "t.parquet", TABLE)
    back = io.read_table(tmp_path / "t.parquet")
    assert list(back.columns) == list(TABLE.columns)
    assert [list(row) for row in back["tokens"]] == [[1, 2, 3], []]
    assert back["sections"][0][0] == {"title": "t", "text": "x"}
    assert back["sections"][1] is None


def test_csv_writes_six_digits_unix_lines_and_no_index(tmp_path):
    io.write_table(tmp_path / "t.csv", TABLE[["id", "n", "x"]])
    assert (tmp_path / "t.csv").read_bytes() == b"id,n,x\na,1,0.333333\nb,2,\n"
    back = io.read_table(tmp_path / "t.csv")
    assert math.isnan(back["x"][1])


def test_a_table_of_no_rows_can_be_read_back(tmp_path):
    io.write_table(tmp_path / "t.csv", pd.DataFrame(columns=["step"]))
    back = io.read_table(tmp_path / "t.csv")
    assert list(back.columns) == ["step"] and len(back) == 0


def test_a_table_of_an_unknown_suffix_is_refused(tmp_path):
    with pytest.raises(AssertionError):
        io.write_table(tmp_path / "t.xlsx", TABLE)
    assert names(tmp_path) == []


def test_arrays_round_trip_bit_for_bit(tmp_path):
    array = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    io.write_array(tmp_path / "a.npy", array)
    back = io.read_array(tmp_path / "a.npy")
    assert back.dtype == np.float32 and np.array_equal(back, array)


def test_several_arrays_round_trip_and_no_part_is_marked_as_of_unknown_size(tmp_path):
    arrays = {"vectors": np.arange(6, dtype=np.float32).reshape(2, 3), "ids": np.array(["a", "bc"])}
    io.write_arrays(tmp_path / "a.npz", arrays)
    back = np.load(tmp_path / "a.npz", allow_pickle=False)
    assert back.files == list(arrays) and all(np.array_equal(back[name], arrays[name]) for name in arrays)
    parts = zipfile.ZipFile(tmp_path / "a.npz").infolist()
    assert {(part.extract_version, part.flag_bits, part.extra, part.date_time[0]) for part in parts} == {
        (20, 0, b"", 1980)
    }


def test_arrays_of_objects_are_neither_written_nor_left_half(tmp_path):
    with pytest.raises(ValueError, match="allow_pickle"):
        io.write_array(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object))
    assert names(tmp_path) == []


@pytest.mark.parametrize("read", [io.read_json, io.read_table, io.read_array])
def test_a_missing_file_is_a_user_error_that_says_what_to_run(tmp_path, read):
    with pytest.raises(UserError, match=r"gone\.parquet does not exist; run `dvc repro`"):
        read(tmp_path / "gone.parquet")


def test_a_metrics_file_is_json_for_any_reader(tmp_path):
    io.write_metrics(tmp_path / "m.json", {"a": 0.1})
    assert json.loads((tmp_path / "m.json").read_text()) == {"a": 0.1}


class SafetensorError(Exception):
    """As the library, which is written in Rust, tells of a full disk."""


@pytest.mark.parametrize("replacing", [io.replacing, io.replacing_folder])
@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "full"), OSError("12 requested and 3 written"), SafetensorError("I/O error (os error 28)")],
)
def test_a_full_disk_names_the_file_that_it_kept_from_being_written(tmp_path, replacing, error):
    with pytest.raises(OSError, match="No space left on device") as raised, replacing(tmp_path / "out.x"):
        raise error
    assert raised.value.filename == str(tmp_path / "out.x") and names(tmp_path) == []


@pytest.mark.parametrize("replacing", [io.replacing, io.replacing_folder])
def test_a_place_that_cannot_be_written_is_named_and_a_file_that_was_read_keeps_its_name(tmp_path, replacing):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError, match=r"exists|Not a dir") as raised, replacing(tmp_path / "file/out.x"):
        pass
    assert raised.value.filename == str(tmp_path / "file/out.x")
    with pytest.raises(OSError, match="No such file") as raised, replacing(tmp_path / "out.x"):
        (tmp_path / "nowhere").read_text()
    assert raised.value.filename == str(tmp_path / "nowhere")
