"""`python -m benchmarks.faults.peers`: what other tools say of the same faults; each is installed by hand, see below.

vecscope (0.2.0)         reads the vectors of answers and queries of the encoder as it was given
DEFault++ (0.4.1)        reads some steps of fine-tuning the whole encoder, with its shipped model for encoders; its
                         boundary hooks, which BERT's intermediate layer does not stand, are taken off

`pip install -r benchmarks/faults/requirements-peers.txt`, as neither is among the packages of the repository. Kinds of
data, labels and encoder alone: patches of this code mean nothing to them. A fault counts as flagged where a tool warns
of it and not of the healthy twin.
"""

import os

# As in __main__: cases run in forked processes, which threads do not survive.
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import argparse
import importlib
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from tqdm import tqdm

from benchmarks.faults import pipeline, processes, raw, report, run, sets, warm
from benchmarks.faults.cases import Case
from whyrank.core.options.yaml_files import read_yaml
from whyrank.model.encoder import source

ABOUT = ("data", "labels", "encoder")
TOKENS, STEPS, ROWS, SCALE = 64, 24, 12, 20.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults.peers", description=__doc__)
    parser.add_argument("--kinds", choices=["development", "held-out", "blind", "blind-2"], default="development")
    parser.add_argument("--about", nargs="*", default=list(ABOUT), choices=ABOUT)
    parser.add_argument("--out", type=Path, required=True, help="file of results, a line of JSON for each case")
    asked = parser.parse_args()
    warm.up()
    cases = [one for one in run.planned(asked.kinds, seeds=1) if one.fault.about in asked.about]
    cases = [one for one in cases if one.task == "ranking"]
    both = [*dict.fromkeys(one.twin.key for one in cases)]
    twins = {one.twin.key: one.twin for one in cases}
    known = {row["key"] for row in run.rows(asked.out)}
    with open(asked.out, "a", encoding="utf-8") as stream:
        for case in tqdm([*(twins[key] for key in both), *cases], unit="case"):
            if case.key not in known:
                with tempfile.TemporaryDirectory() as folder:
                    row = processes.alone(lambda case=case, at=folder: examined(case, Path(at)), Path(folder) / "row")
                stream.write(json.dumps({"key": case.key, "twin": case.twin.key} | row) + "\n")
                stream.flush()
    print(summary(run.rows(asked.out)))


def examined(case: Case, folder: Path) -> dict[str, Any]:
    """What each tool says of a case: for vecscope the names of its warnings, for DEFault++ its diagnosis."""
    torch.set_num_threads(1)
    torch.manual_seed(case.seed)
    clean, own = folder / "clean", folder / "own"
    clean.mkdir()
    own.mkdir()
    sets.build(case.task, case.set, case.seed, clean)
    pipeline.arrange(case.fault, clean, own, case.seed, case.settings)
    named = read_yaml(str(own / "params.yaml"))["encoder"]["source"]
    files = Path(named) if Path(named).exists() else source.embedded_folder()
    answers = {row["_id"]: f"{row.get('title', '')} {row['text']}" for row in raw.read_lines(own / "raw/corpus.jsonl")}
    queries = {row["_id"]: row["text"] for row in raw.read_lines(own / "raw/queries.jsonl")}
    tokenizer = transformers.AutoTokenizer.from_pretrained(files)
    encoder = transformers.AutoModel.from_pretrained(files, attn_implementation="eager")
    answer_AD, query_QD = (encoded(encoder, tokenizer, list(texts.values())) for texts in (answers, queries))
    evidence = importlib.import_module("vecscope").audit(answer_AD, queries=query_QD)
    pairs = [(queries[row[0]], answers[row[1]]) for row in raw.read_qrels(own / "raw", "train") if float(row[2]) > 0]
    return {
        "vecscope": sorted(one.name for one in evidence.findings if one.verdict != "ok"),
        "defaultplusplus": diagnosed(encoder, tokenizer, pairs, np.random.default_rng(case.seed)),
    }


