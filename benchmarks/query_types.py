"""What raises the weaker query type, and closes the gap between questions and conversations? As docs/results.md says.

    python -m benchmarks.query_types run DATA WORK [--sets …] [--encoders …] [--seeds …]
    python -m benchmarks.query_types table WORK

DATA and WORK as those of benchmarks.pretraining; a cell (set, encoder, seed) is a file WORK/types.<cell>.csv. Fixed in
the commit before the runs on SEEDS: sets, encoders, arms and their numbers (tried on split seed 7 alone), all labels,
the tuning of scenarios/label-curve.yaml for STEPS updates in every arm (a residual head on the frozen encoder, begun
with the same weights, the best of six evaluations on dev), the read-out chosen on dev. Compared with that tuning
alone, `control`: gains of each type in points of accuracy@1 and MRR, all seeds pooled, answers resampled, Holm's
correction over all rows of a metric. The weaker type is the one with the lower MRR of the untrained encoder on dev.
"""

import argparse
import dataclasses
import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from benchmarks.by_type import distilled, encoded, tuned, weighted
from benchmarks.pretraining import ROOT, SEEDS, SETS, values_of, whole
from benchmarks.query_types_table import CONTROL, table
from whyrank.commands import label_curve
from whyrank.commands.label_curve import METRICS, Run
from whyrank.core import io
from whyrank.core.options import overrides, params
from whyrank.core.prepared import Prepared
from whyrank.data.files.text import cut
from whyrank.data.ranking.selection import sentences
from whyrank.lexical import analysis
from whyrank.lexical import ranking as words
from whyrank.model import readout
from whyrank.model.encoder import budgets
from whyrank.model.judged import judged, per_query
from whyrank.model.system import System
from whyrank.scoring.ranking import score
from whyrank.scoring.rivals.fusion import WEIGHTS, min_max

STEPS = 150
ENCODERS = ("mean", "cls")
TYPES = ("question", "conversation")
# Chosen on split seed 7.
WEIGHT, TIMES, HARD_TIMES, OF_SCORES, OF_VECTORS, VIEWS = 1.0, 2, 3, 1.0, 1.0, (0.01, 1.0)
SPEAKER = re.compile(r"^(\w+): ?")


def scores(one: System, prepared: Prepared, vector_ND: torch.Tensor) -> np.ndarray:
    """(Q, A) of all queries."""
    answers = len(prepared.answers)
    with torch.inference_mode():
        query_QD, answer_AD = one.eval().project(vector_ND[answers:], vector_ND[:answers])
        return (query_QD @ answer_AD.T).numpy()


def scored(run: Run, prepared: Prepared, score_QA: np.ndarray) -> pd.DataFrame:
    """query_id, type, cluster and METRICS of each test query."""
    asked = score.queries_with_relevant(prepared, "test")
    found = score.rank(lambda query_Q: score_QA[query_Q], prepared, asked, run.options("evaluate", params.Evaluate))
    return found.queries[["query_id", "type", "cluster", *METRICS]]


def based(run: Run, prepared: Prepared, table_ND: torch.Tensor) -> Run:
    """Another set of texts, or vectors of them, under the same encoder, with the read-out that it chooses."""
    start = System(run.base.encoder, run.base.query_head, run.base.answer_head, run.base.score)
    asked = run.options("encoder", params.Encoder).readout
    start.readout = readout.choose(start, lambda: table_ND, prepared, asked, seed=run.seed).chosen
    return dataclasses.replace(run, prepared=prepared, base=start)


def asker(text: str) -> str:
    """The turns of the one who began, without names."""
    lines = text.splitlines()
    speakers = [found.group(1) if (found := SPEAKER.match(line)) else None for line in lines]
    own = [SPEAKER.sub("", line) for line, name in zip(lines, speakers, strict=True) if name == speakers[0]]
    return "\n".join(own) or text


def questions_of(text: str) -> str:
    """What the one who began asks; where nothing ends with a question mark, all that they say."""
    own = asker(text)
    return " ".join(one for one in sentences(own) if one.endswith("?")) or own


