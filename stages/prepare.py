"""prepare: raw files to checked, split and selected tables, the base encoder, and the preflight findings.

reads   the source that params.yaml names
writes  data/prepared, models/base, metrics/prepare.json, metrics/prepare/
"""

from whyrank.core import io, params, runtime
from whyrank.core.errors import exit_on_user_error
from whyrank.core.prepared import Prepared
from whyrank.data import prepare
from whyrank.diagnosis import preflight
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
    result = prepare.prepare(valid, options, tokens=budget.own, count_tokens=encoder.count_tokens, seed=seed)
    texts = source.tokenised(encoder, Prepared(result.answers, result.queries, result.qrels), budget)
    batches = first_batches(texts, barlow, rank, seed)
    tables = {**result.tables, "batches": batches}
    records = DataRecords(texts.answers, texts.queries, texts.qrels, result.metrics, tables, batches)
    findings = preflight.preflight(records)

    with io.replacing_folder("data/prepared") as folder:
        for name, table in (("answers", texts.answers), ("queries", texts.queries), ("qrels", texts.qrels)):
            io.write_table(folder / f"{name}.parquet", table)
        io.write_table(folder / "rejected.parquet", result.rejected)
    with io.replacing_folder("metrics/prepare") as folder:
        for name, table in tables.items():
            io.write_table(folder / f"{name}.csv", table)
        io.write_json(folder / "findings.json", [finding.as_json() for finding in findings])
    io.write_metrics("metrics/prepare.json", result.metrics)
    system.save(system.untrained(encoder), "models/base", longest=max(budget.whole.values()))
    if stop_on == "error":
        preflight.stop_on_error(findings)


if __name__ == "__main__":
    exit_on_user_error(main)
