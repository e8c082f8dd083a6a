"""A page for a terminal: Markdown with aligned tables, at most 100 columns except for commands to copy."""

import re
import textwrap
from collections.abc import Callable, Iterator, Sequence

from whyrank.diagnosis.compare.text import one_line, shorten
from whyrank.diagnosis.report import blocks as b

WIDTH = 96
NAME = 48  # characters of a name in a table
# Characters that begin markup or end a table cell, for a backslash before them; an underscore within a word does not.
MARKUP = re.compile(r"[\\`*\[\]<>|#~&]|(?<![^\W_])_|_(?![^\W_])")
# The same for a page that is read as it is, too: code stays code, and a bracket that begins no link has no backslash.
CODE = r"(?P<code>(?<!`)`[^`]+`(?!`))"
INLINE = re.compile(
    CODE + r"|\\(?=[!-/:-@\[-`{-~\s]|$)|[`*<|]|\](?=[(\[:])|~(?=~)|&(?=#?\w+;)|(?<![^\W_])_|_(?![^\W_])"
)
# What a line must not begin with, lest it is a heading, a quotation, a list or a rule.
START = re.compile(r"^(?:#{1,6}(?=\s|$)|>|[-+](?=\s|$)|=+$|--+$|~{3}|\d+(?=[.)](?:\s|$)))")


def render_markdown(page: b.Page) -> str:
    """All that the page for a browser says, less the drawings."""
    facts = ", ".join(f"{value} {unit}" for value, unit in page.facts)
    about = ", ".join(f"{name}: {value}" for name, value in page.about)
    status = ", ".join(f"{count.number} {count.what}" for count in page.status)
    parts = ["# whyrank report", *([prose(f"{about}.")] if about else []), *([prose(f"{status}.")] if status else [])]
    parts += [*map(prose, page.result), *(_block(page.cause, 2) if page.cause else [])]
    first = [section for section in page.sections if section.is_first]
    parts += [*_sections(first), prose(f"{facts}."), *_sections(page.sections[len(first) :])]
    return "\n\n".join([*parts, prose(page.footer)]) + "\n"


def _sections(sections: Sequence[b.Section]) -> list[str]:
    return [text for one in sections for text in (f"## {inline(one.title)}", *_all(one.blocks, 3))]


def plain(text: object) -> str:
    """One line of Markdown that shows the text as it is, also in a table."""
    return MARKUP.sub(r"\\\g<0>", one_line(str(text)))


def inline(text: str) -> str:
    """The same for a reader in a terminal: fewer backslashes, and code stays code."""
    return INLINE.sub(lambda found: found[0] if found["code"] else f"\\{found[0]}", one_line(text))


