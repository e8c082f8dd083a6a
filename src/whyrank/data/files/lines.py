"""The lines of a text file, however it is compressed and encoded. What is no text is refused by its name."""

import bz2
import codecs
import gzip
import io
import itertools
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from whyrank.core.errors import UserError

COMPRESSED = (".gz", ".bz2", ".xz")
_OPENERS: dict[bytes, Callable[[Path], Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
# UTF-32 first: its mark begins with that of UTF-16. The codecs take the mark away.
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_FOREIGN = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook; save its table as CSV, in UTF-8",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save its table as CSV, in UTF-8",
    b"PAR1": "Parquet; give its name the ending .parquet",
    b"\x28\xb5\x2f\xfd": f"zstd; unpack it, or compress it as one of {', '.join(COMPRESSED)}",
    b"%PDF": "a PDF; save its table as CSV, in UTF-8",
    b"SQLite format 3": "an SQLite database; export its table as CSV, in UTF-8",
    b"version https://git-lfs": "a pointer of Git LFS, not the file itself; run `git lfs pull`",
    b"<!doctype html": "a web page, not the file itself; download it again",
    b"<html": "a web page, not the file itself; download it again",
}
# Before characters that ISO-2022 writes in bytes of ASCII.
_SHIFT = b"\x1b$"
_HEAD = 2**16
# Zero bytes of UTF-16 stand at one parity. From this share of it on they are the other halves of ASCII characters.
_HALVES = 0.05
_ESCAPED = re.compile("[\ud800-\udfff]")
_WESTERN = re.compile("[\xa0£§°«»·¿¡À-ÏÑ-ÖØ-Üß-ïñ-öø-üŒœŠšŽž…€•\u2018\u2019“”„\u2013—]")
_SAMPLE = 200
_MANY = 3


class Decoding(NamedTuple):
    """How the bytes of a file become lines. An undecodable byte stays in its line, as a lone surrogate."""

    encoding: str
    newline: str
    errors: str = "surrogateescape"


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what the system says of an unreadable file into a UserError that names it."""
    try:
        yield
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, UnicodeDecodeError) as error:
        raise UserError(f"{path} is torn or damaged ({error}); make or fetch it again") from error
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror or error}); fix the file or its permissions"
        ) from error


def lines(path: Path, encoding: str = "auto") -> Iterator[tuple[int, str]]:
    """Number, from 1, and text of every line, blank ones included, without its ending.

    encoding   auto: UTF-8, or UTF-16 and UTF-32, told by their mark or by zero bytes; another name is that of a file
               that is none of these
    Raises UserError for a file that is no text, and, with auto, for one whose lines outside of ASCII mostly are not
    UTF-8. A line that cannot be decoded holds lone surrogates: see `undecodable`.
    """
    with reading(path):
        how = _decoding(path, encoding)
        with _opened(path) as file, io.TextIOWrapper(file, how.encoding, how.errors, newline=how.newline) as text:
            for number, line in enumerate(text, start=1):
                # Files that were joined have a mark in the middle.
                yield number, line.rstrip("\r\n").removeprefix("\ufeff")


def undecodable(line: str) -> str | None:
    """The line with its undecodable bytes as \\xff; None where every byte is a character."""
    if line.isascii() or not _ESCAPED.search(line):
        return None
    return _ESCAPED.sub(_shown, line)


def _shown(found: re.Match[str]) -> str:
    """The byte that a surrogate stands for; of UTF-16 it may be one half of a pair."""
    code = ord(found[0])
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def _opened(path: Path) -> Any:
    """The bytes of the file, unpacked where its first ones say that it is compressed, whatever its name."""
    with open(path, "rb") as file:
        head = file.read(8)
    return next((opener for magic, opener in _OPENERS.items() if head.startswith(magic)), _plain)(path)


def _plain(path: Path) -> Any:
    return open(path, "rb")


def _decoding(path: Path, named: str) -> Decoding:
    with _opened(path) as file:
        head = file.read(_HEAD)
    for magic, what in _FOREIGN.items():
        if head[: len(magic)].lower() == magic.lower():
            raise UserError(f"{path} is {what}")
    marked = next((name for mark, name in _MARKS.items() if head.startswith(mark)), None)
    wide = marked if marked in ("utf-16", "utf-32") else _wide(head)
    if wide:
        ends = head.decode(wide, "ignore")
        return Decoding(wide, "\n" if "\n" in ends or "\r" not in ends else "\r", "surrogatepass")
    if head.count(0) > len(head) / 10:
        raise UserError(f"{path} is no text: {head.count(0)} of its first {len(head)} bytes are zero; make it again")
    return _narrow(path, named, marked)


def _wide(head: bytes) -> str | None:
    """UTF-16 without a mark, by the halves that are zero."""
    at = [head[start::2].count(0) for start in (0, 1)]
    if max(at) < _HALVES * len(head) / 2 or min(at) > max(at) / 20:
        return None
    return "utf-16-le" if at[1] > at[0] else "utf-16-be"


def _narrow(path: Path, named: str, marked: str | None) -> Decoding:
    """Of a file whose ASCII characters are single bytes: UTF-8 where most lines outside of ASCII are."""
    count, wide, broken, last, is_shifted = 0, 0, 0, b"", False
    sample: list[tuple[int, bytes]] = []
    with _opened(path) as file:
        for count, last in enumerate(file, start=1):
            if last.isascii():
                is_shifted = is_shifted or (named != "auto" and _SHIFT in last)
                continue
            try:
                last.decode("utf-8")
                wide += 1
            except UnicodeDecodeError:
                broken += 1
                if len(sample) < _SAMPLE:
                    sample.append((count, last))
    newline = "\r" if count == 1 and b"\r" in last.rstrip(b"\r\n") else "\n"
    if marked or named == "utf-8" or (broken <= wide and not is_shifted):
        return Decoding(marked or "utf-8", newline)
    if named != "auto":
        return Decoding(named, newline)
    raw = b"".join(raw for _, raw in sample)
    # One or two lines that no language explains are damaged; they are rejected one by one.
    guess = _guess(raw, broken >= _MANY)
    if not guess:
        return Decoding("utf-8", newline)
    number, raw = sample[0]
    raise UserError(
        f"{path} line {number}: not UTF-8, as {broken} of {broken + wide} lines outside of ASCII; it looks like "
        f"{guess}, in which the line reads {raw.decode(guess, 'replace').strip()[:60]!r}; name its encoding with "
        f"-S prepare.files.encoding={guess}, or save it as UTF-8"
    )


def _guess(raw: bytes, is_sure: bool) -> str:
    """An encoding that the bytes may be in. Windows-1252 is tried first: of a few accents one cannot tell its kin.

    is_sure   there is one; else it may be empty
    """
    western = raw.decode("cp1252", "replace")
    strange = [char for char in western if not char.isascii()]
    together = sum(not a.isascii() and not b.isascii() for a, b in itertools.pairwise(western))
    if all(map(_WESTERN.fullmatch, strange)) and together <= len(strange) / 2:
        return "cp1252"
    if not is_sure:
        return ""
    # It takes a while to import, and hardly any file needs it.
    from charset_normalizer import from_bytes

    best = from_bytes(raw).best()
    return best.encoding if best else "cp1252"
