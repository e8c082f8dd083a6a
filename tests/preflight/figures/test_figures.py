"""All figures of prepare together: their names, and the progress that a log shows of them."""

import copy
import re
from dataclasses import replace

import pandas as pd

from whyrank.core import progress
from whyrank.core.options import params
from whyrank.core.prepared import CORRECTION_COLUMNS, Prepared
from whyrank.data.ranking.otherwise import COLUMNS
from whyrank.data.ranking.validate import Validated
from whyrank.preflight import figures

OPTIONS = params.Encoder(
    "scratch", pooling="auto", precision="fp32", attention_dropout=0.0, batch_tokens=200, trust_remote_code=False
)


def counted(prepared: Prepared) -> Prepared:
    prepared = copy.deepcopy(prepared)
    for table in (prepared.answers, prepared.queries):
        table["tokens"] = table["tokens_raw"] = table["input_ids"].map(len)
    return prepared


def as_read(prepared: Prepared) -> Validated:
    """The set as its files would have it."""
    return Validated(
        answers=prepared.answers.assign(line=range(1, len(prepared.answers) + 1)),
        queries=prepared.queries,
        qrels=prepared.qrels.assign(file="qrels.tsv", line=range(1, len(prepared.qrels) + 1)),
        given=None,
        rejected=pd.DataFrame(),
        left_out=pd.DataFrame(),
        rows_in={},
        types=pd.DataFrame(),
        scores=pd.DataFrame(),
        unread=[],
        corrected=pd.DataFrame(columns=CORRECTION_COLUMNS),
        origins={},
    )


def test_a_log_shows_how_many_figures_are_measured(paired, make_encoder, monkeypatch, fake_stderr):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    log, paired = fake_stderr(False), counted(paired)
    found = figures.tables(make_encoder(), paired, OPTIONS, 0, as_read(paired), pd.DataFrame(columns=COLUMNS))
    told = re.findall(r"^figures: (\d+) of (\d+), .* s left$", log.getvalue(), re.MULTILINE)
    total = int(told[0][1])
    assert total > 15 and told == [(str(done), str(total)) for done in range(total)]
    assert {"tokenizer", "encoder_layers", "encoder_space", "text_figures", "pair_shifts", "judgements"} <= found.keys()
    assert {"sanity", "rows_wrong-labels"} <= found.keys() and "encoder_selections" not in found


def test_queries_that_are_made_of_answers_are_in_no_figure_of_texts_and_labels(topics, make_encoder):
    own = counted(topics)
    made = own.queries.iloc[:1].assign(query_id="~pseudo/a/0", split="train")
    judged = own.qrels.iloc[:1].assign(query_id="~pseudo/a/0")
    queries, qrels = pd.concat([own.queries, made]), pd.concat([own.qrels, judged])
    with_made = replace(own, queries=queries.reset_index(drop=True), qrels=qrels.reset_index(drop=True))
    tables = [
        figures.tables(make_encoder(), prepared, OPTIONS, 0, as_read(own), pd.DataFrame(columns=COLUMNS))
        for prepared in (own, with_made)
    ]
    names = {"text_figures", "untuned", "judgements", "unjudged", *(name for name in tables[0] if name[:5] == "rows_")}
    for name in sorted(names):
        pd.testing.assert_frame_equal(*(found[name] for found in tables))
