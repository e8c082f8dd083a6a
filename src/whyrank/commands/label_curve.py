"""`whyrank scenario label-curve`: from how many labels on pretraining no longer pays, measured on the user's data.

All arms of a seed share one split, one encoder and its kept vectors; the labels of fewer queries are among those of
more. What is compared has as many updates in all: pretraining against tuning for so many steps longer.
"""

import copy
import dataclasses
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from whyrank.core import runtime
from whyrank.core.options import params
from whyrank.core.options.prepare import Labels, PseudoQueries
from whyrank.core.prepared import Prepared
from whyrank.data.ranking import labels as label_choice
from whyrank.data.ranking import prepare
from whyrank.data.ranking.pseudo_queries import with_pseudo
from whyrank.model import readout, system
from whyrank.model.encoder import budgets, source
from whyrank.scoring.ranking import score
from whyrank.scoring.search import embed
from whyrank.training import distillation, finetune
from whyrank.training.barlow import pretrain
from whyrank.training.ranking import reranked

COUNTS = (50, 100, 200, 400, 800)
SEEDS = 3
METRICS = ("accuracy@1", "mrr")
# What an arm is compared with; the others have its steps before tuning.
CONTROL = "longer"
PRETRAINED = ("barlow", "infonce")
# Of each answer, beside the labels: as many steps as the control has.
PSEUDO_ARM, PSEUDO = "pseudo-queries", PseudoQueries(per_answer=3, of="all", within=3)


@dataclasses.dataclass(frozen=True)
class Run:
    """One seed: its split, its encoder with a read-out, and the options.

    values   those of params.yaml, with the seed
    """

    values: Mapping[str, Any]
    prepared: Prepared
    base: system.System

    @property
    def seed(self) -> int:
        return params.seed(dict(self.values))

    def options(self, name: str, kind: type) -> Any:
        return params.section(dict(self.values), name, kind)

    def labelled(self, count: int) -> Prepared:
        """With judgements of so many training queries; 0: of all."""
        choice = Labels(queries=count, answers=1.0)
        kept = label_choice.kept(self.prepared.queries, self.prepared.qrels, choice, self.seed)
        return dataclasses.replace(self.prepared, qrels=self.prepared.qrels[kept].reset_index(drop=True))

    def with_pseudo(self, prepared: Prepared) -> Prepared:
        """With training queries made of all answers, whatever labels there are."""
        queries, qrels = with_pseudo(prepared.queries, prepared.qrels, prepared.answers, PSEUDO)
        limit = self.options("prepare", params.Prepare).tokens.question
        is_made = queries["input_ids"].isna()
        ids = self.base.encoder.tokenise(queries.loc[is_made, "text"].tolist(), limit, "query")
        queries.loc[is_made, "input_ids"] = pd.Series(ids, queries.index[is_made], dtype=object)
        return dataclasses.replace(prepared, queries=queries, qrels=qrels)

    def start(self) -> system.System:
        return self.copied(self.base)

    def copied(self, one: system.System) -> system.System:
        """What a training may change: one system is the start of several."""
        return copy.deepcopy(one)

    def tuned(self, start: system.System, prepared: Prepared, longer: int = 0) -> system.System:
        """After as many updates as `max_steps` says, and so many more, whatever the number of labels."""
        options, encoder = self.options("finetune_rank", params.FinetuneRank), self.options("encoder", params.Encoder)
        steps = options.max_steps + longer
        options = dataclasses.replace(options, epochs=finetune.rounds_of(steps, options, prepared), max_steps=steps)
        teacher = distillation.load(options.distillation, trust_remote_code=encoder.trust_remote_code)
        reranker = reranked.load(options.reranker, trust_remote_code=encoder.trust_remote_code)
        given = (start, prepared, options, encoder, self.seed, teacher)
        return finetune.finetune_rank(*given, reranker=reranker).system

    def pretrained(self, objective: str) -> system.System:
        options = dataclasses.replace(self.options("pretrain_barlow", params.PretrainBarlow), objective=objective)
        encoder = self.options("encoder", params.Encoder)
        return pretrain.pretrain_barlow(self.start(), self.prepared, options, encoder, self.seed).system

    def scored(self, one: system.System) -> pd.DataFrame:
        """Each test query as `ranked` has it."""
        vectors = embed.embed(one.eval(), self.prepared, self.options("encoder", params.Encoder))
        return self.ranked(embed.Product(vectors, one.score))

    def ranked(self, product: embed.Product) -> pd.DataFrame:
        """query_id, type, cluster, METRICS as far as recorded, and the metric of the diagnosis, of each test query."""
        asked = score.queries_with_relevant(self.prepared, "test")
        run = score.rank(product, self.prepared, asked, self.options("evaluate", params.Evaluate))
        metrics = dict.fromkeys([*METRICS, self.options("diagnose", params.Diagnose).metric])
        return run.queries[["query_id", "type", "cluster", *(name for name in metrics if name in run.queries)]]


