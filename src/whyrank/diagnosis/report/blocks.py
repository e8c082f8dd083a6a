"""What a page is made of: sections of blocks that say nothing of how they are shown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd


class Cell(NamedTuple):
    """note   shown smaller: an interval, or what a system is;  is_best   stands out among the others
    above   shown as a superscript
    """

    text: str
    note: str = ""
    is_best: bool = False
    above: str = ""


class Group(NamedTuple):
    """Rows of cells, the name of the row first; the heading may be empty."""

    heading: str
    rows: Sequence[Sequence[Cell]]


class Table(NamedTuple):
    """label   what the table shows, for readers who do not see it"""

    label: str
    head: Sequence[Cell]
    groups: Sequence[Group]


class Paragraph(NamedTuple):
    """label   stands before the text, such as `Cause`;  tone   lead | text | note"""

    text: str
    label: str = ""
    tone: str = "note"


class Heading(NamedTuple):
    text: str


class Plot(NamedTuple):
    """A figure, drawn only where it is shown. `caption` stands under its title.

    message   what it shows, in words and numbers, for a reader who does not see it; the caption where that says it
    name   begins the ids of the drawing;  height   inches
    paint  gets a set of axes, or several of a grid of so many rows and columns (`shape`), row by row
    """

    name: str
    title: str
    caption: str
    height: float
    paint: Callable[..., None]
    shape: tuple[int, int] = (1, 1)
    message: str = ""

    @property
    def spoken(self) -> str:
        """What a screen reader says."""
        return f"{self.title}. {self.message or self.caption}"


class Figures(NamedTuple):
    """Plots that stand beside each other."""

    plots: Sequence[Plot]


class Command(NamedTuple):
    """To be copied into a shell."""

    text: str
    label: str


class Facts(NamedTuple):
    """Name, value and unit of each; the unit may be empty."""

    items: Sequence[tuple[str, str, str]]


class Answers(NamedTuple):
    """Title, remark and text of each answer."""

    label: str
    items: Sequence[tuple[str, str, str]]
    is_ranked: bool = False


class Links(NamedTuple):
    """What each leads to, the words to click at, and the address: `#id` here, or a path from metrics/diagnose."""

    items: Sequence[tuple[str, str, str]]


class Quote(NamedTuple):
    text: str


class Queries(NamedTuple):
    """A table of all queries, to be searched, sorted and filtered where there is a script for it.

    note     what is said where there is none;  table   of `compare.queries.query_table`;  systems   of its ranks
    shown    the system whose first answers are in it;  other   the one that its wins are counted against at first
    """

    note: str
    table: pd.DataFrame
    systems: Sequence[str]
    shown: str
    other: str


@dataclass(frozen=True)
class Card:
    """One finding, step of the plan or query.

    tone   error | warning | info | step, or empty;  id   where a link finds it;  link   where its title leads
    """

    title: str
    about: str
    blocks: Sequence["Block"]
    tone: str = ""
    id: str = ""
    link: str = ""

    @property
    def badge(self) -> str:
        """The severity, where it has one."""
        return self.tone.replace("step", "")


@dataclass(frozen=True)
class Details:
    """What few readers look for."""

    summary: str
    blocks: Sequence["Block"]


Block = Queries | Table | Paragraph | Heading | Figures | Command | Facts | Links | Answers | Quote | Card | Details


@dataclass(frozen=True)
class Section:
    """place    sections come in this order;  key   the name of its module, which `sections.page` fills in
    is_first  stands before what was tested, and before the list of sections
    """

    place: int
    title: str
    blocks: Sequence[Block]
    key: str = ""
    is_first: bool = False


class Count(NamedTuple):
    """How many checks ended so. tone   error | warning | passed, or empty"""

    number: int
    what: str
    tone: str = ""


@dataclass(frozen=True)
class Page:
    """about   name and value of what the run is: data set, encoder, experiment
    status  how many checks ended how;  result   a sentence for each task, the most important first
    cause   what it comes from, with its label
    facts   value and unit of what was tested
    """

    result: Sequence[str]
    facts: Sequence[tuple[str, str]]
    sections: Sequence[Section]
    footer: str
    about: Sequence[tuple[str, str]] = ()
    status: Sequence[Count] = ()
    cause: Paragraph | None = None

    @property
    def title(self) -> str:
        """`sample, embedded, main`; what a tab of a browser says."""
        return ", ".join(value for _, value in self.about)


def head(*names: str) -> list[Cell]:
    """`Near 0|near 1` has the note `near 1`."""
    parts = (name.partition("|") for name in names)
    return [Cell(text, note) for text, _, note in parts]
