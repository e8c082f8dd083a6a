"""prepare: raw files to checked, split and selected tables, the base encoder, and the preflight findings.

reads   the source that params.yaml names
writes  data/prepared, models/base, metrics/prepare.json, metrics/prepare/
"""

import dataclasses

from whyrank.core import io, params, runtime
from whyrank.core.errors import UserError, exit_on_user_error
from whyrank.core.prepared import Prepared
from whyrank.data import prepare
from whyrank.diagnosis.preflight import preflight
from whyrank.diagnosis.records import DataRecords
from whyrank.model import source, system
from whyrank.training.first_batches import first_batches


def main() -> None:
    values = params.load("prepare")
    seed = params.seed(values)
    options = params.section(values, "prepare", params.Prepare)
    barlow = params.section(values, "pretrain_barlow", params.BarlowBatches)
    rank = params.section(values, "finetune_rank", params.RankBatches)
    stop_on = params.section(values, "preflight", params.Preflight).stop_on
    runtime.seed_everything(seed)

    valid = prepare.read(options.hub or options.source, max_rejected=options.max_rejected)
    encoder = source.bring(params.section(values, "encoder", params.Encoder), prepare.answer_texts(valid))
    budget = source.budgets(encoder, options.tokens)
    result = prepare.prepare(
        valid,
        tokens=budget.own,
        selection=dataclasses.asdict(options.selection),
        count_tokens=encoder.count_tokens,
        split_by=options.split.by,
        dev=options.split.dev,
        test=options.split.test,
        seed=seed,
        short_conversation=options.short_conversation,
        near_duplicate=options.near_duplicate,
        head_share=options.head_share,
    )
    answers = result.answers.assign(input_ids=encoder.tokenise(result.answers["text"], budget.whole["answer"]))
    limits = [budget.whole[kind] for kind in result.queries["type"]]
    queries = result.queries.assign(input_ids=encoder.tokenise_each(list(result.queries["text"]), limits))
    batches = first_batches(Prepared(answers, queries, result.qrels), barlow, rank, seed)
    tables = {**result.tables, "batches": batches}
    findings = preflight(DataRecords(answers, queries, result.qrels, result.metrics, tables, batches))

    with io.replacing_folder("data/prepared") as folder:
        for name, table in (("answers", answers), ("queries", queries), ("qrels", result.qrels)):
            io.write_table(folder / f"{name}.parquet", table)
        io.write_table(folder / "rejected.parquet", result.rejected)
    with io.replacing_folder("metrics/prepare") as folder:
        for name, table in tables.items():
            io.write_table(folder / f"{name}.csv", table)
        io.write_json(folder / "findings.json", [finding.as_json() for finding in findings])
    io.write_metrics("metrics/prepare.json", result.metrics)
    system.save(system.untrained(encoder), "models/base", longest=max(budget.whole.values()))
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors and stop_on == "error":
        remedy = errors[0].fix.command or errors[0].fix.action
        raise UserError(f"preflight: {errors[0].code}: {errors[0].sentence} Remedy: {remedy}; to go on: preflight.stop_on=never")


if __name__ == "__main__":
    exit_on_user_error(main)