def rewritten(run: Run, way: Callable[[str], str]) -> Prepared:
    """Every conversation as `way` has it, within its budget as before."""
    queries, encoder = run.prepared.queries.copy(), run.base.encoder
    options = run.options("prepare", params.Prepare)
    budget = budgets.budgets(encoder, options.tokens, with_pairs=False)
    own, first = budget.own["conversation"], round(budget.own["conversation"] * options.head_share)
    is_told = queries["type"] == "conversation"
    texts = [way(text) for text in queries.loc[is_told, "raw_text"]]
    texts = cut(texts, first, own - first, count_tokens=encoder.count_tokens)
    ids = encoder.tokenise(texts, budget.whole["conversation"], "query")
    queries.loc[is_told, "text"] = texts
    queries.loc[is_told, "input_ids"] = pd.Series(ids, queries.index[is_told], dtype=object)
    return dataclasses.replace(run.prepared, queries=queries)


def partners(prepared: Prepared, is_weak_Q: np.ndarray) -> np.ndarray:
    """(Q,) row of a query of the stronger type in the thread of each of the weaker; -1 where there is none."""
    thread_Q = prepared.queries["thread"].to_numpy()
    first = {thread: row for row, thread in reversed([*enumerate(thread_Q)]) if thread >= 0 and not is_weak_Q[row]}
    return np.array([first.get(thread, -1) if weak else -1 for thread, weak in zip(thread_Q, is_weak_Q, strict=True)])


def one_region(prepared: Prepared, vector_ND: torch.Tensor) -> torch.Tensor:
    """Each type moved to where all training queries are, so that their means are one."""
    vector_ND = functional.normalize(vector_ND, dim=1).clone()
    query_ND = vector_ND[len(prepared.answers) :]
    is_train_Q = (prepared.queries["split"] == "train").to_numpy(copy=True)
    middle_D = query_ND[is_train_Q].mean(0)
    for name in TYPES:
        of_type_Q = (prepared.queries["type"] == name).to_numpy(copy=True)
        query_ND[of_type_Q] += middle_D - query_ND[of_type_Q & is_train_Q].mean(0)
    return vector_ND


def fused(prepared: Prepared, score_QA: np.ndarray, lexical_QA: np.ndarray, query_Q: np.ndarray) -> np.ndarray:
    """(Q, A) with the weight of BM25 that is best for these dev queries."""
    parts = min_max(lexical_QA), min_max(score_QA)
    ways = [one * parts[0] + (1 - one) * parts[1] for one in WEIGHTS]
    return max(ways, key=lambda way_QA: per_query(prepared, query_Q, way_QA[query_Q])["mrr"].mean())