def read(encoder: Any, tokenizer: Any, texts: list[str]) -> tuple[Any, Any, torch.Tensor]:
    """Outputs of the encoder, what it read, and the mean of its tokens."""
    inputs = tokenizer(texts, truncation=True, max_length=TOKENS, padding=True, return_tensors="pt")
    outputs = encoder(**inputs, output_attentions=True, output_hidden_states=True)
    mask_BL1 = inputs["attention_mask"][:, :, None]
    return outputs, inputs, (outputs.last_hidden_state * mask_BL1).sum(dim=1) / mask_BL1.sum(dim=1)


def encoded(encoder: Any, tokenizer: Any, texts: list[str]) -> np.ndarray:
    """(N, D) float32, of unit length as the cosine takes them"""
    encoder.eval()
    with torch.no_grad():
        found = [read(encoder, tokenizer, texts[at : at + 32])[2] for at in range(0, len(texts), 32)]
    return torch.nn.functional.normalize(torch.cat(found), dim=1).numpy()


def diagnosed(encoder: Any, tokenizer: Any, pairs: list[tuple[str, str]], random: np.random.Generator) -> Any:
    """DEFault++ on `STEPS` steps of in-batch negatives by the cosine, over the whole encoder."""
    default = importlib.import_module("defaultplusplus")
    watched = default.FeatureExtractor(encoder, arch="encoder")
    watched.collector.sublayer_capture.remove()
    encoder.train()
    optimiser = torch.optim.AdamW(encoder.parameters(), lr=2e-5)
    for step in range(STEPS):
        batch = [pairs[i] for i in random.choice(len(pairs), ROWS, replace=False)]
        outputs, inputs, vector_ND = read(
            encoder, tokenizer, [text for side in zip(*batch, strict=True) for text in side]
        )
        unit_ND = torch.nn.functional.normalize(vector_ND, dim=1)
        outputs.logits = SCALE * unit_ND[:ROWS] @ unit_ND[ROWS:].T
        labels_B = torch.arange(ROWS)
        loss = torch.nn.functional.cross_entropy(outputs.logits, labels_B)
        optimiser.zero_grad()
        loss.backward()
        watched.step(loss=loss, outputs=outputs, labels=labels_B, optimizer=optimiser, **inputs_of(inputs))
        optimiser.step()
        if step % 8 == 7:
            watched.epoch_end()
    features = watched.finalize()
    normalised = importlib.import_module("defaultplusplus.processing").RuntimeNormalizer.load("encoder")
    predictor = importlib.import_module("defaultplusplus.diagnosis").load_pretrained("encoder")
    told = predictor.predict(normalised.encode(features, mode="raw")).to_dict()
    return {name: told[name] for name in ("is_faulty", "detection_prob", "category", "root_cause")}


def inputs_of(inputs: Any) -> dict[str, torch.Tensor]:
    return {name: inputs[name] for name in ("input_ids", "attention_mask")}


def summary(rows: list[dict[str, Any]]) -> str:
    """How many faults each tool flags, and how many healthy twins."""
    by_key = {row["key"]: row for row in rows}
    cases = [row for row in rows if row["key"] != row["twin"] and not row.get("failed")]
    twins = {row["twin"]: by_key[row["twin"]] for row in cases}
    new = sum(bool(set(row["vecscope"]) - set(twins[row["twin"]]["vecscope"])) for row in cases)
    faulty = sum(row["defaultplusplus"]["is_faulty"] for row in cases)
    healthy = sum(row["defaultplusplus"]["is_faulty"] for row in twins.values())
    alarmed = sum(bool(row["vecscope"]) for row in twins.values())
    lost = [row for row in rows if row.get("failed")]
    lines = [
        f"{len(cases)} faults, {len(twins)} healthy twins, {len(lost)} did not run",
        f"vecscope, faults with a warning that the twin has not: {report.wilson(new, len(cases))}",
        f"vecscope, healthy twins with a warning: {alarmed} of {len(twins)}",
        f"DEFault++, faults called faulty: {report.wilson(faulty, len(cases))}",
        f"DEFault++, healthy twins called faulty: {healthy} of {len(twins)}",
    ]
    lines += [f"- {row['key']}: {row['vecscope']}, {row['defaultplusplus']}" for row in [*twins.values(), *cases]]
    return "\n".join(lines + [f"- did not run: {row['key']}: {row['failed'][-200:]}" for row in lost])


if __name__ == "__main__":
    main()
