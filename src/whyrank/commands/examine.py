"""`whyrank examine`: the pipeline's report about a model that was trained elsewhere. Nothing is trained.

The model takes the place of what the stage finetune_rank would have made, and its history, where there is one, that of
what the stage would have recorded; every other stage runs as it is. All of it lies in a folder of its own: an
experiment of DVC would train what is examined.
"""

import dataclasses
import json
import re
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from contextlib import chdir
from pathlib import Path
from typing import Any

import pandas as pd

from whyrank.commands import foreign, history, in_process, template
from whyrank.commands.check import SAID_LATER, absolute, of_data, without
from whyrank.core import checksums, io
from whyrank.core.errors import UsageError, UserError
from whyrank.core.options import overrides, params
from whyrank.core.options.system_links import left_without
from whyrank.core.options.systems import LEARNT, TRAINED, tuned_folder
from whyrank.core.options.yaml_files import PARAMS, read_yaml
from whyrank.findings import again
from whyrank.findings.records import AS_BEFORE, ELSEWHERE
from whyrank.findings.systems import Systems

ALONE = "prepare.split.test_alone"
RUNS, START = "data/runs", "models/base"
TRAININGS = {in_process.MADE_BY[role] for role in TRAINED}
EVALUATED = ("dev", "train")


def run(asked: Namespace) -> Path:
    """`examine` as the command line asks it."""
    expected = dict(asked.expected)
    return examine(
        asked.model, asked.data, asked.overrides, base=asked.base, steps=asked.history, expected=expected, out=asked.out
    )


def examine(
    model: str,
    data: str,
    settings: Sequence[str],
    *,
    base: str = "",
    steps: Path | None = None,
    expected: Mapping[str, float] | None = None,
    out: Path | None = None,
) -> Path:
    """Prepare, score and diagnose; the folder with the report.

    model         folder or hub id of an encoder, folder of vectors, or file of a run
    base          folder or hub id; of a model with a base all checks of what training changed apply
    steps         what the training logged, see `history.read`
    expected      figures of the model from elsewhere, by metric
    Raises UserError for whatever the stages refuse, and where the model reads texts otherwise than its base does.
    """
    kind = foreign.kind_of(model)
    if steps is not None and kind != "encoder":
        raise UsageError(f"--history says how an encoder was trained, and {model} is none that whyrank reads")
    if steps is not None and not base:
        raise UsageError("--history says how the model was trained, from what --base says; name the base, too")
    out = out or Path(f"whyrank-{named(model)}-{named(data)}")
    if out.exists() and any(out.iterdir()):
        raise UserError(f"{out} is not empty, and stays as it is; name a new folder with --out")
    logged = history.NOTHING if steps is None else history.read(steps)
    batch = {} if steps is None else history.batch_size(steps)
    root = template.root()
    ours = read_yaml(str(root / PARAMS))
    values = values_of(model, data, settings, ours, base=base, kind=kind)
    if expected:
        values["systems"][_examined(model, ours)]["expected"] = dict(expected)
    params.check(values)
    encoder = params.section(values, "encoder", params.Encoder)
    folder = _folder(model, encoder) if kind in foreign.MODELS else None
    values = foreign.as_served(values, folder, settings) if folder else values
    in_process.arrange(out, root, values)
    named_by = {"--data": [data], "--base": [base] if base else [], "--history": [str(steps)] if steps else []}
    named_by["--expected"] = [f"{metric}={value}" for metric, value in (expected or {}).items()]
    words = [word for option, own in named_by.items() for one in own for word in (option, one)]
    again.write(out, [model, *words], settings)
    with chdir(out):
        with without(SAID_LATER):
            in_process.run(Path(), root, [("prepare", "")], _tell)
        if not (io.read_table("data/prepared/queries.parquet")["split"] == "train").any():
            values = _without_training(values)
            io.write_text(PARAMS, json.dumps(values, indent=1))
            lost = "what is made of training queries is left out" + (", and --history" if steps else "")
            print(f"{data}: all queries are test queries; {lost}", file=sys.stderr)
        if kind == "library" and folder:
            foreign.encode(folder, Path(foreign.VECTORS), trust_remote_code=encoder.trust_remote_code)
        _, *others, last = (step for step in in_process.plan(values, root) if step[0] not in TRAININGS)
        systems = Systems.of(values)
        kept: dict[str, float] = {}
        for name in systems.tuned if kind == "encoder" else ():
            assert folder is not None
            moved, kept = _bring(folder, encoder, systems.options[name].made_of, base)
            # How far in between, nobody knows.
            logged.loc[logged.index[-1:], list(moved)] = list(moved.values())
        in_process.run(Path(), root, others, _tell)
        if folder:
            foreign.agree(_examined(model, ours), folder, trust_remote_code=encoder.trust_remote_code)
        _record("metrics/pretrain_barlow", {"steps": 0}, {"history.csv": history.NOTHING})
        for name, start in systems.untuned.items() if values["inits"] else ():
            # As far as anybody knows the model is that of the last step.
            end = int(logged["step"].iloc[-1]) if len(logged) else 1
            tables = {"history.csv": logged, "evaluations.csv": _evaluations(start, name, end)}
            metrics = {"steps_run": len(logged), "best_step": end, ELSEWHERE: 1, **kept, **batch}
            _record(f"metrics/finetune_rank/{start}", metrics, tables)
        in_process.run(Path(), root, [last], _tell)
    return out


