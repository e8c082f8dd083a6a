"""pretrain_barlow: bring two views of a text together before ranking is learnt.

reads   data/prepared, models/base
writes  models/barlow, metrics/pretrain_barlow.json, metrics/pretrain_barlow/
        metrics/plots/pretrain_barlow/: the same learning curve, in few enough rows for Git
        logs/: seconds and tokens of each step
"""

from pathlib import Path

from whyrank.core import ctrl_c  # noqa: F401 - first

# isort: split
from whyrank.core import checksums, command, io, prepared, processes, runtime
from whyrank.core.options import params
from whyrank.core.options.systems import PRETRAINED
from whyrank.model import system
from whyrank.model.golden import golden_vectors
from whyrank.training.barlow import pretrain
from whyrank.training.engine import trackers
from whyrank.training.engine.trained import curves, pretraining_summary


def main() -> None:
    values = params.load("pretrain_barlow")
    seed = params.seed(values)
    encoder = params.section(values, "encoder", params.Encoder)
    options = params.section(values, "pretrain_barlow", params.PretrainBarlow)
    processes.start()
    trackers.report_to(params.report_to())
    runtime.seed_everything(seed)
    runtime.arrange_memory(keep=not options.cache_tokens)

    base = Path("models/base")
    start = system.load(base, trust_remote_code=encoder.trust_remote_code)
    data = prepared.read("data/prepared")
    system.check_tokens(start, data, base)
    trained = pretrain.pretrain_barlow(start, data, options, encoder, seed)
    golden = golden_vectors(trained.system, data, encoder)
    if not processes.is_first():
        return
    io.write_metrics("metrics/pretrain_barlow.json", pretraining_summary(trained.history))
    with checksums.summed_folder("metrics/pretrain_barlow", "metrics/pretrain_barlow.json") as folder:
        for file, table in {**trained.records(), "golden.parquet": golden}.items():
            io.write_table(folder / file, table)
    io.write_tables("metrics/plots/pretrain_barlow", curves(trained.history))
    unchanged = base if options.train == "head" or options.steps == 0 else None
    system.save(trained.system, PRETRAINED, longest=system.longest(base), unchanged=unchanged)
    # Wall-clock figures differ from run to run, so they are no output of DVC.
    io.write_table("logs/pretrain_barlow.csv", trained.history.speed)
    trained.checkpoints.remove()


if __name__ == "__main__":
    command.run_stage(main)
