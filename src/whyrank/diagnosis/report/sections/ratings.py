"""How well each system orders the rows of each rated target."""

from whyrank.diagnosis.compare.ratings import Ratings, undefined
from whyrank.diagnosis.report import numbers, rating_plots
from whyrank.diagnosis.report.blocks import Block, Cell, Figures, Group, Heading, Paragraph, Section, Table, head
from whyrank.diagnosis.report.content import Content
from whyrank.diagnosis.report.tables import correlation_cell, differences_head, each, from_difference


def section(content: Content) -> Section | None:
    """Stands first where the run was about ratings alone."""
    if content.ratings is None:
        return None
    rated, level = content.ratings.rated, content.level
    note = (
        f"Spearman's correlation of rating and label, mean of {len(rated.targets)} targets, of {rated.n_rows:,} rows. "
        f"Each row is rated by a model trained on the other {rated.folds - 1} of {rated.folds} folds; 0 is chance. "
        f"{numbers.ci(level)}: bootstrap clustered by the {rated.n_groups:,} groups of rows. The best is marked."
    )
    roles = numbers.roles(content.experiment, numbers.RATED_ROLES)
    blocks: list[Block] = [Paragraph(note), _systems(rated, roles, level)]
    missing = undefined(rated)
    blocks += [Paragraph(f"Undefined: {'; '.join(missing)}.")] if missing else []
    if len(rated.comparisons):
        how = (
            "Differences (left minus right) of mean column Spearman on the same rows; p by a paired swap test, "
            f"clustered by group. {numbers.holm(level, 'table')}"
        )
        rows = [from_difference(row._replace(role=row.b), level) for row in each(rated.comparisons)]
        table = Table("Differences in ratings", differences_head(level), [Group("", rows)])
        blocks += [Heading("Differences in ratings"), Paragraph(how), table]
    about = (
        f"Distribution of the labels, then Spearman's correlation of each system with its {numbers.ci(level)}. "
        "Near 0 is below 0.1, near 1 above 0.9."
    )
    blocks += [Heading("Targets"), Paragraph(about), _targets(rated)]
    blocks.append(Figures(rating_plots.rating_plots(content.ratings, content.experiment, level)))
    if len(content.ratings.fields):
        blocks += [Heading("Text fields"), _fields(content)]
    return Section(5 if rated.is_first else 50, "Ratings", blocks)


def _systems(rated: Ratings, roles: dict[str, str], level: float) -> Table:
    best = rated.systems["value"].round(numbers.DIGITS).max()
    rows = [
        [
            Cell(row.system, roles.get(row.system, "")),
            correlation_cell(row, best),
            Cell(numbers.value(row.snapped)),
            Cell(numbers.value(row.fold_mean), numbers.interval(row.fold_low, row.fold_high)),
            Cell(str(row.undefined)),
        ]
        for row in each(rated.systems)
    ]
    names = head(
        "System", f"Mean Spearman|{numbers.ci(level)}", "Snapped|to the label distribution",
        "Fold mean|lowest, highest", "Undefined|targets",
    )  # fmt: skip
    return Table("Ratings by system", names, [Group("", rows)])


def _targets(rated: Ratings) -> Table:
    best = rated.columns["value"].round(numbers.DIGITS).groupby(rated.columns["target"]).max()
    cells = {(row.target, row.system): correlation_cell(row, best[row.target]) for row in each(rated.columns)}
    systems = list(rated.systems["system"])
    rows = [
        [
            Cell(row.target),
            Cell(numbers.value(row.mean), numbers.value(row.std)),
            Cell(numbers.per_cent(row.near_0, 0), numbers.per_cent(row.near_1, 0)),
            Cell(numbers.free(row.distinct)),
            *(cells[row.target, system] for system in systems),
        ]
        for row in each(rated.targets)
    ]
    return Table("Targets", head("Target", "Mean|std", "Near 0|near 1", "Distinct", *systems), [Group("", rows)])


def _fields(content: Content) -> Table:
    assert content.ratings is not None
    rows = [
        [
            Cell(row.field),
            Cell(numbers.value(row.tokens_mean, 1)),
            Cell(numbers.value(row.tokens_kept_mean, 1)),
            Cell(numbers.per_cent(row.share_lost, 1)),
            Cell(numbers.per_cent(row.rows_cut, 1)),
        ]
        for row in each(content.ratings.fields)
    ]
    names = head("Field", "Tokens|mean of a row", "Read", "Lost|of all tokens", "Rows truncated")
    return Table("Tokens of the text fields", names, [Group("", rows)])