def values_of(
    model: str, data: str, settings: Sequence[str], values: Mapping[str, Any], *, base: str, kind: foreign.Given
) -> dict[str, Any]:
    """The values of a params.yaml with the model among the systems that nothing is trained for."""
    changed = {ALONE: "keep", "pretrain_barlow.steps": 0, "encoder.readout": "raw"}
    if source := base or (model if kind == "encoder" else ""):
        changed["encoder.source"] = source
    found = of_data(data, [*settings], overrides.put(values, changed))
    systems = Systems.of(found)
    (start, *_), name = systems.zero_shot, _examined(model, values)
    gone = systems.with_role(*TRAINED)
    gone += (*left_without(gone, systems.options),)
    kept = {one: own for one, own in found["systems"].items() if one not in gone}
    if kind == "run":
        own = {"kind": "run", "role": "rival", "made_of": absolute(model)}
        return {**found, "systems": {**kept, name: own}, "inits": []}
    tuned = {"role": "tuned", "starts_from": start} if base else {"role": "zero-shot"}
    if kind != "encoder":
        own = {"kind": "vectors", "made_of": absolute(model), **tuned}
        if kind == "library":
            own |= {"made_of": foreign.VECTORS, "similarity": foreign.similarity(Path(model))}
        return {**found, "systems": {**kept, name: own}, "inits": []}
    if base:
        own = {"kind": "encoder", "made_of": tuned_folder(start), **tuned}
        return {**found, "systems": {**kept, name: own}, "inits": [start]}
    # Under its own name, which rivals that are made of its vectors have to know.
    renamed = {name if one == start else one: dict(own) for one, own in kept.items()}
    for own in renamed.values():
        own["made_of"] = re.sub(rf"^{RUNS}/{re.escape(start)}$", f"{RUNS}/{name}", own["made_of"])
    return {**found, "systems": renamed, "inits": []}


