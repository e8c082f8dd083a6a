"""The report for a terminal: Markdown with aligned tables, at most 100 columns except for commands to copy."""

import textwrap
from collections.abc import Sequence
from typing import Any

from whyrank.diagnosis.compare.pairs import of_list, undefined
from whyrank.diagnosis.compare.ranking import TYPES
from whyrank.diagnosis.compare.text import one_line, shorten
from whyrank.diagnosis.compare.worst import Hit, WorstQuery
from whyrank.diagnosis.report import numbers
from whyrank.diagnosis.report.content import Content, best_cells
from whyrank.diagnosis.report.layout import WIDTH, pipe_table, wrapped
from whyrank.diagnosis.report.rating_markdown import rating_blocks
from whyrank.diagnosis.report.tables import each
from whyrank.findings.finding import Finding


def render_markdown(content: Content) -> str:
    """The same as the page, less the plots."""
    rated = rating_blocks(content.ratings, content.level) if content.ratings else []
    is_first = content.ratings is not None and content.ratings.rated.is_first
    blocks = [
        "# whyrank diagnosis",
        wrapped(content.verdict),
        *(rated if is_first else []),
        *_systems(content),
        "## Findings",
        *(block for finding in content.findings for block in _finding(finding, content.level)),
        *([] if content.findings else ["No probe raised anything."]),
        *_comparisons(content),
        *_similarity(content),
        *([] if is_first else rated),
        *_slices(content),
        "## Worst queries",
        *(block for query in content.worst for block in _worst(query)),
        *([] if content.worst else ["Every right answer is ranked first."]),
        *_convergence(content),
        *_data(content),
        *_provenance(content),
    ]
    return "\n\n".join(blocks) + "\n"


def _systems(content: Content) -> list[str]:
    chosen = content.systems[content.systems["metric"] == content.metric]
    kinds = [kind for kind in TYPES if kind in set(chosen["type"])]
    best = best_cells(content.systems)
    cells: dict[str, list[str]] = {}
    for row in each(chosen):
        mark = "*" if (row.system, row.type, row.metric) in best else " "
        cell = f"{numbers.value(row.value)}{mark} {numbers.span(row.low, row.high)}"
        cells.setdefault(row.system, [row.system]).append(cell)
    sizes = chosen.drop_duplicates("type").set_index("type")["n"]
    title = f"{content.metric} on the test queries, {numbers.per_cent(content.level)} interval; * best of the column"
    header = ["system", *(f"{kind}, n = {sizes[kind]}" for kind in kinds)]
    return ["## Systems", wrapped(title), pipe_table(header, list(cells.values()))]


def _finding(finding: Finding, level: float) -> list[str]:
    """Severity and code as heading; evidence as a list; the command alone in its block."""
    evidence = [f"- {e.name}: {numbers.free(e.value)} {e.unit}".rstrip() for e in finding.evidence]
    if finding.interval:
        low, high = finding.interval
        evidence.append(f"- {numbers.per_cent(level)} interval: {numbers.free(low)} to {numbers.free(high)}")
    heading = one_line(f"### {finding.severity.upper()} {finding.code} (about {finding.system})")
    blocks = [heading, wrapped(finding.sentence)]
    blocks += ["\n".join(one_line(line) for line in evidence)] if evidence else []
    blocks.append(wrapped(f"Cause: {finding.cause}"))
    blocks += [wrapped(f"What to do: {finding.fix.action}")] if finding.fix.action else []
    blocks += [f"```\n{finding.fix.command}\n```"] if finding.fix.command else []
    return [*blocks, wrapped(f"Reference: {finding.reference}")]


def _comparisons(content: Content) -> list[str]:
    if content.comparisons.empty:
        return ["## Comparisons", "No two systems of the experiment were evaluated together."]
    blocks = ["## Comparisons", wrapped(f"Difference in {content.metric} on the same queries; {numbers.HOLM}")]
    header = ["comparison", "difference", f"{numbers.per_cent(content.level)} interval", "p", "Holm's p"]
    for kind, rows in content.comparisons.groupby("type", sort=False):
        first = rows.iloc[0]
        body = [
            [
                f"{row.a} {numbers.MINUS} {row.b}", numbers.signed(row.difference), numbers.bounds(row.low, row.high),
                numbers.p_value(row.p), numbers.p_value(row.p_holm),
            ]
            for row in each(rows)
        ]  # fmt: skip
        blocks += [f"### {kind}: {first.n_queries} queries of {first.n_clusters} answers", pipe_table(header, body)]
    return blocks


