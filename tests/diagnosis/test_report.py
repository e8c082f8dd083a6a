"""The report: what its verdict claims, that its page is whole and safe, and that its bytes repeat."""

import base64
import hashlib
import re
from collections import Counter
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from whyrank.core import io
from whyrank.core.origin import Origin
from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.probes.pretraining.pretraining import pretraining_hurts
from whyrank.diagnosis.registry import codes
from whyrank.diagnosis.report import sections
from whyrank.diagnosis.report.blocks import Details, Facts, Figures, Page, Section
from whyrank.diagnosis.report.content import gather
from whyrank.diagnosis.report.files import write
from whyrank.diagnosis.report.html import render_html
from whyrank.diagnosis.report.links import OF_CODE
from whyrank.diagnosis.report.markdown import render_markdown
from whyrank.diagnosis.report.numbers import free
from whyrank.diagnosis.report.sections import page as page_of
from whyrank.diagnosis.report.series import mean_distance
from whyrank.diagnosis.report.tables import best_cells
from whyrank.diagnosis.report.verdict import verdict
from whyrank.findings.again import OF_PIPELINE
from whyrank.findings.finding import Evidence, Finding, Fix
from whyrank.findings.outcome import not_applicable, passed, too_little
from whyrank.findings.plan import Plan, Step, planned
from whyrank.findings.records import TrainingRecord
from whyrank.findings.tree import in_order

from ..shipped import SHIPPED

PROVENANCE = {"seed": 3, "params": {"prepare": {"tokens": {"answer": 128}}}, "versions": {"numpy": "2.0"}}
DRAWS = {"level": 0.95, "resamples": 200, "seed": 0}
VOID = {"meta", "br", "hr", "img", "input", "link", "col", "wbr"}
HOSTILE = "<script>alert(1)</script></style></svg>\"'& 😀 שלום \u202egnp.exe " + "W" * 200


def row(a, role, difference, low, high, p_holm=0.001, b=None, n=183):
    return {
        "a": a, "b": b or role, "role": role, "type": "all", "difference": difference, "low": low, "high": high,
        "p_holm": p_holm, "n_queries": n,
    }  # fmt: skip


def examined(records):
    return Examination(records, "accuracy@1", **DRAWS)


def told(records, findings):
    """What the report says of some records."""
    return gather(examined(records), findings, PROVENANCE)


def say(*rows, findings=()):
    return verdict(pd.DataFrame(rows), list(findings), systems=SHIPPED, metric="accuracy@1", level=0.95)


