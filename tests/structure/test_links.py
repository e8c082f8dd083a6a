"""Every relative link and anchor of the pages resolves, and every page that code and parameters name is there."""

import itertools
import json
import re
import subprocess
from pathlib import Path
from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "docs/tour.ipynb"]
# A page, with the anchor of a heading, as people read it in a message.
NAMED = re.compile(r"\bdocs/[\w./-]+\.(?:md|html|ipynb|json|yaml|svg|png)(?:#[\w-]+)?")
INDEX = ROOT / "docs/README.md"
# Read by another tool, not by people.
NOT_LISTED = {"README.md"}


def text_of(page: Path) -> str:
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return text


def links(page: Path) -> list[str]:
    """Targets of links and pictures; inside the repository only."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text_of(page))
    inner = [child for token in tokens for child in token.children or []]
    found = [str(token.attrs.get("href", token.attrs.get("src", ""))) for token in inner]
    return [target for target in found if target and not re.match(r"[a-z]+:", target)]


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings: lower case, no punctuation, hyphens for spaces; a second one gets a number."""
    if page.suffix == ".html":
        return set(re.findall(r'\bid="([^"]+)"', page.read_text(encoding="utf-8")))
    tokens = MarkdownIt("commonmark").parse(text_of(page))
    found: list[str] = []
    for opening, inline in itertools.pairwise(tokens):
        if opening.type == "heading_open":
            words = "".join(child.content for child in inline.children or [])
            slug = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
            found.append(f"{slug}-{found.count(slug)}" if slug in found else slug)
    return set(found)


def broken(target: str, start: Path) -> bool:
    path, _, anchor = unquote(target).partition("#")
    page = (start.parent / path).resolve() if path else start
    return not page.exists() or (bool(anchor) and anchor not in anchors(page))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_anchors_of_a_page_resolve(page):
    assert [target for target in links(page) if broken(target, page)] == []


def test_the_check_sees_what_does_not_resolve(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# One `two`: three\n[a](page.md#one-two-three) [b](#one-two) [c](none.md) ![d](none.png) [e](https://f.g)\n"
    )
    assert [target for target in links(page) if broken(target, page)] == ["#one-two", "none.md", "none.png"]


def test_pages_that_code_and_parameters_name_are_there():
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    where = ["src", "stages", "docs", "params.yaml", "dvc.yaml", "CHANGELOG.md", "README.md"]
    names = subprocess.run([*listed, "--", *where], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    lost = {}
    for name in filter(None, names.split("\0")):
        file = ROOT / name
        if file.suffix in {".py", ".md", ".yaml", ".html", ".jinja", ".ipynb", ".svg", ""} and file.is_file():
            for found in NAMED.findall(file.read_text(encoding="utf-8")):
                if broken(found, ROOT / "README.md"):
                    lost.setdefault(name, set()).add(found)
    assert lost == {}


def test_the_index_lists_every_page():
    shown = {target.partition("#")[0] for target in links(INDEX)}
    pages = {file.name for file in (ROOT / "docs").iterdir() if file.suffix in {".md", ".ipynb"}} - NOT_LISTED
    assert pages <= shown, pages - shown
