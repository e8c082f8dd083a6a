"""`whyrank teach`: a cross-encoder from the base encoder and the training pairs, for where none is at hand."""

import dataclasses
from argparse import Namespace
from pathlib import Path

from whyrank.core import io, prepared, runtime
from whyrank.core.errors import UsageError
from whyrank.core.options import overrides, params
from whyrank.core.options.yaml_files import PARAMS, read_yaml
from whyrank.model import system
from whyrank.training import cross_encoder

BASE = Path("models/base")


def run(arguments: Namespace, here: Path) -> None:
    """Train it, write its folder, and print how it ranks the dev queries beside the encoder.

    here   the folder that the user stands in
    Raises UserError where the folder is not free, the rate is none, or data and encoder are not prepared.
    """
    folder = here / arguments.folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{arguments.folder} is there already; name a new or an empty folder")
    if not 0 < arguments.learning_rate < 1:
        raise UsageError(f"--learning-rate is {arguments.learning_rate:g}; name one above 0 and below 1, such as 5e-5")
    values = read_yaml(PARAMS)
    params.check(values)
    encoder, seed = params.section(values, "encoder", params.Encoder), params.seed(values)
    data = prepared.read("data/prepared")
    start = system.load(BASE, trust_remote_code=encoder.trust_remote_code)
    options = cross_encoder.Options(
        **{field.name: getattr(arguments, field.name, seed) for field in dataclasses.fields(cross_encoder.Options)}
    )
    runtime.seed_everything(seed)
    found = cross_encoder.fitted(start, cross_encoder.examples(start, data, encoder, options), options)
    with io.replacing_folder(folder) as temporary:
        found.model.save_pretrained(str(temporary))
    place = folder.resolve()
    # As params.yaml names it, wherever the user stands.
    print(told(place.relative_to(Path.cwd()) if place.is_relative_to(Path.cwd()) else place, found, options.depth))


def told(folder: Path, found: cross_encoder.Fitted, depth: int) -> str:
    """Where it is, what it is worth, and what to do with it."""
    measured = (
        f"{folder} holds a cross-encoder. MRR@10 of the dev queries over the first {depth} answers of models/base: "
        f"{found.mrr:.3f}, in the order of models/base {found.encoder_mrr:.3f}."
    )
    if found.mrr <= found.encoder_mrr:
        return f"{measured}\nIt ranks no better than the encoder and has nothing to teach it; train it on more pairs."
    settings = [f"finetune_rank.reranker.model={overrides.written(str(folder))}", "finetune_rank.reranker.weight=1"]
    return f"{measured}\nTo teach by it: {overrides.command(settings)}"
