"""prepare: raw files to checked, split and selected tables, the base encoder, and the preflight findings.

reads   the data and the encoder that params.yaml names; models/source shows the encoder's files to DVC
writes  data/prepared, models/base, metrics/prepare.json, metrics/prepare/
"""

from whyrank.core import ctrl_c  # noqa: F401 - first

# isort: split
from whyrank.core import checksums, command, io, prepared, runtime
from whyrank.core.options import params
from whyrank.data import assembly
from whyrank.data.pairs import read as pairs
from whyrank.data.ranking import prepare
from whyrank.data.ratings import read as ratings
from whyrank.data.ratings import texts as rated_texts
from whyrank.findings.records import DataRecords
from whyrank.model import readout, system
from whyrank.model.encoder import budgets, source
from whyrank.preflight import examine, figures
from whyrank.preflight.figures import first_batches as first


def main() -> None:
    values = params.load("prepare")
    seed = params.seed(values)
    options = params.section(values, "prepare", params.Prepare)
    encoding = params.section(values, "encoder", params.Encoder)
    rank = params.section(values, "finetune_rank", params.FirstBatches)
    runtime.seed_everything(seed)
    valid = prepare.read(options)
    encoder = source.bring(encoding, prepare.answer_texts(valid), shown_in="models/source")
    budget = budgets.budgets(encoder, options.tokens, with_pairs=bool(options.pairs.sources))
    result = prepare.prepare(valid, options, tokens=budget.own, count_tokens=encoder.count_tokens, seed=seed)
    sentences = pairs.read_pairs(options.pairs, max_rejected=options.max_rejected, seed=seed, how=options.files)
    rated = ratings.read_ratings(options.ratings, options.files)
    laid_out = rated_texts.laid_out(encoder, rated.rows, options.ratings)
    texts = budgets.tokenised(encoder, assembly.assembled(result, laid_out, sentences.pairs), budget)
    batches = first.first_batches(texts, params.section(values, "pretrain_barlow", params.BarlowBatches), rank, seed)
    tables = {**result.tables, **sentences.tables(), **rated.tables, **laid_out.tables(), "batches": batches}
    tables |= first.first_pair_batches(texts, rank, seed)
    tables |= figures.tables(encoder, texts, encoding, seed, valid, result.otherwise)
    base, tables["readout"] = readout.untrained(encoder, texts, encoding, seed)
    told = examine.examine(DataRecords(texts.answers, texts.queries, texts.qrels, result.metrics, tables, batches))
    with checksums.summed_folder("data/prepared") as folder:
        prepared.write(folder, texts)
        io.write_table(folder / "rejected.parquet", assembly.rejected(result, sentences))
    io.write_metrics("metrics/prepare.json", result.metrics)
    with checksums.summed_folder("metrics/prepare", "metrics/prepare.json") as folder:
        for name, table in {**tables, "checks": told.checks}.items():
            io.write_table(folder / f"{name}.csv", table)
        io.write_json(folder / "findings.json", [finding.as_json() for finding in told.findings])
        io.write_json(folder / "encoder.json", source.facts(encoder, encoding))
    system.save(base, "models/base", longest=max(laid_out.longest, *budget.whole.values()))
    examine.stop(told.findings, params.section(values, "preflight", params.Preflight).stop_on)


if __name__ == "__main__":
    command.run_stage(main)
