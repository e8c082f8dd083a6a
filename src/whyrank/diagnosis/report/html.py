"""A page for a browser: one self-contained file, no network, one script of our own, everything from data escaped."""

import re
from collections.abc import Iterable, Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from whyrank.core.progress import progress
from whyrank.diagnosis.compare.text import one_line
from whyrank.diagnosis.report import blocks as b
from whyrank.diagnosis.report.listing import HASH, SCRIPT, listed
from whyrank.diagnosis.report.svg import drawn

BOX = Markup('<div class="scroll" tabindex="0" role="region" aria-label="{}">\n<table>\n{}{}</table>\n</div>\n')
CARD = Markup(
    '<article class="card {}"{}>\n<header>{}<h3>{}</h3><span class="about">{}</span></header>\n{}</article>\n'
)
LINK = Markup('<a href="{}">{}</a>')
# A file beside the report: its script makes a link of it where the report stands in its repository. In a copy
# elsewhere, or without the script, it would lead nowhere.
FILE = Markup('<span data-file="{}">{}</span>')
# Characters of code that stay in one line: more would not fit a phone.
SHORT_CODE = 30
FIGURE = Markup('<figure id="plot-{}"><figcaption><strong>{}</strong>{}</figcaption>{}</figure>\n')
# A number or an interval, which no line may end within.
NUMBER = re.compile(r"\[?[-+\u2212]?\d[\d.,e+\u2212-]*(, [-+\u2212]?\d[\d.,e+\u2212-]*\])?")
HIT = Markup('<li><span class="hit"><bdi class="title">{}</bdi>{}</span><bdi class="body">{}</bdi></li>\n')


def render_html(page: b.Page) -> str:
    """The same page gives the same bytes."""
    environment = Environment(
        loader=PackageLoader("whyrank.diagnosis.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    shown = progress(page.sections, total=len(page.sections), what="report")
    bodies = {section.key: _all(section.blocks) for section in shown}
    result = [_prose(sentence) for sentence in page.result]
    cause = _block(page.cause) if page.cause else ""
    return environment.get_template("page.html.jinja").render(
        page=page, bodies=bodies, result=result, cause=cause, script=Markup(SCRIPT), script_hash=HASH
    )


def _all(blocks: Iterable[b.Block]) -> Markup:
    """Cards that follow each other stand in a grid where they are many and of no tone."""
    return Markup("").join(_block(block) for block in blocks)


def _block(block: b.Block) -> Markup:
    match block:
        case b.Table():
            return _table(block)
        case b.Paragraph(text, label, tone):
            return Markup('<p class="{}">{}{}</p>\n').format(tone, _label(label), _prose(text))
        case b.Heading(text):
            return Markup("<h3>{}</h3>\n").format(text)
        case b.Figures(plots):
            figures = Markup("").join(FIGURE.format(plot.name, plot.title, plot.caption, drawn(plot)) for plot in plots)
            return Markup('<div class="figures">\n{}</div>\n').format(figures)
        case b.Command(text, label):
            return Markup('{}<pre tabindex="0">{}</pre>\n').format(_label(label), text)
        case b.Facts(items):
            line = Markup("<div><dt>{}</dt><dd>{}{}</dd></div>\n")
            rows = (
                line.format(one_line(name), _value(one_line(value)), _small(unit, " ")) for name, value, unit in items
            )
            return Markup('<dl class="facts">\n{}</dl>\n').format(Markup("").join(rows))
        case b.Answers(label, items, is_ranked):
            remark = Markup(' <span class="remark">{}</span>')
            lines = (HIT.format(title, remark.format(said) if said else "", text) for title, said, text in items)
            list_ = Markup("{}<ol>\n{}</ol>\n" if is_ranked else "{}<ul>\n{}</ul>\n")
            return list_.format(_label(label), Markup("").join(lines))
        case b.Quote(text):
            return Markup('<blockquote><bdi dir="auto">{}</bdi></blockquote>\n').format(text)
        case b.Queries():
            return listed(block)
        case b.Links(items):
            lines = (Markup("<li>{}{}</li>").format(_label(what), _link(to, text)) for what, text, to in items)
            return Markup('<ul class="links">{}</ul>\n').format(Markup("").join(lines))
        case b.Card(title, about, blocks, tone, id_, link):
            badge = Markup('<span class="badge">{}</span>').format(block.badge) if block.badge else ""
            place = Markup(' id="{}"').format(id_) if id_ else ""
            name = LINK.format(link, title) if link else title
            return CARD.format(tone or "query", place, badge, name, about, _all(blocks))
        case b.Details(summary, blocks):
            return Markup("<details><summary>{}</summary>\n{}</details>\n").format(one_line(summary), _all(blocks))


def _prose(text: str) -> Markup:
    """What stands between backticks is code."""
    parts = one_line(text).split("`")
    if len(parts) % 2 == 0:
        return escape(one_line(text))
    return Markup("").join(_code(part) if i % 2 else part for i, part in enumerate(parts))


def _link(to: str, text: str) -> Markup:
    return (LINK if to.startswith("#") else FILE).format(to, text)


def _code(text: str) -> Markup:
    return Markup("<code>{}</code>" if len(text) <= SHORT_CODE else '<code class="long">{}</code>').format(text)


def _above(text: str) -> Markup:
    return Markup(" <sup>{}</sup>").format(text) if text else Markup("")


def _value(text: str) -> Markup:
    return Markup('<span class="number">{}</span>' if NUMBER.fullmatch(text) else "{}").format(text)


def _label(text: str) -> Markup:
    return Markup('<span class="label">{}</span>').format(text) if text else Markup("")


def _small(text: str, before: str = "") -> Markup:
    return Markup("{}<small>{}</small>").format(before, text) if text else Markup("")


def _table(table: b.Table) -> Markup:
    names = Markup("").join(
        Markup('<th scope="col">{}{}</th>').format(one_line(cell.text), _small(cell.note)) for cell in table.head
    )
    bodies = (_group(group, len(table.head)) for group in table.groups)
    return BOX.format(table.label, Markup("<thead><tr>{}</tr></thead>\n").format(names), Markup("").join(bodies))


def _group(group: b.Group, width: int) -> Markup:
    heading = Markup('<tr class="group"><th scope="rowgroup" colspan="{}">{}</th></tr>\n')
    top = heading.format(width, one_line(group.heading)) if group.heading else ""
    return Markup("<tbody>\n{}{}</tbody>\n").format(top, Markup("").join(map(_row, group.rows)))


def _row(cells: Sequence[b.Cell]) -> Markup:
    name, *values = cells
    first = Markup('<th scope="row"><span class="name">{}</span>{}{}</th>').format(
        one_line(name.text), _above(name.above), _small(name.note)
    )
    rest = (
        Markup('<td class="best"><strong>{}</strong>{}{}</td>' if cell.is_best else "<td>{}{}{}</td>").format(
            cell.text, _above(cell.above), _small(cell.note)
        )
        for cell in values
    )
    return Markup("<tr>{}{}</tr>\n").format(first, Markup("").join(rest))
