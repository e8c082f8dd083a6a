"""What every case would load for itself, loaded once before the forks. Nothing here may start a thread."""

import signal
import sys


def up() -> None:
    from benchmarks.faults import pipeline

    pipeline.adapt()
    # The stages have set their own, which end a process at once; ours has to end those that it started.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    import py3langid
    import torch

    from benchmarks.faults.sets import ROOT
    from whyrank.core.options import params
    from whyrank.core.options.yaml_files import read_yaml
    from whyrank.diagnosis import registry
    from whyrank.model.encoder import source

    torch.set_num_threads(1)
    py3langid.classify("a text in some language")
    values = read_yaml(str(ROOT / "params.yaml"))
    params.check(values)
    options = params.section(values, "encoder", params.Encoder)
    encoder = source.bring(options, [])
    encoder.tokenizer(["a text"])
    registry.codes()
