"""Ratings in the report: what the verdict says first, the section of the page and of the terminal, the files."""

import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from whyrank.core import io
from whyrank.diagnosis.report.files import write
from whyrank.diagnosis.report.html import render_html
from whyrank.diagnosis.report.markdown import render_markdown
from whyrank.diagnosis.report.sections import page as page_of
from whyrank.findings.records import TrainingRecord

from . import rated
from .test_report import PROVENANCE, Outline, examined, told


@pytest.fixture(scope="module")
def flat(recorded):
    """The predictions of base are constant on one target."""
    return rated.rated_otherwise(rated.with_ratings(recorded), "base", rows=np.arange(rated.ROWS), columns=2, to=0.1)


@pytest.fixture(scope="module")
def content(flat, findings):
    return told(flat, findings)


@pytest.fixture(scope="module")
def made(content):
    """Sections with their figures drawn, as both pages show them."""
    return page_of(content)


@pytest.fixture(scope="module")
def page(made):
    return render_html(made)


def test_where_ratings_alone_were_trained_they_are_told_first(content):
    first, second = content.verdict.split(". ")[:2]
    assert first.startswith("On 4 rated targets, fine-tuning beats ridge on the frozen encoder, base, by ")
    assert "of mean column Spearman (95 % CI [+" in first and "beats tfidf, the lexical baseline, by" in first
    assert second.startswith("In ranking, which it was not trained for, ")


@pytest.mark.usefixtures("undrawn")
def test_where_ranking_was_trained_too_ratings_are_told_after_it_and_stand_after_it(recorded, findings):
    both = replace(rated.with_ratings(recorded), finetune=recorded.finetune)
    ranked = {init: replace(one, history=one.history.assign(rank_loss=1.0)) for init, one in both.finetune.items()}
    content = told(replace(both, finetune=ranked), findings)
    assert content.verdict.startswith("Fine-tuning ") and ". On 4 rated targets, fine-tuning beats" in content.verdict
    made = page_of(content)
    sections = [attrs["id"] for _, attrs in Outline(render_html(made)).named("section")]
    assert sections.index("ratings") == sections.index("comparisons") + 1
    text = render_markdown(made)
    assert text.index("## Comparisons") < text.index("## Ratings") < text.index("## Worst queries")


def test_page_has_the_section_first_with_its_tables_and_figures(content, page):
    outline = Outline(page)
    sections = [attrs["id"] for _, attrs in outline.named("section")]
    assert sections[:2] == ["ratings", "systems"] and page.count('href="#ratings"') == 1
    text = " ".join("".join(outline.text).split())
    systems = content.ratings.rated.systems.set_index("system")
    assert f"{systems.loc['base-tuned', 'value']:.3f}" in text and "ridge on the frozen encoder" in text
    assert "Undefined: base on rare: constant predictions." in text
    assert "kind|<b>" in text and "<b>kind" not in page and not re.search(r"\bnan\b", page, re.IGNORECASE)
    assert len(outline.ids) == len(set(outline.ids))


def test_figures_are_one_of_systems_one_of_labels_two_of_targets_and_one_of_each_training(page):
    drawings = re.findall(r"<svg.*?</svg>", page[page.index('id="ratings"') : page.index('id="systems"')], re.DOTALL)
    titles = [ElementTree.fromstring(drawing)[0].text.partition(". ")[0] for drawing in drawings]
    assert titles[:2] == ["Spearman by target", "Labels of each target"]
    assert titles[2].startswith("Best target of barlow-tuned: ") and titles[3].startswith(
        "Worst target of barlow-tuned"
    )
    assert titles[4:] == ["Each fold while tuning from base", "Each fold while tuning from barlow"]


def test_terminal_shows_the_same_within_100_columns_and_no_name_breaks_a_table(content, made):
    text = render_markdown(made)
    section = text[text.index("## Ratings") : text.index("## Systems")]
    assert max(map(len, section.splitlines())) <= 100
    blocks = re.findall(r"(?:^\|.*\n?)+", section, re.MULTILINE)
    assert len(blocks) == 7  # systems and targets are too wide for one table each
    for block in blocks:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1
    systems = content.ratings.rated.systems.set_index("system")
    assert f"{systems.loc['tfidf', 'value']:.3f}" in section
    assert "Undefined: base on rare: constant predictions." in section
    assert re.search(r"\| rare +\| +undefined \|", section)


@pytest.mark.usefixtures("undrawn")
def test_without_ratings_neither_shows_anything_of_them(recorded, findings, tmp_path):
    write(examined(recorded), findings, tmp_path, PROVENANCE)
    page, text = ((tmp_path / name).read_text(encoding="utf-8") for name in ("report.html", "report.md"))
    assert not re.search(r"\bratings?\b", page + text, re.IGNORECASE)
    assert not list(tmp_path.rglob("rating_*"))


def test_files_hold_the_tables_and_the_pages_as_they_were_made_before(flat, findings, content, made, page, tmp_path):
    write(examined(flat), findings, tmp_path, PROVENANCE)
    names = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*rating_*"))
    assert names == [
        "plots/rating_folds.csv", "plots/rating_histograms.csv", "rating_columns.csv", "rating_comparisons.csv",
        "rating_systems.csv", "rating_targets.csv",
    ]  # fmt: skip
    for name, expected in (("report.html", page), ("report.md", render_markdown(made))):
        assert (tmp_path / name).read_text(encoding="utf-8") == expected, name
    for name in ("systems", "targets", "columns", "comparisons"):
        io.write_table(tmp_path / "again.csv", getattr(content.ratings.rated, name))
        assert (tmp_path / f"rating_{name}.csv").read_bytes() == (tmp_path / "again.csv").read_bytes(), name
    histograms = io.read_table(tmp_path / "plots/rating_histograms.csv")
    assert histograms.groupby("target")["share"].sum().tolist() == pytest.approx([1.0] * 4)


def test_one_target_of_one_untuned_system_is_enough_for_a_section(recorded, findings):
    records = rated.with_ratings(recorded)
    ratings = records.runs["base"].ratings
    alone = replace(records.runs["base"], ratings=ratings[ratings["target"] == "clear"], rating_layouts=None)
    data = replace(records.data, tables={})
    plain = replace(records, data=data, runs={"base": alone}, finetune={}, barlow=TrainingRecord({}, data.batches))
    content = told(plain, findings)
    assert content.ratings.shown == "base" and set(content.ratings.predicted["place"]) == {"best"}
    made = page_of(content)
    Outline(render_html(made))
    assert "### Differences in ratings" not in render_markdown(made)
