"""Similarity in the report: what the verdict says first, the section of the page and of the terminal, the files."""

import re
from dataclasses import replace

import pandas as pd
import pytest

from whyrank.core import io
from whyrank.diagnosis.compare.pairs import DIFFERENCE_COLUMNS, Similarity, compare_similarity
from whyrank.diagnosis.report.files import write
from whyrank.diagnosis.report.html import render_html
from whyrank.diagnosis.report.markdown import render_markdown
from whyrank.diagnosis.report.sections import page as page_of
from whyrank.diagnosis.report.verdict import verdict

from ..shipped import SHIPPED
from .compare.test_pairs import DRAWS, with_pairs
from .test_report import PROVENANCE, Outline, examined, row, told

NAN = float("nan")
NOISE = {"tfidf": 0.6, "base": 0.3, "barlow": 0.32, "base-tuned": 0.4, "barlow-tuned": 0.42}


def similar(a, role, difference, low, high, p_holm=0.001, b=None, reason="", sets=7):
    name = f"mean of {sets} sets" if sets > 1 else "stsb"
    values = (name, sets, a, b or role, role, difference, low, high, p_holm, p_holm, 18850, reason)
    table = pd.DataFrame([values], columns=DIFFERENCE_COLUMNS)
    return Similarity(name, pd.DataFrame(), table)


def say(ranking, similarity, *trained):
    table = pd.DataFrame([ranking])
    return verdict(
        table, [], systems=SHIPPED, metric="accuracy@1", level=0.95, similarity=similarity, trained=set(trained)
    )


RANKING = row("base-tuned", "base", 0.083, 0.041, 0.125)
LOSS = similar("base-tuned", "base", -0.123, -0.127, -0.119)


def test_where_similarity_alone_was_trained_it_is_told_first():
    assert say(RANKING, LOSS, "similarity") == (
        "On 7 sets of pairs, fine-tuning loses to the encoder it started from, base, by \u22120.123 of mean Spearman "
        "(95 % CI [\u22120.127, \u22120.119]). In ranking, which it was not trained for, fine-tuning beats the encoder "
        "it started from, base, by +8.3 points of accuracy@1 (95 % CI [+4.1, +12.5])."
    )


def test_where_both_were_trained_ranking_is_told_first_and_both_are():
    text = say(RANKING, LOSS, "rank", "similarity")
    assert text.startswith("Fine-tuning beats the encoder it started from, base, by +8.3 points of accuracy@1")
    assert ". On 7 sets of pairs, fine-tuning loses to the encoder" in text and "not trained for" not in text


def test_where_ranking_alone_was_trained_similarity_is_what_it_was_not_trained_for():
    text = say(RANKING, similar("base-tuned", "base", -0.02, -0.03, -0.01, sets=1), "rank")
    assert text.endswith(
        "On the pairs of stsb, which it was not trained for, fine-tuning loses to the encoder it started from, base, "
        "by \u22120.020 of Spearman (95 % CI [\u22120.030, \u22120.010])."
    )


def test_noise_and_undefined_similarity_are_told_as_such():
    noise = say(RANKING, similar("base-tuned", "base", 0.001, -0.002, 0.004), "similarity")
    assert "fine-tuning shows no significant difference from the encoder it started from, base (n = 18,850, 95" in noise
    collapsed = similar("base-tuned", "base", NAN, NAN, NAN, NAN, reason="base-tuned: stsb: constant predictions")
    assert "cannot be compared with the encoder it started from, base (base-tuned: stsb: constant predictions)" in say(
        RANKING, collapsed, "similarity"
    )


@pytest.fixture(scope="module")
def tested(recorded):
    records = with_pairs(recorded, ("sts12", "a"), ("sts12", "<b>"), ("stsb", ""), ("mine|own", ""), noises=NOISE)
    run = records.runs["barlow"]
    flat = run.pairs.assign(prediction=run.pairs["prediction"].where(run.pairs["source"] != "stsb", 0.5))
    return replace(records, runs=records.runs | {"barlow": replace(run, pairs=flat)})


@pytest.fixture(scope="module")
def content(tested, findings):
    return told(tested, findings)


@pytest.fixture(scope="module")
def made(content):
    """Sections with their figures drawn, as both pages show them."""
    return page_of(content)


def test_page_has_the_section_with_its_table_picture_and_differences(content, made):
    page = render_html(made)
    outline = Outline(page)
    sections = [attrs["id"] for _, attrs in outline.named("section")]
    assert sections.index("similarity") == sections.index("comparisons") + 1
    assert 'href="#similarity"' in page and "Similarity gained or lost by training" in page
    shown = content.similarity.systems.set_index(["list", "system"])["value"]
    text = "".join(outline.text)
    assert f"{shown['stsb', 'base']:.3f}" in text and "mean of 2 sets" in text
    assert "Undefined: barlow on stsb: constant predictions." in text
    assert "undefined" in text and not re.search(r"\bnan\b", page, re.IGNORECASE)
    assert len(outline.ids) == len(set(outline.ids))


def test_terminal_shows_the_same_within_100_columns(content, made):
    text = render_markdown(made)
    section = text[text.index("## Similarity") : text.index("## Kinds of query")]
    assert max(map(len, section.splitlines())) <= 100
    assert "### mean of 2 sets: " in section and "| base-tuned \u2212 base " in section
    assert "Undefined: barlow on stsb: constant predictions." in section
    assert re.search(r"\| stsb +\| .* undefined \|", section) and "stsb: n = 60" in section
    assert "nan" not in section.lower().split()
    shown = content.similarity.systems.set_index(["list", "system"])["value"]
    assert f"{shown['mean of 2 sets', 'base-tuned']:.3f}" in section


@pytest.mark.usefixtures("undrawn")
def test_without_test_pairs_neither_shows_a_section(recorded, findings):
    without = page_of(told(recorded, findings))
    assert "similarity" not in [section.key for section in without.sections]
    assert not re.search("similarity", render_html(without) + render_markdown(without), re.IGNORECASE)


@pytest.mark.usefixtures("undrawn")
def test_files_hold_an_empty_cell_and_the_reason_where_it_is_undefined(tested, findings, tmp_path):
    known = compare_similarity(tested, **DRAWS)
    case = examined(tested)
    pd.testing.assert_frame_equal(case.similarity.systems, known.systems)
    write(case, findings, tmp_path, PROVENANCE)
    systems = io.read_table(tmp_path / "similarity.csv").set_index(["list", "system"])
    assert systems.loc[("stsb", "barlow"), "reason"] == "constant predictions"
    raw = (tmp_path / "similarity.csv").read_text().splitlines()
    assert "stsb,1,barlow,60,,,,constant predictions" in raw
    differences = io.read_table(tmp_path / "similarity_comparisons.csv")
    assert set(differences["list"]) == set(known.comparisons["list"]) and "p_holm" in differences
