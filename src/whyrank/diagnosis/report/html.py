"""The report as one self-contained page: no network, no script, everything from data escaped."""

from collections.abc import Callable
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from whyrank.diagnosis.compare import TYPES
from whyrank.diagnosis.report import numbers, plots
from whyrank.diagnosis.report.content import Content, best_cells
from whyrank.diagnosis.report.svg import Plot
from whyrank.diagnosis.report.tables import each
from whyrank.diagnosis.text import one_line

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
        numbers.value, numbers.bounds, numbers.span, numbers.signed, numbers.p_value, numbers.free, numbers.per_cent,
        one_line,
    )  # fmt: skip
    environment.filters |= {function.__name__: function for function in filters}
    return environment.get_template(TEMPLATE).render(
        c=content,
        roles=numbers.ROLES,
        holm=numbers.HOLM,
        types=[kind for kind in TYPES if kind in set(content.systems["type"])],
        systems=list(content.systems["system"].drop_duplicates()),
        metrics=list(content.systems["metric"].drop_duplicates()),
        cells={(row.system, row.type, row.metric): row for row in each(content.systems)},
        best=best_cells(content.systems),
        sizes=content.systems.drop_duplicates("type").set_index("type")["n"].to_dict(),
        plots=_plots(content),
    )


def _plots(content: Content) -> list[tuple[str, list[Plot]]]:
    """Headed groups of figures, without the groups that nothing was recorded for."""
    metric = content.metric
    learning = [plots.learning_plot(content.learning, metric)] if len(content.learning) else []
    gap = [plots.gap_plot(content.gap, metric)] if len(content.gap) else []
    groups = [
        ("Systems", [plots.metric_plot(content.systems, metric, content.level), *gap]),
        ("Training", learning + (plots.barlow_plots(content.barlow) if len(content.barlow) else [])),
        ("Kinds of query", plots.slice_plots(content.slices, metric, content.level)),
        ("Where questions and conversations lie", plots.centroid_plots(content.centroids)),
    ]
    return [(heading, drawn) for heading, drawn in groups if drawn]