def _without_training(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values without systems that are made of training queries, and without what measures a training by them."""
    kept = {name: own for name, own in values["systems"].items() if own["kind"] not in LEARNT}
    return {**values, "systems": kept, "inits": []}


def _examined(model: str, ours: Mapping[str, Any]) -> str:
    """Name of the model among systems. ours   the values of the package's params.yaml"""
    name = named(model)
    return f"{name}-examined" if name in ours["systems"] else name


def named(path: str) -> str:
    """The last part of a path or hub id, as the name of a system or a folder."""
    return (
        re.sub(r"[^A-Za-z0-9_-]+", "-", Path(path).resolve().name if Path(path).exists() else Path(path).name).strip(
            "-_"
        )
        or "model"
    )


def _folder(model: str, encoder: params.Encoder) -> Path:
    """Where the files of the model lie; a hub id's in the hub's cache."""
    # Imported only here: torch takes a while.
    from whyrank.model.encoder import source

    folder = source.local_folder(dataclasses.replace(encoder, source=absolute(model)))
    if folder is None:
        raise UserError(f"{model} names no model; name its folder or a hub id")
    return folder


def _bring(folder: Path, encoder: params.Encoder, target: str, base: str) -> tuple[dict[str, float], dict[str, float]]:
    """Put the model where the stages read it.

    Returns how far training moved it, as in a history; and of weights in half precision, as `AS_BEFORE`, the share of
    those of its layers that are the base's to the last bit.
    """
    # Imported only here: torch takes a while.
    import torch
    from torch import nn

    from whyrank.core import prepared
    from whyrank.model import system
    from whyrank.model.encoder import weights
    from whyrank.training.engine.optimiser import Movement

    stored = weights.stored(folder)
    loaded = system.load_any(folder, trust_remote_code=encoder.trust_remote_code)
    try:
        system.check_tokens(loaded, prepared.read("data/prepared"), folder)
    except UserError:
        raise UserError(
            f"{folder} reads texts with another tokenizer or other prompts than {base}: it was not trained from that; "
            "name the --base that it was trained from, or leave --base out"
        ) from None
    system.save(loaded, target, longest=system.longest(START))
    start = system.load(START, trust_remote_code=encoder.trust_remote_code).encoder
    before, after = start.state_dict(), loaded.encoder.state_dict()
    if {name: value.shape for name, value in before.items()} != {name: value.shape for name, value in after.items()}:
        return {}, {}
    kept = {} if stored == torch.float32 else {AS_BEFORE: _as_before(before, after, stored)}
    movement = Movement(nn.ModuleDict({"encoder": start}), [f"encoder.{name}" for name, _ in start.named_parameters()])
    start.load_state_dict(after)
    return movement(), kept


def _as_before(before: Mapping[str, Any], after: Mapping[str, Any], stored: Any) -> float:
    """Share of the weights that are as the base's in that precision; of layers, as a batch has few words."""
    names = [name for name, value in before.items() if "embeddings" not in name and value.dim() > 1]
    same = sum(int((before[name].to(stored).float() == after[name]).sum()) for name in names)
    return same / max(sum(before[name].numel() for name in names), 1)


def _evaluations(start: str, name: str, last: int) -> pd.DataFrame:
    """What an evaluation during training would have found before its first step and after its last one."""
    rows = []
    for step, system in ((0, start), (last, name)):
        table = io.read_table(f"{RUNS}/{system}/other_splits.parquet")
        dev, train = (table[table["split"] == split] for split in EVALUATED)
        names = [str(one) for one in table if "@" in str(one) or one == "mrr"]
        row: dict[str, float] = {"step": step}
        for kind, part in (("all", dev), *dev.groupby("type")):
            row |= {f"{one}_{kind}": float(part[one].mean()) for one in names}
        rows.append(row | {f"train_{one}": float(train[one].mean()) for one in ("accuracy@1", "mrr")})
    return pd.DataFrame(rows)


def _record(folder: str, metrics: Mapping[str, float], tables: Mapping[str, pd.DataFrame]) -> None:
    """As a stage of training records it."""
    io.write_metrics(f"{folder}.json", metrics)
    with checksums.summed_folder(folder, f"{folder}.json") as written:
        for file, table in tables.items():
            io.write_table(written / file, table)


def _tell(name: str) -> None:
    print(f"stage {name}", file=sys.stderr, flush=True)
