"""All figures of prepare together: their names, and the progress that a log shows of them."""

import copy
import re

import pandas as pd

from whyrank.core import progress
from whyrank.core.options import params
from whyrank.core.prepared import CORRECTION_COLUMNS
from whyrank.data.ranking.otherwise import COLUMNS
from whyrank.data.ranking.validate import Validated
from whyrank.preflight import figures

OPTIONS = params.Encoder(
    "scratch", pooling="auto", precision="fp32", attention_dropout=0.0, batch_tokens=200, trust_remote_code=False
)


def test_a_log_shows_how_many_figures_are_measured(paired, make_encoder, monkeypatch, fake_stderr):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    log, paired = fake_stderr(False), copy.deepcopy(paired)
    for table in (paired.answers, paired.queries):
        table["tokens"] = table["tokens_raw"] = table["input_ids"].map(len)
    valid = Validated(
        answers=paired.answers.assign(line=range(1, len(paired.answers) + 1)),
        queries=paired.queries,
        qrels=paired.qrels.assign(file="qrels.tsv", line=range(1, len(paired.qrels) + 1)),
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
    found = figures.tables(make_encoder(), paired, OPTIONS, 0, valid, pd.DataFrame(columns=COLUMNS))
    told = re.findall(r"^figures: (\d+) of (\d+), .* s left$", log.getvalue(), re.MULTILINE)
    total = int(told[0][1])
    assert total > 15 and told == [(str(done), str(total)) for done in range(total)]
    assert {"tokenizer", "encoder_layers", "encoder_space", "text_figures", "pair_shifts", "judgements"} <= found.keys()
    assert {"sanity", "rows_wrong-labels"} <= found.keys() and "encoder_selections" not in found
