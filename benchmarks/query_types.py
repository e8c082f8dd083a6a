"""What raises the weaker query type, and closes the gap between questions and conversations? As docs/results.md says.

    python -m benchmarks.query_types run DATA WORK [--sets …] [--encoders …] [--seeds …] [--labels N]
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

from benchmarks.by_type import distilled, encoded, scores, tuned, weighted
from benchmarks.pretraining import ROOT, SEEDS, SETS, values_of, whole
from benchmarks.query_types_table import BY_TYPE, CONTROL, FUSED, table
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
Arms = Iterator[tuple[str, pd.DataFrame]]
SPEAKER = re.compile(r"^(\w+): ?")


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


class Cell:
    """A split of a set under an encoder; each method gives arms by name and their test queries."""

    def __init__(self, run: Run) -> None:
        self.run, prepared = run, run.prepared
        self.prepared, self.vector_ND = prepared, encoded(run, prepared.token_ids)
        self.start_QA, self.dev_Q = scores(run.base, prepared, self.vector_ND), judged(prepared, "dev")
        self.type_Q = prepared.queries["type"].to_numpy()
        mrr_Q = per_query(prepared, self.dev_Q, self.start_QA[self.dev_Q])["mrr"]
        self.weak = min(TYPES, key=lambda name: mrr_Q[self.type_Q[self.dev_Q] == name].mean())
        self.is_weak_Q = self.type_Q == self.weak
        self.tuned = partial(tuned, run, STEPS, prepared, self.vector_ND)
        self.control = self.tuned()

    def told(self, score_QA: np.ndarray) -> pd.DataFrame:
        return scored(self.run, self.prepared, score_QA).assign(weaker=self.weak)

    def of(self, one: System, table_ND: torch.Tensor | None = None) -> pd.DataFrame:
        return self.told(scores(one, self.prepared, self.vector_ND if table_ND is None else table_ND))

    def with_table(self, texts: Prepared, table_ND: torch.Tensor) -> pd.DataFrame:
        return self.of(tuned(based(self.run, texts, table_ND), STEPS, texts, table_ND), table_ND)

    def compared_with(self) -> Arms:
        yield "untrained", self.of(self.run.base)
        yield CONTROL, self.of(self.control)

    def weighing(self) -> Arms:
        yield "weighted in the loss", self.of(self.tuned(extra=partial(weighted, WEIGHT, self.is_weak_Q)))
        yield "oversampled", self.of(self.tuned(1 + (TIMES - 1) * self.is_weak_Q))
        train_Q, is_hard_Q = judged(self.prepared, "train"), np.zeros(len(self.type_Q), dtype=bool)
        is_hard_Q[train_Q] = per_query(self.prepared, train_Q, self.start_QA[train_Q])["accuracy@1"] < 1
        yield "hard ones oversampled", self.of(self.tuned(1 + (HARD_TIMES - 1) * (self.is_weak_Q & is_hard_Q)))
        yield "weaker type alone", self.of(self.tuned(self.is_weak_Q.astype(int)))

    def teaching(self) -> Arms:
        partner_Q = partners(self.prepared, self.is_weak_Q)
        for of, weight in (("vectors", OF_VECTORS), ("scores", OF_SCORES)):
            yield f"distilled, {of}", self.of(self.tuned(extra=partial(distilled, weight, of, partner_Q)))

    def views(self) -> Arms:
        for weight in VIEWS:
            values = overrides.put(dict(self.run.values), {"finetune_rank.objectives.views.weight": weight})
            one = tuned(dataclasses.replace(self.run, values=values), STEPS, self.prepared, None)
            yield f"views beside ranking, weight {weight:g}", self.of(one)

    def made_queries(self) -> Arms:
        pseudo = self.run.with_pseudo(self.prepared)
        made_ND = encoded(self.run, pseudo.token_ids[len(self.vector_ND) :])
        yield "pseudo-queries", self.of(tuned(self.run, STEPS, pseudo, torch.cat([self.vector_ND, made_ND])))

    def reading(self) -> Arms:
        is_told_Q = self.type_Q == "conversation"
        is_told_N = np.concatenate([np.zeros(len(self.prepared.answers), dtype=bool), is_told_Q])
        for name, way in (("asker's turns", asker), ("question turns", questions_of)):
            texts, table_ND = rewritten(self.run, way), self.vector_ND.clone()
            if texts.queries["text"].equals(self.prepared.queries["text"]):
                continue
            table_ND[is_told_N] = encoded(self.run, texts.queries.loc[is_told_Q, "input_ids"])
            yield name, self.with_table(texts, table_ND)
        both_ND = functional.normalize(self.vector_ND, dim=1) + functional.normalize(table_ND, dim=1)
        yield "question turns beside the whole", self.with_table(self.prepared, both_ND)
        region_ND = one_region(self.prepared, self.vector_ND)
        yield "one region, untrained", self.of(based(self.run, self.prepared, region_ND).base, region_ND)
        yield "one region", self.with_table(self.prepared, region_ND)

    def fusing(self) -> Arms:
        queries, answers = (table["raw_text"].tolist() for table in (self.prepared.queries, self.prepared.answers))
        rank = words.scorer(words.bm25, self.prepared, analysis.analyser(queries, answers))
        control_QA = scores(self.control, self.prepared, self.vector_ND)
        fuse = partial(fused, self.prepared, control_QA, rank(np.arange(len(self.type_Q))))
        yield FUSED, self.told(fuse(self.dev_Q))
        question_QA, conversation_QA = (fuse(self.dev_Q[self.type_Q[self.dev_Q] == name]) for name in TYPES)
        by_type_QA = np.where((self.type_Q == TYPES[0])[:, None], question_QA, conversation_QA)
        yield BY_TYPE, self.told(by_type_QA)


def measured(name: str, encoder: str, seed: int, source: Path, labels: int) -> pd.DataFrame:
    """With fewer labels only the arm that brings some."""
    beside: dict[str, Any] = {"encoder.readout": "auto", "finetune_rank.max_steps": STEPS}
    beside["finetune_rank.objectives.views.texts.per_text"] = 2
    run = label_curve.begun(overrides.put(values_of(name, encoder, source), beside), seed)
    one, tables = Cell(dataclasses.replace(run, prepared=run.labelled(labels)) if labels else run), []
    ways = [one.compared_with, one.made_queries]
    ways += [] if labels else [one.views, one.weighing, one.teaching, one.reading, one.fusing]
    for arm, queries in (arm for way in ways for arm in way()):
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
    run.add_argument("--labels", type=int, default=0, help="training queries that keep their judgements; 0: all")
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
                with_labels = f"-{asked.labels}" if asked.labels else ""
                file = asked.work / f"types.{name}.{encoder}{with_labels}.{seed}.csv"
                if not file.exists():
                    print(file.stem, file=sys.stderr)
                    io.write_table(file, measured(name, encoder, seed, source, asked.labels))


if __name__ == "__main__":
    main()
