"""Files of cells between separators: which separator and which quoting they have, and their records.

Quoting is RFC 4180's: a cell within quotation marks may hold separators, ends of lines, and marks, which are doubled.
Files without it are common, too, as tab separated ones of search tasks: there a mark is a character like others.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from whyrank.core.errors import UserError

Line = tuple[int, str]
SEPARATORS = ",;\t|"
# Excel's own first line.
_DECLARED = re.compile(r'"?sep=(.)"?')
_IN_MARKS = re.compile(r'"[^"]*(?:""[^"]*)*"')
_SPACES = re.compile(" *")
_ID = re.compile(r'[^\s",;]{1,64}')
# So many lines within one cell that all look like records of the file are records; texts of a support chat do not.
_SWALLOWED, _SWALLOWED_OF_TWO = 3, 8


class Record(NamedTuple):
    """line, end   numbers of its first and its last line"""

    line: int
    end: int
    cells: list[str]


class Style(NamedTuple):
    """content   of a cell in marks, up to the one that closes it; `mark` is how a mark within is written"""

    content: re.Pattern[str]
    mark: str


DOUBLED = Style(re.compile(r'[^"]*+(?:""[^"]*+)*+'), '""')
# R's write.table and MySQL.
ESCAPED = Style(re.compile(r'[^"\\]*+(?:\\(?:.|$)[^"\\]*+)*+'), r"\"")


class UnclosedError(Exception):
    """A quotation mark opens a cell in `line`, and none closes it (`end` is -1), or what is found in `end` does not."""

    def __init__(self, line: int, end: int, found: str, *, is_likely: bool = False) -> None:
        super().__init__(line, end, found)
        self.line, self.end, self.found = line, end, found
        self.is_likely = is_likely  # the marks do make a cell, though hardly one that was meant


@dataclass
class Marks:
    """needed       cells in marks that hold marks, separators or ends of lines
    for_commas   cells in marks that hold a comma alone, as Excel writes them with tabs, too
    loose        cells with a comma or a mark, and none around them
    """

    needed: int = 0
    for_commas: int = 0
    loose: int = 0


def separator_of(header: str, usual: str) -> str:
    """Tabs, which no name of a column holds, or what stands most often in the first line; else the usual one."""
    bare = _IN_MARKS.sub("", header)
    if "\t" in bare:
        return "\t"
    return max(SEPARATORS, key=lambda one: (bare.count(one), one == usual))


def read_records(path: Path, lines: Sequence[Line], usual: str, quoting: str) -> tuple[str, list[Record]]:
    """Separator and records, the header first; lines without a cell are left out.

    usual     separator of the format, where the first line has none
    quoting   auto | quoted | none. Auto: with tabs only where the cells show it, else always
    Raises UserError for quotation marks that do not make cells, and for one that swallows rows.
    """
    start = next((place for place, (_, text) in enumerate(lines) if text.strip()), len(lines))
    lines = lines[start:]
    if not lines:
        return usual, []
    declared = _DECLARED.fullmatch(lines[0][1].strip())
    separator = declared[1] if declared else separator_of(lines[0][1], usual)
    lines = lines[1:] if declared else lines
    if quoting == "none" or not any('"' in text for _, text in lines):
        found = _plain(lines, separator)
    elif quoting == "auto" and separator == "\t":
        found = _tab_separated(path, lines)
    else:
        found = _quoted(path, lines, separator, is_checked=quoting == "auto")
    return separator, [record for record in found if any(cell.strip() for cell in record.cells)]


def _plain(lines: Sequence[Line], separator: str) -> list[Record]:
    return [Record(number, number, text.split(separator)) for number, text in lines]


def _tab_separated(path: Path, lines: Sequence[Line]) -> list[Record]:
    """Quoted where the header is in marks, or where cells in marks need them; else each mark is a character.

    A text that merely begins and ends with a mark shows nothing.
    """
    is_all = all(len(cell) > 1 and cell[0] == cell[-1] == '"' for cell in lines[0][1].split("\t"))
    marks = Marks()
    with suppress(UnclosedError):
        _split_either(lines, "\t", marks)
    if is_all or marks.needed or (marks.for_commas and not marks.loose):
        return _quoted(path, lines, "\t", is_checked=True)
    return _plain(lines, "\t")


def _quoted(path: Path, lines: Sequence[Line], separator: str, *, is_checked: bool) -> list[Record]:
    """is_checked   no record over several lines may have swallowed others"""
    try:
        found = _split_either(lines, separator, Marks())
        width = len(found[0].cells)
        for record in found if is_checked else ():
            if record.end > record.line and len(record.cells) != width:
                said = f"it would make {len(record.cells)} cells of {width}"
                raise UnclosedError(record.line, record.end, said, is_likely=True)
            if _swallows(record, width, separator, lines):
                raise UnclosedError(record.line, record.end, "the lines between are rows", is_likely=True)
    except UnclosedError as fault:
        raise _refusal(path, fault) from None
    return found


def _split_either(lines: Sequence[Line], separator: str, marks: Marks) -> list[Record]:
    try:
        return list(split(lines, separator, DOUBLED, marks))
    except UnclosedError:
        if any(ESCAPED.mark in text for _, text in lines):
            with suppress(UnclosedError):
                return list(split(lines, separator, ESCAPED, marks))
        raise


def _refusal(path: Path, fault: UnclosedError) -> UserError:
    what = f"line {fault.line}: a quotation mark opens a cell, and the next one does not end it ({fault.found})"
    if fault.end != fault.line:
        before = f" before line {fault.end} ({fault.found})" if fault.end > 0 else ""
        what = f"a quotation mark opened in line {fault.line} is never closed{before}"
    trusted = "; or trust them with -S prepare.files.quoting=quoted" if fault.is_likely else ""
    return UserError(
        f"{path}: {what}; double the marks within a cell and put it in marks; or, if marks are characters of the "
        f"texts, read them as such with -S prepare.files.quoting=none{trusted}"
    )


def _swallows(record: Record, width: int, separator: str, lines: Sequence[Line]) -> bool:
    """Whether nearly all lines of a record but its first look like records themselves."""
    if record.end == record.line:
        return False
    first = record.line - lines[0][0]
    inner = [text for _, text in lines[first + 1 : first + 1 + record.end - record.line] if text.strip()]
    like = [text for text in inner if text.count(separator) == width - 1 > 0]
    with_id = [text for text in like if _ID.fullmatch(text.split(separator)[0].strip())]
    enough = _SWALLOWED if width > 2 or len(with_id) == len(like) else _SWALLOWED_OF_TWO
    return len(like) >= max(enough, 0.9 * len(inner))


def split(lines: Sequence[Line], separator: str, style: Style, marks: Marks) -> Iterator[Record]:
    """Records of a quoted file; one over several lines stands at its first. Counts in `marks` how its marks stand.

    Raises UnclosedError at the first quotation mark that opens a cell and does not end it.
    """
    rows = iter(lines)
    # Some write a space behind each separator.
    spaces = re.compile(" *" if separator != "\t" and f"{separator} " in lines[0][1] else "")
    width = 0
    for number, text in rows:
        if '"' not in text:
            width = width or text.count(separator) + 1
            marks.loose += "," in text
            yield Record(number, number, text.split(separator))
            continue
        cells, at, here, needed = [], 0, Here(number, number, text), 0
        while at <= len(here.text):
            opens = _end(spaces, here.text, at)
            if here.text.startswith('"', opens):
                cell, here, at = _cell_in_marks(here, opens + 1, rows, style)
                # A cell over several lines that holds separators, too, may be rows between two texts with one mark.
                needed += style.mark in cell or (separator in cell) != ("\n" in cell)
                marks.for_commas += "," in cell
                cells.append(cell.replace(style.mark, '"'))
                if at < len(here.text) and here.text[at] != separator:
                    raise UnclosedError(number, here.line, f"behind it stands {here.text[at : at + 20]!r}")
            else:
                stop = here.text.find(separator, at)
                cell = here.text[at : stop if stop >= 0 else None]
                marks.loose += "," in cell or '"' in cell
                cells.append(cell)
                at += len(cell)
            at += 1
        width = width or len(cells)
        # Marks at the ends of two texts of one row make a cell, too, and the row too short.
        marks.needed += needed if len(cells) == width else 0
        yield Record(number, here.line, cells)


class Here(NamedTuple):
    """first   line of the record that is read; `line` and `text` are those of the place that it is read at"""

    first: int
    line: int
    text: str


def _cell_in_marks(here: Here, at: int, rows: Iterator[Line], style: Style) -> tuple[str, Here, int]:
    """What the mark before `at` opens, and the place behind the mark that closes it and the spaces behind that."""
    parts = []
    while (stop := _end(style.content, here.text, at)) == len(here.text):
        parts.append(here.text[at:])
        line, text = next(rows, (-1, ""))
        here, at = Here(here.first, line, text), 0
        if line < 0:
            raise UnclosedError(here.first, -1, "")
    return "\n".join([*parts, here.text[at:stop]]), here, _end(_SPACES, here.text, stop + 1)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    assert found  # it matches nothing, too
    return found.end()