def fenced(text: str, language: str = "") -> str:
    """A code block whose fence is longer than any in the text."""
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", text))])
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def pipe_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A pipe table padded to its widest cells; names at the start, numbers at the end."""
    widths = [max(2, *map(len, column)) for column in zip(header, *rows, strict=True)]
    ruler = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    padded = [
        [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))]
        for row in (header, *rows)
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in (padded[0], ruler, *padded[1:]))


def in_cell(text: str) -> str:
    return re.sub(r"(?<!\\)\|", r"\\|", inline(shorten(text, NAME)))


def table_blocks(
    table: b.Table,
    *,
    width: float = WIDTH,
    depth: int = 3,
    escape: Callable[[str], str] = in_cell,
    mark: tuple[str, str] = ("", "*"),
) -> list[str]:
    """A pipe table per group, cut into several where it is too wide; what the names of rows stand for comes last.

    mark   what stands around the best numbers
    """
    header = [_noted(escape(cell.text), escape(cell.note), "()") for cell in table.head]
    parts: list[str] = []
    for group in table.groups:
        names, *columns = zip(*group.rows, strict=True)
        texts = [[f"{cell.above} {escape(cell.text)}".strip() for cell in names]]
        texts += [_column(column, mark) for column in columns]
        parts += [f"{'#' * depth} {inline(group.heading)}"] if group.heading else []
        parts += [
            pipe_table(cut[0], cut[1:])
            for cut in _cuts([[top, *column] for top, column in zip(header, texts, strict=True)], width)
        ]
    notes = {row[0].text: row[0].note for group in table.groups for row in group.rows if row[0].note}
    described = "; ".join(f"{escape(name)}: {escape(note)}" for name, note in notes.items())
    return [*parts, wrapped(f"{described}.")] if notes else parts


def _column(cells: Sequence[b.Cell], mark: tuple[str, str]) -> list[str]:
    """Numbers before their notes, in line also where some are marked."""
    none = tuple(" " * len(side) for side in mark) if any(cell.is_best for cell in cells) else ("", "")
    marks = (mark if cell.is_best else none for cell in cells)
    brackets = ("" if cell.note.startswith("[") else "()" for cell in cells)
    width = max(len(cell.above) for cell in cells)
    gap = "" if any(cell.is_best for cell in cells) or not width else " "
    above = [gap + cell.above.ljust(width) for cell in cells]
    return [
        _noted(before + in_cell(cell.text) + after + beaten, in_cell(cell.note), pair)
        for (before, after), cell, pair, beaten in zip(marks, cells, brackets, above, strict=True)
    ]


def _noted(text: str, note: str, brackets: str = "") -> str:
    return f"{text} {brackets[:1]}{note}{brackets[1:]}" if note else text


def _cuts(columns: list[list[str]], width: float) -> Iterator[list[list[str]]]:
    """Rows of as many columns as fit, each time after the first column."""
    chosen = [columns[0]]
    for column in columns[1:]:
        size = sum(max(map(len, one)) + 3 for one in [*chosen, column]) + 1
        if size > width and len(chosen) > 1:
            yield [list(row) for row in zip(*chosen, strict=True)]
            chosen = [columns[0]]
        chosen.append(column)
    yield [list(row) for row in zip(*chosen, strict=True)]


def prose(text: str, first: str = "", then: str = "") -> str:
    """One paragraph that shows a text as it is; `first` and `then` begin its lines."""
    # Cut before there are backslashes, which must not be cut from what stands behind them.
    short = re.sub(rf"\S{{{WIDTH - 6}}}(?=\S)", r"\g<0> ", one_line(text))
    return wrapped(inline(short), first, then)


def wrapped(text: str, first: str = "", then: str = "") -> str:
    """One paragraph of Markdown."""
    lines = textwrap.wrap(text, WIDTH - len(first), break_on_hyphens=False, break_long_words=False)
    begins = [first, *[then or " " * len(first)] * len(lines)]
    return "\n".join(f"{begin}{START.sub(_not_markup, line)}" for begin, line in zip(begins, lines, strict=False))


def _not_markup(found: re.Match[str]) -> str:
    return f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}"


def _all(blocks: Sequence[b.Block], depth: int) -> list[str]:
    return [text for block in blocks for text in _block(block, depth)]


def _block(block: b.Block, depth: int) -> list[str]:
    heading = "#" * depth
    match block:
        case b.Table():
            return table_blocks(block, depth=depth)
        case b.Paragraph(text, label):
            return [prose(f"{label}: {text}" if label else text)]
        case b.Heading(text):
            return [f"{heading} {inline(text)}"]
        case b.Figures(plots):
            return ["\n".join(prose(f"Figure: {plot.title}. {plot.caption}", "- ") for plot in plots)]
        case b.Command(text, label):
            return [*([prose(f"{label}:")] if label else []), fenced(text)]
        case b.Facts(items):
            return ["\n".join(prose(f"{name}: {value} {unit}", "- ") for name, value, unit in items)]
        case b.Queries(note):
            return [prose(note)]
        case b.Links(items):
            return ["\n".join(prose(f"{what}: {text}", "- ") for what, text, _ in items)]
        case b.Answers(label, items, is_ranked):
            lines = [
                prose(f"{_noted(title, remark, '()')}: {text}", f"{place}. " if is_ranked else "- ")
                for place, (title, remark, text) in enumerate(items, 1)
            ]
            return [prose(f"{label}:"), "\n".join(lines)]
        case b.Quote(text):
            return [prose(text, "> ", "> ")]
        case b.Card(title, about, blocks):
            name = inline(f"{block.badge.upper()} {title} ({about})".strip())
            return [f"{heading} {name}", *_all(blocks, depth + 1)]
        case b.Details(summary, blocks):
            return [f"{heading} {inline(summary)}", *_all(blocks, depth + 1)]
