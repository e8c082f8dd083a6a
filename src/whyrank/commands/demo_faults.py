"""What the demo breaks: the healthy run, small enough for a minute, and three faults as users meet them."""

import json
import random
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from whyrank.commands import in_process
from whyrank.core import io
from whyrank.core.options.overrides import put
from whyrank.core.options.systems import tuned_folder
from whyrank.core.options.yaml_files import starting_params
from whyrank.findings.systems import Systems

SAMPLE = Path("data/raw/sample")
SETTINGS: Mapping[str, Any] = {
    # Whatever a user has committed instead.
    "prepare.source": str(SAMPLE),
    "prepare.hub": "",
    "prepare.corrections": "data/corrections/none.csv",
    "encoder.source": "embedded",
    "encoder.precision": "fp32",
    "prepare.tokens.question": 32,
    "prepare.tokens.conversation": 96,
    "prepare.tokens.answer": 128,
    "pretrain_barlow.steps": 40,
    "pretrain_barlow.batch_size": 48,
    "pretrain_barlow.learning_rate": 1.0e-3,
    "pretrain_barlow.views": ["query-answer"],
    "encoder.readout": "raw",
    "finetune_rank.train": "head",
    "finetune_rank.head.kind": "residual",
    "finetune_rank.head.hidden": 384,
    "finetune_rank.epochs": 4,
    "finetune_rank.learning_rate": 1.0e-3,
    # The weights of the last step are kept, as most trainings keep them: with those of the best evaluation a rate that
    # is too high would cost the gain alone.
    "finetune_rank.early_stopping.metric": "",
    "pretrain_barlow.early_stopping.metric": "",
    "diagnose.resamples": 2000,
}


@dataclass(frozen=True)
class Fault:
    """name          of the folder of its report
    done          what was done to the healthy run, as a user would say it
    settings      overrides of params.yaml that do it
    shifted       rows by which the answers of the judgements are moved
    is_pretrained whether the system that is fine-tuned was pretrained before
    """

    name: str
    done: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    shifted: int = 0
    is_pretrained: bool = False


RATE = "pretrain_barlow.learning_rate"
FAULTS = (
    Fault("labels", "Each query of the judgements has the answer of the row above.", shifted=1),
    Fault("pretraining", f"Pretraining with {RATE}=0.3.", {RATE: 0.3}, is_pretrained=True),
    Fault("fine-tuning", "Fine-tuning with finetune_rank.learning_rate=0.3.", {"finetune_rank.learning_rate": 0.3}),
)


def values_of(fault: Fault | None) -> dict[str, Any]:
    """The values of params.yaml for a fault, with the systems that tell of it; None: the healthy run, with all."""
    values = put(starting_params(), {**SETTINGS, **(fault.settings if fault else {})})
    systems = Systems.of(values)
    tuned = [name for name in systems.tuned if fault is None or systems.is_pretrained(name) == fault.is_pretrained]
    shown = {systems.rating_baseline, *systems.zero_shot, *tuned}
    if fault is None or fault.is_pretrained:
        shown |= {*systems.with_role("pretrained")}
    values["systems"] = {name: own for name, own in values["systems"].items() if name in shown}
    folders = {values["systems"][name]["made_of"] for name in tuned}
    values["inits"] = [init for init in values["inits"] if tuned_folder(init) in folders]
    if fault is not None and fault.shifted:
        values["pretrain_barlow"]["steps"] = 0
    return values


def n_stages(root: Path) -> int:
    """How many stages run: those of the healthy run, and of each fault twice, the second time without a diagnosis."""
    total = len(in_process.plan(values_of(None), root, diagnosed=False))
    for fault in FAULTS:
        steps = in_process.plan(values_of(fault), root, first_of(fault, root))
        total += 2 * len(steps) - 1
    return total


def first_of(fault: Fault, root: Path) -> str:
    return "prepare" if fault.shifted else in_process.first_stage(fault.settings, root)


def write_sample(source: Path, target: Path, *, shifted: int = 0) -> None:
    """A copy of the sample with its queries in another order, in which neighbours have different answers, as in a log.

    shifted   rows by which the answers of the judgements are moved down
    """
    (target / "qrels").mkdir(parents=True)
    shutil.copyfile(source / "corpus.jsonl", target / "corpus.jsonl")
    header, *rows = (source / "qrels/train.tsv").read_text(encoding="utf-8").splitlines()
    random.Random(0).shuffle(rows)
    queries, answers, scores = zip(*(row.split("\t") for row in rows), strict=True)
    lines = (source / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    by_id = {json.loads(line)["_id"]: line for line in lines}
    io.write_text(target / "queries.jsonl", "".join(f"{by_id[query]}\n" for query in queries))
    moved = zip(queries, answers[len(answers) - shifted :] + answers[: len(answers) - shifted], scores, strict=True)
    io.write_text(target / "qrels/train.tsv", "\n".join([header, *map("\t".join, moved)]) + "\n")
