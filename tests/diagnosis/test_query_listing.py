"""The table of all queries in a browser: its data cannot end its element, and the script shows it as text."""

import json
import re
import shutil
import subprocess
from html import unescape

import numpy as np
import pandas as pd
import pytest

from whyrank.diagnosis.report.blocks import Page, Queries, Section
from whyrank.diagnosis.report.html import render_html

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
HOSTILE = (
    "</script><script>document.title='owned'</script><img src=x onerror=alert(1)><!-- <script> \u2028 \\u003c \"'&amp;"
)
SYSTEMS = ["tfidf", "base", "base-tuned"]


def page(n, first=HOSTILE):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({
        "query_id": [f"q{i}" for i in range(n)], "type": "question", "text": [first, *["why?"] * (n - 1)],
        "answer": first, "relevant": 2, "first": "another", "suspected": [first, *[""] * (n - 1)],
        **{f"rank_{system}": rng.integers(1, 50, n).astype(float) for system in SYSTEMS},
    })  # fmt: skip
    table.loc[0, "rank_base"] = 2.5
    listing = Queries("All of them.", table, SYSTEMS, "base-tuned", "base")
    return render_html(Page(["Result."], [], [Section(1, "Queries", [listing], "queries")], "footer")), table


def test_data_cannot_end_its_element_and_is_what_it_was():
    shown, table = page(3)
    (data,) = re.findall(r'(?s)<script type="application/json" id="queries-data">(.*?)</script>', shown)
    assert not set("<>&\u2028") & set(data)
    told = json.loads(data)
    assert told["rows"][0][2] == HOSTILE == told["answers"][told["rows"][0][3]]
    assert told["rows"][0][7:] == [table["rank_tfidf"][0], 2.5, table["rank_base-tuned"][0]]
    assert shown.count("<script") == 2


@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
def test_a_browser_shows_a_window_of_the_rows_as_text(tmp_path):
    shown, table = page(20_000)
    (tmp_path / "page.html").write_text(shown, encoding="utf-8")
    flags = (*FLAGS, "--virtual-time-budget=5000", f"--user-data-dir={tmp_path}/profile", "--dump-dom")
    address = (tmp_path / "page.html").as_uri()
    dom = subprocess.run(
        [str(BROWSER), *flags, address], check=True, capture_output=True, text=True, timeout=120
    ).stdout
    assert "<title>whyrank report</title>" in dom and "<img" not in dom and dom.count("<script") == 2
    (body,) = re.findall(r'(?s)<tbody aria-hidden="false">(.*?)</tbody>', dom)
    assert 5 < body.count("<tr") < 60
    first = [unescape(re.sub("<[^>]*>", "", cell)) for cell in re.findall(r"(?s)<t[hd].*?</t[hd]>", body)[:9]]
    assert first[0] == HOSTILE and first[2] == f"{HOSTILE} (and 1 more)"
    assert first[3:6] == [f"{table[f'rank_{system}'][0]:g}" for system in SYSTEMS]
    wins = int((table["rank_base-tuned"] < table["rank_base"]).sum())
    assert f"20000 of 20000 queries. base-tuned against base: wins {wins}, losses" in dom
