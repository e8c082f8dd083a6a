"""prepare: raw files to checked, split and selected tables, the base encoder, and the preflight findings.

reads   the source that params.yaml names
writes  data/prepared, models/base, metrics/prepare.json, metrics/prepare/
"""

from whyrank.core import io, params, runtime
from whyrank.core.errors import exit_on_user_error
from whyrank.core.prepared import Prepared
from whyrank.data.prepare import prepare, read
from whyrank.diagnosis.preflight import preflight, stop
from whyrank.diagnosis.records import DataRecords
from whyrank.model import source, system
from whyrank.training.first_batches import first_batches


def main() -> None:
    values = params.load("prepare")
    seed = params.seed(values)
    base = params.section(values, "encoder", params.Encoder)
    options = params.section(values, "prepare", params.Prepare)
    barlow = params.section(values, "pretrain_barlow", params.BarlowBatches)
    rank = params.section(values, "finetune_rank", params.RankBatches)
    stop_on = params.section(values, "preflight", params.Preflight).stop_on
    runtime.seed_everything(seed)

    valid = read(options.source, max_rejected=options.max_rejected)
    encoder = source.bring(base, valid.answer_texts)
    budget = source.budgets(encoder, options.tokens)
    result = prepare(valid, options, budget=budget.own, count_tokens=encoder.count_tokens, seed=seed)
    result.answers["input_ids"] = encoder.tokenise(result.answers["text"], budget.whole["answer"])
    for kind, rows in result.queries.groupby("type").groups.items():
        result.queries.loc[rows, "input_ids"] = encoder.tokenise(result.queries.loc[rows, "text"], budget.whole[kind])

    prepared = Prepared(result.answers, result.queries, result.qrels)
    tables = result.tables | {"batches": first_batches(prepared, barlow, rank, seed)}
    findings = preflight(DataRecords(*result.frames, result.metrics, tables, tables["batches"]))

    with io.replacing_folder("data/prepared") as folder:
        for name in ("answers", "queries", "qrels", "rejected"):
            io.write_table(folder / f"{name}.parquet", getattr(result, name))
    with io.replacing_folder("metrics/prepare") as folder:
        for name, table in tables.items():
            io.write_table(folder / f"{name}.csv", table)
        io.write_json(folder / "findings.json", [finding.as_json() for finding in findings])
    io.write_metrics("metrics/prepare.json", result.metrics)
    system.save(system.untrained(encoder), "models/base", longest=max(budget.whole.values()))
    stop(findings, stop_on)


if __name__ == "__main__":
    exit_on_user_error(main)
