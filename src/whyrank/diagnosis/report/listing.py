"""The table of all queries for a browser: its rows as data that no browser runs, and the script that shows them."""

import base64
import hashlib
import json
import math
from importlib.resources import files
from typing import Any

import pandas as pd
from markupsafe import Markup

from whyrank.diagnosis.compare.queries import RANK
from whyrank.diagnosis.report.blocks import Queries
from whyrank.diagnosis.report.tables import each

# The page's policy allows the script of this hash and no other.
SCRIPT = files("whyrank.diagnosis.report").joinpath("page.js").read_text(encoding="utf-8")
HASH = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
# What could end a script element, begin a comment within it, or a line of JavaScript.
ESCAPES = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}


DIV = Markup(
    '<div class="queries"><p class="note">{}</p></div>\n<script type="application/json" id="queries-data">{}</script>\n'
)


def listed(block: Queries) -> Markup:
    data = json.dumps(_data(block), ensure_ascii=False, separators=(",", ":")).translate(ESCAPES)
    return DIV.format(block.note, Markup(data))


def _data(block: Queries) -> dict[str, Any]:
    """Each answer and type once; a row refers to them by number. Overlap in percent."""
    table = block.table
    answers, types = (_numbers(pd.concat([table[name] for name in names])) for names in (["answer", "first"], ["type"]))
    ranks = zip(*([_short(rank) for rank in table[f"{RANK}{system}"]] for system in block.systems), strict=True)
    rows = [
        [row.query_id, types[row.type], row.text, answers[row.answer], row.relevant, answers[row.first], row.suspected,
         row.words, None if math.isnan(row.overlap) else round(100 * row.overlap)]
        for row in each(table)
    ]  # fmt: skip
    return {
        "systems": [*block.systems],
        "shown": block.shown,
        "other": block.other,
        "answers": [*answers],
        "types": [*types],
        "rows": [[*row, *places] for row, places in zip(rows, ranks, strict=True)],
    }


def _numbers(values: pd.Series) -> dict[str, int]:
    return {value: number for number, value in enumerate(dict.fromkeys(map(str, values)))}


def _short(rank: float) -> float:
    return int(rank) if rank == int(rank) else rank
