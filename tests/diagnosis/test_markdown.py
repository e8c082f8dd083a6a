"""Text from data in the Markdown report: a renderer shows it as it is, wherever it stands."""

import re
from html import unescape

import pytest
from markdown_it import MarkdownIt

from whyrank.diagnosis.report.blocks import (
    Answers,
    Card,
    Cell,
    Count,
    Facts,
    Group,
    Heading,
    Page,
    Paragraph,
    Quote,
    Section,
    Table,
    head,
)
from whyrank.diagnosis.report.markdown import in_cell, pipe_table, prose, render_markdown

RENDERER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
HOSTILE = [
    "<script>alert(1)</script>", "a <img src=x onerror=alert(1)> b", "<!-- gone", "<http://evil.example>",
    "&lt;b&gt; &#60;",
    "[click](javascript:alert(1))", "![x](http://evil.example/p.png)", "[a][b]", "[a]: http://evil.example",
    "*bold* **bold** _em_ __em__", "snake_case __init__ a_b_c", "~~gone~~ ~ one", "# heading", "## ", "> quoted",
    "- item",
    "+ item", "* item", "1. item", "12) item", "---", "***", "===", "title === of", "```", "```sh rm```",
    "`code` and `open",
    "``two`` `one`", "a | b | c", "--- | ---", "\\<script>", "C:\\temp\\*", "ends in \\", "\\`", "~~~", "-S key=value",
    "a " * 60 + "# not a heading", "w" * 95 + " - no item", "x" * 300, "y" * 88 + "\\<script>alert(1)</script>" * 9,
    "n = 3 > 2 - 1 + 0", "100 % [−3.8, +2.6] (p = 0.07)", "e.g. 2) and 3.", "\u202egnp.exe\x1b[2J",
]  # fmt: skip


def shown(markdown):
    """What a reader sees, and the tags around it."""
    html = RENDERER.render(markdown)
    text = unescape(re.sub(r"<[^>]*>", "", html))
    return " ".join(text.split()), set(re.findall(r"</?(\w+)", html))


def as_it_is(text):
    """Code loses its backticks, and nothing else changes."""
    line = " ".join(re.sub("[\x00-\x1f\x7f-\x9f\u202a-\u202e]+", " ", text).split())
    return re.sub(r"(?<!`)`([^`]+)`(?!`)", r"\1", line)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(
    ("first", "tags"), [("", {"p"}), ("- ", {"ul", "li"}), ("1. ", {"ol", "li"}), ("> ", {"p", "blockquote"})]
)
def test_a_paragraph_shows_a_text_as_it_is(text, first, tags):
    found, around = shown(prose(text, first, "> " if first == "> " else ""))
    # A word longer than a line is cut.
    assert found.replace(" ", "") == as_it_is(text).replace(" ", "")
    assert around <= tags | {"code", "p"}


@pytest.mark.parametrize("text", [text for text in HOSTILE if len(text) < 48])
def test_a_cell_shows_a_text_as_it_is(text):
    table = pipe_table(["name", "n"], [[in_cell(text), "1"], ["other", "2"]])
    found, around = shown(table)
    assert found == f"name n {as_it_is(text)} 1 other 2"
    assert around <= {"table", "thead", "tbody", "tr", "th", "td", "code"}


@pytest.mark.parametrize("text", HOSTILE)
def test_no_block_lets_a_text_be_markup(text):
    rows = [[Cell(text, text), Cell(text, text), Cell(text, is_best=True)]]
    table = Table(text, head(text.replace("|", "/"), "n", text.replace("|", "/")), [Group(text, rows)])
    answers = [Answers(text, [(text, text, text)], is_ranked) for is_ranked in (False, True)]
    one = [Paragraph(text, text), Heading(text), Facts([(text, text, text)]), Quote(text)]
    blocks = [*one, *answers, Card(text, text, [Quote(text)], "error"), table]
    page = Page(
        [text],
        [(text, text)],
        [Section(1, text, blocks)],
        text,
        [(text, text)],
        [Count(1, text)],
        Paragraph(text, text),
    )
    around = shown(render_markdown(page))[1]
    assert not around & {"script", "img", "a", "em", "strong", "s", "del", "hr", "pre", "b", "http"}
