"""A fault: what is wrong, as a person would say it, and the one change to a healthy run that brings it about.

A module of kinds (`development/`, `held_out/`, `blind/`, `blind_2/`) has `FAULTS: tuple[Fault, ...]`. Which codes name
a fault rightly is said apart, in the causes.yaml of each place, so that kinds can be written by someone who has seen no
check.

What a healthy run of each task has, and so what a fault may break:

task      raw folder that `data` changes                        configuration (params.yaml and these)
ranking   corpus.jsonl (_id, title, text), queries.jsonl (_id,  base, tuned on ranking: its last layer, in-batch
          text, metadata.type: question | conversation),        negatives, a few epochs; tfidf and bm25 beside it
          qrels/train.tsv, dev.tsv, test.tsv (query-id,
          corpus-id, score; with a header)
barlow    as ranking                                            a head by pretrain_barlow, across answers; both tuned
pairs     nli.csv (premise, hypothesis, label: entailment |     objectives.similarity of nli and train.csv, ranking off;
          neutral | contradiction), train.csv, dev.csv,         scored on test.csv
          test.csv (sentence1, sentence2, score: 0 to 5)
ratings   ratings.csv (qa_id, question_title, question_body,    objectives.ratings, ranking off; 5 folds by
          answer, then targets in [0, 1])                       question_title
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

About = Literal["data", "labels", "parameters", "code", "encoder", "barlow", "pairs", "ratings"]
Task = Literal["ranking", "barlow", "pairs", "ratings"]
Change = Callable[[Path, np.random.Generator], None]


@dataclass(frozen=True)
class Fault:
    """name      stable words with hyphens: the key of causes.yaml
    about        what it is a fault of
    sentence     the right cause, as a person would say it
    source       thread, paper or operator that it comes from
    task         the healthy configuration that it breaks
    mendable     whether parameters, or a list of rows to leave out or relabel, can mend it
    data         changes a copy of the raw folder in place (layout above)
    settings     overrides of params.yaml by dotted key; wins over those of the configuration
    code         patches modules of whyrank, torch or transformers; called in the forked process before any stage
    encoder      changes a copy of MiniLM's sentence-transformers folder in place (config.json, model.safetensors,
                 tokenizer.json, modules.json, 1_Pooling/config.json, …); it becomes `encoder.source`
    """

    name: str
    about: About
    sentence: str
    source: str
    task: Task = "ranking"
    mendable: bool = False
    data: Change | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    code: Callable[[], None] | None = None
    encoder: Change | None = None
