"""The sections of the report. Each module here is one: its function `section` makes it of what was gathered."""

from dataclasses import replace
from importlib import import_module
from pkgutil import iter_modules

from whyrank.diagnosis.report import numbers
from whyrank.diagnosis.report.blocks import Page, Section
from whyrank.diagnosis.report.content import Content
from whyrank.diagnosis.report.top import about, cause, status


def page(content: Content) -> Page:
    """Every section that has something to show, in the order of their places."""
    made = {module.name: import_module(f"{__name__}.{module.name}").section for module in iter_modules(__path__)}
    found: dict[str, Section | None] = {key: section(content) for key, section in made.items()}
    sections = [replace(section, key=key) for key, section in found.items() if section is not None]
    sizes = content.systems.drop_duplicates("type").set_index("type")["n"]
    facts = [(numbers.free(n), "test queries" if kind == "all" else f"{kind}s") for kind, n in sizes.items()]
    facts.append((numbers.free(len(content.records.data.answers)), "answers to choose from"))
    facts += [(numbers.free(content.ratings.rated.n_rows), "rated rows")] if content.ratings else []
    files = ["systems", "comparisons", *(["similarity", "similarity_comparisons"] if content.has_pairs else [])]
    rated = ("rating_systems", "rating_targets", "rating_columns", "rating_comparisons")
    files += [*(rated if content.ratings else ()), "slices", "convergence", "queries"]
    return Page(
        content.result,
        [*facts, (content.metric, "is the metric"), (numbers.per_cent(content.level), "confidence intervals")],
        sorted(sections, key=lambda section: (not section.is_first, section.place, section.key)),
        f"Written by whyrank. The numbers are in {', '.join(f'{name}.csv' for name in files)} beside this file.",
        about(content),
        status(content),
        cause(content),
    )
