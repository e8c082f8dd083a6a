"""Text is read in the encoding and the packing that its bytes say, and what says nothing is named with a remedy."""

import bz2
import gzip
import lzma
from pathlib import Path

import pytest

from whyrank.core.errors import UserError
from whyrank.data.files.lines import lines, undecodable

TEXT = "_id,text\nq1,Grüße – naïve café\nq2,パスワード 🙂\n\nq3,plain\n"


def read(path: Path, encoding: str = "auto") -> list[str]:
    return [line for _, line in lines(path, encoding)]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"]
)  # fmt: skip
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_unicode_is_recognised_with_any_ends_of_lines(tmp_path: Path, encoding: str, end: str) -> None:
    path = tmp_path / "a.csv"
    mark = "\ufeff" if encoding == "utf-32-le" else ""
    path.write_bytes((mark + TEXT.replace("\n", end)).encode(encoding))
    assert read(path) == TEXT.split("\n")[:-1]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_a_packed_file_is_told_by_its_first_bytes_whatever_its_name(tmp_path: Path, pack, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(pack(TEXT.encode("utf-16")))
    assert read(path) == TEXT.split("\n")[:-1]


@pytest.mark.parametrize(
    ("encoding", "text", "named"),
    [
        ("cp1252", "The café’s “garden” – sorry", "cp1252"),
        ("latin-1", "Größe der Pumpe übermäßig", "cp1252"),
        ("cp1252", "naïve", "cp1252"),
        ("cp1251", "Как сбросить пароль в приложении?", "cp1251"),
        ("gbk", "如何重置密码？你好，我无法登录系统", "gb18030"),
        ("shift_jis", "こんにちは、ログインできません", "cp932"),
        ("big5", "如何重設密碼？我無法登入系統", "big5"),
    ],
)
def test_another_encoding_is_named_with_its_line_and_read_once_it_is_stated(
    tmp_path: Path, encoding: str, text: str, named: str
) -> None:
    path = tmp_path / "a.csv"
    whole = "_id,text\n" + "".join(f"q{i},{text if i % 4 == 1 else 'plain'}\n" for i in range(20))
    path.write_bytes(whole.encode(encoding))
    with pytest.raises(UserError) as error:
        read(path)
    assert str(error.value).startswith(
        f"{path} line 3: not UTF-8, as 5 of 5 lines outside of ASCII; it looks like {named}"
    )
    assert f"-S prepare.files.encoding={named}, or save it as UTF-8" in str(error.value)
    assert read(path, named) == whole.split("\n")[:-1]


def test_marks_of_files_that_were_joined_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("\ufeff_id,text\nq1,é\n\ufeffq2,ü\n".encode())
    assert read(path) == ["_id,text", "q1,é", "q2,ü"]


def test_a_stated_encoding_is_that_of_files_that_are_not_unicode(tmp_path: Path) -> None:
    for encoding in ("utf-8", "utf-16"):
        path = tmp_path / encoding
        path.write_bytes(TEXT.encode(encoding))
        assert read(path, "cp1252") == TEXT.split("\n")[:-1]


def test_a_damaged_line_is_one_row_and_not_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("_id,text\nq1,é\nq2,".encode() + b"\xff\xfe\nq3,\xe9\nq4,\xc3\xa9\n")
    found = read(path)
    assert [undecodable(line) for line in found] == [None, None, "q2,\\xff\\xfe", "q3,\\xe9", None]
    path.write_bytes(b"_id,text\nq1,\xff\nq2,plain\n")
    assert [undecodable(line) for line in read(path)] == [None, "q1,\\xff", None]


def test_half_a_pair_of_utf_16_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("_id,text\nq1,\ud83d\nq2,plain\n".encode("utf-16", "surrogatepass"))
    assert [undecodable(line) for line in read(path)] == [None, "q1,\\ud83d", None]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04\x14\x00", "is a ZIP archive or an Excel workbook; save its table as CSV, in UTF-8"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "is an old Excel workbook; save"),
        (b"PAR1\x15\x04", "is Parquet; give its name the ending .parquet"),
        (b"%PDF-1.7\n", "is a PDF"),
        (b"SQLite format 3\x00", "is an SQLite database"),
        (b"\x28\xb5\x2f\xfd\x04", "is zstd; unpack it"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "is a pointer of Git LFS"),
        (b"<!DOCTYPE html>\n<html>", "is a web page, not the file itself; download it again"),
        (b"\x00" * 4096, "is no text: 4096 of its first 4096 bytes are zero"),
        (b"_id,text\nq1,a\n" + b"\x00" * 4096, "is no text: 4096 of"),
        (gzip.compress(TEXT.encode() * 100, mtime=0)[:60], "is torn or damaged"),
        (bz2.compress(TEXT.encode() * 100)[:40], "is torn or damaged"),
        (lzma.compress(TEXT.encode() * 100)[:60], "is torn or damaged"),
        (gzip.compress(TEXT.encode(), mtime=0)[:-5] + b"abcde", "is torn or damaged"),
        (TEXT.encode("utf-16")[:-1], "is torn or damaged"),
    ],
)
def test_what_is_no_text_is_refused_by_its_name(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        read(path)
    assert said in str(error.value) and str(path) in str(error.value)


def test_what_the_system_refuses_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere cannot be read \(No such file or directory\)"):
        read(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"cannot be read \(Is a directory\)"):
        read(tmp_path)


@pytest.mark.parametrize("encoding", ["iso2022_jp", "iso2022_kr"])
def test_an_encoding_whose_bytes_are_all_ascii_is_read_once_it_is_stated(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.csv"
    whole = "_id,text\nq1,plain\nq2,こんにちは\n"
    path.write_bytes(whole.encode(encoding))
    assert path.read_bytes().isascii() and read(path, encoding) == whole.splitlines()
    path.write_bytes(whole.encode())
    assert read(path, encoding) == whole.splitlines()