def _similarity(content: Content) -> list[str]:
    """Correlations by list; every comparison on the list that speaks for all; what training did to each list."""
    similar = content.similarity
    if similar.systems.empty:
        return []
    values = {(row.list, row.system): numbers.correlation(row.value) for row in each(similar.systems)}
    sizes = {row.list: row.n_pairs for row in each(similar.systems)}
    systems = list(similar.systems["system"].drop_duplicates())
    body = [[name, f"{n:,}", *(values[name, system] for system in systems)] for name, n in sizes.items()]
    blocks = ["## Similarity", "Spearman's correlation of cosine and label on the test pairs."]
    blocks.append(pipe_table(["pairs of sentences", "n", *systems], body))
    blocks += [wrapped(f"Undefined: {'; '.join(undefined(similar))}.")] if undefined(similar) else []
    if len(similar.comparisons):
        blocks.append(wrapped(f"Differences of Spearman's correlations on the same pairs; {numbers.SWAPS}"))
    headline = [(f"{row.a} {numbers.MINUS} {row.b}", row) for row in each(of_list(similar, similar.headline))]
    blocks += _differences(similar.headline, headline, content.level)
    for a, b in content.experiment.start.items() if len(sizes) > 1 else ():
        rows = [(row.list, row) for row in each(similar.comparisons) if (row.a, row.b) == (a, b)]
        blocks += _differences(f"{a} {numbers.MINUS} {b}", rows, content.level)
    return blocks


def _differences(heading: str, rows: Sequence[tuple[str, Any]], level: float) -> list[str]:
    body = [
        [
            name, numbers.difference(row.difference), numbers.bounds(row.low, row.high), numbers.p_value(row.p),
            numbers.p_value(row.p_holm),
        ]
        for name, row in rows
    ]  # fmt: skip
    header = ["similarity", "difference", f"{numbers.per_cent(level)} interval", "p", "Holm's p"]
    return [f"### {heading}", pipe_table(header, body)] if body else []


def _slices(content: Content) -> list[str]:
    """A table per slice: systems down, bins across. `type` stands among the systems already."""
    blocks = []
    for name, rows in content.slices[content.slices["slice"] != "type"].groupby("slice", sort=False):
        sizes = rows.drop_duplicates("bin").set_index("bin")["n"]
        values = {key: numbers.value(v) for key, v in rows.set_index(["system", "bin"])["value"].items()}
        systems = rows["system"].drop_duplicates()
        header = ["system", *(f"{label} (n = {n})" for label, n in sizes.items())]
        body = [[system, *(values[(system, label)] for label in sizes.index)] for system in systems]
        blocks += [f"### By {name}", pipe_table(header, body)]
    return [f"## {content.metric} by kind of query", *blocks] if blocks else []


def _worst(query: WorstQuery) -> list[str]:
    heading = f"### Rank {query.place} of {query.n_answers}: {query.type} {one_line(query.query_id)} ({query.system})"
    floors = ", ".join(f"{system} at rank {place}" for system, place in query.others.items())
    lines = [f"- right: {_hit(hit)}" for hit in query.right[:2]]
    lines += [f"{i}. {_hit(hit)}{' (right)' if hit.is_relevant else ''}" for i, hit in enumerate(query.top, 1)]
    lines += [f"- right answer elsewhere: {floors}"] if floors else []
    quote = textwrap.fill(query.text, WIDTH, initial_indent="> ", subsequent_indent="> ")
    return [heading, quote, "\n".join(lines)]


def _hit(hit: Hit) -> str:
    score = f", score {numbers.value(hit.score)}" if hit.score == hit.score else ""
    return shorten(hit.title or hit.answer_id, 70) + score


def _convergence(content: Content) -> list[str]:
    if content.convergence.empty:
        return []
    rows = [
        [
            row.init, numbers.value(row.start), numbers.value(row.final), numbers.value(row.best), str(row.best_step),
            str(row.steps_to_90) if row.final > 0 else numbers.NONE, str(row.steps_run),
        ]
        for row in each(content.convergence)
    ]  # fmt: skip
    header = ["initial encoder", "start", "final", "best", "best step", "steps to 90 %", "steps run"]
    return ["## Convergence", wrapped(f"{content.metric} on the dev queries."), pipe_table(header, rows)]


def _data(content: Content) -> list[str]:
    counts = [[str(row[0]), *map(numbers.free, row[1:])] for row in content.queries.to_numpy().tolist()]
    values = [[one_line(name), numbers.free(number)] for name, number in content.data.items()]
    return [
        "## Data",
        pipe_table(["queries", *content.queries.columns[1:]], counts),
        pipe_table(["number", "value"], values),
    ]


def _provenance(content: Content) -> list[str]:
    blocks = ["## Provenance"]
    for heading, values in content.provenance.items():
        lines = (one_line(f"- {name}: {text}") for name, text in values.items())
        wrapped = [textwrap.fill(line, WIDTH, subsequent_indent="  ") for line in lines]
        blocks += [f"### {one_line(heading)}", "\n".join(wrapped)]
    return blocks