class Outline(HTMLParser):
    """Tags that were opened, ids, heading levels, and whether each was closed in its turn."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.ids, self.text = [], [], [], []
        self.feed(page)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"{tag} closed out of turn"

    def handle_data(self, data):
        self.text.append(data)

    def named(self, *names):
        return [(tag, attrs) for tag, attrs in self.tags if tag in names]


@pytest.fixture(scope="module")
def content(recorded, findings):
    return told(recorded, findings)


@pytest.fixture(scope="module")
def made(content):
    """Sections with their figures drawn, as both pages show them."""
    return page_of(content)


@pytest.fixture(scope="module")
def page(made):
    return render_html(made)


@pytest.fixture(scope="module")
def outline(page):
    return Outline(page)


def test_verdict_names_gains_in_points_with_their_intervals():
    text = say(
        row("base-tuned", "base", 0.083, 0.041, 0.125),
        row("base-tuned", "best lexical baseline", 0.2, 0.15, 0.25, b="bm25"),
        row("barlow-tuned", "base-tuned", 0.031, 0.01, 0.05),
    )
    assert text == (
        "Fine-tuning beats the encoder it started from, base, by +8.3 points of accuracy@1 (95 % CI [+4.1, +12.5]) "
        "and beats bm25, the best lexical baseline, by +20.0 points ([+15.0, +25.0]); "
        "Barlow pretraining before it helps, by +3.1 points ([+1.0, +5.0])."
    )


def test_verdict_tells_losses_as_losses():
    text = say(
        row("base-tuned", "base", -0.05, -0.08, -0.02),
        row("barlow-tuned", "base-tuned", -0.275, -0.35, -0.19),
    )
    assert "loses to the encoder it started from, base, by \u22125.0 points" in text
    assert "(95 % CI [\u22128.0, \u22122.0])" in text
    assert "pretraining before it hurts, by \u221227.5 points ([\u221235.0, \u221219.0])" in text


def test_verdict_claims_no_difference_where_the_interval_holds_zero():
    text = say(row("base-tuned", "base", 0.01, -0.02, 0.04), row("barlow-tuned", "base-tuned", -0.004, -0.03, 0.02))
    assert "no significant difference from the encoder it started from, base (n = 183, 95 % CI [\u22122.0, " in text
    assert "pretraining before it makes no significant difference (n = 183, [\u22123.0, +2.0])" in text


def test_verdict_tells_equal_results_from_results_that_could_not_be_told_apart():
    text = say(row("base-tuned", "base", 0.0, 0.0, 0.0), row("barlow-tuned", "base-tuned", 0.0, 0.0, 0.0))
    assert text == (
        "Fine-tuning gives the same as the encoder it started from, base on each of 183 test queries "
        "and Barlow pretraining before it changes none of 183 test queries."
    )


def test_verdict_says_not_significant_where_the_correction_takes_certainty_away():
    text = say(row("base-tuned", "base", 0.05, 0.01, 0.09, p_holm=0.12))
    assert "Fine-tuning is ahead of the encoder it started from, base, by +5.0 points" in text
    assert "[+1.0, +9.0]), not significant after correction (p = 0.120)" in text


def test_the_embedding_space_says_that_its_figures_are_of_all_queries(made):
    # `scoring.ranking.representation` reads the vectors of every split.
    (own,) = (section for section in made.sections if section.key == "geometry")
    assert any(getattr(block, "text", "").startswith("Queries of all splits, each system") for block in own.blocks)


def test_a_finding_has_the_doubt_that_the_verdict_has(recorded):
    case = examined(recorded)
    said = {one.system: one.sentence for one in pretraining_hurts(case) if isinstance(one, Finding)}
    assert set(said) == {"barlow-tuned", "barlow"} and "significant" not in "".join(said.values())
    doubtful = examined(recorded)
    # A cached property stands in the dictionary of its object.
    vars(doubtful)["comparisons"] = case.comparisons.assign(p_holm=0.14)
    said = {one.system: one.sentence for one in pretraining_hurts(doubtful) if isinstance(one, Finding)}
    assert "], not significant after correction (p = 0.140). This is one seed" in said["barlow-tuned"]
    told_at_top = gather(doubtful, [], PROVENANCE).verdict
    assert "hurts" not in told_at_top.replace("seems to hurt", "") and "(p = 0.140)" in told_at_top


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0.9338, "0.9338"), (1.388e-17, "0"), (-82.84, "\u221282.84"), (1e-5, "1e\u221205"), (0.0, "0")],
)
def test_a_number_is_never_broken_and_what_rounding_left_is_nothing(number, shown):
    page = render_html(Page([], [], [Section(1, "s", [Facts([("name", free(number), "points")])], "s")], ""))
    assert f'<dd><span class="number">{shown}</span> <small>points</small></dd>' in page
    assert re.search(r"\.number \{[^}]*white-space: nowrap", page)


@pytest.mark.parametrize(("text", "is_number"), [("[\u22123.8, +2.6]", True), ("2.0", True), ("a/long/path", False)])
def test_an_interval_is_one_number_and_a_path_may_be_broken(text, is_number):
    page = render_html(Page([], [], [Section(1, "s", [Facts([("name", text, "")])], "s")], ""))
    assert (f'<span class="number">{text}</span>' in page) == is_number


@pytest.mark.parametrize(
    ("fix", "label"),
    [(Fix({"a": 1}, "or choose another encoder"), "Alternatively"), (Fix({"a": 1}, "check the prompts"), "Besides")],
)
def test_an_alternative_stands_below_the_command_that_it_is_an_alternative_to(recorded, fix, label):
    case = examined(replace(recorded, runs={"bm25": recorded.runs["bm25"]}, finetune={}))
    finding = Finding("code", "error", "base", "It fails.", fix=fix)
    steps = Plan([Step(1, "other", ("base",), "It fails.", fix, changes_data=False)])
    text = render_markdown(page_of(gather(case, [finding], PROVENANCE, (), steps)))
    for part in (text[text.index("## Fix plan") : text.index("## Findings")], text[text.index("## Findings") :]):
        said = fix.action.removeprefix("or ")
        assert part.index("dvc exp run -S a=1") < part.index(f"{label}: {said}")


def test_verdict_has_no_bounds_to_tell_with_a_single_answer():
    text = say(row("base-tuned", "base", 0.5, np.nan, np.nan, n=1))
    assert text.endswith("no significant difference from the encoder it started from, base (n = 1).")


def test_verdict_ends_with_the_weightiest_error_and_with_no_milder_finding(findings):
    gain = row("base-tuned", "base", 0.083, 0.041, 0.125)
    assert "; fix first barlow-single-answer-batches: Every" in say(gain, findings=findings)
    mild = [finding for finding in findings if finding.severity != "error"]
    assert "fix first" not in say(gain, findings=mild)


@pytest.mark.usefixtures("undrawn")
def test_verdict_without_tuned_systems_says_so(recorded):
    content = told(replace(recorded, runs={"bm25": recorded.runs["bm25"]}, finetune={}), [])
    assert content.verdict.startswith("No tuned system was evaluated")
    made = page_of(content)
    Outline(render_html(made))
    assert "No problem found." in render_markdown(made)


def test_page_needs_no_network_and_no_script_but_its_own(page, outline):
    assert not outline.named("link", "img", "iframe", "object")
    # Data that no browser runs, and the one script whose hash the policy names.
    assert [attrs.get("type") for _, attrs in outline.named("script")] == ["application/json", None]
    (hash_,) = re.findall(r"script-src 'sha256-([^']+)'", page)
    (script,) = re.findall(r"(?s)<script>(.*?)</script>", page)
    assert base64.b64decode(hash_) == hashlib.sha256(script.encode()).digest()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|fetch\(|https?:", script)
    loading = [
        value for _, attrs in outline.tags for name, value in attrs.items() if name in ("src", "href", "xlink:href")
    ]
    assert loading and all(value.startswith("#") for value in loading)
    assert "@import" not in page and not re.search(r"url\((?!#)", page)


def test_all_text_of_all_figures_has_one_size_and_all_figures_one_width(page):
    assert set(re.findall(r"<text [^>]*?\bfont(?:-size)?: (?:\w+ )*([\d.]+px)", page)) == {"10px"}
    assert len(set(re.findall(r'<svg [^>]*viewBox="0 0 ([\d.]+) ', page))) == 1


def test_page_sections_come_in_the_order_of_a_reader(outline):
    sections = [attrs["id"] for _, attrs in outline.named("section")]
    assert sections == [
        "systems", "findings", "comparisons", "slices", "geometry", "queries", "worst", "convergence", "checks", "data",
        "provenance",
    ]  # fmt: skip
    assert outline.named("nav", "h1")[0][0] == "h1"


def test_ids_are_unique_and_every_reference_hits_one(page, outline):
    assert len(outline.ids) == len(set(outline.ids))
    targets = re.findall(r'(?:href="#|url\(#|aria-labelledby=")([\w-]+)', page)
    assert targets and set(targets) <= set(outline.ids)


def test_headings_never_skip_a_level_and_table_headers_have_a_scope(outline):
    levels = [int(tag[1]) for tag, _ in outline.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(next_ - level <= 1 for level, next_ in pairwise(levels))
    assert all("scope" in attrs for _, attrs in outline.named("th"))


def test_every_figure_is_an_image_with_a_title(page):
    drawings = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    # metrics, gap, learning, two of Barlow, two slices, three of centroids
    assert len(drawings) == 10
    for drawing in drawings:
        root = ElementTree.fromstring(drawing)
        assert root.get("role") == "img" and root[0].tag.endswith("title") and root[0].text
        assert root.find(".//{*}metadata") is None and root.find(".//{*}style") is None


def test_wide_tables_scroll_in_their_own_box(page):
    assert page.count("<table") == page.count('<div class="scroll" tabindex="0" role="region" aria-label=')


def test_best_of_each_column_is_bold_and_equals_share_it():
    columns = ["system", "type", "metric", "value"]
    table = pd.DataFrame(
        [("a", "all", "mrr", 0.81249), ("b", "all", "mrr", 0.81206), ("c", "all", "mrr", 0.5)], columns=columns
    )
    assert best_cells(table) == {("a", "all", "mrr"), ("b", "all", "mrr")}  # both read 0.812


def test_findings_stand_in_order_of_weight_with_severity_evidence_and_command(page, outline):
    codes = ["barlow-single-answer-batches", "truncation-loses-evidence", "hub-answers"]
    places = [page.index(f"<h3>{code}</h3>") for code in codes]
    assert places == sorted(places)
    assert page.count('<span class="badge">error</span>') == 1
    text = "".join(outline.text)
    assert (
        "dvc exp run -S pretrain_barlow.batches=across_answers -S 'pretrain_barlow.views=[question-conversation]'"
        in text
    )
    assert "mean diagonal at the end0.004 of 1" in " ".join(text.split())
    assert f"By severity: error 1, warning 1, info 1. Checks: 3 failed. {OF_PIPELINE}" in text


def test_provenance_shows_params_with_dotted_names(content, page):
    assert '<dt>prepare.tokens.answer</dt><dd><span class="number">128</span></dd>' in page
    assert '<dt>numpy</dt><dd><span class="number">2.0</span></dd>' in page
    assert "### params\n\n- prepare.tokens.answer: 128\n" in render_markdown(page_of(content))


def test_a_figure_says_its_message_and_has_the_colours_of_the_page(content, page):
    alt = {one[0]: unescape(one[1]) for one in re.findall(r'<title id="([\w-]+)-title">(.*?)</title>', page)}
    of_all = content.systems.query("type == 'all' and metric == 'accuracy@1'").sort_values("value", ascending=False)
    best = of_all.iloc[0]
    assert f"accuracy@1 of every system. Highest first: {best['system']} {best['value']:.3f}, " in alt["metrics"]
    gap = content.gap.iloc[0]
    assert f"in points: {gap['system']} {100 * gap['gap']:+.1f}".replace("-", "\u2212") in alt["gap"]
    first, last = content.learning.query("init == 'base'")["dev"].iloc[[0, -1]]
    assert (
        f"base: {first:.3f} before the first step" in alt["learning"] and f"{last:.3f} at step 400." in alt["learning"]
    )
    assert "Question to conversation centroid:" in alt["centroids-base"]
    drawings = "".join(re.findall(r"(?s)<svg.*?</svg>", page))
    used = set(re.findall(r"var\(--(\w+), #", drawings))
    assert {"ink", "muted", "grid", "axis", "card", "blue", "orange", "teal", "magenta"} <= used
    assert not re.search(r"(?<!, )#[0-9a-f]{6}", drawings)  # no colour but by a name of the page
    for theme in re.findall(r"(?s):root \{.*?\}", page)[:2]:
        assert all(f"--{name}: #" in theme for name in used)


@pytest.mark.parametrize("name", ["learning", "barlow-off-diagonal", "gap", "slice-length"])
def test_a_legend_stands_outside_of_its_axes(made, name):
    plots = [plot for section in made.sections for block in section.blocks if isinstance(block, Figures)
             for plot in block.plots if plot.name == name]  # fmt: skip
    figure = Figure(figsize=(4.2, plots[0].height), layout="constrained")
    axes = figure.add_subplot()
    plots[0].paint(axes)
    figure.draw_without_rendering()
    assert axes.get_legend().get_window_extent().y0 >= axes.get_window_extent().y1


@pytest.fixture(scope="module")
def hostile(recorded):
    data = recorded.data
    answers = data.answers.assign(title=HOSTILE, raw_text=HOSTILE)
    data = replace(data, answers=answers, queries=data.queries.assign(raw_text=HOSTILE))
    finding = Finding(
        HOSTILE,
        "error",
        HOSTILE,
        HOSTILE,
        (Evidence(HOSTILE, 1.0, HOSTILE),),
        HOSTILE,
        Fix({"a": HOSTILE}, HOSTILE),
        HOSTILE,
    )
    return gather(examined(replace(recorded, data=data)), [finding], {HOSTILE: {HOSTILE: HOSTILE}})


@pytest.fixture(scope="module")
def hostile_page(hostile):
    return page_of(hostile)


def test_text_from_data_cannot_break_out_of_the_page(hostile_page, page):
    attacked = render_html(hostile_page)
    outline = Outline(attacked)
    assert len(outline.named("script")) == 2
    assert len(outline.named("svg")) == page.count("<svg") and len(outline.named("style")) == 1
    assert "😀" in attacked and "שלום" in attacked


def test_text_from_data_cannot_drive_a_terminal_or_break_a_table(hostile, hostile_page):
    text = render_markdown(hostile_page)
    assert not re.search(
        "[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text.replace(hostile.findings[0].fix.command, "")
    )
    assert all(line.endswith("|") for line in text.splitlines() if line.startswith("|"))


def test_terminal_report_fits_100_columns_with_aligned_tables(made):
    text = render_markdown(made)
    lines = [line for line in text.splitlines() if not line.startswith("dvc exp run")]
    assert max(map(len, lines)) <= 100
    blocks = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert len(blocks) > 8
    assert all(len({len(line) for line in block.splitlines()}) == 1 for block in blocks)
    assert not re.search(r"</?[a-z]+>", text)
    assert "| base-tuned   | " in text and "### ERROR barlow-single-answer-batches" in text


def test_page_and_terminal_show_the_same_numbers(content, made, page):
    shown = content.systems.query("system == 'base' and type == 'all' and metric == 'accuracy@1'").iloc[0]
    text = f"{shown['value']:.3f}"
    assert text in page and text in render_markdown(made)


WORD = re.compile(r"[+\u2212]?\d[\d.,]*\d|[+\u2212]?\d|\w[\w@-]+")


def words_of_page(page):
    """What a reader sees of the page: no style, no drawing, no link to a section."""
    text = re.sub(r'(?s)<(style|script|svg|nav|title)\b.*?</\1>|<a class="skip".*?</a>|<[^>]+>', " ", page)
    return Counter(WORD.findall(unescape(text)))


def test_page_and_terminal_say_the_same(content, made, page):
    """Each word of one is in the other, each number as often; a table cut in two repeats the names of its rows."""
    seen, told = words_of_page(page), Counter(WORD.findall(render_markdown(made).replace("\\", "")))
    shortened = {word for hit in content.worst for word in WORD.findall(hit.text)}
    assert set(seen) - set(told) - shortened == set()
    assert set(told) - set(seen) <= {"Figure", "ERROR", "WARNING", "INFO"}
    numbers = {word: n for word, n in seen.items() if re.fullmatch(r"[+\u2212]?\d+\.\d{1,3}", word)}
    assert len(numbers) > 100 and all(told[word] == n for word, n in numbers.items())


def test_the_report_says_how_the_lexical_baselines_read_the_texts(recorded):
    bm25 = recorded.runs["bm25"]
    other = replace(bm25, analyser=bm25.analyser | {"language": "", "stemmer": ""})
    together, apart = (
        " ".join(render_markdown(page_of(gather(examined(replace(recorded, runs=runs)), [], PROVENANCE))).split())
        for runs in (recorded.runs, recorded.runs | {"bm25": other})
    )
    read_alike = (
        "As tfidf and bm25 read the texts: most are in language `en` (98 %); BM25 counts stems (Snowball: `en`)."
    )
    assert read_alike in together
    assert "As tfidf reads the texts: most are in" in apart
    assert "As bm25 reads the texts: no language was recognised; BM25 counts words as they stand." in apart


@pytest.mark.usefixtures("undrawn")
def test_a_section_is_one_file_which_both_pages_find(content, monkeypatch, tmp_path):
    (tmp_path / "weather.py").write_text(
        "from whyrank.diagnosis.report.blocks import *\n"
        "def section(content):\n"
        "    rows = [[Cell('Monday'), Cell('3.25', is_best=True)]]\n"
        "    table = Table('Rain', head('Day', 'Rain|mm'), [Group('', rows)])\n"
        "    return Section(15, 'Weather', [Paragraph('It rained.'), table])\n"
    )
    monkeypatch.setattr(sections, "__path__", [*sections.__path__, str(tmp_path)])
    made = page_of(content)
    assert [section.key for section in made.sections][:3] == ["systems", "weather", "findings"]
    shown = render_html(made)
    assert 'href="#weather"' in shown and "It rained." in shown and "<strong>3.25</strong>" in shown
    text = render_markdown(made)
    assert "## Weather\n\nIt rained.\n\n| Day    | Rain (mm) |" in text and "| Monday |     3.25* |" in text


@pytest.mark.usefixtures("undrawn")
def test_parameters_that_differ_from_the_committed_ones_are_shown_and_all_others_folded(content):
    origin = Origin(settings=("seed=8", "++systems.mine.role=tuned", "~systems.old"))
    made = page_of(replace(content, origin=origin))
    text, shown = render_markdown(made), render_html(made)
    assert "- seed: 8\n- systems.mine.role: tuned\n- ~systems.old: taken away" in text
    assert "Changed: 3 parameters" in text and "<summary>params</summary>" in shown
    assert "No parameter differs from the committed params.yaml." in render_markdown(page_of(content))


@pytest.mark.usefixtures("undrawn")
def test_a_symptom_is_folded_into_its_cause_and_information_stands_last(content, findings):
    def pages_of(*found):
        made = page_of(replace(content, findings=in_order(found)))
        (section,) = [section for section in made.sections if section.key == "findings"]
        return made, section.blocks[1:]

    symptom = replace(
        findings[0], code="pretraining-hurts", severity="error", explained_by=("barlow-single-answer-batches",)
    )
    cause = replace(findings[1], explains=("pretraining-hurts",), also=(replace(findings[1], system="elsewhere"),))
    made, (first, second, aside) = pages_of(cause, symptom, findings[0], findings[2])
    assert (first.title, first.about) == ("barlow-single-answer-batches", "about pretrain_barlow, elsewhere")
    (folded,) = [block for block in first.blocks if isinstance(block, Details)]
    assert folded.summary == "Explains pretraining-hurts"
    assert [card.title for card in folded.blocks] == ["pretraining-hurts"]
    assert second.title == "truncation-loses-evidence"
    assert aside.summary == "For information: hub-answers" and [card.title for card in aside.blocks] == ["hub-answers"]
    assert "#### Explains pretraining-hurts\n\n##### ERROR pretraining-hurts" in render_markdown(made)
    _, cards = pages_of(cause, replace(symptom, explained_by=("another-cause",)))
    assert [card.title for card in cards] == ["barlow-single-answer-batches", "pretraining-hurts"]


@pytest.mark.usefixtures("undrawn")
def test_the_number_that_decides_stands_beside_its_threshold(content, findings):
    evidence = (
        Evidence("share cut", 31.0, "%").against(5), Evidence("gradient", 12.5).against(3.0),
        Evidence("gain", -27.53, "points").against(-1), Evidence("steps", 300, "steps"),
    )  # fmt: skip
    made = page_of(replace(content, findings=[replace(findings[0], evidence=evidence)]))
    shown, text = render_html(made), render_markdown(made)
    assert '<span class="number">31</span> <small>%; threshold\u00a05 %</small>' in shown
    assert "- gradient: 12.5 threshold 3" in text and "- steps: 300 steps\n" in text
    assert "- gain: \u221227.5 points; threshold \u22121.0" in text
    told = {one["name"]: one["threshold"] for one in replace(findings[0], evidence=evidence).as_json()["evidence"]}
    assert told == {"share cut": 5, "gradient": 3, "gain": -1, "steps": None}


@pytest.mark.usefixtures("undrawn")
def test_each_finding_has_an_address_and_leads_to_its_check_its_figure_and_its_rows(content, findings):
    rows = replace(findings[1], fix=Fix({"a": 1}, rows="metrics/prepare/rows_wrong-labels.csv"))
    twice = replace(findings[2], severity="error", code=rows.code)
    steps = Plan([Step(1, rows.code, ("data",), "It fails.", Fix({"a": 1}), False)])
    made = page_of(replace(content, findings=in_order([rows, twice, findings[0]]), plan=steps))
    shown, text = render_html(made), render_markdown(made)
    name = "barlow-single-answer-batches"
    assert shown.count(f'id="finding-{name}"') == shown.count(f'id="finding-{name}-2"') == 1
    assert f'<h3><a href="#finding-{name}">1. {name}</a></h3>' in shown
    assert f'<span data-file="../../docs/findings.md#{name}">docs/findings.md#{name}</span>' in shown
    assert '<a href="#plot-barlow-diagonal">' in shown and 'id="plot-barlow-diagonal"' in shown
    assert (
        '<span data-file="../../metrics/prepare/rows_wrong-labels.csv">metrics/prepare/rows_wrong-labels.csv</s'
        in shown
    )
    assert f"- What the check does: docs/findings.md#{name}" in text
    assert "- Rows: metrics/prepare/rows_wrong-labels.csv" in text


def test_every_code_that_leads_to_a_figure_is_one_of_a_check():
    assert set(OF_CODE) <= {*codes()}


@pytest.mark.usefixtures("undrawn")
def test_the_plan_stands_before_the_findings_and_every_check_is_shown_with_its_number(
    recorded, findings, shipped_params
):
    told, plan = planned(in_order(findings), shipped_params)
    outcomes = [
        replace(passed("base", Evidence("share of ties", 1.5, "%"), 5.0), code="ties-decide-the-metric"),
        replace(too_little("base", "4 queries; 20 would tell"), code="underfitted"),
        replace(not_applicable("data", "pairs"), code="labels-reversed"),
    ]
    made = page_of(gather(examined(recorded), told, PROVENANCE, outcomes, plan))
    assert [section.key for section in made.sections][:3] == ["plan", "systems", "findings"]
    text = " ".join(render_markdown(made).split())
    assert plan.steps[0].command in text and "Fix: step 1 of the fix plan" in text
    counts = "Checks: 3 failed, 1 passed, 1 not enough data, 1 not applicable."
    assert text.count(counts) == 2 and "| ties-decide-the-metric | base | share of ties | 1.5 % | 5 |" in re.sub(
        r"[ ]+", " ", text
    )
    assert "4 queries; 20 would tell" in text and "needs pairs" in text
    shown = render_html(made)
    assert 'href="#plan"' in shown and shown.count("<h3>") > 3
    assert unescape(shown).index(plan.steps[0].command) < unescape(shown).index("<nav")


@pytest.mark.usefixtures("undrawn")
def test_the_top_says_which_run_it_is_how_its_checks_ended_and_the_first_error(recorded, findings):
    params = {"prepare": {"hub": "", "source": "/home/who/data/<b>mine"}, "encoder": {"source": "embedded"}}
    outcomes = [replace(passed("base", Evidence("ties", 1.0), 5.0), code="ties-decide-the-metric"),
                replace(not_applicable("data", "pairs"), code="labels-reversed")]  # fmt: skip
    origin = Origin("no-pretraining", "0123abcd", "2024-02-03", True)
    made = page_of(gather(examined(recorded), in_order(findings), {"params": params}, outcomes, origin=origin))
    assert made.title == "<b>mine, all-MiniLM-L6-v2, no-pretraining, 0123abcd, code changed since, 2024-02-03"
    shown, text = render_html(made), " ".join(render_markdown(made).split())
    assert "<title>&lt;b&gt;mine, all-MiniLM-L6-v2, no-pretraining, 0123abcd" in shown and "/home" not in shown[:20_000]
    assert "1 error, 1 warning, 1 for information, 1 passed, 1 not applicable." in text
    assert '<li class="error"><b>1</b> error</li>' in shown and '<li class="passed"><b>1</b> passed</li>' in shown
    assert "Cause: `barlow-single-answer-batches` (pretrain_barlow). Every pretraining batch held one answer" in text
    healthy = render_html(page_of(gather(examined(recorded), [], {}, outcomes)))
    assert '<li class=""><b>0</b> errors</li>' in healthy and "No problem found." in healthy


@pytest.mark.usefixtures("undrawn")
def test_four_steps_of_the_plan_are_seen_and_the_others_folded(content):
    steps = [Step(n, f"code-{n}", ("base",), "It fails.", Fix({"a": n}), False) for n in range(1, 7)]
    shown = render_html(page_of(replace(content, plan=Plan(steps))))
    assert shown.count('<article class="card step">') == 6
    assert shown.index("4. code-4") < shown.index("<summary>Steps 5 to 6: code-5, code-6") < shown.index("5. code-5")


@pytest.mark.usefixtures("undrawn")
def test_report_without_pretraining_leaves_its_figures_out(recorded, findings, tmp_path):
    off = TrainingRecord({"steps": 0}, pd.DataFrame())
    records = replace(recorded, barlow=off)
    write(examined(records), findings, tmp_path, PROVENANCE)
    page = (tmp_path / "report.html").read_text()
    assert "Barlow Twins: agreement" not in page and page.count("<svg") == 8
    assert (tmp_path / "plots/barlow.csv").read_text() == "step,mean_diagonal,off_diagonal_rms,noise_floor\n"


def test_written_files_are_complete_and_as_they_were_made_before(recorded, findings, tmp_path, content, made, page):
    assert write(examined(recorded), findings, tmp_path, PROVENANCE) == content.verdict
    names = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*"))
    assert names == [
        "checks.csv", "comparisons.csv", "convergence.csv", "plots/barlow.csv", "plots/centroids.csv", "plots/gap.csv",
        "plots/learning.csv", "queries.csv", "report.html", "report.md", "similarity.csv", "similarity_comparisons.csv",
        "slices.csv", "systems.csv",
    ]  # fmt: skip
    for name, expected in (("report.html", page), ("report.md", render_markdown(made))):
        assert (tmp_path / name).read_text(encoding="utf-8") == expected, name
    for name in ("systems", "comparisons", "convergence", "slices", "checks"):
        io.write_table(tmp_path / "again.csv", getattr(content, name))
        assert (tmp_path / f"{name}.csv").read_bytes() == (tmp_path / "again.csv").read_bytes(), name
    learning = io.read_table(tmp_path / "plots/learning.csv")
    assert list(learning.columns) == ["init", "step", "dev", "train"] and set(learning["init"]) == {"base", "barlow"}


def test_centroids_join_the_questions_and_conversations_of_each_answer(recorded, content):
    table = content.centroids[content.centroids["system"] == "base"]
    answer = table["answer_id"].iloc[0]
    pair = table[table["answer_id"] == answer]
    assert pair["kind"].tolist() == ["question", "conversation"]
    ids = set(recorded.data.qrels.query("answer_id == @answer")["query_id"])
    queries = recorded.data.queries
    vectors = recorded.runs["base"].query_vectors.astype(float)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    mean = [
        vectors[(queries["query_id"].isin(ids) & (queries["type"] == kind)).to_numpy()].mean(axis=0)
        for kind in pair["kind"]
    ]
    assert pair["distance"].iloc[0] == pytest.approx(np.linalg.norm(mean[0] - mean[1]))


def test_spread_is_the_mean_distance_of_two_different_answers(content):
    table = content.centroids
    assert table.groupby("system")["spread"].nunique().eq(1).all()
    # Corners of a 3-4-5 triangle: (3 + 4 + 5) / 3 = 4.
    assert mean_distance(np.array([[0.0, 0], [3, 0], [0, 4]])) == pytest.approx(4)
