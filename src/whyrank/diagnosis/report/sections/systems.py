"""Every system by every metric."""

from collections.abc import Iterator, Sequence
from typing import Any

from whyrank.diagnosis.report import numbers
from whyrank.diagnosis.report.blocks import Block, Cell, Details, Group, Paragraph, Section, Table, head
from whyrank.diagnosis.report.content import Content
from whyrank.diagnosis.report.recommended import recommended
from whyrank.diagnosis.report.tables import TYPES, beaten, best_cells, cost_cells, each, in_order, systems_table


def section(content: Content) -> Section:
    metric, level = content.metric, content.level
    table, won = in_order(content.systems, metric), beaten(content.comparisons, level)
    note = (
        f"{metric} on the test queries with its {numbers.ci(level)}, bootstrap clustered by answer. The highest of "
        "each column is marked."
    )
    note += (
        " A letter behind a number names a system that it significantly beats, of those that were compared."
        if won
        else ""
    )
    note += " Size is that of the weights, and of the vector of one answer as it is kept."
    name, why = recommended(content)
    blocks: list[Block] = [Paragraph(f"{name}: {why}", "Recommended", "text"), Paragraph(note)]
    costs = {name: cost_cells(run.metrics) for name, run in content.records.runs.items()}
    blocks.append(systems_table(table, metric, numbers.roles(content.experiment), won, costs))
    blocks += [Paragraph(text) for text in _read_by(content)]
    return Section(10, "Systems", [*blocks, Details("Every metric", [_every(content)])])


# What ranking takes off the vectors, by `readout_kind` of the metrics, from 1.
READ_OUT = ("vectors less the mean", "vectors less the mean, features divided by their standard deviation,")


def _read_by(content: Content) -> Iterator[str]:
    """How the lexical baselines read the texts; one sentence for all that read them alike."""
    alike: dict[str, list[str]] = {}
    for system, run in content.records.runs.items():
        if run.analyser is not None:
            alike.setdefault(_reading(run.analyser), []).append(system)
    for reading, names in alike.items():
        yield f"As {' and '.join(names)} {'read' if len(names) > 1 else 'reads'} the texts: {reading}"
    for kind, what in enumerate(READ_OUT, start=1):
        names = [name for name, run in content.records.runs.items() if run.metrics.get("readout_kind") == kind]
        if names:
            yield f"{' and '.join(names)}: {what} of the corpus and the training queries."
    for system, run in content.records.runs.items():
        if run.how is not None:
            yield f"{system}: {choice(run.how, content.experiment.made_of(system))}."


def choice(how: dict[str, Any], made_of: Sequence[str]) -> str:
    """What a rival was made of, what it chose on the dev set, and what it cannot know."""
    if "missing_queries" in how:
        missing = how["missing_query_share"]
        said = f"; {numbers.per_cent(missing, 1)} of the test queries are not in it and count as chance"
        return f"scores of another tool{said if missing else ''}"
    if "store" in how:
        kept = f"{how['features']} features of {', '.join(made_of)} as {how['store']}"
        size = f"{how['bytes']:,.0f} bytes an answer instead of {how['bytes_before']:,.0f}"
        if "rescore" in how:
            kept += f", the first {how['rescore']} of a query scored again by 8 bits a feature"
            size += f", {how['bytes_searched']:,.0f} of them searched"
        return f"{kept}: {size}"
    if "format" in how:
        layers = f", {how['layers']} of its layers" if how["layers"] else ""
        return (
            f"{', '.join(made_of)} as {how['format']}{layers}: {how['bytes'] / 1e6:,.0f} MB instead of "
            f"{how['bytes_before'] / 1e6:,.0f}; side by side {how['texts_per_s_after']:,.0f} against "
            f"{how['texts_per_s_before']:,.0f} texts a second, and {how['ms_per_text_after']:.1f} against "
            f"{how['ms_per_text_before']:.1f} ms for one"
        )
    if "first_stage" in how:
        return f"{how['model']} over the first {how['depth']} answers of {how['first_stage']}"
    if "systems" in how:
        weights = [f"{name} ({weight:.2f})" for name, weight in zip(how["systems"], how["weights"], strict=True)]
        said = f"{' with '.join(weights)}, {how['method']}, {_chosen(how)}"
    else:
        said = f"on the vectors of {', '.join(made_of)}" + (f", C = {how['C']:g} {_chosen(how)}" if "C" in how else "")
    unseen = how.get("unseen_answer_share", 0.0)
    return said + (f"; no training query has {numbers.per_cent(unseen, 1)} of the test answers" if unseen else "")


def _chosen(how: dict[str, Any]) -> str:
    return "not chosen: no dev query is known" if how["dev_mrr"] is None else "chosen on the dev set"


def _reading(analyser: dict[str, Any]) -> str:
    language, stemmer = analyser["language"], analyser["stemmer"]
    share = numbers.per_cent(analyser["share"], 0)
    found = f"most are in language `{language}` ({share})" if language else "no language was recognised"
    return f"{found}; BM25 counts {f'stems (Snowball: `{stemmer}`)' if stemmer else 'words as they stand'}."


def _every(content: Content) -> Table:
    table, best = in_order(content.systems, content.metric), best_cells(content.systems)
    metrics = list(table["metric"].drop_duplicates())
    groups = []
    for kind in TYPES:
        rows: dict[str, list[Cell]] = {}
        for row in each(table[table["type"] == kind]):
            cell = Cell(numbers.value(row.value), is_best=(row.system, kind, row.metric) in best)
            rows.setdefault(row.system, [Cell(row.system)]).append(cell)
        if rows:
            n = table[table["type"] == kind]["n"].iloc[0]
            groups.append(Group(f"{TYPES[kind]}, n = {n}", list(rows.values())))
    return Table("Every metric of every system", head("System", *metrics), groups)
