"""Matplotlib figures as inline SVG: text stays text, the same figure gives the same bytes."""

import io
import re
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure

from whyrank.diagnosis.report.blocks import Plot

# Inches, which the page shows as 340 px: its text of 10 points as 12 px, on a phone and on a screen alike.
WIDTH = 3.9
INK, MUTED, GRID = "#1c2733", "#5b6875", "#e3e7eb"
SVG = "http://www.w3.org/2000/svg"
ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")

COLOUR = re.compile("#[0-9a-f]{6}")
# Colours of figures as the style of the page names them.
THEMED = {
    INK: "ink", MUTED: "muted", GRID: "grid", "#9aa5b1": "axis", "#ffffff": "card", "#0072b2": "blue",
    "#c2500a": "orange", "#6b7680": "grey", "#117733": "green", "#7b3294": "purple", "#8c6d00": "olive",
    "#a3004a": "crimson", "#00797a": "teal", "#b0357a": "magenta",
}  # fmt: skip

STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "text.parse_math": False,  # a name may hold dollar signs
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": "#9aa5b1",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "axes.titlesize": 10,
    "figure.constrained_layout.use": True,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}


def drawn(plot: Plot) -> Markup:
    """An SVG of its own ids, as wide as every figure of a page."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, plot.height))
        plot.paint(*(figure.add_subplot(*plot.shape, i + 1) for i in range(plot.shape[0] * plot.shape[1])))
        return _serialise(figure, plot.name, plot.spoken)


def _serialise(figure: Figure, name: str, title: str) -> Markup:
    """Inline SVG that scales with its box. Ids are salted with `name`, since several figures share a page."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    root = ElementTree.fromstring(buffer.getvalue())
    _drop(root, "metadata")
    _drop(root, "defs/{*}style")  # would style the whole page
    for element in root.iter():
        element.tail = None
        if element.tag == f"{{{SVG}}}g":
            element.attrib.pop("id", None)  # matplotlib counts these from 1 in every figure
        if "style" in element.attrib:
            element.set("style", COLOUR.sub(_themed, element.attrib["style"]))
        if "d" in element.attrib:
            element.set("d", " ".join(element.attrib["d"].split()))
        if element.tag != f"{{{SVG}}}text":
            element.text = None
    del root.attrib["width"], root.attrib["height"]
    label = ElementTree.Element(f"{{{SVG}}}title", {"id": f"{name}-title"})
    label.text = title
    root.insert(0, label)
    root.attrib |= {"role": "img", "aria-labelledby": f"{name}-title"}
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _themed(found: re.Match[str]) -> str:
    """A colour of the page where it has one for it: the same by day, and one that is seen on a dark page."""
    name = THEMED.get(found[0])
    return f"var(--{name}, {found[0]})" if name else found[0]


def _drop(root: ElementTree.Element, path: str) -> None:
    *above, last = path.split("/")
    for parent in root.findall("/".join(f"{{*}}{tag}" for tag in above)) if above else [root]:
        for child in parent.findall(last if last.startswith("{") else f"{{*}}{last}"):
            parent.remove(child)
