"""The table of all queries in a browser: its data cannot end its element, and the script shows it as text."""

import json
import re
import shutil
import subprocess
from html import unescape

import numpy as np
import pandas as pd
import pytest

from whyrank.diagnosis.report.blocks import Facts, Links, Page, Paragraph, Queries, Section
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
        "words": np.arange(n) % 40 + 1, "overlap": np.where(np.arange(n) % 4, np.arange(n) % 10 / 10, np.nan),
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
    assert told["rows"][0][7:9] == [1, None] and told["rows"][1][7:9] == [2, 10]
    assert told["rows"][0][9:] == [table["rank_tfidf"][0], 2.5, table["rank_base-tuned"][0]]
    assert shown.count("<script") == 2


def dom_of(shown, folder, until=""):
    """The page as a browser has it once its scripts ran.

    until   words that are there then: the page builds its table after it was painted, and a browser without a screen
            may end before that; it is asked again, a few times
    """
    (folder / "page.html").write_text(shown, encoding="utf-8")
    flags = (*FLAGS, "--run-all-compositor-stages-before-draw", "--virtual-time-budget=20000")
    command = [str(BROWSER), *flags, f"--user-data-dir={folder}/profile", "--dump-dom", (folder / "page.html").as_uri()]
    for _ in range(5):
        dom = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
        if until in dom:
            break
    return dom


@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
def test_a_file_of_the_repository_is_a_link_where_the_report_stands_in_it_and_its_name_in_a_copy(tmp_path):
    links = Links(
        [("What the check does", "docs/findings.md#x", "../../docs/findings.md#x"), ("Figure", "curve", "#a")]
    )
    shown = render_html(Page(["Result."], [], [Section(1, "s", [links], "a")], ""))
    for place, is_link in (("metrics/diagnose", True), ("logs/demo/labels", False)):
        (tmp_path / place).mkdir(parents=True)
        dom = dom_of(shown, tmp_path / place)
        assert ('<a href="../../docs/findings.md#x">docs/findings.md#x</a>' in dom) == is_link
        assert ">docs/findings.md#x<" in dom and '<a href="#a">curve</a>' in dom


@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
def test_no_number_and_no_option_is_broken_over_two_lines_however_narrow_the_page(tmp_path):
    facts = Facts([("accuracy@1 by another name that is long", "0.933812", "points"),
                   ("interval of something long", "[\u22123.81, +2.62]", "")])  # fmt: skip
    blocks = [facts, Paragraph("`whyrank fix` runs the first step; with `--all` it goes on until nothing helps.")]
    shown = render_html(Page(["Result."], [], [Section(1, "s", blocks, "a")], ""))
    measure = """<script>
      const broken = [];
      for (let width = 220; width < 420; width += 10) {
        document.body.style.width = `${width}px`;
        for (const one of document.querySelectorAll(".number, code")) {
          if (one.getClientRects().length > 1) broken.push(`${width} ${one.textContent}`);
        }
      }
      document.title = `broken: ${broken.join(", ")}.`;
    </script>"""
    let_in = re.sub(r"script-src 'sha256-[^']+'", "script-src 'unsafe-inline'", shown).replace(
        "</body>", measure + "</body>"
    )
    assert "<title>broken: .</title>" in dom_of(let_in, tmp_path)


def rows_of(dom):
    """The words of the cells of each row in sight."""
    (body,) = re.findall(r'(?s)<tbody aria-hidden="false">(.*?)</tbody>', dom)
    lines = re.findall(r"(?s)<tr.*?</tr>", body)
    return [
        [unescape(re.sub("<[^>]*>", "", cell)) for cell in re.findall(r"(?s)<t[hd].*?</t[hd]>", line)] for line in lines
    ]


@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
@pytest.mark.parametrize(
    ("fields", "sorted_by", "is_kept"),
    [
        ({"Words, from": 5, "Words, to": 7}, "Words", lambda row: 5 <= row.words <= 7),
        ({"Overlap in %, from": 70}, "Overlap with its answer", lambda row: row.overlap >= 0.7),
        ({"Labels": "suspected"}, "Query", lambda row: row.suspected != ""),
    ],
)
def test_a_reader_filters_and_sorts_by_words_overlap_and_suspicion(tmp_path, fields, sorted_by, is_kept):
    shown, table = page(200)
    # The page builds its table once it was painted, which no clock tells.
    acts = f"""<script>const act = () => {{
      for (const [name, value] of Object.entries({json.dumps(fields)})) {{
        const [label] = [...document.querySelectorAll("label")].filter((one) => one.firstChild.textContent === name);
        label.lastChild.value = value;
        label.lastChild.dispatchEvent(new Event("input"));
      }}
      const heads = [...document.querySelectorAll("th button")];
      const sort = heads.find((one) => one.textContent === {json.dumps(sorted_by)});
      sort.click();
      sort.click();
    }};
    const wait = () => document.querySelector(".queries th button") ? act() : setTimeout(wait, 50);
    wait();</script>"""
    # The page lets no other script run.
    let_in = re.sub(r"script-src 'sha256-[^']+'", "script-src 'unsafe-inline'", shown).replace(
        "</body>", acts + "</body>"
    )
    kept = table[[is_kept(row) for row in table.itertuples()]]
    rows = rows_of(dom := dom_of(let_in, tmp_path, until=f"{len(kept)} of 200 queries"))
    assert f"{len(kept)} of 200 queries" in dom
    if sorted_by == "Query":
        assert [row[0] for row in rows] == [HOSTILE]
    else:
        column, unit = {"Words": (2, ""), "Overlap with its answer": (3, "\u00a0%")}[sorted_by]
        values = kept["words"] if column == 2 else (100 * kept["overlap"]).round().astype(int)
        assert [row[column] for row in rows] == [f"{value}{unit}" for value in sorted(values, reverse=True)][
            : len(rows)
        ]


@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
def test_a_browser_shows_a_window_of_the_rows_as_text(tmp_path):
    shown, table = page(20_000)
    dom = dom_of(shown, tmp_path, until='<tbody aria-hidden="false">')
    assert "<title>whyrank report</title>" in dom and "<img" not in dom and dom.count("<script") == 2
    rows = rows_of(dom)
    assert 5 < len(rows) < 60
    first = rows[0]
    assert first[0] == HOSTILE and first[2:5] == ["1", "", f"{HOSTILE} (and 1 more)"]
    assert first[5:8] == [f"{table[f'rank_{system}'][0]:g}" for system in SYSTEMS]
    wins = int((table["rank_base-tuned"] < table["rank_base"]).sum())
    assert f"20000 of 20000 queries. base-tuned against base: wins {wins}, losses" in dom