def begun(values: Mapping[str, Any], seed: int) -> Run:
    """Read, split and tokenise the texts, and bring the encoder, as `prepare` does, without its figures."""
    values = {**values, "seed": seed}
    runtime.seed_everything(seed)
    options = params.section(values, "prepare", params.Prepare)
    encoding = params.section(values, "encoder", params.Encoder)
    valid = prepare.read(options)
    encoder = source.bring(encoding, prepare.answer_texts(valid))
    budget = budgets.budgets(encoder, options.tokens, with_pairs=False)
    result = prepare.prepare(valid, options, tokens=budget.own, count_tokens=encoder.count_tokens, seed=seed)
    texts = budgets.tokenised(encoder, Prepared(result.answers, result.queries, result.qrels), budget)
    return Run(values, texts, readout.untrained(encoder, texts, encoding, seed)[0])


def counts(prepared: Prepared, asked: Sequence[int] = COUNTS) -> list[int]:
    """Numbers of labelled queries below those there are, and 0 for all."""
    there = prepared.relevant_in("train")["query"].nunique()
    return [count for count in asked if count < there] + [0]


def labelled_sets(run: Run, asked: Sequence[int]) -> Iterator[tuple[Prepared, int]]:
    """The set with each number of labelled queries, and how many there are."""
    for count in counts(run.prepared, asked):
        labelled = run.labelled(count)
        yield labelled, labelled.relevant_in("train")["query"].nunique()


def arms(run: Run, asked: Sequence[int] = COUNTS) -> Iterator[tuple[str, int, pd.DataFrame]]:
    """arm, number of labelled queries, and its test queries, as `Run.scored` gives them.

    untrained   the encoder under its read-out
    tuned       on the labels
    longer      on the labels, for the steps of pretraining longer
    barlow, infonce   pretrained on views without labels, then tuned as `tuned` is
    pseudo-queries    as `longer`, on the labels and on queries made of the answers
    """
    steps = run.options("pretrain_barlow", params.PretrainBarlow).steps
    pretrained = {objective: run.pretrained(objective) for objective in PRETRAINED}
    yield "untrained", -1, run.scored(run.base)
    for objective, one in pretrained.items():
        yield f"{objective}, untuned", -1, run.scored(one)
    for labelled, there in labelled_sets(run, asked):
        yield "tuned", there, run.scored(run.tuned(run.start(), labelled))
        yield CONTROL, there, run.scored(run.tuned(run.start(), labelled, longer=steps))
        for objective, one in pretrained.items():
            yield objective, there, run.scored(run.tuned(run.copied(one), labelled))
        yield PSEUDO_ARM, there, run.scored(run.tuned(run.start(), run.with_pseudo(labelled), longer=steps))


def measured(values: Mapping[str, Any], seeds: Sequence[int], asked: Sequence[int] = COUNTS) -> pd.DataFrame:
    """seed, arm, labels (-1: none were read) and a row for each test query; all seeds below each other."""
    tables, metric = [], values["diagnose"]["metric"]
    for seed in seeds:
        for arm, count, queries in arms(begun(values, seed), asked):
            print(f"seed {seed}: {arm}, {count} labels: {queries[metric].mean():.3f}", file=sys.stderr)
            tables.append(queries.assign(seed=seed, arm=arm, labels=count))
    return pd.concat(tables, ignore_index=True)


def seeds_of(values: Mapping[str, Any]) -> list[int]:
    return [params.seed(dict(values)) + i for i in range(SEEDS)]