def arms(run: Run) -> Iterator[tuple[str, pd.DataFrame]]:
    prepared, vector_ND = run.prepared, encoded(run, run.prepared.token_ids)
    start_QA, dev_Q, train_Q = scores(run.base, prepared, vector_ND), judged(prepared, "dev"), judged(prepared, "train")
    type_Q = prepared.queries["type"].to_numpy()
    mrr_Q = per_query(prepared, dev_Q, start_QA[dev_Q])["mrr"]
    weak = min(TYPES, key=lambda name: mrr_Q[type_Q[dev_Q] == name].mean())
    is_weak_Q = type_Q == weak

    def of(one: System, texts: Prepared = prepared, table_ND: torch.Tensor = vector_ND) -> pd.DataFrame:
        return scored(run, texts, scores(one, texts, table_ND)).assign(weaker=weak)

    def with_table(texts: Prepared, table_ND: torch.Tensor) -> pd.DataFrame:
        return of(tuned(based(run, texts, table_ND), STEPS, texts, table_ND), texts, table_ND)

    plain = partial(tuned, run, STEPS, prepared, vector_ND)
    yield "untrained", of(run.base)
    control = plain()
    yield CONTROL, of(control)
    # What training weighs.
    yield "weighted in the loss", of(plain(extra=partial(weighted, WEIGHT, is_weak_Q)))
    yield "oversampled", of(plain(1 + (TIMES - 1) * is_weak_Q))
    is_hard_Q = np.zeros(len(type_Q), dtype=bool)
    is_hard_Q[train_Q] = per_query(prepared, train_Q, start_QA[train_Q])["accuracy@1"] < 1
    yield "hard ones oversampled", of(plain(1 + (HARD_TIMES - 1) * (is_weak_Q & is_hard_Q)))
    yield "weaker type alone", of(plain(is_weak_Q.astype(int)))
    # What one query of a thread teaches the other.
    partner_Q = partners(prepared, is_weak_Q)
    yield "distilled, vectors", of(plain(extra=partial(distilled, OF_VECTORS, "vectors", partner_Q)))
    yield "distilled, scores", of(plain(extra=partial(distilled, OF_SCORES, "scores", partner_Q)))
    # More texts.
    for weight in VIEWS:
        values = overrides.put(dict(run.values), {"finetune_rank.objectives.views.weight": weight})
        one = tuned(dataclasses.replace(run, values=values), STEPS, prepared, None)
        yield f"views beside ranking, weight {weight:g}", of(one)
    pseudo = run.with_pseudo(prepared)
    made_ND = encoded(run, pseudo.token_ids[len(vector_ND) :])
    yield "pseudo-queries", of(tuned(run, STEPS, pseudo, torch.cat([vector_ND, made_ND])))
    # What is read.
    is_told_N = np.concatenate([np.zeros(len(prepared.answers), dtype=bool), type_Q == "conversation"])
    for name, way in (("asker's turns", asker), ("question turns", questions_of)):
        texts, table_ND = rewritten(run, way), vector_ND.clone()
        if texts.queries["text"].equals(prepared.queries["text"]):
            continue
        table_ND[is_told_N] = encoded(run, texts.queries.loc[type_Q == "conversation", "input_ids"])
        yield name, with_table(texts, table_ND)
    both_ND = functional.normalize(vector_ND, dim=1) + functional.normalize(table_ND, dim=1)
    yield "question turns beside the whole", with_table(prepared, both_ND)
    region_ND = one_region(prepared, vector_ND)
    yield "one region, untrained", of(based(run, prepared, region_ND).base, prepared, region_ND)
    yield "one region", with_table(prepared, region_ND)
    # Beside words.
    told = analysis.analyser(prepared.queries["raw_text"].tolist(), prepared.answers["raw_text"].tolist())
    lexical_QA = words.scorer(words.bm25, prepared, told)(np.arange(len(type_Q)))
    control_QA = scores(control, prepared, vector_ND)
    fuse = partial(fused, prepared, control_QA, lexical_QA)
    yield "fused with BM25", scored(run, prepared, fuse(dev_Q)).assign(weaker=weak)
    question_QA, conversation_QA = (fuse(dev_Q[type_Q[dev_Q] == name]) for name in TYPES)
    by_type_QA = np.where((type_Q == TYPES[0])[:, None], question_QA, conversation_QA)
    yield "fused with BM25, weights by type", scored(run, prepared, by_type_QA).assign(weaker=weak)


def cell(name: str, encoder: str, seed: int, source: Path) -> pd.DataFrame:
    beside: dict[str, Any] = {"encoder.readout": "auto", "finetune_rank.max_steps": STEPS}
    beside["finetune_rank.objectives.views.texts.per_text"] = 2
    values = overrides.put(values_of(name, encoder, source), beside)
    tables = []
    for arm, queries in arms(label_curve.begun(values, seed)):
        means = ", ".join(f"{kind} {rows['accuracy@1'].mean():.3f}" for kind, rows in queries.groupby("type"))
        print(f"  {arm}: {means}", file=sys.stderr, flush=True)
        tables.append(queries.assign(seed=seed, arm=arm))
    return pd.concat(tables, ignore_index=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run")
    run.add_argument("data", type=Path)
    run.add_argument("work", type=Path)
    run.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    run.add_argument("--encoders", nargs="+", choices=ENCODERS, default=ENCODERS)
    run.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    commands.add_parser("table").add_argument("work", type=Path)
    asked = parser.parse_args()
    if asked.command == "table":
        print("\n\n".join(f"{metric}\n\n{table(asked.work, metric)}" for metric in METRICS))
        return
    for encoder in asked.encoders:
        for name in asked.sets:
            source = ROOT / "data/raw/sample" if name == "sample" else asked.work / name
            if not source.exists():
                whole(asked.data / name, source)
            for seed in asked.seeds:
                file = asked.work / f"types.{name}.{encoder}.{seed}.csv"
                if not file.exists():
                    print(file.stem, file=sys.stderr)
                    io.write_table(file, cell(name, encoder, seed, source))


if __name__ == "__main__":
    main()
