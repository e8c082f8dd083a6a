"""The report as one self-contained page: no network, no script, everything from data escaped."""

from collections.abc import Callable
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from whyrank.diagnosis.compare.pairs import undefined
from whyrank.diagnosis.compare.ranking import TYPES
from whyrank.diagnosis.compare.ratings import undefined as undefined_ratings
from whyrank.diagnosis.compare.text import one_line
from whyrank.diagnosis.report import numbers, plots
from whyrank.diagnosis.report.content import Content, best_cells
from whyrank.diagnosis.report.rating_content import RatingSection, best_systems
from whyrank.diagnosis.report.rating_plots import rating_plots
from whyrank.diagnosis.report.svg import Plot
from whyrank.diagnosis.report.tables import each
from whyrank.findings.systems import Systems

TEMPLATE = "report.html.jinja"


def render_html(content: Content) -> str:
    """The page as a string; the same content gives the same bytes."""
    environment = Environment(
        loader=PackageLoader("whyrank.diagnosis.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters: tuple[Callable[..., Any], ...] = (
        numbers.correlation, numbers.difference,
        numbers.value, numbers.bounds, numbers.span, numbers.signed, numbers.p_value, numbers.free, numbers.per_cent,
        one_line,
    )  # fmt: skip
    environment.filters |= {function.__name__: function for function in filters}
    return environment.get_template(TEMPLATE).render(
        c=content,
        roles=numbers.roles(content.experiment),
        holm=numbers.HOLM,
        types=[kind for kind in TYPES if kind in set(content.systems["type"])],
        systems=list(content.systems["system"].drop_duplicates()),
        metrics=list(content.systems["metric"].drop_duplicates()),
        cells={(row.system, row.type, row.metric): row for row in each(content.systems)},
        best=best_cells(content.systems),
        similar=_similarity(content),
        rated=_ratings(content.ratings, content.experiment, content.level) if content.ratings else {},
        sizes=content.systems.drop_duplicates("type").set_index("type")["n"].to_dict(),
        plots=_plots(content),
    )


def _similarity(content: Content) -> dict[str, Any]:
    """Cells by list and system, and the differences by list; empty where no pairs were tested."""
    similar = content.similarity
    if similar.systems.empty:
        return {}
    return {
        "systems": list(similar.systems["system"].drop_duplicates()),
        "sizes": similar.systems.drop_duplicates("list").set_index("list")["n_pairs"].to_dict(),
        "cells": {(row.list, row.system): row for row in each(similar.systems)},
        "differences": {name: list(each(rows)) for name, rows in similar.comparisons.groupby("list", sort=False)},
        "undefined": undefined(similar),
        "swaps": numbers.SWAPS,
        "plots": _similarity_plots(content),
    }


def _ratings(section: RatingSection, systems: Systems, level: float) -> dict[str, Any]:
    """Rows of the tables, and the cells of the targets by target and system."""
    rated = section.rated
    shown = rated.columns["value"].round(numbers.DIGITS)
    best = rated.columns[shown == shown.groupby(rated.columns["target"]).transform("max")]
    return {
        "rated": rated,
        "systems": list(each(rated.systems)),
        "best": best_systems(rated),
        "roles": numbers.roles(systems, numbers.RATED_ROLES),
        "groups": numbers.GROUPS,
        "undefined": undefined_ratings(rated),
        "differences": list(each(rated.comparisons)),
        "targets": list(each(rated.targets)),
        "cells": {(row.target, row.system): row for row in each(rated.columns)},
        "best_cells": set(best[["target", "system"]].itertuples(index=False, name=None)),
        "plots": rating_plots(section, systems, level),
        "fields": list(each(section.fields)),
    }


def _similarity_plots(content: Content) -> list[Plot]:
    """None where no system is beside the one that its training started from."""
    rows, start = content.similarity.comparisons, content.experiment.start
    has_training = any(start.get(row.a) == row.b for row in each(rows))
    return [plots.similarity_plot(rows, content.experiment, content.level)] if has_training else []


def _plots(content: Content) -> list[tuple[str, list[Plot]]]:
    """Headed groups of figures, without the groups that nothing was recorded for."""
    metric, systems = content.metric, content.experiment
    learning = [plots.learning_plot(content.learning, systems, metric)] if len(content.learning) else []
    gap = [plots.gap_plot(content.gap, metric)] if len(content.gap) else []
    groups = [
        ("Systems", [plots.metric_plot(content.systems, systems, metric, content.level), *gap]),
        ("Training", learning + (plots.barlow_plots(content.barlow) if len(content.barlow) else [])),
        ("Kinds of query", plots.slice_plots(content.slices, systems, metric, content.level)),
        ("Where questions and conversations lie", plots.centroid_plots(content.centroids, systems)),
    ]
    return [(heading, drawn) for heading, drawn in groups if drawn]
