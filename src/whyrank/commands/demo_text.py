"""What `whyrank demo` prints: each fault with its cause, evidence, fix, and what came back."""

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from whyrank.commands.demo import Story
from whyrank.core import io
from whyrank.diagnosis.report import numbers
from whyrank.findings.diagnosis import tally
from whyrank.measure.significance.resampling import Interval

REPORT = "report.html"
WIDTH, INDENT = 110, 15
# Numbers of the evidence, the most telling first.
EVIDENCE = 3
STOPPED = "by `prepare`, before any training; the demo goes on, to show what training would give"


def rendered(stories: Sequence[Story], results: Path) -> str:
    """A block for each story, and what they come to.

    results   the folder of their reports
    """
    blocks = ["\n".join(_block(number, one, results / one.fault.name)) for number, one in enumerate(stories, start=1)]
    helped = sum(one.trial["outcome"] == "helped" for one in stories)
    end = (
        f"verdict: the first step of the fix plan helped with {helped} of {len(stories)} faults\n"
        "next: `make repro` runs the pipeline as it is shipped; docs/data.md shows the files that it takes of yours"
    )
    return "\n\n".join([*blocks, end])


def _block(number: int, story: Story, folder: Path) -> Iterator[str]:
    finding = story.finding
    yield f"{number}. {story.fault.done}"
    if story.refused:
        yield _line("stopped", STOPPED)
    yield _line("cause", f"{finding['code']}: {finding['sentence']}")
    evidence = [f"{one['name']}: {numbers.free(one['value'])} {one['unit']}".strip() for one in finding["evidence"]]
    yield _line("evidence", "; ".join(evidence[:EVIDENCE]))
    # In one piece, to be copied.
    yield f"{_name('fix')}{story.step['command']}"
    shown = (("before", story.before), ("broken", story.broken), ("fixed", story.after))
    yield _line(story.metric, ", ".join(f"{name} {_interval(found)}" for name, found in shown))
    yield _line("whyrank fix", story.trial["told"])
    yield _line("checks", tally(io.read_table(folder / "checks.csv")))
    yield _line("report", str(folder / REPORT))


def _interval(found: Interval) -> str:
    return f"{numbers.value(found.mean)} {numbers.interval(found.low, found.high)}"


def _name(name: str) -> str:
    return f"   {name:{INDENT - 3}}"


def _line(name: str, text: str) -> str:
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=_name(name),
        subsequent_indent=" " * INDENT,
        break_on_hyphens=False,
        break_long_words=False,
    )
