"""Picture of what `whyrank demo` prints, for the README: `whyrank demo | python docs/demo_picture.py [PICTURE]`.

An SVG of the text alone: any reader of the page can select it.
"""

import sys
import textwrap
from pathlib import Path
from xml.sax.saxutils import escape

# Letters of a line; pixels of a letter, of a line, and around all.
LETTERS, WIDTH, HEIGHT, MARGIN = 112, 7.8, 19, 18
PAGE, INK, STRONG = "#0d1117", "#d1d7e0", "#7ee787"
# Beginnings of lines that a reader looks for.
TOLD = ("1.", "2.", "3.", "verdict:")


def main(picture: str = "docs/demo.svg") -> None:
    text = sys.stdin.read().strip()
    if not text:
        sys.exit("error: nothing to draw; run `whyrank demo | python docs/demo_picture.py`")
    Path(picture).write_text(drawn(["$ make demo", "", *text.splitlines()]), encoding="utf-8")


def drawn(lines: list[str]) -> str:
    """The SVG; a longer line goes on below its beginning."""
    shown = [part for line in lines for part in folded(line)]
    width, height = LETTERS * WIDTH + 2 * MARGIN, len(shown) * HEIGHT + 2 * MARGIN
    rows = "\n".join(
        f'<text x="{MARGIN}" y="{MARGIN + (number + 0.75) * HEIGHT:g}"{colour(line)}>{escape(line)}</text>'
        for number, line in enumerate(shown)
        if line
    )
    style = f'font-family="monospace" font-size="13" fill="{INK}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" {style}>\n'
        f"<style>text {{ white-space: pre }}</style>\n"
        f'<rect width="100%" height="100%" rx="8" fill="{PAGE}"/>\n{rows}\n</svg>\n'
    )


def folded(line: str) -> list[str]:
    indent = " " * 15
    return textwrap.wrap(line, LETTERS, subsequent_indent=indent, drop_whitespace=True, break_on_hyphens=False) or [""]


def colour(line: str) -> str:
    return f' fill="{STRONG}" font-weight="bold"' if line.startswith(TOLD) else ""


if __name__ == "__main__":
    main(*sys.argv[1:])
