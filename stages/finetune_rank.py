"""finetune_rank: train a system to rank answers, from the base encoder or the pretrained one.

reads   data/prepared, models/<init>, and the teacher that params.yaml names
writes  models/<init>-tuned, metrics/finetune_rank/<init>.json, metrics/finetune_rank/<init>/ (of ratings: those of the
        first fold; ratings/ in the first folder is of all)
        metrics/plots/finetune_rank/<init>/: learning curves in few rows, for Git; logs/: seconds and tokens of steps
"""

from pathlib import Path

from whyrank.core import ctrl_c  # noqa: F401 - first

# isort: split
from whyrank.core import checksums, command, io, prepared, processes, runtime
from whyrank.core.options import params
from whyrank.core.options.systems import tuned_folder
from whyrank.model import system
from whyrank.model.golden import golden_vectors
from whyrank.training import distillation, finetune
from whyrank.training.engine import trackers
from whyrank.training.engine.trained import curves, finetuning_summary
from whyrank.training.ranking import reranked


def main() -> None:
    init = command.argument("one of `inits` of params.yaml")
    values = params.load(f"finetune_rank@{init}")
    seed, rated = params.seed(values), params.section(values, "prepare", params.Rated)
    encoder = params.section(values, "encoder", params.Encoder)
    options = params.section(values, "finetune_rank", params.FinetuneRank)
    processes.start()
    trackers.report_to(params.report_to())
    runtime.seed_everything(seed)
    runtime.arrange_memory(keep=not options.cache_tokens)
    source = Path("models") / init
    start = system.load(source, trust_remote_code=encoder.trust_remote_code)
    teacher = distillation.load(options.distillation, trust_remote_code=encoder.trust_remote_code)
    reranker = reranked.load(options.reranker, trust_remote_code=encoder.trust_remote_code)
    data = prepared.read("data/prepared")
    system.check_tokens(start, data, source)
    trained = finetune.finetune_rank(start, data, options, encoder, seed, teacher, reranker=reranker)
    golden = golden_vectors(trained.system, data, encoder)
    if not processes.is_first():
        return
    io.write_metrics(f"metrics/finetune_rank/{init}.json", finetuning_summary(trained.history, trained.readout))
    with checksums.summed_folder(f"metrics/finetune_rank/{init}", f"metrics/finetune_rank/{init}.json") as folder:
        for file, table in {**trained.records(), "golden.parquet": golden}.items():
            io.write_table(folder / file, table)
    io.write_tables(f"metrics/plots/finetune_rank/{init}", curves(trained.history))
    unchanged = source if options.train == "head" or options.rounds <= 0 else None
    system.save(trained.system, tuned_folder(init), longest=system.longest(source), unchanged=unchanged)
    if trained.out_of_fold:
        trained.out_of_fold.write(Path(tuned_folder(init)), data, rated.ratings)
    # Wall-clock figures differ from run to run, so they are no output of DVC.
    io.write_table(f"logs/finetune_rank-{init}.csv", trained.history.speed)
    trained.checkpoints.remove()


if __name__ == "__main__":
    command.run_stage(main)
