"""A seventh system, which is an entry of params.yaml and a run, is compared and reported like the others."""

import re
from dataclasses import replace

import numpy as np
import pytest

from whyrank.core.options.systems import System
from whyrank.diagnosis.compare.ranking import comparisons, system_table
from whyrank.diagnosis.report.html import render_html
from whyrank.diagnosis.report.markdown import render_markdown
from whyrank.diagnosis.report.plots import styles_of
from whyrank.diagnosis.report.sections import page as page_of
from whyrank.findings.systems import BEST_BASELINE, Systems

from .test_report import told

NAME = "base-cls"
DRAWS = {"level": 0.95, "resamples": 200, "seed": 0}


@pytest.fixture(scope="module")
def seven(recorded):
    """The base encoder once more, a little worse."""
    own = System("encoder", "zero-shot", "models/base", pooling="cls")
    systems = Systems({**recorded.systems.options, NAME: own}, recorded.systems.inits)
    base = recorded.runs["base"]
    queries = base.queries.assign(**{"accuracy@1": base.queries["accuracy@1"].where(base.queries.index % 10 > 0, 0.0)})
    return replace(recorded, systems=systems, runs={**recorded.runs, NAME: replace(base, queries=queries)})


def test_it_is_scored_and_compared_with_an_interval(seven, recorded):
    table, before = (comparisons(records, "accuracy@1", **DRAWS) for records in (seven, recorded))
    row = table.query("a == @NAME and type == 'all'").iloc[0]
    assert row["role"] == BEST_BASELINE and row["b"] in seven.systems.baselines
    assert row["low"] < row["difference"] < row["high"] and np.isfinite(row["p_holm"])
    others = table[table["a"] != NAME].reset_index(drop=True)
    assert others.drop(columns="p_holm").equals(before.drop(columns="p_holm"))
    assert NAME in set(system_table(seven, **DRAWS)["system"])


def test_the_report_has_it_in_its_tables_and_figures(seven):
    content = told(seven, [])
    made = page_of(content)
    text, page = render_markdown(made), render_html(made)
    value = content.systems.query("system == @NAME and type == 'all' and metric == 'accuracy@1'")["value"].iloc[0]
    line = next(line for line in text.splitlines() if re.match(rf"\| [a-z] {NAME} ", line))
    assert f"{value:.3f}" in line
    assert any(f"{NAME} \u2212 " in line for line in text.splitlines())
    assert re.search(rf'<span class="name">{NAME}</span> <sup>[a-z]</sup><[^>]*>pretrained encoder \(zero-shot\)', page)
    assert f"Centroids before projection ({NAME})" in page


def test_its_marks_are_no_other_systems(seven):
    looks = [tuple(look.values()) for look in styles_of(seven.systems).values()]
    assert len(set(looks)) == len(looks)
